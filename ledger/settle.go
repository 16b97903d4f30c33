package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tributary/attribution"
)

// A Batch is a run of reports of one log, in its order.
type Batch struct {
	Log     string // the log's identity
	Through uint64 // the last sequence number the batch covers
	Reports []*attribution.Report
}

// What becomes of a report.
const (
	Accepted  = "accepted"
	Duplicate = "duplicate"
	Conflict  = "conflict"
	Rejected  = "rejected"
)

// Settled is what became of one report. Of a duplicate and of a conflict the ids
// are those of the order's first report.
type Settled struct {
	ReceiptID    string        `json:"receipt_id"`
	OrderID      string        `json:"order_id,omitempty"`
	Status       string        `json:"status"`
	Code         string        `json:"code,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	ConversionID string        `json:"conversion_id,omitempty"`
	Attributed   bool          `json:"attributed"`
	Actions      []ActionBrief `json:"actions"`

	outcome string // as it is counted, where that is not the status
}

// An ActionBrief is an action as the answer to a report has it.
type ActionBrief struct {
	ID        string `json:"id"`
	CreatorID string `json:"creator_id"`
	Payout    string `json:"payout,omitempty" doc:"Only an admin sees it where an agency has a margin"`
	Currency  string `json:"currency"`
	State     string `json:"state"`

	campaignID string
	agency     bool // an agency has a margin in the campaign
}

// View is the result as a scope sees it. Who reports is the advertiser: payouts are
// the admin's alone where an agency has a margin.
func (s Settled) View(scope Scope) Settled {
	if scope.admin() {
		return s
	}
	s.Actions = slices.Clone(s.Actions)
	for i := range s.Actions {
		if a := &s.Actions[i]; a.agency {
			a.Payout = ""
		}
	}
	return s
}

// markAgencies notes in which of the actions' campaigns an agency has a margin.
func (w *writing) markAgencies(ctx context.Context, actions []ActionBrief) error {
	for i := range actions {
		p, err := w.purse(ctx, actions[i].campaignID)
		if err != nil {
			return err
		}
		actions[i].agency = p.agency != 0
	}
	return nil
}

// Settle settles a batch of reports in one transaction, which also moves the
// position of its log, and says of each report, in order, what became of it. A
// batch that the position is beyond already is left alone: the answer is nil.
// Settle is never called inside another transaction.
func (l *Ledger) Settle(ctx context.Context, batch Batch) ([]Settled, error) {
	l.settling.Lock()
	defer l.settling.Unlock()
	var results []Settled
	err := l.write(ctx, Scope{}, l.known, func(ctx context.Context, w *writing) error {
		results = nil
		position, err := l.Position(ctx, batch.Log)
		if err != nil || position >= batch.Through {
			return err
		}
		results = make([]Settled, 0, len(batch.Reports))
		for _, report := range batch.Reports {
			result, err := w.settle(ctx, report, true)
			if err != nil {
				return fmt.Errorf("ledger: settling %s: %w", report.ReceiptID, err)
			}
			results = append(results, result)
		}
		if err := w.keepOutcomes(ctx, batch.Log); err != nil {
			return err
		}
		if err := w.keepKeysUsed(ctx); err != nil {
			return err
		}
		_, err = w.Exec(ctx, "ledger.move_position", batch.Log, int64(batch.Through), int64(w.at))
		return err
	})
	if err != nil {
		l.known.forget() // it may have seen what was rolled back
		return nil, err
	}
	return results, nil
}

// Position is the sequence number up to which a log is settled.
func (l *Ledger) Position(ctx context.Context, log string) (uint64, error) {
	var through int64
	err := l.db.Row(ctx, "ledger.position", log).Scan(&through)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("ledger: reading the position in the log: %w", err)
	}
	return uint64(through), nil
}

// settle settles one report. What cannot be taken goes to quarantine when keep is
// set, and is only said otherwise.
func (w *writing) settle(ctx context.Context, report *attribution.Report, keep bool) (Settled, error) {
	w.usedKey(report)
	report, err := w.withoutErased(ctx, report)
	if err != nil {
		return Settled{}, err
	}
	result, err := w.settleKind(ctx, report)
	result.ReceiptID = report.ReceiptID
	if result.OrderID == "" {
		result.OrderID = report.Fields.OrderID
	}
	if result.Actions == nil {
		result.Actions = []ActionBrief{}
	}
	problem, refused := attribution.AsProblem(err)
	if err == nil || refused {
		if err := w.markAgencies(ctx, result.Actions); err != nil {
			return Settled{}, err
		}
	}
	if !refused {
		w.ended(report.Kind, cmp.Or(result.outcome, result.Status), "")
		return result, err
	}
	if result.Status == "" {
		result.Status = Rejected
	}
	w.ended(report.Kind, result.Status, problem.Code)
	result.Code, result.Reason = problem.Code, problem.Error()
	if !keep {
		return result, nil
	}
	return result, w.quarantine(ctx, report, result)
}

// settleKind settles a report, or returns the Problem for which it cannot be.
func (w *writing) settleKind(ctx context.Context, report *attribution.Report) (Settled, error) {
	if report.Rejected != nil {
		return Settled{}, attribution.Refuse(report.Rejected.Code, "%s", report.Rejected.Reason)
	}
	known, err := w.facts.advertiser(ctx, w, report.AdvertiserID)
	if err != nil {
		return Settled{}, err
	}
	if known == nil {
		return Settled{}, attribution.Refuse(CodeAdvertiserUnknown, "there is no advertiser %.64q", report.AdvertiserID)
	}
	switch report.Kind {
	case attribution.ReportConversion:
		return w.settleConversion(ctx, report)
	case attribution.ReportRefund:
		return w.settleRefund(ctx, report)
	case attribution.ReportLanding:
		return w.settleLanding(ctx, report)
	}
	return Settled{}, attribution.Refuse(attribution.CodeValidation, "a report of kind %.64q is none this build knows", report.Kind)
}

// A ConversionEvent is what the outbox tells of a conversion with the actions it
// made, under the kind "conversion".
type ConversionEvent struct {
	Verb       string            `json:"verb"` // accepted, source_upgrade, refunded or reattributed
	AtMs       int64             `json:"at_ms"`
	Conversion *ConversionRecord `json:"conversion"`
	Actions    []*ActionRecord   `json:"actions"` // made by it: none under the other verbs
	Trace      json.RawMessage   `json:"trace"`   // attribution.Trace: how it is decided now
}

// tellConversion puts what happened to a conversion into the outbox.
func (w *writing) tellConversion(ctx context.Context, verb string, c *ConversionRecord, actions []*ActionRecord) error {
	return w.tell(ctx, OutboxConversion, ConversionEvent{verb, int64(w.at), c, actions, json.RawMessage(c.trace)})
}

func (w *writing) settleConversion(ctx context.Context, report *attribution.Report) (Settled, error) {
	conversion, err := conversionOf(report)
	if err != nil {
		return Settled{}, err
	}
	// Most orders are new: whether one is, the insert says, and nobody asks before.
	input, err := w.caseOf(ctx, report, conversion)
	if _, refused := attribution.AsProblem(err); refused {
		return w.settleKnown(ctx, report, conversion, err)
	}
	if err != nil {
		return Settled{}, err
	}
	decision := attribution.Decide(input)
	record, err := w.insertConversion(ctx, report, conversion, decision)
	if errors.Is(err, errOrderKnown) {
		return w.settleKnown(ctx, report, conversion, err)
	}
	if err != nil {
		return Settled{}, err
	}
	actions := make([]*ActionRecord, len(decision.Credits))
	for i := range decision.Credits {
		if actions[i], err = w.bookJudged(ctx, report, input, record, &decision.Credits[i]); err != nil {
			return Settled{}, err
		}
	}
	if err := w.remember(ctx, report, conversion, record); err != nil {
		return Settled{}, err
	}
	err = w.tellConversion(ctx, Accepted, record, actions)
	return settledAs(Accepted, record, actions), err
}

// settleKnown settles a report of an order that was reported before. Where it was
// not, the answer is why the report cannot be taken.
func (w *writing) settleKnown(ctx context.Context, report *attribution.Report, conversion *attribution.Conversion, why error) (Settled, error) {
	first, err := w.conversionOfOrder(ctx, conversion.OrderID, conversion.AdvertiserID, conversion.Event)
	if err == nil && first == nil {
		err = why
	}
	if err != nil {
		return Settled{}, err
	}
	return w.settleAgain(ctx, report, conversion, first)
}

func settledAs(status string, record *ConversionRecord, actions []*ActionRecord) Settled {
	s := Settled{Status: status, OrderID: record.OrderID, ConversionID: record.ID, Attributed: record.Attributed, Actions: make([]ActionBrief, len(actions))}
	for i, a := range actions {
		s.Actions[i] = ActionBrief{
			ID: a.ID, CreatorID: a.CreatorID, Payout: attribution.FormatMoney(a.PayoutMinor, a.Currency), Currency: a.Currency, State: a.State,
			campaignID: a.CampaignID,
		}
	}
	return s
}

// errOrderKnown is returned where there is a conversion of the order, or of the
// receipt, already.
var errOrderKnown = errors.New("ledger: the order or the receipt has a conversion already")

// insertConversion writes a decided conversion, or returns errOrderKnown.
func (w *writing) insertConversion(ctx context.Context, report *attribution.Report, conversion *attribution.Conversion, decision *attribution.Decision) (*ConversionRecord, error) {
	fields, err := encode(&report.Fields)
	if err != nil {
		return nil, err
	}
	trace, err := encode(&decision.Trace)
	if err != nil {
		return nil, err
	}
	id, err := w.conversionID(report)
	if err != nil {
		return nil, err
	}
	c := &ConversionRecord{
		Number: w.next(), ID: id, AdvertiserID: conversion.AdvertiserID, Event: conversion.Event, OrderID: conversion.OrderID,
		AmountMinor: conversion.AmountMinor, Currency: conversion.Currency, Customer: conversion.CustomerID, Source: report.Source,
		Signed: report.Signed, Attributed: len(decision.Credits) > 0, Reason: decision.Reason, EventTimeMs: int64(conversion.EventTime),
		ReceivedAtMs: int64(conversion.ReceivedAt), UpdatedAtMs: int64(w.at), fields: fields, trace: trace,
	}
	inserted, err := w.Exec(ctx, "ledger.insert_conversion", c.Number, c.ID, c.AdvertiserID, c.Event, c.OrderID, c.AmountMinor, c.Currency, c.Customer,
		c.Source, bit(c.Signed), bit(c.Attributed), c.Reason, c.EventTimeMs, c.ReceivedAtMs, c.fields, c.trace, c.UpdatedAtMs, customerStatus(conversion))
	if err == nil && inserted == 0 {
		err = errOrderKnown
	}
	return c, err
}

// customerStatus is whether the customer is new or returning, as far as is known.
func customerStatus(c *attribution.Conversion) string {
	switch {
	case c.CustomerStatus != "":
		return c.CustomerStatus
	case c.CustomerID == "":
		return ""
	case c.CustomerBought:
		return "returning"
	}
	return "new"
}

// conversionID has the digits of the report's receipt.
func (w *writing) conversionID(report *attribution.Report) (string, error) {
	if digits := len(report.ReceiptID) - idDigits; digits >= 0 {
		if id := attribution.PrefixConversion + report.ReceiptID[digits:]; attribution.ValidID(attribution.PrefixConversion, id) {
			return id, nil
		}
	}
	return w.l.newID(attribution.PrefixConversion, w.at)
}

// idDigits is the length of an identifier behind its prefix.
const idDigits = 26

func (w *writing) conversionOfOrder(ctx context.Context, orderID, advertiserID, event string) (*ConversionRecord, error) {
	found, err := scanConversion(w.Row(ctx, "ledger.conversion_of_order", orderID, advertiserID, event))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return found, err
}

// bookCredit makes the action of one credit.
func (w *writing) bookCredit(ctx context.Context, record *ConversionRecord, conversion *attribution.Conversion, credit *attribution.Credit) (*ActionRecord, error) {
	a, err := w.actionOf(ctx, record, conversion, credit)
	if err != nil {
		return nil, err
	}
	return a, w.bookAction(ctx, a, credit.IntendedMinor, cause{verb: verbMade, role: roleSettler})
}

// bookAction takes a new action through caps and budget and enters it.
func (w *writing) bookAction(ctx context.Context, a *ActionRecord, intendedMinor int64, why cause) error {
	if err := w.book(ctx, a, intendedMinor); err != nil {
		return err
	}
	if err := w.enter(ctx, nil, a, why); err != nil {
		return err
	}
	return w.nowOver(ctx, a)
}

// actionOf is the action of a credit, before it is booked.
func (w *writing) actionOf(ctx context.Context, record *ConversionRecord, conversion *attribution.Conversion, credit *attribution.Credit) (*ActionRecord, error) {
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return nil, err
	}
	a := &ActionRecord{
		ID: id, ConversionID: record.ID, AdvertiserID: conversion.AdvertiserID, CampaignID: credit.CampaignID, CreatorID: credit.CreatorID,
		TaskID: credit.TaskID, LinkID: credit.LinkID, PostID: credit.PostID, CodeID: credit.CodeID, Code: credit.Code, Platform: credit.Platform,
		Event: conversion.Event, OrderID: conversion.OrderID, ClickID: credit.ClickID, Customer: conversion.CustomerID, Referral: credit.Referral,
		Model: credit.Model, Credit: credit.Share.String(), Quantity: 1, Currency: credit.Currency, AmountMinor: credit.AmountMinor, Reasons: Reasons{},
		ClickTimeMs: int64(credit.ClickTime), EventTimeMs: int64(conversion.EventTime), ReceivedAtMs: int64(conversion.ReceivedAt),
		LockAtMs: int64(credit.LockAt), PayAtMs: int64(credit.PayAt), TermsVersion: int64(credit.TermsVersion),
	}
	campaign, err := w.facts.campaign(ctx, w, credit.CampaignID)
	if err != nil {
		return nil, err
	}
	if !record.Signed && campaign.version(a.TermsVersion).terms.HoldUnsigned {
		a.Reasons = a.Reasons.with(ReasonUnsigned)
	}
	return a, nil
}

// nowOver makes a campaign over budget once an action waits for budget.
func (w *writing) nowOver(ctx context.Context, a *ActionRecord) error {
	if !a.waits() {
		return nil
	}
	p, err := w.purse(ctx, a.CampaignID)
	if err == nil {
		p.overBudget = true
	}
	return err
}
