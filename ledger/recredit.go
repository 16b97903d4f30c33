package ledger

import (
	"context"

	"tributary/attribution"
)

// A recrediting brings the actions of one conversion from its first decision to
// another one. What is pending or held is reversed and made anew, or booked anew
// where only its worth differs; what is locked is corrected. What is taken comes
// before what is given, so that budget and caps have room for it.
type recrediting struct {
	*writing
	run        string
	record     *ConversionRecord
	conversion *attribution.Conversion
	first      *attribution.Trace
	decision   *attribution.Decision

	actions  []*ActionRecord // that the decision keeps or takes back, in touch order
	others   bool            // the conversion has actions that no decision made
	given    []func(context.Context) error
	affected []string // campaigns, in the order they were changed
}

// find reads the actions of the first decision. why is not empty where the
// conversion is to be left alone.
func (r *recrediting) find(ctx context.Context) (why string, err error) {
	all, err := r.actionsOf(ctx, r.record)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		switch {
		case a.State == Reversed && a.Reversal == reversalOfReattribution:
		case a.State == Reversed:
			return "action " + a.ID + " was reversed: " + a.Reversal, nil
		case r.creditOf(r.first.Credits, a) < 0:
			if why, err := r.findOther(ctx, a); err != nil || why != "" {
				return why, err
			}
		default:
			if a, err = r.upToDate(ctx, a); err != nil {
				return "", err
			}
			r.actions = append(r.actions, a)
		}
	}
	return "", nil
}

// findOther takes an action that the first decision did not make, such as an
// inquiry's. One that a re-attribution corrected to nothing is corrected again when
// its credit is back. Others are not touched: where the decision would credit them a
// second time, the conversion is left alone.
func (r *recrediting) findOther(ctx context.Context, a *ActionRecord) (why string, err error) {
	has, err := r.worth(ctx, a)
	if err != nil {
		return "", err
	}
	stands, again := a.open() || has.credits(), r.creditOf(r.decision.Trace.Credits, a) >= 0
	switch {
	case stands && again:
		return "action " + a.ID + " credits its creator by another decision", nil
	case stands:
		r.others = true
	case again:
		r.actions = append(r.actions, a)
	}
	return "", nil
}

// creditOf finds an action's credit in a decision, or -1.
func (r *recrediting) creditOf(credits []attribution.CreditTrace, a *ActionRecord) int {
	for i := range credits {
		if keyOf(&credits[i]) == a.creditKey() {
			return i
		}
	}
	return -1
}

func (r *recrediting) why(verb string) cause {
	return cause{verb: verb, reason: reversalOfReattribution, note: "re-attribution " + r.run}
}

// apply changes the actions and keeps the decision.
func (r *recrediting) apply(ctx context.Context) error {
	now := r.decision.Trace.Credits
	kept := make([]*ActionRecord, len(now))
	for _, a := range r.actions {
		at := r.creditOf(now, a)
		if at < 0 || kept[at] != nil {
			if err := r.take(ctx, a); err != nil {
				return err
			}
			continue
		}
		kept[at] = a
	}
	for i := range now {
		if err := r.recredit(ctx, kept[i], i); err != nil {
			return err
		}
	}
	for _, give := range r.given {
		if err := give(ctx); err != nil {
			return err
		}
	}
	for _, campaign := range r.affected {
		if err := r.releaseOverBudget(ctx, campaign); err != nil {
			return err
		}
	}
	return r.keep(ctx)
}

// take takes all that an action is worth.
func (r *recrediting) take(ctx context.Context, a *ActionRecord) error {
	r.affected = append(r.affected, a.CampaignID)
	if a.open() {
		return r.reverse(ctx, a, r.why(verbReversed))
	}
	has, err := r.settledWorth(ctx, a, r.why(verbReversed))
	if err != nil {
		return err
	}
	_, err = r.correct(ctx, a, has, 0, 0, r.why(verbAdjusted))
	return err
}

