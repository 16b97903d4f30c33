package admin

import (
	"context"

	"tributary/catalog"
)

type creatorQuery struct {
	PageQuery
	Q          string `query:"q" maxLength:"200" doc:"Part of the name or a handle"`
	CampaignID string `query:"campaign_id" doc:"Those in this campaign"`
	Country    string `query:"country" doc:"ISO 3166-1 alpha-2"`
	Label      string `query:"label"`
}

func (a *API) creators() {
	collection[catalog.CreatorFields, catalog.Creator, creatorQuery]{
		one: "creator", many: "creators", tag: "Creators",
		mayCreate:  []string{catalog.RoleAdmin},
		mayList:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator},
		mayRead:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator},
		mayPatch:   []string{catalog.RoleAdmin, catalog.RoleCreator},
		mayArchive: []string{catalog.RoleAdmin},
		create:     a.catalog.CreateCreator,
		list: func(ctx context.Context, scope catalog.Scope, q *creatorQuery) (catalog.List[catalog.Creator], error) {
			filter := catalog.CreatorFilter{Q: q.Q, CampaignID: q.CampaignID, Country: q.Country, Label: q.Label}
			return a.catalog.Creators(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Creator,
		patch:   a.catalog.PatchCreator,
		archive: a.catalog.ArchiveCreator,
		id:      func(t catalog.Creator) string { return t.ID },
		view:    creatorView,
		sealed:  map[string][]string{catalog.RoleCreator: {"labels"}},
	}.register(a)
}

// creatorView: how to reach and pay a creator is for the admin and the creator
// itself; labels are the operator's own notes, which advertisers invite by.
func creatorView(scope catalog.Scope, c catalog.Creator) catalog.Creator {
	switch scope.Role {
	case catalog.RoleAdmin:
	case catalog.RoleCreator:
		c.Labels = nil
	default:
		c.Email, c.PayoutDetails = "", nil
	}
	return c
}
