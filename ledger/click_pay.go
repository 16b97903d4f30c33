package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"tributary/attribution"
)

// EventClick is the event of clicks that are paid for themselves.
const EventClick = "click"

// HourMs is an hour in milliseconds: clicks are booked by the hour of UTC.
const HourMs = 60 * 60 * 1000

// clickBatch is how many tasks' clicks one writing books.
const clickBatch = 500

// PaidClicks are the unique valid clicks of a task in an hour.
type PaidClicks struct {
	CampaignID string
	CreatorID  string
	TaskID     string
	LinkID     string // empty: of several links
	Clicks     int64
}

// ClicksDue says which campaigns have ever had terms that pay per click, and from
// which hour on clicks are not booked. Without such campaigns nothing is due.
func (l *Ledger) ClicksDue(ctx context.Context) (campaigns []string, from attribution.Instant, err error) {
	var first sql.NullInt64
	rows, err := l.db.Rows(ctx, "ledger.click_campaigns")
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var since int64
		if err := rows.Scan(&id, &since); err != nil {
			return nil, 0, fmt.Errorf("ledger: reading campaigns that pay per click: %w", err)
		}
		if campaigns = append(campaigns, id); !first.Valid || since < first.Int64 {
			first = sql.NullInt64{Int64: since, Valid: true}
		}
	}
	if err := rows.Err(); err != nil || len(campaigns) == 0 {
		return nil, 0, err
	}
	var through int64
	if err := l.db.Row(ctx, "number.last", "clicks_paid").Scan(&through); err != nil {
		return nil, 0, fmt.Errorf("ledger: reading how far clicks were paid: %w", err)
	}
	return campaigns, attribution.Instant(max(through, first.Int64-first.Int64%HourMs)), nil
}

// BookClicks books the clicks of the hour that begins at hour as one action for
// each task, locked at once. What was booked before is not booked again. A
// campaign whose terms then had no event click pays none, nor is a creator paid
// for an hour in which it was not joined. Clicks of a task that cannot be booked
// are put aside and logged: the others' are booked all the same.
func (l *Ledger) BookClicks(ctx context.Context, hour attribution.Instant, rows []PaidClicks) error {
	for len(rows) > 0 {
		batch := rows[:min(clickBatch, len(rows))]
		rows = rows[len(batch):]
		err := l.bookTogether(ctx, hour, batch)
		if err != nil && !passing(err) {
			err = l.bookSingly(ctx, hour, batch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bookTogether books clicks of several tasks, all or none. A panic is an error.
func (l *Ledger) bookTogether(ctx context.Context, hour attribution.Instant, batch []PaidClicks) error {
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("ledger: booking clicks panicked: %v", p)
			}
		}()
		for i := range batch {
			if err := w.bookClicks(ctx, hour, &batch[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// bookSingly books each task's clicks behind a savepoint. Those that fail while the
// database can be written are noted without an action, and never booked.
func (l *Ledger) bookSingly(ctx context.Context, hour attribution.Instant, batch []PaidClicks) error {
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		for i := range batch {
			clicks := &batch[i]
			failed := l.bookTogether(ctx, hour, batch[i:i+1])
			if failed == nil {
				continue
			}
			if passing(failed) { // it is not these clicks that fail
				return failed
			}
			w.OnCommit(func() {
				l.log.Error("a task's clicks of an hour cannot be booked and are put aside: pay for them by hand, with POST /v1/tasks/{id}/pay",
					"task_id", clicks.TaskID, "campaign_id", clicks.CampaignID, "hour", hour.Time().UTC(), "clicks", clicks.Clicks, "error", failed)
			})
			if _, err := w.Exec(ctx, "ledger.book_clicks", clicks.TaskID, int64(hour), clicks.Clicks, "", int64(w.at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClicksBooked keeps that every click before through is booked.
func (l *Ledger) ClicksBooked(ctx context.Context, through attribution.Instant) error {
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		_, err := w.Exec(ctx, "ledger.keep_clicks_paid", int64(through))
		return err
	})
}

func (w *writing) bookClicks(ctx context.Context, hour attribution.Instant, clicks *PaidClicks) error {
	var booked int64
	if err := w.Row(ctx, "ledger.clicks_booked", clicks.TaskID, int64(hour)).Scan(&booked); err != nil {
		return fmt.Errorf("ledger: reading whether clicks were booked: %w", err)
	}
	if booked > 0 || clicks.Clicks <= 0 {
		return nil
	}
	task, err := scanPayableTask(w.Row(ctx, "ledger.task", clicks.TaskID))
	if err != nil {
		return err
	}
	campaign, err := w.facts.campaign(ctx, w, task.campaignID)
	if err != nil {
		return err
	}
	terms := campaign.termsAt(hour)
	rule, pays := terms.terms.Events[EventClick]
	if !pays {
		return nil
	}
	participation, err := w.facts.participation(ctx, w, task.campaignID, task.creatorID)
	if err != nil {
		return err
	}
	creator := participation.at(hour)
	joined := func(s attribution.Span) bool { return s.From < hour+HourMs && (s.To == 0 || s.To > hour) }
	if !slices.ContainsFunc(creator.Joined, joined) {
		return nil
	}
	if override := creator.Override; override != nil {
		if own, given := override.Events[EventClick]; given {
			rule = own
		}
	}
	worth := int64(0) // a click has no sale to pay a percentage of
	if rule.Type == "flat" {
		if worth, err = worthOf(rule.Amount, clicks.Clicks, campaign.currency); err != nil {
			return err
		}
	}
	return w.makeClickAction(ctx, campaign, terms, task, hour, clicks, worth)
}

func (w *writing) makeClickAction(ctx context.Context, campaign *campaignFacts, terms *termsVersion, task *payableTask, hour attribution.Instant, clicks *PaidClicks, worthMinor int64) error {
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return err
	}
	a := &ActionRecord{
		ID: id, AdvertiserID: task.advertiserID, CampaignID: task.campaignID, CreatorID: task.creatorID, TaskID: task.id, LinkID: clicks.LinkID,
		Platform: task.platform, Event: EventClick, Referral: attribution.ReferralClick, Credit: "1", Quantity: clicks.Clicks,
		Currency: campaign.currency, Reasons: Reasons{}, EventTimeMs: int64(hour), ReceivedAtMs: int64(w.at), LockAtMs: int64(w.at),
		PayAtMs: int64(terms.terms.Pay.After(w.at, campaign.zone)), TermsVersion: terms.number,
	}
	if err := w.book(ctx, a, worthMinor); err != nil {
		return err
	}
	if err := w.enter(ctx, nil, a, cause{verb: verbMade, role: roleClock}); err != nil {
		return err
	}
	if err := w.nowOver(ctx, a); err != nil {
		return err
	}
	if err := w.tellAction(ctx, verbMade, a); err != nil {
		return err
	}
	_, err = w.Exec(ctx, "ledger.book_clicks", task.id, int64(hour), clicks.Clicks, a.ID, int64(w.at))
	return err
}
