package ledger

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
)

// BenchmarkSettle settles batches of 500 reports: one op is one conversion, of
// one click, signed, with a customer, into a campaign with a budget.
func BenchmarkSettle(b *testing.B) {
	for name, more := range map[string]string{
		"budget": `{"budget":{"amount":"1000000000.00"}}`,
		"caps":   `{"budget":{"amount":"1000000000.00"},"max_creator_payout":"1000000000.00","terms":{"caps":[{"scope":"customer","metric":"actions","period":"campaign","limit":5}]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			s := newShop(b, more)
			s.once()
			links := []string{s.click(s.link, attribution.Valid)}
			for i := range 20 {
				_, link := s.join(fmt.Sprint("Creator ", i))
				links = append(links, s.click(link, attribution.Valid))
			}
			s.nowMs.Add(time.Minute.Milliseconds()) // people do not buy at once
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				b.StopTimer()
				reports := make([]*attribution.Report, 0, 500)
				for range min(500, b.N-done) {
					done++
					reports = append(reports, s.report(fmt.Sprintf(`{"event":"sale","order_id":"order-%d","amount":"120.00","currency":"USD","click_id":%q,"customer_id":"c%032d"}`,
						done, links[done%len(links)], done/2)))
				}
				b.StartTimer()
				s.settle(reports...)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conversions/s")
		})
	}
}

// BenchmarkWait takes reports at 500/s, each durable on its own and waited for;
// one op is one report. Try -benchtime 3000x.
func BenchmarkWait(b *testing.B) {
	s := newShop(b, `{"budget":{"amount":"1000000000.00"}}`)
	log := openSpool(b, b.TempDir())
	settler := s.settler(log)
	click := s.click(s.link, attribution.Valid)
	var mu sync.Mutex
	var waits []time.Duration
	var takers sync.WaitGroup
	next := time.NewTicker(2 * time.Millisecond)
	defer next.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-next.C
		r := s.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":"120.00","currency":"USD","click_id":%q}`, i, click))
		takers.Go(func() {
			start := time.Now()
			if err := log.take(r); err != nil {
				b.Error(err)
			}
			settler.Wait(b.Context(), []string{r.ReceiptID})
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, time.Since(start))
		})
	}
	takers.Wait()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}
