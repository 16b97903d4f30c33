package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type (
	draftQuery struct {
		PageQuery
		TaskID       string `query:"task_id"`
		CampaignID   string `query:"campaign_id"`
		CreatorID    string `query:"creator_id"`
		AdvertiserID string `query:"advertiser_id"`
		Status       string `query:"status" enum:"waiting,approved,returned"`
	}
	taskDraftQuery struct {
		ByID
		PageQuery
	}
	draftInput struct {
		ByID
		JSON[catalog.DraftFields]
	}
	returnInput struct {
		ByID
		JSON[struct {
			Reason string `json:"reason" doc:"What is to be changed; the creator reads it"`
		}]
	}
)

func (a *API) drafts() {
	everybody := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	judges := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	collection[catalog.DraftFields, catalog.Draft, draftQuery]{
		one: "draft", many: "drafts", tag: "Posts",
		mayList: everybody, mayRead: everybody,
		list: func(ctx context.Context, scope catalog.Scope, q *draftQuery) (catalog.List[catalog.Draft], error) {
			filter := catalog.DraftFilter{TaskID: q.TaskID, CampaignID: q.CampaignID, CreatorID: q.CreatorID, AdvertiserID: q.AdvertiserID, Status: q.Status}
			return a.catalog.Drafts(ctx, scope, filter, q.Page())
		},
		read: a.catalog.Draft,
	}.register(a)
	const ofTask = "/v1/tasks/{id}/drafts"
	Register(a, Operation{
		ID: "create-draft", Method: http.MethodPost, Path: ofTask, Tag: "Posts", Summary: "Hand in a draft for a task",
		Description: "Where the campaign has require_draft, each post needs one that is approved. One draft of a task waits at a time.",
		Roles:       []string{catalog.RoleAdmin, catalog.RoleCreator}, Status: http.StatusCreated,
	}, func(ctx context.Context, in *draftInput) (*made[catalog.Draft], error) {
		draft, err := a.catalog.CreateDraft(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[catalog.Draft]{Location: "/v1/drafts/" + draft.ID, Body: draft}, nil
	})
	Register(a, Operation{
		ID: "list-task-drafts", Method: http.MethodGet, Path: ofTask, Tag: "Posts", Summary: "List the drafts of a task", Roles: everybody,
	}, func(ctx context.Context, in *taskDraftQuery) (*listed[catalog.Draft], error) {
		if _, err := a.catalog.Task(ctx, ScopeOf(ctx), in.ID); err != nil {
			return nil, err
		}
		list, err := a.catalog.Drafts(ctx, ScopeOf(ctx), catalog.DraftFilter{TaskID: in.ID}, in.Page())
		if err != nil {
			return nil, err
		}
		return inPage(list, func(d catalog.Draft) catalog.Draft { return d }), nil
	})
	Register(a, Operation{
		ID: "approve-draft", Method: http.MethodPost, Path: "/v1/drafts/{id}/approve", Tag: "Posts",
		Summary: "Approve a draft: the creator may post it", Roles: judges,
	}, func(ctx context.Context, in *ByID) (*Answer[catalog.Draft], error) {
		return Answered(a.catalog.ApproveDraft(ctx, ScopeOf(ctx), in.ID))
	})
	Register(a, Operation{
		ID: "return-draft", Method: http.MethodPost, Path: "/v1/drafts/{id}/return", Tag: "Posts",
		Summary: "Send a draft back with what is to be changed", Roles: judges,
	}, func(ctx context.Context, in *returnInput) (*Answer[catalog.Draft], error) {
		return Answered(a.catalog.ReturnDraft(ctx, ScopeOf(ctx), in.ID, in.Value().Reason))
	})
}
