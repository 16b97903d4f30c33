package ledger

import (
	"context"
	"math/big"

	"tributary/attribution"
)

// A worth is what an action that is locked adds up to with its corrections. Those
// that are open, because they wait for budget or are held, stand apart: they are
// not settled yet.
type worth struct {
	amountMinor, payoutMinor, costMinor int64
	open                                []*ActionRecord
}

// credits reports whether anything is credited, or may yet be.
func (has *worth) credits() bool {
	return has.amountMinor != 0 || has.payoutMinor != 0 || len(has.open) > 0
}

// askedMinor is the action's amount once the open corrections are settled too.
func (has *worth) askedMinor() int64 {
	amount := has.amountMinor
	for _, c := range has.open {
		amount += c.AmountMinor
	}
	return amount
}

// worth adds up a locked action and its corrections.
func (w *writing) worth(ctx context.Context, a *ActionRecord) (*worth, error) {
	corrections, err := w.allActions(ctx, "ledger.corrections", a.ID)
	if err != nil {
		return nil, err
	}
	has := &worth{amountMinor: a.AmountMinor, payoutMinor: a.PayoutMinor, costMinor: a.CostMinor}
	for _, c := range corrections {
		switch {
		case c.State == Reversed:
		case c.open():
			has.open = append(has.open, c)
		default:
			has.amountMinor, has.payoutMinor, has.costMinor = has.amountMinor+c.AmountMinor, has.payoutMinor+c.PayoutMinor, has.costMinor+c.CostMinor
		}
	}
	return has, nil
}

// settledWorth is worth once the open corrections are reversed: they would be
// released behind the back of what is decided now. releaseOverBudget is to follow.
func (w *writing) settledWorth(ctx context.Context, a *ActionRecord, why cause) (*worth, error) {
	has, err := w.worth(ctx, a)
	if err != nil {
		return nil, err
	}
	return has, w.reverseOpen(ctx, has, why)
}

// reverseOpen reverses the open corrections of a worth.
func (w *writing) reverseOpen(ctx context.Context, has *worth, why cause) error {
	for _, c := range has.open {
		if err := w.reverse(ctx, c, why); err != nil {
			return err
		}
	}
	has.open = nil
	return nil
}

// reverse takes an open action back, for why's reason. releaseOverBudget is to
// follow.
func (w *writing) reverse(ctx context.Context, a *ActionRecord, why cause) error {
	why.verb = verbReversed
	now := *a
	now.State, now.Reversal, now.ReversedAtMs = Reversed, why.reason, int64(w.at)
	return w.amend(ctx, a, &now, why)
}

// correct brings a locked action from what it is worth to another amount and
// payout by an adjustment action. That locks at once and becomes payable by the
// terms the first pins. What is given is booked by today's margins, what is taken
// takes the same part of the cost with it. releaseOverBudget is to follow.
func (w *writing) correct(ctx context.Context, first *ActionRecord, has *worth, amountMinor, payoutMinor int64, why cause) (*ActionRecord, error) {
	amountDelta, payoutDelta := amountMinor-has.amountMinor, payoutMinor-has.payoutMinor
	if amountDelta == 0 && payoutDelta == 0 {
		return first, nil
	}
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return nil, err
	}
	campaign, err := w.facts.campaign(ctx, w, first.CampaignID)
	if err != nil {
		return nil, err
	}
	a := *first
	a.ID, a.Corrects, a.Referral, a.AmountMinor, a.Reasons, a.Notes, a.Seq = id, first.ID, ReferralAdjustment, amountDelta, Reasons{}, why.note, 0
	a.ReceivedAtMs, a.LockAtMs = int64(w.at), int64(w.at)
	a.PayAtMs = int64(campaign.version(first.TermsVersion).terms.Pay.After(w.at, campaign.zone))
	a.LockedAtMs, a.PayableAtMs, a.PaidAtMs, a.PayoutID = 0, 0, 0, ""
	if payoutDelta > 0 {
		err = w.book(ctx, &a, payoutDelta)
	} else {
		a.apply(payoutDelta, attribution.Booking{PayoutMinor: payoutDelta, CostMinor: -costOf(-payoutDelta, has.payoutMinor, has.costMinor)})
		w.open(&a)
	}
	if err != nil {
		return nil, err
	}
	if err := w.enter(ctx, nil, &a, why); err != nil {
		return nil, err
	}
	if err := w.nowOver(ctx, &a); err != nil {
		return nil, err
	}
	return &a, w.tellAction(ctx, why.verb, &a)
}

// costOf is the part of a payout's cost that goes with a part of the payout: of
// all of it all, whatever the margins are by now.
func costOf(partMinor, payoutMinor, costMinor int64) int64 {
	switch partMinor {
	case 0:
		return 0
	case payoutMinor:
		return costMinor
	}
	return proportion(costMinor, big.NewRat(partMinor, payoutMinor))
}
