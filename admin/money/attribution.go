package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

// A Reattribution asks to decide again who earned the conversions of a range.
type Reattribution struct {
	AdvertiserID string              `json:"advertiser_id,omitempty" doc:"Required of admins; an advertiser's own by default"`
	CampaignIDs  []string            `json:"campaign_ids,omitempty" doc:"Only credits of these campaigns, before or after, and only their terms are replaced; all by default"`
	From         attribution.Instant `json:"from" doc:"event_time from then on"`
	To           attribution.Instant `json:"to" doc:"event_time before then; at most 400 days and 5,000 conversions"`
	Model        string              `json:"model,omitempty" doc:"last, first, linear, position or time_decay, instead of the campaigns' own"`
	Terms        *attribution.Terms  `json:"terms,omitempty" doc:"Instead of the campaigns' own; what they leave out stays. Caps stay the campaigns'"`
	DryRun       *bool               `json:"dry_run,omitempty" doc:"true by default: only says what would change"`
	RunID        string              `json:"run_id,omitempty" doc:"Of the dry run; applying the same run again changes nothing"`
}

// replayTimeout is how long a re-attribution may take; one that is cut short goes
// on when its run is sent again.
const replayTimeout = 3 * time.Minute

type reattributionInput struct{ admin.JSON[Reattribution] }

func (a *API) attribution(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "replay-attribution", Method: http.MethodPost, Path: "/v1/attribution/replay", Tag: "Conversions",
		Summary: "Decide again who earned conversions", Roles: payers, Waits: true, Timeout: replayTimeout,
		Description: "Under another model, other terms, or the verdicts that POST /v1/clicks/reclassify gave clicks since, " +
			"each conversion from the clicks and the code of its first decision. " +
			"A dry run, the default, says what would change. Applied, pending and held actions whose credit went are reversed, " +
			"new ones made through caps and budget, and locked ones corrected by adjustments. " +
			"An advertiser may ask for dry runs of its own, of at most 1,000 conversions.",
	}, func(ctx context.Context, in *reattributionInput) (*answer[ledger.Reattributed], error) {
		asked := in.Value()
		return answered(a.ledger.Reattribute(ctx, scopeOf(ctx), ledger.Reattribution{
			RunID: asked.RunID, AdvertiserID: asked.AdvertiserID, CampaignIDs: asked.CampaignIDs, From: asked.From, To: asked.To,
			Model: asked.Model, Terms: asked.Terms, DryRun: asked.DryRun == nil || *asked.DryRun,
		}))
	})
}
