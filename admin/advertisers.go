package admin

import (
	"context"

	"tributary/catalog"
)

type advertiserQuery struct {
	PageQuery
	Q string `query:"q" maxLength:"200" doc:"Part of the name"`
}

func (a *API) advertisers() {
	collection[catalog.AdvertiserFields, catalog.Advertiser, advertiserQuery]{
		one: "advertiser", many: "advertisers", tag: "Advertisers",
		mayCreate:  []string{catalog.RoleAdmin},
		mayList:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		mayRead:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		mayPatch:   []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		mayArchive: []string{catalog.RoleAdmin},
		create:     a.catalog.CreateAdvertiser,
		list: func(ctx context.Context, scope catalog.Scope, q *advertiserQuery) (catalog.List[catalog.Advertiser], error) {
			return a.catalog.Advertisers(ctx, scope, catalog.AdvertiserFilter{Q: q.Q}, q.Page())
		},
		read:    a.catalog.Advertiser,
		patch:   a.catalog.PatchAdvertiser,
		archive: a.catalog.ArchiveAdvertiser,
		id:      func(t catalog.Advertiser) string { return t.ID },
	}.register(a)
}
