package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type (
	codeQuery struct {
		PageQuery
		Code         string `query:"code" doc:"In any case"`
		TaskID       string `query:"task_id"`
		CampaignID   string `query:"campaign_id"`
		CreatorID    string `query:"creator_id"`
		AdvertiserID string `query:"advertiser_id"`
		Platform     string `query:"platform"`
	}
	codeInput struct {
		ByID
		JSON[catalog.CodeFields]
	}
	poolInput struct {
		ByID
		DryRun bool `query:"dry_run" doc:"Say what would happen and change nothing"`
		CSV
	}
)

func (a *API) codes() {
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	collection[catalog.CodeFields, catalog.Code, codeQuery]{
		one: "code", many: "codes", tag: "Codes",
		mayList: owners, mayRead: owners, mayPatch: owners, mayArchive: owners,
		list: func(ctx context.Context, scope catalog.Scope, q *codeQuery) (catalog.List[catalog.Code], error) {
			filter := catalog.CodeFilter{Code: q.Code, TaskID: q.TaskID, CampaignID: q.CampaignID, CreatorID: q.CreatorID,
				AdvertiserID: q.AdvertiserID, Platform: q.Platform}
			return a.catalog.Codes(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Code,
		patch:   a.catalog.PatchCode,
		archive: a.catalog.DeleteCode,
	}.register(a)
	Register(a, Operation{
		ID: "create-code", Method: http.MethodPost, Path: "/v1/tasks/{id}/codes", Tag: "Codes",
		Summary: "Make a referral code for a task", Roles: owners, Status: http.StatusCreated,
	}, func(ctx context.Context, in *codeInput) (*made[catalog.Code], error) {
		code, err := a.catalog.CreateCode(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[catalog.Code]{Location: "/v1/codes/" + code.ID, Body: code}, nil
	})
	a.codePool()
}

func (a *API) codePool() {
	const path = "/v1/campaigns/{id}/code-pool"
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	Register(a, Operation{
		ID: "fill-code-pool", Method: http.MethodPost, Path: path, Tag: "Codes", Summary: "Upload codes for a campaign",
		Description: "A CSV file with one code in each line, in the column headed code or else in the first. From then on the campaign's codes come from this pool alone. Lines that cannot be taken are named and do not stop the others.",
		Roles:       owners, MaxBodyBytes: MaxBulkBodyBytes,
	}, func(ctx context.Context, in *poolInput) (*Answer[catalog.PoolUpload], error) {
		return Answered(a.catalog.FillCodePool(ctx, ScopeOf(ctx), in.ID, in.File(), in.DryRun))
	})
	Register(a, Operation{
		ID: "get-code-pool", Method: http.MethodGet, Path: path, Tag: "Codes", Summary: "Read how many uploaded codes are left", Roles: owners,
	}, func(ctx context.Context, in *ByID) (*Answer[catalog.CodePool], error) {
		return Answered(a.catalog.CodePool(ctx, ScopeOf(ctx), in.ID))
	})
}
