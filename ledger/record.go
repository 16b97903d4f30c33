package ledger

import (
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
)

// The states of an action.
const (
	Held     = "held"
	Pending  = "pending"
	Locked   = "locked"
	Payable  = "payable"
	Paid     = "paid"
	Reversed = "reversed"
)

// How an action came about, beside attribution's.
const (
	ReferralTask       = "task"
	ReferralPost       = "post"
	ReferralAdjustment = "adjustment"
)

// An ActionRecord is an action as it is stored and as the outbox tells of it:
// money in minor units of Currency, times in milliseconds, 0 for never.
type ActionRecord struct {
	Number        int64   `json:"number"`
	ID            string  `json:"id"`
	ConversionID  string  `json:"conversion_id"`
	AdvertiserID  string  `json:"advertiser_id"`
	CampaignID    string  `json:"campaign_id"`
	CreatorID     string  `json:"creator_id"`
	TaskID        string  `json:"task_id"`
	LinkID        string  `json:"link_id"`
	PostID        string  `json:"post_id"`
	CodeID        string  `json:"code_id"`
	Code          string  `json:"code"`
	Platform      string  `json:"platform"`
	Event         string  `json:"event"`
	OrderID       string  `json:"order_id"`
	ClickID       string  `json:"click_id"`
	Customer      string  `json:"customer"`
	Corrects      string  `json:"corrects"`
	Referral      string  `json:"referral"`
	Model         string  `json:"model"`
	Credit        string  `json:"credit"`
	Quantity      int64   `json:"quantity"`
	Currency      string  `json:"currency"`
	AmountMinor   int64   `json:"amount_minor"`
	IntendedMinor int64   `json:"intended_minor"`
	PayoutMinor   int64   `json:"payout_minor"`
	CostMinor     int64   `json:"cost_minor"`
	State         string  `json:"state"`
	Reasons       Reasons `json:"reasons"`
	Notes         string  `json:"notes"`
	Reversal      string  `json:"reversal"`
	ClickTimeMs   int64   `json:"click_time_ms"`
	EventTimeMs   int64   `json:"event_time_ms"`
	ReceivedAtMs  int64   `json:"received_at_ms"`
	LockAtMs      int64   `json:"lock_at_ms"`
	PayAtMs       int64   `json:"pay_at_ms"`
	LockedAtMs    int64   `json:"locked_at_ms"`
	PayableAtMs   int64   `json:"payable_at_ms"`
	PaidAtMs      int64   `json:"paid_at_ms"`
	ReversedAtMs  int64   `json:"reversed_at_ms"`
	PayoutID      string  `json:"payout_id"`
	TermsVersion  int64   `json:"terms_version"`
	Seq           int64   `json:"seq"`
	CreatedAtMs   int64   `json:"created_at_ms"`
	UpdatedAtMs   int64   `json:"updated_at_ms"`
}

// fixed are the columns that never change, in the order of the query that
// inserts an action; changing are the others, in the order of the query that
// updates one.
func (a *ActionRecord) fixed() []any {
	return []any{
		a.Number, a.ID, a.ConversionID, a.AdvertiserID, a.CampaignID, a.CreatorID, a.TaskID, a.LinkID, a.PostID, a.CodeID, a.Code,
		a.Platform, a.Event, a.OrderID, a.ClickID, a.Customer, a.Corrects, a.Referral, a.Model, a.Credit, a.Currency, a.ClickTimeMs,
		a.EventTimeMs, a.ReceivedAtMs, a.TermsVersion, a.CreatedAtMs,
	}
}

func (a *ActionRecord) changing() []any {
	return []any{
		a.Quantity, a.AmountMinor, a.IntendedMinor, a.PayoutMinor, a.CostMinor, a.State, a.Reasons.text(), bit(a.waits()),
		a.Notes, a.Reversal, a.LockAtMs, a.PayAtMs, a.LockedAtMs, a.PayableAtMs, a.PaidAtMs, a.ReversedAtMs, a.PayoutID, a.Seq, a.UpdatedAtMs,
	}
}

// A scanner is a row that was found.
type scanner interface{ Scan(dest ...any) error }

func scanAction(row scanner) (*ActionRecord, error) {
	a := &ActionRecord{}
	var reasons string
	err := row.Scan(
		&a.Number, &a.ID, &a.ConversionID, &a.AdvertiserID, &a.CampaignID, &a.CreatorID, &a.TaskID, &a.LinkID, &a.PostID, &a.CodeID, &a.Code,
		&a.Platform, &a.Event, &a.OrderID, &a.ClickID, &a.Customer, &a.Corrects, &a.Referral, &a.Model, &a.Credit, &a.Currency, &a.ClickTimeMs,
		&a.EventTimeMs, &a.ReceivedAtMs, &a.TermsVersion, &a.CreatedAtMs,
		&a.Quantity, &a.AmountMinor, &a.IntendedMinor, &a.PayoutMinor, &a.CostMinor, &a.State, &reasons,
		&a.Notes, &a.Reversal, &a.LockAtMs, &a.PayAtMs, &a.LockedAtMs, &a.PayableAtMs, &a.PaidAtMs, &a.ReversedAtMs, &a.PayoutID, &a.Seq, &a.UpdatedAtMs,
	)
	if err != nil {
		return nil, fmt.Errorf("ledger: reading an action: %w", err)
	}
	a.Reasons = reasonsOf(reasons)
	return a, nil
}

