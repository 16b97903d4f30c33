package ledger

import (
	"tributary/attribution"
)

// An Action is what a creator earned, as its reader may see it. Fields that do
// not apply, or that the reader may not see, are null.
type Action struct {
	ID             string               `json:"id"`
	ConversionID   *string              `json:"conversion_id"`
	AdvertiserID   string               `json:"advertiser_id"`
	CampaignID     string               `json:"campaign_id"`
	CreatorID      string               `json:"creator_id"`
	TaskID         *string              `json:"task_id"`
	LinkID         *string              `json:"link_id"`
	PostID         *string              `json:"post_id"`
	Code           *string              `json:"code"`
	Platform       *string              `json:"platform"`
	Event          string               `json:"event"`
	OrderID        *string              `json:"order_id"`
	ClickID        *string              `json:"click_id"`
	Referral       string               `json:"referral" doc:"click, code, forced, task, post or adjustment"`
	Model          *string              `json:"model"`
	Credit         string               `json:"credit" doc:"Exact fraction: 1, 1/3, 2/5"`
	Quantity       int64                `json:"quantity"`
	Amount         string               `json:"amount" doc:"This action's part of the sale"`
	Currency       string               `json:"currency"`
	Payout         *string              `json:"payout"`
	IntendedPayout *string              `json:"intended_payout" doc:"Before caps and budget"`
	Cost           *string              `json:"cost" doc:"What it costs the advertiser; creators do not see it"`
	State          string               `json:"state" doc:"held, pending, locked, payable, paid or reversed"`
	Reasons        Reasons              `json:"reasons"`
	Signals        []string             `json:"signals,omitempty" doc:"The rules against fraud that said something of it; creators do not see them"`
	ReversalReason *string              `json:"reversal_reason"`
	Notes          *string              `json:"notes"`
	Corrects       *string              `json:"corrects" doc:"Of an adjustment: the action it corrects"`
	ClickTime      *attribution.Instant `json:"click_time"`
	EventTime      *attribution.Instant `json:"event_time"`
	ReceivedAt     *attribution.Instant `json:"received_at"`
	LockAt         *attribution.Instant `json:"lock_at"`
	PayAt          *attribution.Instant `json:"pay_at"`
	LockedAt       *attribution.Instant `json:"locked_at"`
	PayableAt      *attribution.Instant `json:"payable_at"`
	PaidAt         *attribution.Instant `json:"paid_at"`
	ReversedAt     *attribution.Instant `json:"reversed_at"`
	PayoutID       *string              `json:"payout_id"`
	TermsVersion   int64                `json:"terms_version"`
	Seq            int64                `json:"seq" doc:"How many entries made it what it is"`
	CreatedAt      *attribution.Instant `json:"created_at"`
	UpdatedAt      *attribution.Instant `json:"updated_at"`
}

// View is an action as a scope sees it; agency says that an agency has a margin
// in its campaign.
func (a *ActionRecord) View(scope Scope, agency bool) Action { return viewAction(a, scope, agency) }

// viewAction is an action as a scope sees it. A creator never sees cost and the
// advertiser's remarks; an advertiser sees payouts only where no agency has a
// margin.
func viewAction(a *ActionRecord, scope Scope, agency bool) Action {
	money := func(minor int64) *string { return new(attribution.FormatMoney(minor, a.Currency)) }
	v := Action{
		ID: a.ID, ConversionID: textOrNil(a.ConversionID), AdvertiserID: a.AdvertiserID, CampaignID: a.CampaignID, CreatorID: a.CreatorID,
		TaskID: textOrNil(a.TaskID), LinkID: textOrNil(a.LinkID), PostID: textOrNil(a.PostID), Code: textOrNil(a.Code), Platform: textOrNil(a.Platform),
		Event: a.Event, OrderID: textOrNil(a.OrderID), ClickID: textOrNil(a.ClickID), Referral: a.Referral, Model: textOrNil(a.Model), Credit: a.Credit,
		Quantity: a.Quantity, Amount: *money(a.AmountMinor), Currency: a.Currency, Payout: money(a.PayoutMinor), IntendedPayout: money(a.IntendedMinor),
		Cost: money(a.CostMinor), State: a.State, Reasons: a.Reasons, ReversalReason: textOrNil(a.Reversal), Notes: textOrNil(a.Notes),
		Corrects: textOrNil(a.Corrects), ClickTime: instantOrNil(a.ClickTimeMs), EventTime: instantOrNil(a.EventTimeMs), ReceivedAt: instantOrNil(a.ReceivedAtMs),
		LockAt: instantOrNil(a.LockAtMs), PayAt: instantOrNil(a.PayAtMs), LockedAt: instantOrNil(a.LockedAtMs), PayableAt: instantOrNil(a.PayableAtMs),
		PaidAt: instantOrNil(a.PaidAtMs), ReversedAt: instantOrNil(a.ReversedAtMs), PayoutID: textOrNil(a.PayoutID), TermsVersion: a.TermsVersion, Seq: a.Seq,
		CreatedAt: instantOrNil(a.CreatedAtMs), UpdatedAt: instantOrNil(a.UpdatedAtMs),
	}
	if v.Reasons == nil {
		v.Reasons = Reasons{}
	}
	if scope.creator() {
		v.Cost, v.Notes = nil, nil
	}
	if scope.hidesPayout(agency) {
		v.Payout, v.IntendedPayout = nil, nil
	}
	return v
}

// hidesPayout reports whether the scope may not see payouts of a campaign where
// an agency has a margin, or not.
func (s Scope) hidesPayout(agency bool) bool { return agency && s.advertiser() }

// A Conversion is what a merchant reported and what came of it.
type Conversion struct {
	ID           string               `json:"id"`
	AdvertiserID string               `json:"advertiser_id"`
	OrderID      string               `json:"order_id"`
	Event        string               `json:"event"`
	Amount       *string              `json:"amount"`
	Currency     *string              `json:"currency"`
	Refunded     *string              `json:"refunded"`
	Source       string               `json:"source"`
	Signed       bool                 `json:"signed"`
	Attributed   bool                 `json:"attributed"`
	Reason       *string              `json:"reason" doc:"Why nobody was credited"`
	EventTime    *attribution.Instant `json:"event_time"`
	ReceivedAt   *attribution.Instant `json:"received_at"`
	UpgradedAt   *attribution.Instant `json:"upgraded_at" doc:"When a signed report superseded an unsigned one"`
	Actions      []Action             `json:"actions"`
}

func viewConversion(c *ConversionRecord, actions []Action) Conversion {
	v := Conversion{
		ID: c.ID, AdvertiserID: c.AdvertiserID, OrderID: c.OrderID, Event: c.Event, Currency: textOrNil(c.Currency), Source: c.Source, Signed: c.Signed,
		Attributed: c.Attributed, Reason: textOrNil(c.Reason), EventTime: instantOrNil(c.EventTimeMs), ReceivedAt: instantOrNil(c.ReceivedAtMs),
		UpgradedAt: instantOrNil(c.UpgradedAtMs), Actions: actions,
	}
	if c.Currency != "" {
		v.Amount = new(attribution.FormatMoney(c.AmountMinor, c.Currency))
		v.Refunded = new(attribution.FormatMoney(c.RefundedMinor, c.Currency))
	}
	if v.Actions == nil {
		v.Actions = []Action{}
	}
	return v
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// instantOrNil reads a stored time, of which 0 is none.
func instantOrNil(ms int64) *attribution.Instant { return attribution.InstantOrNil(ms) }
