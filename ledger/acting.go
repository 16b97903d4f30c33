package ledger

import (
	"context"
	"database/sql"
	"errors"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"tributary/attribution"
)

// reversalReasons are the codes a reversal may have.
var reversalReasons = [...]string{
	"rejected", "consumer_invalid", "consumer_error", "fraud", "returned", "out_of_stock", "order_error", "dispute", "terms_violation",
	"credited_other", "test", "other",
}

// ReversalReasons lists the codes a reversal may have.
func ReversalReasons() []string { return reversalReasons[:] }

// maxNote bounds what people write about an action, in bytes.
const maxNote = 2_000

// act runs do on an action in scope that is brought up to date first: what was due
// before now has happened. do returns the action it made of it.
func (l *Ledger) act(ctx context.Context, scope Scope, id, what string, do func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error)) (Action, error) {
	var shown Action
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		a, err := w.action(ctx, scope, id)
		if err != nil {
			return err
		}
		if !scope.manages(a.AdvertiserID) {
			return forbidden(scope, what)
		}
		if a, err = w.upToDate(ctx, a); err != nil {
			return err
		}
		made, err := do(ctx, w, a)
		if err != nil {
			return err
		}
		now, err := w.action(ctx, scope, made.ID) // budget that was freed may have released it
		if err != nil {
			return err
		}
		p, err := w.purse(ctx, now.CampaignID)
		if err != nil {
			return err
		}
		shown = viewAction(now, scope, p.agency != 0)
		return nil
	})
	return shown, err
}

// action finds an action in scope.
func (w *writing) action(ctx context.Context, scope Scope, id string) (*ActionRecord, error) {
	a, err := scanAction(w.Row(ctx, "ledger.action", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(a.AdvertiserID, a.CreatorID) {
		return nil, notFound("action", id)
	}
	return a, err
}

// upToDate locks what is due to be locked and makes payable what is due to be paid.
func (w *writing) upToDate(ctx context.Context, was *ActionRecord) (*ActionRecord, error) {
	for {
		now := *was
		verb := w.due(&now)
		if verb == "" {
			return was, nil
		}
		if err := w.enter(ctx, was, &now, cause{verb: verb, role: roleClock}); err != nil {
			return nil, err
		}
		if err := w.tellAction(ctx, verb, &now); err != nil {
			return nil, err
		}
		was = &now
	}
}

// Approve locks a pending action now. When it becomes payable stays as it was.
func (l *Ledger) Approve(ctx context.Context, scope Scope, id string) (Action, error) {
	return l.act(ctx, scope, id, "approve actions", func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error) {
		if a.State != Pending {
			return nil, conflict("action %s is %s: only a pending one can be approved", id, a.State)
		}
		now := *a
		now.State, now.LockedAtMs = Locked, int64(w.at)
		if err := w.change(ctx, a, &now, cause{verb: verbApproved}); err != nil {
			return nil, err
		}
		return w.upToDate(ctx, &now)
	})
}

// Reverse takes an action back that is pending or held. It keeps its payout, its
// cost and its reasons; sums leave it out. reason is one of ReversalReasons.
func (l *Ledger) Reverse(ctx context.Context, scope Scope, id, reason, note string) (Action, error) {
	if !slices.Contains(reversalReasons[:], reason) {
		return Action{}, invalid("body.reason", "must be one of: %s", strings.Join(reversalReasons[:], " "))
	}
	if err := checkNote(note); err != nil {
		return Action{}, err
	}
	return l.act(ctx, scope, id, "reverse actions", func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error) {
		if !a.open() {
			return nil, conflict("action %s is %s: only a pending or held one can be reversed; adjust it instead", id, a.State)
		}
		now := *a
		now.State, now.Reversal, now.ReversedAtMs = Reversed, reason, int64(w.at)
		now.remark(note)
		return &now, w.change(ctx, a, &now, cause{verb: verbReversed, reason: reason, note: note})
	})
}

// Hold holds a pending action for a suspicion. reason is one of the fraud
// reasons; anything else is a remark on fraud_review.
func (l *Ledger) Hold(ctx context.Context, scope Scope, id, reason, note string) (Action, error) {
	if !strings.HasPrefix(reason, "fraud_") || !slices.Contains(actionReasons[:], reason) {
		note, reason = strings.TrimSpace(reason+" "+note), ReasonFraudReview
	}
	if err := checkNote(note); err != nil {
		return Action{}, err
	}
	return l.act(ctx, scope, id, "hold actions", func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error) {
		if !a.open() {
			return nil, conflict("action %s is %s: only a pending one can be held", id, a.State)
		}
		now := *a
		now.State, now.Reasons = Held, a.Reasons.with(reason)
		now.remark(note)
		return &now, w.change(ctx, a, &now, cause{verb: verbHeld, reason: reason, note: note})
	})
}

