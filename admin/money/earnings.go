package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

type statementInput struct {
	admin.ByID
	admin.PageQuery
	AdvertiserID string    `query:"advertiser_id"`
	CampaignID   string    `query:"campaign_id"`
	Currency     string    `query:"currency"`
	From         time.Time `query:"from" doc:"From this time on"`
	To           time.Time `query:"to" doc:"Before this time"`
}

// earnings are what creators are owed and were paid.
func (a *API) earnings(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "get-creator-balance", Method: http.MethodGet, Path: "/v1/creators/{id}/balance", Tag: "Money",
		Summary: "Read what a creator has earned, by advertiser and currency", Roles: everybody,
	}, func(ctx context.Context, in *admin.ByID) (*listed[ledger.Balance], error) {
		return all(a.ledger.Balances(ctx, scopeOf(ctx), in.ID))
	})
	admin.Register(api, admin.Operation{
		ID: "list-creator-statement", Method: http.MethodGet, Path: "/v1/creators/{id}/statement", Tag: "Money",
		Summary: "List every change of a creator's pay, oldest first", Roles: everybody,
	}, func(ctx context.Context, in *statementInput) (*listed[ledger.StatementLine], error) {
		filter := ledger.StatementFilter{AdvertiserID: in.AdvertiserID, CampaignID: in.CampaignID, Currency: in.Currency, From: attribution.InstantOrNone(in.From), To: attribution.InstantOrNone(in.To)}
		return inPage(a.ledger.Statement(ctx, scopeOf(ctx), in.ID, filter, pageOf(in.PageQuery)))
	})
}
