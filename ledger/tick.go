package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"tributary/attribution"
)

// tickBatch is how many actions one writing of Tick moves.
const tickBatch = 500

// Tick does everything that is due at the ledger's now, in the order it was due:
// actions lock and become payable, campaigns start and end, and campaigns over
// budget whose waiting actions were too many for one writing release more. It
// works in writings of bounded size and can be called at any time.
func (l *Ledger) Tick(ctx context.Context) error {
	for _, query := range []string{"ledger.actions_to_lock", "ledger.actions_to_pay"} {
		for full := true; full; {
			var err error
			if full, err = l.tickActions(ctx, query); err != nil {
				return err
			}
		}
	}
	if err := l.tickCampaigns(ctx); err != nil {
		return err
	}
	if err := l.tickBudgets(ctx); err != nil {
		return err
	}
	return l.tickFraud(ctx)
}

// tickActions moves one batch of due actions.
func (l *Ledger) tickActions(ctx context.Context, query string) (full bool, err error) {
	var waiting int64
	if err := l.db.Row(ctx, "ledger.due_now", int64(l.instant())).Scan(&waiting); err != nil || waiting == 0 {
		return false, err
	}
	err = l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		var due []*ActionRecord
		err := w.each(ctx, query, func(row scanner) error {
			a, err := scanAction(row)
			due = append(due, a)
			return err
		}, int64(w.at), tickBatch)
		if err != nil {
			return err
		}
		full = len(due) == tickBatch
		for _, a := range due {
			if _, err := w.upToDate(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
	return full, err
}

// tickCampaigns tells of campaigns that started or ended since it was last called.
func (l *Ledger) tickCampaigns(ctx context.Context) error {
	var flips int64
	if err := l.db.Row(ctx, "ledger.campaigns_to_flip", int64(l.instant())).Scan(&flips); err != nil || flips == 0 {
		return err
	}
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		var since int64
		if err := w.Row(ctx, "number.last", "campaigns_flipped").Scan(&since); err != nil {
			return fmt.Errorf("ledger: reading how far campaigns were told of: %w", err)
		}
		if since >= int64(w.at) {
			return nil
		}
		var flipped []CampaignEvent
		err := w.each(ctx, "ledger.campaigns_flipped", func(row scanner) error {
			var e CampaignEvent
			var s attribution.CampaignState
			var approved, paused, closed, over int64
			if err := row.Scan(&e.CampaignID, &e.AdvertiserID, &approved, &paused, &closed, &over, &s.StartsAtMs, &s.EndsAtMs); err != nil {
				return err
			}
			s.Approved, s.Paused, s.Closed, s.OverBudget = approved != 0, paused != 0, closed != 0, over != 0
			if was := s.Status(since); was != s.Status(int64(w.at)) {
				e.Status, e.AtMs = s.Status(int64(w.at)), int64(w.at)
				flipped = append(flipped, e)
			}
			return nil
		}, since, int64(w.at))
		if err != nil {
			return err
		}
		for _, e := range flipped {
			if err := w.tell(ctx, OutboxCampaign, e); err != nil {
				return err
			}
		}
		_, err = w.Exec(ctx, "ledger.keep_flipped", int64(w.at))
		return err
	})
}

// tickBudgets releases what may be released in campaigns over budget.
func (l *Ledger) tickBudgets(ctx context.Context) error {
	const page = 100
	for after, full := "", true; full; {
		var ids []string
		rows, err := l.db.Rows(ctx, "ledger.over_budget_campaigns", after, page)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return fmt.Errorf("ledger: reading campaigns over budget: %w", err)
			}
			ids = append(ids, id)
		}
		if err := rows.Close(); err != nil {
			return fmt.Errorf("ledger: reading campaigns over budget: %w", err)
		}
		for _, id := range ids {
			after = id
			if err := l.CampaignBudgetChanged(ctx, id); err != nil {
				return err
			}
		}
		full = len(ids) == page
	}
	return nil
}

// NextDue is the earliest moment at which something becomes due; 0 when nothing
// will.
func (l *Ledger) NextDue(ctx context.Context) (attribution.Instant, error) {
	var at sql.NullInt64
	if err := l.db.Row(ctx, "ledger.next_due", int64(l.instant())).Scan(&at); err != nil {
		return 0, fmt.Errorf("ledger: reading what is due next: %w", err)
	}
	return attribution.Instant(at.Int64), nil
}