// countedCost is what the action takes of its campaign's budget.
func (a *ActionRecord) countedCost() int64 {
	if a == nil || a.State == Reversed {
		return 0
	}
	return a.CostMinor
}

// counted is what the action takes of caps: payout, and how many actions it is.
// One that waits for budget takes nothing yet, an adjustment is no further action.
func (a *ActionRecord) counted() (payoutMinor, actions int64) {
	switch {
	case a == nil || a.State == Reversed || a.waits():
		return 0, 0
	case a.Referral == ReferralAdjustment:
		return a.PayoutMinor, 0
	}
	return a.PayoutMinor, 1
}

// waits reports whether the action waits for budget.
func (a *ActionRecord) waits() bool { return a.State == Held && a.Reasons.has(ReasonOverBudget) }

// open reports whether the action can still be changed: it is not locked.
func (a *ActionRecord) open() bool { return a.State == Held || a.State == Pending }

// The reasons an action may carry.
const (
	ReasonCapped           = attribution.ActionCapped
	ReasonOverBudget       = attribution.ActionOverBudget
	ReasonUnsigned         = attribution.ActionUnsigned
	ReasonFraudReview      = attribution.ActionFraudReview
	ReasonFraudSelf        = attribution.ActionFraudSelf
	ReasonFraudVelocity    = attribution.ActionFraudVelocity
	ReasonFraudLeakedCode  = attribution.ActionFraudLeakedCode
	ReasonFraudClickSource = attribution.ActionFraudClickSource
)

// actionReasons lists them in the order they are given in.
var actionReasons = [...]string{
	ReasonCapped, ReasonOverBudget, ReasonUnsigned, ReasonFraudReview, ReasonFraudSelf, ReasonFraudVelocity, ReasonFraudLeakedCode, ReasonFraudClickSource,
}

// Reasons are why an action is what it is, in their order. A Reasons is not
// changed: with and without make others.
type Reasons []string

func reasonsOf(text string) Reasons { return strings.Fields(text) }

func (r Reasons) text() string { return strings.Join(r, " ") }

func (r Reasons) has(reason string) bool { return slices.Contains(r, reason) }

func (r Reasons) with(reason string) Reasons {
	all := Reasons{}
	for _, known := range actionReasons {
		if known == reason || r.has(known) {
			all = append(all, known)
		}
	}
	return all
}

func (r Reasons) without(drop ...string) Reasons {
	return slices.DeleteFunc(slices.Clone(r), func(reason string) bool { return slices.Contains(drop, reason) })
}

// holds reports whether one of the reasons holds an action: all but a cap do.
func (r Reasons) holds() bool {
	return slices.ContainsFunc(r, func(reason string) bool { return reason != ReasonCapped })
}

// A ConversionRecord is a conversion as it is stored and as the outbox tells of it.
type ConversionRecord struct {
	Number        int64  `json:"number"`
	ID            string `json:"id"`
	AdvertiserID  string `json:"advertiser_id"`
	Event         string `json:"event"`
	OrderID       string `json:"order_id"`
	AmountMinor   int64  `json:"amount_minor"`
	Currency      string `json:"currency"`
	Customer      string `json:"customer"`
	Source        string `json:"source"`
	Signed        bool   `json:"signed"`
	Attributed    bool   `json:"attributed"`
	Reason        string `json:"reason"`
	EventTimeMs   int64  `json:"event_time_ms"`
	ReceivedAtMs  int64  `json:"received_at_ms"`
	RefundedMinor int64  `json:"refunded_minor"`
	UpgradedAtMs  int64  `json:"upgraded_at_ms"`
	UpdatedAtMs   int64  `json:"updated_at_ms"`

	fields   string               // attribution.ReportFields, JSON
	trace    string               // attribution.Trace, JSON
	refunded attribution.Fraction // of payouts, by its refunds
}

func scanConversion(row scanner) (*ConversionRecord, error) {
	c := &ConversionRecord{}
	var signed, attributed int64
	var refunded string
	err := row.Scan(&c.Number, &c.ID, &c.AdvertiserID, &c.Event, &c.OrderID, &c.AmountMinor, &c.Currency, &c.Customer, &c.Source, &signed,
		&attributed, &c.Reason, &c.EventTimeMs, &c.ReceivedAtMs, &c.fields, &c.trace, &c.RefundedMinor, &refunded, &c.UpgradedAtMs, &c.UpdatedAtMs)
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a conversion: %w", err)
	}
	c.Signed, c.Attributed, c.refunded = signed != 0, attributed != 0, attribution.ParseFraction(refunded)
	return c, nil
}
