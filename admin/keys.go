package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type keyQuery struct {
	PageQuery
	Role         string `query:"role" enum:"admin,advertiser,creator,ingest"`
	AdvertiserID string `query:"advertiser_id"`
	CreatorID    string `query:"creator_id"`
}

// newKey is a key with its secret, which is shown this once.
type newKey struct {
	catalog.Key
	Secret string `json:"key" doc:"The secret: shown now and never again" example:"trb_…"`
}

func (a *API) keys() {
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	Register(a, Operation{
		ID: "create-key", Method: http.MethodPost, Path: "/v1/keys", Tag: "Keys", Summary: "Make a key",
		Description: "An admin makes any key, an advertiser ingest keys of its own. The secret is in this answer and nowhere else. With an Idempotency-Key no second key is made, but its secret is not given again either: a repeated request is answered 409 secret_shown_once.",
		Roles:       owners, Status: http.StatusCreated, HoldsSecret: true,
	}, func(ctx context.Context, in *makeInput[catalog.KeyFields]) (*made[newKey], error) {
		key, secret, err := a.catalog.CreateKey(ctx, ScopeOf(ctx), in.Value())
		if err != nil {
			return nil, err
		}
		return &made[newKey]{Location: "/v1/keys/" + key.ID, Body: newKey{key, secret}}, nil
	})
	collection[catalog.KeyFields, catalog.Key, keyQuery]{
		one: "key", many: "keys", tag: "Keys",
		mayList: owners, mayRead: owners, mayPatch: owners, mayArchive: owners,
		list: func(ctx context.Context, scope catalog.Scope, q *keyQuery) (catalog.List[catalog.Key], error) {
			filter := catalog.KeyFilter{Role: q.Role, AdvertiserID: q.AdvertiserID, CreatorID: q.CreatorID}
			return a.catalog.Keys(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Key,
		patch:   a.catalog.PatchKey,
		archive: a.catalog.ArchiveKey,
	}.register(a)
}
