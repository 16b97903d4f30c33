package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// How often it is looked whether an hour's clicks can be paid, and of how many
// hours, where some were missed, and campaigns ClickHouse is asked at once: it
// refuses a question that is too long.
const (
	payClicksInterval  = 20 * time.Second
	payClicksHours     = 24
	payClicksCampaigns = 5_000
)

// clicksUnderWay is how long an hour is left alone once other nodes have told that they
// handed on all of it: one that has just begun may have told nobody yet, and clocks
// differ.
const clicksUnderWay = time.Minute

// A clickPayer books the clicks of every hour that is over, for campaigns whose
// terms pay per click.
type clickPayer struct {
	money      *ledger.Ledger
	clickhouse driver.Conn
	freshness  reports.Freshness // clicks on their way are waited for
	underWay   time.Duration     // how much longer
	now        func() time.Time
}

// payClicks pays clicks until ctx ends. Hours that were missed are caught up. Two
// nodes may do it at once: a task's hour is booked in the transaction that notes that
// it is, and only where it is not.
func (a *app) payClicks(ctx context.Context) {
	a.every(ctx, payClicksInterval, "clicks could not be paid; it is tried again", a.clickPayer().pay)
}

func (a *app) clickPayer() *clickPayer {
	p := &clickPayer{money: a.money, clickhouse: a.clickhouse, freshness: a.freshness(), now: a.now}
	if a.db.Shared() {
		p.underWay = clicksUnderWay
	}
	return p
}

// pay books every hour that is over and whose clicks have all arrived.
func (p *clickPayer) pay(ctx context.Context) error {
	for {
		campaigns, from, err := p.money.ClicksDue(ctx)
		if err != nil || len(campaigns) == 0 {
			return err
		}
		through := attribution.InstantOf(p.freshness.DataThrough(p.now()).Add(-p.underWay))
		through -= through % ledger.HourMs
		to := min(through, from+payClicksHours*ledger.HourMs)
		if from >= to {
			return nil
		}
		if err := p.book(ctx, campaigns, from, to); err != nil {
			return err
		}
		if err := p.money.ClicksBooked(ctx, to); err != nil {
			return err
		}
	}
}

// book books the hours of [from, to). What a crash leaves half done is done again:
// an hour of a task is booked once. That is why every replica of ClickHouse must have
// its clicks, whichever is asked.
func (p *clickPayer) book(ctx context.Context, campaigns []string, from, to attribution.Instant) error {
	if err := schema.SyncReplicas(ctx, p.clickhouse, "clicks"); err != nil {
		return err
	}
	for some := range slices.Chunk(campaigns, payClicksCampaigns) {
		if err := p.bookSome(ctx, some, from, to); err != nil {
			return err
		}
	}
	return nil
}

// bookSome books the hours of [from, to) of some campaigns.
func (p *clickPayer) bookSome(ctx context.Context, campaigns []string, from, to attribution.Instant) error {
	rows, err := p.clickhouse.Query(ctx, schema.ClickHouseQuery("paid_clicks"),
		clickhouse.Named("campaigns", campaigns), clickhouse.Named("from_ms", int64(from)), clickhouse.Named("to_ms", int64(to)))
	if err != nil {
		return fmt.Errorf("ask ClickHouse for the clicks to pay: %w", err)
	}
	defer rows.Close()
	var hour int64
	var clicks []ledger.PaidClicks
	for rows.Next() {
		var at int64
		var c ledger.PaidClicks
		if err := rows.Scan(&at, &c.CampaignID, &c.CreatorID, &c.TaskID, &c.LinkID, &c.Clicks); err != nil {
			return fmt.Errorf("read the clicks to pay: %w", err)
		}
		if at != hour {
			if err := p.money.BookClicks(ctx, attribution.Instant(hour), clicks); err != nil {
				return err
			}
			hour, clicks = at, nil
		}
		clicks = append(clicks, c)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the clicks to pay: %w", err)
	}
	return p.money.BookClicks(ctx, attribution.Instant(hour), clicks)
}
