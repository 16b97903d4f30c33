package erasures

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/catalog"
	"tributary/schema/database"
)

// waitForDone is how long a request waits for what it begins.
const waitForDone = 20 * time.Second

// donePoll is how often it looks.
const donePoll = 50 * time.Millisecond

type (
	eraseInput struct{ admin.JSON[Subject] }
	idInput    struct {
		ID string `path:"id"`
	}
	listInput struct {
		admin.PageQuery
		AdvertiserID string `query:"advertiser_id"`
	}
	output struct{ Body Erasure }
	listed struct{ Body page }
	page   struct {
		Items      []Erasure `json:"items" nullable:"false"`
		NextCursor string    `json:"next_cursor,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
	}
)

// Routes are the operations that erase persons.
func (s *Service) Routes(api *admin.API) {
	operators := []string{catalog.RoleAdmin}
	const path, tag = "/v1/erasures", "Privacy"
	admin.Register(api, admin.Operation{
		ID: "erase-person", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Erase a customer or a visitor",
		Description: "Erases what stands for a person from every store; amounts, counts and states stay, and an order stays counted. " +
			"A dry run, the default, only says how much there is. What was received before and comes later is settled without the person; " +
			"what is received later is a new customer's. The answer comes when it is done, or after 20 seconds with state pending: it goes on by itself.",
		Roles: operators, Waits: true, Timeout: 3 * waitForDone,
	}, func(ctx context.Context, in *eraseInput) (*output, error) {
		e, err := s.Erase(ctx, admin.ScopeOf(ctx), in.Value())
		if err == nil && e.State == statePending {
			e, err = s.await(ctx, e)
		}
		if err != nil {
			return nil, err
		}
		return &output{e}, nil
	})
	admin.Register(api, admin.Operation{
		ID: "get-erasure", Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Summary: "How far an erasure is", Roles: operators,
	}, func(ctx context.Context, in *idInput) (*output, error) {
		e, err := s.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &output{e}, nil
	})
	admin.Register(api, admin.Operation{
		ID: "list-erasures", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Persons that were erased, without saying who", Roles: operators,
	}, func(ctx context.Context, in *listInput) (*listed, error) {
		limit := in.Limit
		rows, err := s.o.DB.Filter(ctx, "erasure.list", database.Given{"advertiser_id": in.AdvertiserID, "before": in.Cursor, "limit": limit + 1})
		if err != nil {
			return nil, err
		}
		items, err := scanErasures(rows)
		if err != nil {
			return nil, err
		}
		out := &listed{page{Items: append([]Erasure{}, items...)}}
		if len(items) > limit {
			out.Body.Items = out.Body.Items[:limit]
			out.Body.NextCursor = items[limit-1].ID
		}
		return out, nil
	})
}

// await waits for an erasure to be done, for as long as a client may wait.
func (s *Service) await(ctx context.Context, e Erasure) (Erasure, error) {
	ctx, cancel := context.WithTimeout(ctx, waitForDone)
	defer cancel()
	for {
		now, err := s.Get(context.WithoutCancel(ctx), e.ID)
		if err != nil || now.State == stateDone {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, nil
		case <-time.After(donePoll):
		}
	}
}
