package dashboard

import (
	"net/url"
	"slices"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// An actionsView is the table of actions.
type actionsView struct {
	Filter    map[string]string // as the address has it
	Active    int               // how many are set beside the state
	States    []string
	Actions   []ledger.Action
	Next      string
	CSV       string // the address of the same as a file
	Directory *directory
	Campaigns []catalog.Campaign
	Creators  []catalog.Creator
	Referrals []string
	Reasons   []string
	Reversals []string
	Platforms []string
}

// actionFilters are the parameters of the page, by the API's names.
var actionFilters = []string{"state", "campaign_id", "creator_id", "platform", "event", "referral", "reason", "code", "order_id", "from", "to", "payout_id", "conversion_id"}

var (
	referrals     = []string{"click", "code", "forced", "task", "post", "adjustment"}
	actionReasons = []string{ledger.ReasonOverBudget, ledger.ReasonUnsigned, ledger.ReasonCapped, ledger.ReasonFraudReview, ledger.ReasonFraudSelf, ledger.ReasonFraudVelocity, ledger.ReasonFraudLeakedCode, ledger.ReasonFraudClickSource}
)

func showActions(v *visit) (any, error) {
	view := &actionsView{
		Filter: map[string]string{}, States: actionStates, Directory: v.directory(), Referrals: referrals, Reasons: actionReasons, Reversals: ledger.ReversalReasons(),
	}
	file := url.Values{"format": {"csv"}, "advertiser_id": {v.Advertiser.ID}, "tz": {v.Zone.String()}}
	for _, name := range actionFilters {
		value := v.Query(name)
		if value == "" {
			continue
		}
		view.Filter[name] = value
		file.Set(name, value)
		if name != "state" {
			view.Active++
		}
	}
	if last, err := time.ParseInLocation(time.DateOnly, view.Filter["to"], v.Zone); err == nil {
		file.Set("to", last.AddDate(0, 0, 1).Format(time.DateOnly)) // people include the last day
	}
	view.CSV = "/v1/reports/actions?" + file.Encode()
	list, err := v.Ledger.Actions(v.Context(), v.ledgerScope(), view.filter(v), ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Actions, view.Next = list.Items, list.NextCursor
	return view, view.choices(v)
}

// filter is what the ledger is asked for. A state or referral that does not exist
// is left out, as an old bookmark may have one.
func (view *actionsView) filter(v *visit) ledger.ActionFilter {
	f := view.Filter
	filter := ledger.ActionFilter{
		AdvertiserID: v.Advertiser.ID, CampaignID: f["campaign_id"], CreatorID: f["creator_id"], Platform: f["platform"], Event: f["event"],
		Reason: f["reason"], Code: f["code"], OrderID: f["order_id"], PayoutID: f["payout_id"], ConversionID: f["conversion_id"],
	}
	if slices.Contains(actionStates, f["state"]) {
		filter.State = f["state"]
	}
	if slices.Contains(referrals, f["referral"]) {
		filter.Referral = f["referral"]
	}
	if from, err := time.ParseInLocation(time.DateOnly, f["from"], v.Zone); err == nil {
		filter.EventFrom = attribution.InstantOf(from)
	}
	if last, err := time.ParseInLocation(time.DateOnly, f["to"], v.Zone); err == nil {
		filter.EventTo = attribution.InstantOf(last.AddDate(0, 0, 1))
	}
	return filter
}

// maxCreators is how many creators a filter offers.
const maxCreators = 300

func (view *actionsView) choices(v *visit) (err error) {
	if view.Campaigns, err = v.campaignsOf(""); err != nil {
		return err
	}
	filter := catalog.CreatorFilter{CampaignID: view.Filter["campaign_id"]}
	creators, err := v.Catalog.Creators(v.Context(), v.Session.Scope, filter, catalog.Page{Limit: maxCreators})
	if err != nil {
		return err
	}
	view.Creators = creators.Items
	for _, c := range view.Campaigns {
		for _, p := range c.Platforms {
			if !slices.Contains(view.Platforms, p) {
				view.Platforms = append(view.Platforms, p)
			}
		}
	}
	slices.Sort(view.Platforms)
	return nil
}

// An actionView is one action: what it is, why, and what was done to it.
type actionView struct {
	Action      ledger.Action
	Explanation ledger.Explanation
	History     []ledger.Entry
	Directory   *directory
	Reversals   []string
	Holds       []string
}

func showAction(v *visit) (any, error) {
	id := v.r.PathValue("id")
	action, err := v.Ledger.Action(v.Context(), v.ledgerScope(), id)
	if err != nil {
		return nil, err
	}
	if action.AdvertiserID != v.Advertiser.ID {
		if err := v.lookAt(action.AdvertiserID); err != nil {
			return nil, err
		}
	}
	view := &actionView{Action: action, Directory: v.directory(), Reversals: ledger.ReversalReasons(), Holds: actionReasons[3:]}
	if view.Explanation, err = v.Ledger.ExplainAction(v.Context(), v.ledgerScope(), id); err != nil {
		return nil, err
	}
	view.History, err = v.Ledger.History(v.Context(), v.ledgerScope(), id)
	v.Title = human(action.Event)
	if action.OrderID != nil {
		v.Title += " " + *action.OrderID
	}
	return view, err
}
