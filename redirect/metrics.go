package redirect

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
)

// Counters of the hot path are kept in shards, each on cache lines of its own,
// and summed when somebody asks: a counter shared by all cores would cost more
// than the rest of a redirect.

// redirectBuckets are the upper bounds of tributary_redirect_seconds.
var redirectBuckets = [...]time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond,
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second,
}

const verdicts = int(attribution.RateAbove) + 1

type counters struct {
	clicks       [verdicts]atomic.Uint64
	buckets      [len(redirectBuckets) + 1]atomic.Uint64
	nanoseconds  atomic.Uint64
	unknownSlugs atomic.Uint64
	refused      atomic.Uint64
	panics       atomic.Uint64
	_            [64]byte
}

func (c *counters) observe(took time.Duration) {
	bucket := len(redirectBuckets)
	for i, bound := range redirectBuckets {
		if took <= bound {
			bucket = i
			break
		}
	}
	c.buckets[bucket].Add(1)
	c.nanoseconds.Add(uint64(took))
}

// A collector shows the sum of all shards to Prometheus.
type collector struct {
	shards       []counters
	unrecorded   func() uint64
	crowdedOut   func() uint64
	clicks       *prometheus.Desc
	seconds      *prometheus.Desc
	unknownSlugs *prometheus.Desc
	refused      *prometheus.Desc
	panics       *prometheus.Desc
	lost         *prometheus.Desc
	crowded      *prometheus.Desc
}

func newCollector(shards int, unrecorded, crowdedOut func() uint64) *collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		shards:       make([]counters, shards),
		unrecorded:   unrecorded,
		crowdedOut:   crowdedOut,
		clicks:       describe("tributary_clicks_received_total", "Hits on tracking links, by verdict.", "verdict"),
		seconds:      describe("tributary_redirect_seconds", "Time from a click's headers read to its redirect handed to the connection."),
		unknownSlugs: describe("tributary_unknown_slugs_total", "Requests for a slug no link has."),
		refused:      describe("tributary_requests_refused_total", "Requests answered 400 because their form is ambiguous."),
		panics:       describe("tributary_handler_panics_total", "Requests answered 500 after a fault in the handler; each is a bug."),
		lost:         describe("tributary_clicks_unrecorded_total", "Shoppers redirected although the spool could not take their click."),
		crowded:      describe("tributary_connections_crowded_out_total", "Connections of the tracker closed because there were too many, or no file for another; those that had waited long go first."),
	}
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.clicks, c.seconds, c.unknownSlugs, c.refused, c.panics, c.lost, c.crowded} {
		ch <- desc
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	sum := func(pick func(*counters) *atomic.Uint64) (total uint64) {
		for i := range c.shards {
			total += pick(&c.shards[i]).Load()
		}
		return total
	}
	counter := func(desc *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	for _, verdict := range attribution.Verdicts() {
		counter(c.clicks, sum(func(s *counters) *atomic.Uint64 { return &s.clicks[verdict] }), verdict.String())
	}
	counter(c.unknownSlugs, sum(func(s *counters) *atomic.Uint64 { return &s.unknownSlugs }))
	counter(c.refused, sum(func(s *counters) *atomic.Uint64 { return &s.refused }))
	counter(c.panics, sum(func(s *counters) *atomic.Uint64 { return &s.panics }))
	counter(c.lost, c.unrecorded())
	counter(c.crowded, c.crowdedOut())

	cumulative := map[float64]uint64{}
	var count uint64
	for i := range len(redirectBuckets) + 1 {
		count += sum(func(s *counters) *atomic.Uint64 { return &s.buckets[i] })
		if i < len(redirectBuckets) {
			cumulative[redirectBuckets[i].Seconds()] = count
		}
	}
	total := time.Duration(sum(func(s *counters) *atomic.Uint64 { return &s.nanoseconds }))
	ch <- prometheus.MustNewConstHistogram(c.seconds, count, total.Seconds(), cumulative)
}
