package money

import (
	"context"
	"net/http"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

// Rates are exchange rates to set: a list of them, or one.
type Rates struct {
	Items []ledger.Rate `json:"items,omitempty" doc:"At most 1,000, all or none"`
	ledger.Rate
}

type (
	setRatesInput struct{ admin.JSON[Rates] }
	ratesInput    struct {
		admin.PageQuery
		Day   string `query:"day"`
		Base  string `query:"base"`
		Quote string `query:"quote"`
	}
)

func (a *API) rates(api *admin.API) {
	const path = "/v1/fx-rates"
	admin.Register(api, admin.Operation{
		ID: "set-fx-rates", Method: http.MethodPut, Path: path, Tag: "Money", Summary: "Set exchange rates of days", Roles: operators,
		Description: "A conversion in another currency than its campaign's is converted at the rate of its day. What was converted before stays as it is.",
	}, func(ctx context.Context, in *setRatesInput) (*listed[ledger.Rate], error) {
		asked := in.Value()
		rates := asked.Items
		if asked.Rate != (ledger.Rate{}) {
			if len(rates) > 0 {
				return nil, attribution.Refuse(attribution.CodeValidation, "send either items or one rate")
			}
			rates = []ledger.Rate{asked.Rate}
		}
		return all(rates, a.ledger.SetRates(ctx, scopeOf(ctx), rates))
	})
	admin.Register(api, admin.Operation{
		ID: "list-fx-rates", Method: http.MethodGet, Path: path, Tag: "Money", Summary: "List exchange rates, newest day first", Roles: payers,
	}, func(ctx context.Context, in *ratesInput) (*listed[ledger.Rate], error) {
		return inPage(a.ledger.Rates(ctx, scopeOf(ctx), ledger.RateFilter{Day: in.Day, Base: in.Base, Quote: in.Quote}, pageOf(in.PageQuery)))
	})
}
