package reclassify

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/catalog"
)

// waitForRun is how long a request waits for the run it begins.
const waitForRun = 20 * time.Second

type (
	beginInput struct{ admin.JSON[Asked] }
	idInput    struct {
		ID string `path:"id"`
	}
	output struct{ Body Run }
	listed struct {
		Body struct {
			Items []Run `json:"items" nullable:"false"`
		}
	}
)

const maxRunsListed = 100

// Routes are the operations that judge stored hits again.
func (s *Service) Routes(api *admin.API) {
	operators := []string{catalog.RoleAdmin}
	admin.Register(api, admin.Operation{
		ID: "reclassify-clicks", Method: http.MethodPost, Path: "/v1/clicks/reclassify", Tag: "Clicks", Summary: "Judge stored hits again",
		Description: "Applies the verdict rules in force now to stored hits: crawler list, tools, empty user agents and networks of data centers. " +
			"What only the moment of the hit knew, a test, HEAD, a speculative request or the rate, stays. A dry run, the default, only says what would change. " +
			"The answer comes when the run is done, or after 20 seconds with state running; then ask for it by its id. One run at a time. " +
			"No money moves: POST /v1/attribution/replay decides again who earned what, with the new verdicts.",
		Roles: operators, Waits: true, OptionalBody: true, Timeout: 2 * waitForRun,
	}, func(ctx context.Context, in *beginInput) (*output, error) {
		begun, err := s.Begin(ctx, in.Value())
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, waitForRun)
		defer cancel()
		run, err := s.Wait(ctx, begun.ID)
		if err != nil {
			return nil, err
		}
		return &output{run}, nil
	})
	admin.Register(api, admin.Operation{
		ID: "get-reclassification", Method: http.MethodGet, Path: "/v1/reclassifications/{id}", Tag: "Clicks",
		Summary: "How far judging hits again is, and what it found", Roles: operators,
	}, func(ctx context.Context, in *idInput) (*output, error) {
		run, err := s.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &output{run}, nil
	})
	admin.Register(api, admin.Operation{
		ID: "list-reclassifications", Method: http.MethodGet, Path: "/v1/reclassifications", Tag: "Clicks",
		Summary: "The latest times hits were judged again", Roles: operators,
	}, func(ctx context.Context, _ *struct{}) (*listed, error) {
		runs, err := s.list(ctx, maxRunsListed)
		if err != nil {
			return nil, err
		}
		out := &listed{}
		out.Body.Items = runs
		return out, nil
	})
}
