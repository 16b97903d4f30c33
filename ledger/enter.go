package ledger

import (
	"context"

	"tributary/attribution"
)

// The verbs of entries: what was done to an action.
const (
	verbMade          = "made"
	verbApproved      = "approved"
	verbReversed      = "reversed"
	verbAdjusted      = "adjusted"
	verbHeld          = "held"
	verbReleased      = "released"
	verbLocked        = "locked"
	verbBecamePayable = "payable"
	verbRefunded      = "refunded"
	verbSourceUpgrade = "source_upgrade"
)

// A cause is who changes an action, how and why.
type cause struct {
	verb   string
	role   string // empty: the scope's
	reason string
	note   string
}

// enter makes was into now: the one way an action comes to be (was is nil) or
// changes. It writes the action, the entry with what differs, and what the
// difference takes of the campaign's budget and caps. now.Seq and its times of
// change are set here.
func (w *writing) enter(ctx context.Context, was, now *ActionRecord, why cause) error {
	p, err := w.purse(ctx, now.CampaignID)
	if err != nil {
		return err
	}
	now.UpdatedAtMs = int64(w.at)
	before := ActionRecord{}
	if was != nil {
		before = *was
	}
	now.Seq = before.Seq + 1
	if was == nil {
		now.Number, now.CreatedAtMs = w.next(), int64(w.at)
		_, err = w.Exec(ctx, "ledger.insert_action", append(now.fixed(), now.changing()...)...)
	} else {
		_, err = w.Exec(ctx, "ledger.update_action", append(now.changing(), now.Number)...)
	}
	if err != nil {
		return err
	}
	keyID, role := w.scope.KeyID, w.scope.Role
	if why.role != "" {
		keyID, role = "", why.role
	}
	_, err = w.Exec(ctx, "ledger.insert_entry", w.next(), now.Number, now.Seq, int64(w.at), why.verb, keyID, role, why.reason, why.note,
		before.State, now.State, now.Reasons.text(), now.AmountMinor-before.AmountMinor, now.IntendedMinor-before.IntendedMinor,
		now.PayoutMinor-before.PayoutMinor, now.CostMinor-before.CostMinor)
	if err != nil {
		return err
	}
	p.committedMinor += now.countedCost() - was.countedCost()
	return w.count(ctx, p, was, now)
}

// amend is enter for an action that exists, told in the outbox. Where it may have
// freed budget, releaseOverBudget is to follow, once all that belongs together is
// amended: it changes other actions.
func (w *writing) amend(ctx context.Context, was, now *ActionRecord, why cause) error {
	if err := w.enter(ctx, was, now, why); err != nil {
		return err
	}
	return w.tellAction(ctx, why.verb, now)
}

// change amends one action and releases what has room then.
func (w *writing) change(ctx context.Context, was, now *ActionRecord, why cause) error {
	if err := w.amend(ctx, was, now, why); err != nil {
		return err
	}
	return w.releaseOverBudget(ctx, now.CampaignID)
}

// An ActionEvent is what the outbox tells of an action, under the kind "action".
type ActionEvent struct {
	Verb   string        `json:"verb"`
	AtMs   int64         `json:"at_ms"`
	Action *ActionRecord `json:"action"`
}

func (w *writing) tellAction(ctx context.Context, verb string, a *ActionRecord) error {
	return w.tell(ctx, OutboxAction, ActionEvent{verb, int64(w.at), a})
}

// reached reports whether a time that was set has come. A lock or a payday that
// waits for somebody's approval is 0.
func (w *writing) reached(ms int64) bool { return ms != 0 && ms <= int64(w.at) }

// due moves an action one step that its schedule has reached: it is locked, or
// payable, since that was due. It returns the step's verb, or "" for none.
func (w *writing) due(a *ActionRecord) (verb string) {
	switch {
	case a.State == Pending && w.reached(a.LockAtMs):
		a.State, a.LockedAtMs = Locked, a.LockAtMs
		return verbLocked
	case a.State == Locked && w.reached(a.PayAtMs):
		a.State, a.PayableAtMs = Payable, max(a.PayAtMs, a.LockedAtMs)
		return verbBecamePayable
	}
	return ""
}

// open puts an action into the state that its reasons and its schedule give it
// now that it is made or released.
func (w *writing) open(a *ActionRecord) {
	if a.Reasons.holds() {
		a.State = Held
		return
	}
	a.State = Pending
	if w.reached(a.LockAtMs) {
		a.State, a.LockedAtMs = Locked, int64(w.at)
	}
	if a.State == Locked && w.reached(a.PayAtMs) {
		a.State, a.PayableAtMs = Payable, int64(w.at)
	}
}

// book prices an action that is worth intended by caps and budget, and opens it.
func (w *writing) book(ctx context.Context, a *ActionRecord, intendedMinor int64) error {
	p, err := w.purse(ctx, a.CampaignID)
	if err != nil {
		return err
	}
	booking, err := w.price(ctx, p, a, intendedMinor)
	if err != nil {
		return err
	}
	a.apply(intendedMinor, booking)
	w.open(a)
	return nil
}

func (a *ActionRecord) apply(intendedMinor int64, b attribution.Booking) {
	a.IntendedMinor, a.PayoutMinor, a.CostMinor = intendedMinor, b.PayoutMinor, b.CostMinor
	a.Reasons = a.Reasons.without(ReasonCapped, ReasonOverBudget)
	if b.Capped {
		a.Reasons = a.Reasons.with(ReasonCapped)
	}
	if b.OverBudget {
		a.Reasons = a.Reasons.with(ReasonOverBudget)
	}
}
