package ledger

import (
	"context"
)

// maxReleases bounds how many actions one writing releases. The rest goes on
// waiting, with its campaign over budget, until the next Tick.
const maxReleases = 2_000

// releaseOverBudget brings a campaign's standing to what its budget has room for:
// actions that wait are released, oldest first, each through caps and budget
// again, up to the first that does not fit. When none is left, and no more is
// committed than the budget, the campaign is live again.
func (w *writing) releaseOverBudget(ctx context.Context, campaignID string) error {
	p, err := w.purse(ctx, campaignID)
	if err != nil || !p.overBudget {
		return err
	}
	released := 0
	for most := 1; released < maxReleases; most = maxReleases - released { // often not even the first fits
		waiting, err := w.overBudgetActions(ctx, campaignID, most)
		if err != nil {
			return err
		}
		for _, was := range waiting {
			if fits, err := w.releaseWaiting(ctx, p, was); !fits || err != nil {
				return err
			}
		}
		if released += len(waiting); len(waiting) < most {
			p.overBudget = p.hard && p.committedMinor > p.budgetMinor
			return nil
		}
	}
	return nil
}

// releaseWaiting releases an action that waits, where it fits.
func (w *writing) releaseWaiting(ctx context.Context, p *purse, was *ActionRecord) (fits bool, err error) {
	p.overBudget = false
	booking, err := w.price(ctx, p, was, was.IntendedMinor)
	p.overBudget = true
	if err != nil || booking.OverBudget {
		return false, err
	}
	now := *was
	now.apply(was.IntendedMinor, booking)
	w.open(&now)
	return true, w.amend(ctx, was, &now, cause{verb: verbReleased, role: roleLedger, reason: ReasonOverBudget})
}

// overBudgetActions are the oldest actions that wait.
func (w *writing) overBudgetActions(ctx context.Context, campaignID string, most int) (waiting []*ActionRecord, err error) {
	err = w.each(ctx, "ledger.over_budget_actions", func(row scanner) error {
		a, err := scanAction(row)
		waiting = append(waiting, a)
		return err
	}, campaignID, most)
	return waiting, err
}

// CampaignBudgetChanged is called inside the transaction that changed a campaign's
// budget, its creators' maximum or its margins: it makes the campaign over budget
// or releases what has room now.
func (l *Ledger) CampaignBudgetChanged(ctx context.Context, campaignID string) error {
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		p, err := w.purse(ctx, campaignID)
		if err != nil {
			return err
		}
		if p.hard && p.committedMinor > p.budgetMinor {
			p.overBudget = true
			return nil
		}
		return w.releaseOverBudget(ctx, campaignID)
	})
}
