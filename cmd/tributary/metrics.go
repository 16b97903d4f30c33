package main

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tributary/ingest/spool"
)

// A metricBook is a registry that remembers what its metrics mean, for
// docs/metrics.md.
type metricBook struct {
	*prometheus.Registry
	mu      sync.Mutex
	entries []metricEntry
}

// A metricEntry is one metric of the reference.
type metricEntry struct {
	Name, Help string
	Labels     []string
}

func newMetricBook() *metricBook {
	b := &metricBook{Registry: prometheus.NewRegistry()}
	// The runtime's own metrics are not noted: they are the same in every Go program.
	b.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return b
}

// Register implements prometheus.Registerer.
func (b *metricBook) Register(c prometheus.Collector) error {
	if err := b.Registry.Register(c); err != nil {
		return err
	}
	b.note(c)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (b *metricBook) MustRegister(all ...prometheus.Collector) {
	b.Registry.MustRegister(all...)
	for _, c := range all {
		b.note(c)
	}
}

// A description's text is all that is public of it.
var (
	descText   = regexp.MustCompile(`^Desc\{fqName: "(.*?)", help: "(.*?)", (?:unit: ".*?", )?constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}\}$`)
	labelNames = regexp.MustCompile(`[a-z_]+`)
	constName  = regexp.MustCompile(`([a-z_]+)="`)
)

func (b *metricBook) note(c prometheus.Collector) {
	descriptions := make(chan *prometheus.Desc)
	go func() { defer close(descriptions); c.Describe(descriptions) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := range descriptions {
		text := descText.FindStringSubmatch(d.String())
		if text == nil {
			continue
		}
		entry := metricEntry{Name: text[1], Help: text[2], Labels: labelNames.FindAllString(text[4], -1)}
		for _, label := range constName.FindAllStringSubmatch(text[3], -1) {
			entry.Labels = append(entry.Labels, label[1])
		}
		if !slices.ContainsFunc(b.entries, func(e metricEntry) bool { return e.Name == entry.Name }) {
			b.entries = append(b.entries, entry)
		}
	}
}

// sorted are the entries by name.
func (b *metricBook) sorted() []metricEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries := slices.Clone(b.entries)
	slices.SortFunc(entries, func(x, y metricEntry) int { return strings.Compare(x.Name, y.Name) })
	return entries
}

// measure adds what the app itself knows of the parts it wired.
func (a *app) measure() {
	gauge := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	gauge("tributary_spool_bytes", "Disk space of the click spool, with what is preallocated.",
		func() float64 { return float64(a.clicks.Stats().DiskBytes) })
	gauge("tributary_spool_writable", "1 when the click spool takes records, 0 when the disk does not.",
		func() float64 { return truth(a.clicks.Writable()) })
	gauge("tributary_spool_fsync_seconds", "Moving mean of the click spool's fsyncs.",
		func() float64 { return a.clicks.Stats().FsyncLatency.Seconds() })
	counter("tributary_spool_corrupt_total", "Damaged records the click spool found on disk.",
		func() float64 { return float64(a.clicks.Stats().Corrupt) })
	a.measureMoney()
	a.metrics.MustRegister(newAccountMeter(a.clicksAccount, a.reportsAccount))
	if a.engine != nil {
		counter("tributary_engine_restarts_total", "Times the embedded ClickHouse was started again after it had died.",
			func() float64 { return float64(a.engine.Restarts()) })
	}
	if a.index != nil {
		gauge("tributary_links", "Links the tracker knows.", func() float64 { return float64(a.index.Stats().Links) })
		gauge("tributary_links_bytes", "Memory of the link index.", func() float64 { return float64(a.index.Stats().Bytes) })
		gauge("tributary_links_change", "Number of the last change of the catalog the tracker follows.",
			func() float64 { return float64(a.index.Stats().Change) })
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A clickLog is the click spool as the tracker sees it. It is writable when the
// spool of reports is too: a tracker that cannot take sales is not ready.
type clickLog struct {
	*spool.Log
	reports *spool.Log
}

// Writable implements redirect.ClickLog.
func (l clickLog) Writable() bool { return l.Log.Writable() && l.reports.Writable() }

// Unrecorded implements redirect.ClickLog.
func (l clickLog) Unrecorded() uint64 { return uint64(max(0, l.Stats().Unrecorded)) }