// Release ends a hold. What waits for budget cannot be released by hand.
func (l *Ledger) Release(ctx context.Context, scope Scope, id, note string) (Action, error) {
	if err := checkNote(note); err != nil {
		return Action{}, err
	}
	return l.act(ctx, scope, id, "release actions", func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error) {
		switch {
		case a.State != Held:
			return nil, conflict("action %s is %s: only a held one can be released", id, a.State)
		case a.waits():
			return nil, conflict("action %s waits for budget: raise the campaign's budget, or reverse another action", id)
		}
		now := *a
		now.Reasons = Reasons{}
		if a.Reasons.has(ReasonCapped) {
			now.Reasons = now.Reasons.with(ReasonCapped)
		}
		w.open(&now)
		now.remark(note)
		return &now, w.change(ctx, a, &now, cause{verb: verbReleased, reason: a.Reasons.text(), note: note})
	})
}

// An Adjustment is what an action is to be worth: the sale's amount, from which
// the payout follows under the action's terms, or the payout itself.
type Adjustment struct {
	Amount *attribution.Decimal `json:"amount,omitempty" doc:"The action's part of the sale, in the action's currency"`
	Payout *attribution.Decimal `json:"payout,omitempty" doc:"The payout, in the action's currency"`
	Reason string               `json:"reason"`
}

// Adjust corrects what an action is worth. One that is pending or held is changed;
// for one that is locked or later an adjustment action with the difference is
// made and returned, in the place of earlier ones that wait for budget. Where that
// leaves no difference, the action itself is returned.
func (l *Ledger) Adjust(ctx context.Context, scope Scope, id string, to Adjustment) (Action, error) {
	var check attribution.Checker
	check.Require(strings.TrimSpace(to.Reason) != "" && len(to.Reason) <= maxNote, "body.reason", "is required, at most %d bytes", maxNote)
	check.Require(isWritten(to.Reason), "body.reason", mustBeWritten)
	check.Require((to.Amount == nil) != (to.Payout == nil), "body.payout", "give either amount or payout")
	if err := check.Err(); err != nil {
		return Action{}, err
	}
	return l.act(ctx, scope, id, "adjust actions", func(ctx context.Context, w *writing, a *ActionRecord) (*ActionRecord, error) {
		switch {
		case a.State == Reversed:
			return nil, conflict("action %s is reversed: it is worth nothing", id)
		case a.Corrects != "":
			return nil, conflict("action %s is an adjustment: adjust the action it corrects, %s", id, a.Corrects)
		}
		amount, intended, err := w.adjusted(ctx, scope, a, to)
		if err != nil {
			return nil, err
		}
		why := cause{verb: verbAdjusted, reason: "adjusted", note: to.Reason}
		if !a.open() {
			return w.adjustLocked(ctx, a, amount, intended, to.Amount != nil, why)
		}
		now := *a
		now.AmountMinor = amount
		if err := w.repay(ctx, a, &now, intended, to.Payout != nil); err != nil {
			return nil, err
		}
		if now.waits() && !a.waits() {
			return nil, conflict("the campaign's budget has no room for the adjustment: raise it first")
		}
		return &now, w.change(ctx, a, &now, why)
	})
}

// adjustLocked corrects a locked action to a payout and, where that is asked for,
// an amount. Earlier corrections that are open are reversed: this one says it all.
func (w *writing) adjustLocked(ctx context.Context, a *ActionRecord, amountMinor, payoutMinor int64, byAmount bool, why cause) (*ActionRecord, error) {
	has, err := w.worth(ctx, a)
	if err != nil {
		return nil, err
	}
	if !byAmount {
		amountMinor = has.askedMinor()
	}
	if err := w.reverseOpen(ctx, has, cause{reason: "other", note: "another adjustment took its place"}); err != nil {
		return nil, err
	}
	correction, err := w.correct(ctx, a, has, amountMinor, payoutMinor, why)
	if err != nil {
		return nil, err
	}
	return correction, w.releaseOverBudget(ctx, a.CampaignID)
}

