package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"tributary/attribution"
	"tributary/catalog"
)

type (
	linkQuery struct {
		PageQuery
		TaskID     string `query:"task_id"`
		CampaignID string `query:"campaign_id"`
		CreatorID  string `query:"creator_id"`
		Platform   string `query:"platform"`
		Slug       string `query:"slug"`
		Label      string `query:"label"`
	}
	linkInput struct {
		ByID
		JSON[catalog.LinkFields]
	}
	bulkLinks struct {
		Items []catalog.LinkRequest `json:"items" nullable:"false" doc:"Links to make, each for its task"`
	}
	// A bulkResult says what became of one item, in the order they came in.
	bulkResult struct {
		Status  string        `json:"status" enum:"created,rejected"`
		Link    *catalog.Link `json:"link,omitempty"`
		Problem *problem      `json:"problem,omitempty" doc:"Why it was rejected"`
	}
	bulkAnswer struct {
		Body struct {
			Results []bulkResult `json:"results" nullable:"false"`
		}
	}
)

func (a *API) links() {
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	collection[catalog.LinkFields, catalog.Link, linkQuery]{
		one: "link", many: "links", tag: "Links",
		mayList: owners, mayRead: owners, mayPatch: owners, mayArchive: owners,
		list: func(ctx context.Context, scope catalog.Scope, q *linkQuery) (catalog.List[catalog.Link], error) {
			filter := catalog.LinkFilter{TaskID: q.TaskID, CampaignID: q.CampaignID, CreatorID: q.CreatorID,
				Platform: q.Platform, Slug: q.Slug, Label: q.Label}
			return a.catalog.Links(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Link,
		patch:   a.catalog.PatchLink,
		archive: a.catalog.DeleteLink,
	}.register(a)
	Register(a, Operation{
		ID: "create-link", Method: http.MethodPost, Path: "/v1/tasks/{id}/links", Tag: "Links",
		Summary: "Make a link for a task", Roles: owners, Status: http.StatusCreated,
	}, func(ctx context.Context, in *linkInput) (*made[catalog.Link], error) {
		link, err := a.catalog.CreateLink(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[catalog.Link]{Location: "/v1/links/" + link.ID, Body: link}, nil
	})
	Register(a, Operation{
		ID: "create-links", Method: http.MethodPost, Path: "/v1/links/bulk", Tag: "Links",
		Summary:     "Make many links",
		Description: "Each item stands for itself: those that can be made are, and every item has its result, in the order of the request.",
		Roles:       owners, MaxBodyBytes: MaxBulkBodyBytes,
	}, a.createLinks)
	a.qrCodes()
}

func (a *API) createLinks(ctx context.Context, in *makeInput[bulkLinks]) (*bulkAnswer, error) {
	items := in.Value().Items
	var c attribution.Checker
	c.Require(len(items) > 0 && len(items) <= catalog.MaxBulk, "body.items", "must be 1 to %d links", catalog.MaxBulk)
	if err := c.Err(); err != nil {
		return nil, err
	}
	results, err := a.catalog.CreateLinks(ctx, ScopeOf(ctx), items)
	if err != nil {
		return nil, err
	}
	var out bulkAnswer
	out.Body.Results = make([]bulkResult, len(results))
	for i, result := range results {
		if result.Problem != nil {
			out.Body.Results[i] = bulkResult{Status: "rejected", Problem: problemOfItem(result.Problem, i)}
		} else {
			out.Body.Results[i] = bulkResult{Status: "created", Link: result.Link}
		}
	}
	return &out, nil
}

// problemOfItem names fields as they stand in the whole request.
func problemOfItem(p *attribution.Problem, item int) *problem {
	whole := asProblem(p)
	for i, field := range p.Fields {
		whole.Errors[i].Location = fmt.Sprintf("body.items[%d].%s", item, strings.TrimPrefix(field.Location, "body."))
	}
	return whole
}
