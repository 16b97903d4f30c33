package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

func (a *API) me() {
	Register(a, Operation{
		ID: "get-me", Method: http.MethodGet, Path: "/v1/me", Tag: "Keys", Summary: "Read who this key is",
		Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator, catalog.RoleIngest},
	}, func(ctx context.Context, _ *struct{}) (*Answer[catalog.Me], error) {
		return Answered(a.catalog.Me(ctx, ScopeOf(ctx)))
	})
}