// repay books an open action anew. A payout given by hand passes no caps.
func (w *writing) repay(ctx context.Context, a, now *ActionRecord, intendedMinor int64, byHand bool) error {
	if !byHand {
		return w.rebook(ctx, a, now, intendedMinor)
	}
	was := *a
	was.Referral, now.Referral = ReferralAdjustment, ReferralAdjustment
	err := w.rebook(ctx, &was, now, intendedMinor)
	now.Referral = a.Referral
	return err
}

// adjusted are the amount and the intended payout an adjustment asks for.
func (w *writing) adjusted(ctx context.Context, scope Scope, a *ActionRecord, to Adjustment) (amountMinor, intendedMinor int64, err error) {
	p, err := w.purse(ctx, a.CampaignID)
	if err != nil {
		return 0, 0, err
	}
	if to.Payout != nil {
		if !scope.admin() && p.agency != 0 {
			return 0, 0, forbidden(scope, "adjust payouts where an agency has a margin; adjust the amount")
		}
		intendedMinor, err = attribution.ParseMoney(*to.Payout, a.Currency)
		if err != nil || intendedMinor < 0 {
			return 0, 0, invalid("body.payout", "must be an amount of %s, and not negative", a.Currency)
		}
		return a.AmountMinor, intendedMinor, nil
	}
	amountMinor, err = attribution.ParseMoney(*to.Amount, a.Currency)
	if err != nil || amountMinor < 0 {
		return 0, 0, invalid("body.amount", "must be an amount of %s, and not negative", a.Currency)
	}
	if a.ConversionID == "" {
		return 0, 0, invalid("body.amount", "a %s action has no sale: give the payout", a.Referral)
	}
	record, err := scanConversion(w.Row(ctx, "ledger.conversion", a.ConversionID))
	if err != nil {
		return 0, 0, err
	}
	whole, err := record.conversion()
	if err != nil {
		return 0, 0, err
	}
	if whole.Currency != a.Currency && whole.Currency != "" {
		converted, err := w.converted(ctx, whole, a.Currency)
		if err != nil {
			return 0, 0, err
		}
		if converted == nil {
			return 0, 0, conflict("there is no rate from %s to %s any more: give the payout", whole.Currency, a.Currency)
		}
		whole = converted
	}
	share := attribution.ParseFraction(a.Credit)
	wholeMinor := proportion(amountMinor, big.NewRat(share.Den, max(share.Num, 1)))
	if whole.AmountMinor > 0 { // tax and shipping are the same part of less, or more
		scale := big.NewRat(wholeMinor, whole.AmountMinor)
		whole.TaxMinor, whole.ShippingMinor = proportion(whole.TaxMinor, scale), proportion(whole.ShippingMinor, scale)
	}
	whole.Currency, whole.AmountMinor = a.Currency, wholeMinor
	priced, err := w.reprice(ctx, whole, []*ActionRecord{a})
	if err != nil {
		return 0, 0, err
	}
	return amountMinor, priced[0].IntendedMinor, nil
}

// conversion is the stored conversion as attribution has it.
func (c *ConversionRecord) conversion() (*attribution.Conversion, error) {
	report := attribution.Report{AdvertiserID: c.AdvertiserID, Signed: c.Signed, ReceivedAt: attribution.Instant(c.ReceivedAtMs)}
	if err := decode(c.fields, &report.Fields); err != nil {
		return nil, err
	}
	report.Fields.EventTime = attribution.Instant(c.EventTimeMs)
	return conversionOf(&report)
}

func checkNote(note string) error {
	if len(note) > maxNote {
		return invalid("body.note", "must be at most %d bytes", maxNote)
	}
	if !isWritten(note) {
		return invalid("body.note", mustBeWritten)
	}
	return nil
}

const mustBeWritten = "must not have control characters, except ends of lines and tabs"

// isWritten reports whether a text has no control characters but those that people
// write: not every database can store others.
func isWritten(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) < 0
}

// remark adds to an action's notes, the newest last.
func (a *ActionRecord) remark(note string) {
	if note == "" {
		return
	}
	a.Notes = strings.TrimSpace(a.Notes + "\n" + note)
	if over := len(a.Notes) - 2*maxNote; over > 0 {
		a.Notes = strings.ToValidUTF8(a.Notes[over:], "")
	}
}
