package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

// another is a ledger of another process on the same database.
func (w *world) another() *Ledger {
	w.Helper()
	w.once() // writers that meet would be undone again and again
	return New(openDatabase(w, w.dsn, w.dir), Options{ClickKeys: w.keys, Now: func() time.Time { return time.UnixMilli(w.nowMs.Load()) }})
}

// TestSettlersAtOnce lets four ledgers, two of them of other processes, settle at
// once: each its own log of the same orders, and all of them one log that they
// share. An order counts once, a batch is settled once, the budget holds, and how
// the reports ended adds up to what was settled.
func TestSettlersAtOnce(t *testing.T) {
	t.Parallel()
	const orders, batch, room = 200, 20, 40
	s := newShop(t, fmt.Sprintf(`{"budget":{"amount":%q},"terms":{"events":{"sale":{"type":"flat","amount":"12.00"}}}}`, attribution.FormatMoney(room*1791, "USD")))
	click := s.click(s.link, attribution.Valid)
	order := func(n int) *attribution.Report {
		return s.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":"120.00","currency":"USD","click_id":%q}`, n, click))
	}
	ledgers := []*Ledger{s.Ledger, s.Ledger, s.another(), s.another()}
	batches := make([][]Batch, len(ledgers)) // in the order each settles them
	for from := 0; from < orders; from += batch {
		shared := Batch{Log: "shared", Through: uint64(from + batch)}
		for n := from; n < from+batch; n++ {
			shared.Reports = append(shared.Reports, order(orders+n))
		}
		for i := range ledgers {
			own := Batch{Log: fmt.Sprint("log ", i), Through: uint64(from + batch)}
			for n := from; n < from+batch; n++ {
				own.Reports = append(own.Reports, order((n+i*batch)%orders))
			}
			batches[i] = append(batches[i], own, shared)
		}
	}
	var mu sync.Mutex
	statuses, sharedTimes := map[string]int{}, map[uint64]int{}
	var all sync.WaitGroup
	for i, l := range ledgers {
		all.Go(func() {
			for _, b := range batches[i] {
				results, err := l.Settle(context.Background(), b)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, r := range results {
					statuses[r.Status]++
				}
				if b.Log == "shared" && len(results) > 0 {
					sharedTimes[b.Through]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	// A later batch of the shared log, settled first, covers those before it.
	shared := 0
	for through, times := range sharedTimes {
		shared += batch
		equal(t, fmt.Sprint("settlements of the shared batch through ", through), times, 1)
	}
	equal(t, "accepted", statuses[Accepted], orders+shared)
	equal(t, "duplicates", statuses[Duplicate], (len(ledgers)-1)*orders)
	equal(t, "kinds of answers", len(statuses), 2)
	var committed int64
	ok(t, s.db.View(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed", committed, room*1791)

	totals := must(s.SettledTotals(s.ctx, func(context.Context) error { return nil }))(t)
	ended := map[string]int64{}
	for _, r := range totals.Reports {
		ended[r.Log] += r.Reports
	}
	for i := range ledgers {
		log := fmt.Sprint("log ", i)
		equal(t, log, uint64(ended[log]), totals.Positions[log])
	}
}

// TestHowReportsEndIsCounted sees each outcome once.
func TestHowReportsEndIsCounted(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	s.sale("o1", "10.00", click)
	s.sale("o1", "10.00", click) // duplicate
	s.sale("o1", "11.00", click) // conflict
	s.sale("o2", "x", click)     // rejected
	unsigned := s.report(`{"event":"sale","order_id":"o3","amount":"10.00","currency":"USD"}`)
	unsigned.Signed, unsigned.Source = false, attribution.SourcePixel
	s.settle(unsigned)
	s.sale("o3", "12.00", click) // upgraded
	s.refund("o1", `{"amount":"1.00"}`)
	s.refund("o9", `{}`) // rejected
	landing := s.report(`{}`)
	landing.Kind, landing.Landing = attribution.ReportLanding, &attribution.Landing{ClickID: click}
	s.settle(landing)
	strange := s.report(`{}`)
	strange.Kind = "letter"
	s.settle(strange)
	for _, q := range must(s.Quarantine(s.ctx, adminScope, QuarantineFilter{OrderID: "o2"}, Page{}))(t).Items {
		must(s.ReplayQuarantine(s.ctx, adminScope, q.ID))(t)
	}
	totals := must(s.SettledTotals(s.ctx, func(context.Context) error { return nil }))(t)
	got, sum := "", int64(0)
	for _, r := range totals.Reports {
		got += fmt.Sprintf("%s %s %s %d\n", r.Log, r.Kind, r.Outcome, r.Reports)
		if r.OfLog() {
			sum += r.Reports
		}
	}
	equal(t, "tallies", got, `log conversion accepted 2
log conversion conflict 1
log conversion duplicate 1
log conversion rejected 1
log conversion upgraded 1
log landing accepted 1
log other rejected 1
log refund accepted 1
log refund rejected 1
quarantine conversion rejected 1
`)
	equal(t, "their sum", uint64(sum), totals.Positions["log"])
	equal(t, "kept", totals.Kept, 4)
}

// TestUnnamedRefunds tells a refund that is sent again from another one.
func TestUnnamedRefunds(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	s.soldOnce("o1")
	equal(t, "first", s.refund("o1", `{"amount":"70.00"}`).Status, Accepted)
	equal(t, "again", s.refund("o1", `{"amount":"70.00"}`).Status, Duplicate)
	equal(t, "another amount", s.refund("o1", `{"amount":"10.00"}`).Status, Accepted)
	equal(t, "the same amount, named", s.refund("o1", `{"amount":"10.00","refund_id":"r1"}`).Status, Accepted)
	s.advance(2 * day)
	equal(t, "the same amount, days later", s.refund("o1", `{"amount":"10.00"}`).Status, Accepted)
	equal(t, "the rest", s.refund("o1", `{}`).Status, Accepted)
	equal(t, "the rest again", s.refund("o1", `{}`).Status, Duplicate)
	equal(t, "too much", s.refund("o1", `{"amount":"50.00"}`).Code, CodeRefundExceeds)
}

// TestKeysOfReportsAreUsed keeps when a key was used on a tracker.
func TestKeysOfReportsAreUsed(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	s.once() // a second try has forgotten when it wrote
	key, _, err := s.catalog.CreateKey(s.ctx, catalogAdmin, catalog.KeyFields{Role: "ingest", AdvertiserID: s.advertiser.ID})
	ok(t, err)
	report := func(order string) {
		r := s.report(fmt.Sprintf(`{"event":"sale","order_id":%q}`, order))
		r.KeyID = key.ID
		s.settle(r)
	}
	used := func() attribution.Instant {
		return *must(s.catalog.Key(s.ctx, catalogAdmin, key.ID))(t).LastUsedAt
	}
	began := attribution.Instant(s.nowMs.Load())
	report("o1")
	equal(t, "used", used(), began)
	s.advance(time.Minute)
	report("o2")
	equal(t, "kept no more exactly than to ten minutes", used(), began)
	s.advance(10 * time.Minute)
	report("o3")
	equal(t, "used again", used(), began+11*60_000)
}

// TestAdvertisersTryReattribution lets an advertiser see what another model would
// change, of its own, and nothing that it may not see.
func TestAdvertisersTryReattribution(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	p.both("o1", "120.00")
	own := Scope{Role: RoleAdvertiser, AdvertiserID: p.advertiser.ID}
	asked := p.asked(attribution.ModelLinear)
	asked.DryRun = true
	tried := must(p.Reattribute(p.ctx, own, asked))(t)
	equal(t, "changed", tried.Changed, 1)
	equal(t, "payout", tried.Items[0].After[0].Payout, "6.00")
	equal(t, "nothing was done", len(p.actions("o1")), 1)
	applied := asked
	applied.DryRun = false
	_, err := p.Reattribute(p.ctx, own, applied)
	refused(t, "applying", err, attribution.CodeForbidden)
	_, err = p.Reattribute(p.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: "adv_other"}, asked)
	refused(t, "another's", err, attribution.CodeNotFound)
	_, err = p.Reattribute(p.ctx, Scope{Role: RoleCreator, CreatorID: "crt_x"}, asked)
	refused(t, "a creator", err, attribution.CodeForbidden)
	p.patch(p.campaignID, `{"agency_margin_rate":"0.10"}`)
	tried = must(p.Reattribute(p.ctx, own, asked))(t)
	text := string(must(json.Marshal(tried))(t))
	for _, credit := range append(tried.Items[0].Before, tried.Items[0].After...) {
		if credit.Payout != "" || credit.Cost == "" {
			t.Errorf("an agency's payouts are shown: %s", text)
		}
	}
	for _, creator := range tried.Creators {
		equal(t, "sums", creator.PayoutBefore+creator.PayoutAfter+creator.PayoutChange, "")
	}
}