// recredit brings one credit of the decision about; a is the action that has it
// already, or nil.
func (r *recrediting) recredit(ctx context.Context, a *ActionRecord, at int) error {
	credit := &r.decision.Credits[at]
	amount, intended := r.record.unrefunded(credit.AmountMinor, credit.IntendedMinor)
	if a != nil {
		was := r.creditOf(r.first.Credits, a)
		if was >= 0 && r.first.Credits[was] == r.decision.Trace.Credits[at] {
			return nil
		}
	}
	r.affected = append(r.affected, credit.CampaignID)
	switch {
	case a == nil:
		r.later(func(ctx context.Context) error { return r.give(ctx, nil, credit, amount, intended) })
	case !a.open():
		return r.recorrect(ctx, a, amount, intended)
	case a.Credit != credit.Share.String() || a.Model != credit.Model:
		if err := r.take(ctx, a); err != nil {
			return err
		}
		r.later(func(ctx context.Context) error { return r.give(ctx, a, credit, amount, intended) })
	case intended > a.IntendedMinor:
		r.later(func(ctx context.Context) error { return r.revalue(ctx, a, amount, intended) })
	default:
		return r.revalue(ctx, a, amount, intended)
	}
	return nil
}

func (r *recrediting) later(give func(context.Context) error) { r.given = append(r.given, give) }

// give makes the action of a credit. One that was held for a suspicion stays so.
func (r *recrediting) give(ctx context.Context, held *ActionRecord, credit *attribution.Credit, amountMinor, intendedMinor int64) error {
	a, err := r.actionOf(ctx, r.record, r.conversion, credit)
	if err != nil {
		return err
	}
	a.AmountMinor = amountMinor
	if held != nil {
		a.Reasons, a.Notes, a.Platform = held.Reasons.without(ReasonCapped, ReasonOverBudget), held.Notes, held.Platform
	}
	if err := r.bookAction(ctx, a, intendedMinor, r.why(verbMade)); err != nil {
		return err
	}
	return r.tellAction(ctx, verbMade, a)
}

// revalue books an action anew that keeps its share.
func (r *recrediting) revalue(ctx context.Context, a *ActionRecord, amountMinor, intendedMinor int64) error {
	now := *a
	now.AmountMinor = amountMinor
	if err := r.rebook(ctx, a, &now, intendedMinor); err != nil {
		return err
	}
	return r.amend(ctx, a, &now, r.why(verbAdjusted))
}

// recorrect corrects a locked action to what it is to be worth, through the caps
// it is under; budget is asked when it is given.
func (r *recrediting) recorrect(ctx context.Context, a *ActionRecord, amountMinor, intendedMinor int64) error {
	has, err := r.settledWorth(ctx, a, r.why(verbReversed))
	if err != nil {
		return err
	}
	give := func(ctx context.Context) error {
		payout, err := r.capped(ctx, a, has.payoutMinor, intendedMinor)
		if err != nil {
			return err
		}
		_, err = r.correct(ctx, a, has, amountMinor, payout, r.why(verbAdjusted))
		return err
	}
	if intendedMinor > has.payoutMinor {
		r.later(give)
		return nil
	}
	return give(ctx)
}

// capped is what caps leave of an intended payout of a locked action that is worth
// something already.
func (r *recrediting) capped(ctx context.Context, a *ActionRecord, worthMinor, intendedMinor int64) (int64, error) {
	p, err := r.purse(ctx, a.CampaignID)
	if err != nil {
		return 0, err
	}
	counts, gone := *a, *a
	counts.PayoutMinor, gone.State = worthMinor, Reversed
	if err := r.count(ctx, p, &counts, &gone); err != nil {
		return 0, err
	}
	without := *p
	without.hard = false
	booking, err := r.price(ctx, &without, a, intendedMinor)
	if err != nil {
		return 0, err
	}
	return booking.PayoutMinor, r.count(ctx, p, &gone, &counts)
}

// keep writes the decision to the conversion, with the one it was first decided by.
func (r *recrediting) keep(ctx context.Context) error {
	trace, c := r.decision.Trace, r.record
	trace.Run, trace.Replaced = r.run, r.first
	if r.first.Replaced != nil {
		trace.Replaced = r.first.Replaced
	}
	text, err := encode(&trace)
	if err != nil {
		return err
	}
	c.trace, c.UpdatedAtMs = text, int64(r.at)
	c.Attributed, c.Reason = len(trace.Credits) > 0 || r.others, r.decision.Reason
	if c.Attributed {
		c.Reason = ""
	}
	if _, err := r.Exec(ctx, "ledger.reattribute_conversion", c.Number, bit(c.Attributed), c.Reason, c.trace, c.UpdatedAtMs); err != nil {
		return err
	}
	return r.tellConversion(ctx, verbReattributed, c, nil)
}
