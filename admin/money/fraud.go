package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

type fraudSignalsInput struct {
	admin.PageQuery
	AdvertiserID string    `query:"advertiser_id"`
	CampaignID   string    `query:"campaign_id"`
	CreatorID    string    `query:"creator_id"`
	ConversionID string    `query:"conversion_id"`
	ActionID     string    `query:"action_id"`
	OrderID      string    `query:"order_id"`
	Rule         string    `query:"rule" enum:"time_to_sale,self_purchase,network_velocity,leaked_code,borrowed_code,conversion_rate,click_source"`
	Severity     string    `query:"severity" enum:"flag,hold" doc:"What the rule was set to do"`
	From         time.Time `query:"from" doc:"Given from then on"`
	To           time.Time `query:"to" doc:"Given before then"`
}

func (a *API) fraud(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "list-fraud-signals", Method: http.MethodGet, Path: "/v1/fraud-signals", Tag: "Actions", Roles: payers,
		Summary: "List what the rules against fraud said, newest first",
		Description: "Of actions, and under the rule conversion_rate of creators in a campaign. A signal of severity flag changed nothing; " +
			"hold held the action, which POST /v1/actions/{id}/release or reverse ends. An advertiser's rules are its field fraud_rules. Creators see no signals.",
	}, func(ctx context.Context, in *fraudSignalsInput) (*listed[ledger.FraudSignal], error) {
		filter := ledger.FraudFilter{
			AdvertiserID: in.AdvertiserID, CampaignID: in.CampaignID, CreatorID: in.CreatorID, ConversionID: in.ConversionID, ActionID: in.ActionID,
			OrderID: in.OrderID, Rule: in.Rule, Severity: in.Severity, From: attribution.InstantOrNone(in.From), To: attribution.InstantOrNone(in.To),
		}
		return inPage(a.ledger.FraudSignals(ctx, scopeOf(ctx), filter, pageOf(in.PageQuery)))
	})
}
