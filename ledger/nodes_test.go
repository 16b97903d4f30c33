package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
)

// TestNodesPayAtOnce has two admins make payouts at once, mark them as paid at
// once, and let time pass at once: each action is in one payout and paid once, and
// each of its transitions is one entry.
func TestNodesPayAtOnce(t *testing.T) {
	t.Parallel()
	const creators, sales = 5, 8
	s := newShop(t, "")
	nodes := []*Ledger{s.Ledger, s.another(), s.another()}
	for i := range creators {
		_, link := s.join(fmt.Sprint("Creator ", i))
		click := s.click(link, attribution.Valid)
		for n := range sales {
			s.sale(fmt.Sprintf("o%d-%d", i, n), "100.00", click)
		}
	}
	atOnce := func(do func(l *Ledger) error) {
		t.Helper()
		var all sync.WaitGroup
		for _, l := range nodes {
			all.Go(func() {
				if err := do(l); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	tick := func(l *Ledger) error { return l.Tick(context.Background()) }
	s.nowMs.Add((8 * day).Milliseconds())
	atOnce(tick)
	s.nowMs.Add((30 * day).Milliseconds())
	atOnce(tick)

	var mu sync.Mutex
	paid := map[string]int{} // times, by creator
	var ids []string
	atOnce(func(l *Ledger) error {
		payouts, err := l.CreatePayouts(context.Background(), adminScope, PayoutRequest{AdvertiserID: s.advertiser.ID})
		mu.Lock()
		defer mu.Unlock()
		for _, p := range payouts {
			paid[p.CreatorID]++
			ids = append(ids, p.ID)
			equal(t, "amount", *p.Amount, "80.00")
		}
		return err
	})
	equal(t, "creators paid", len(paid), creators)
	equal(t, "payouts", len(ids), creators)
	atOnce(func(l *Ledger) error {
		for _, id := range ids {
			if _, err := l.MarkPaid(context.Background(), adminScope, id, "bank 1"); err != nil {
				return err
			}
		}
		return nil
	})
	raw := s.raw()
	for query, want := range map[string]int{
		"SELECT COUNT(*) FROM actions WHERE state = 'paid'":                                              creators * sales,
		"SELECT COUNT(*) FROM entries WHERE to_state = 'locked' AND from_state = 'pending'":              creators * sales,
		"SELECT COUNT(*) FROM entries WHERE to_state = 'payable' AND from_state = 'locked'":              creators * sales,
		"SELECT COUNT(*) FROM entries WHERE to_state = 'paid' AND from_state = 'payable'":                creators * sales,
		"SELECT COUNT(*) FROM (SELECT 1 FROM entries GROUP BY action, seq HAVING COUNT(*) > 1) AS twice": 0,
	} {
		var got int
		ok(t, raw.QueryRow(query).Scan(&got))
		equal(t, query, got, want)
	}
}

// TestNodesBookClicksAtOnce has two nodes pay the same hour's clicks, as when the
// one that led was paused and has not noticed: they are paid once.
func TestNodesBookClicksAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"events":{"click":{"type":"flat","amount":"0.10"}}}}`)
	hour := attribution.Instant(s.nowMs.Load())
	s.nowMs.Add(2 * time.Hour.Milliseconds())
	nodes := []*Ledger{s.Ledger, s.another()}
	clicks := []PaidClicks{{CampaignID: s.campaignID, CreatorID: s.creator.ID, TaskID: s.link.TaskID, LinkID: s.link.ID, Clicks: 30}}
	var all sync.WaitGroup
	for _, l := range nodes {
		all.Go(func() {
			for range 3 {
				if err := l.BookClicks(context.Background(), hour, clicks); err != nil {
					t.Error(err)
				}
				if err := l.ClicksBooked(context.Background(), hour+HourMs); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var actions, payout int
	ok(t, s.raw().QueryRow("SELECT COUNT(*), CAST(SUM(payout_minor) AS BIGINT) FROM actions").Scan(&actions, &payout))
	equal(t, "actions", actions, 1)
	equal(t, "payout", payout, 300)
}

// TestNodesReadTheOutboxAtOnce has two copiers pass messages: each message is
// passed by one of them, and none is left out.
func TestNodesReadTheOutboxAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	nodes := []*Ledger{s.Ledger, s.another()}
	for n := range 30 {
		s.sale(fmt.Sprint("o", n), "10.00", click)
	}
	var last int64
	ok(t, s.raw().QueryRow("SELECT MAX(number) FROM outbox").Scan(&last))
	var mu sync.Mutex
	passed := map[int64]int{}
	var all sync.WaitGroup
	for _, l := range nodes {
		all.Go(func() {
			for {
				batch, err := l.Outbox(context.Background(), ReaderEvents, 7)
				if err != nil {
					t.Error(err)
					return
				}
				if len(batch.Messages) == 0 {
					return
				}
				if l.OutboxDone(context.Background(), batch) != nil {
					continue // the other was first
				}
				mu.Lock()
				for _, m := range batch.Messages {
					passed[m.Number]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for number, times := range passed {
		equal(t, fmt.Sprint("message ", number), times, 1)
	}
	equal(t, "the last message", passed[last], 1)
	if len(passed) < 30 {
		t.Errorf("%d messages were passed", len(passed))
	}
}
