package ingest

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counts of shipping, shared by the shippers of a process. A
// nil Metrics counts nothing.
type Metrics struct {
	shippedRows   *prometheus.CounterVec
	quarantine    *prometheus.CounterVec
	missing       *prometheus.CounterVec
	insertSeconds *prometheus.HistogramVec
	insertsFailed *prometheus.CounterVec
	unique        *prometheus.CounterVec

	mu      sync.Mutex
	watched map[string]watchedLog // by log
	window  *MemoryWindow         // nil: none yet
}

// NewMetrics registers the counts.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		watched: map[string]watchedLog{},
		shippedRows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_shipped_rows_total", Help: "Rows ClickHouse acknowledged, by table.",
		}, []string{"table"}),
		quarantine: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_quarantined_total", Help: "Clicks put into quarantine, by reason.",
		}, []string{"reason"}),
		missing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_spool_missing_total", Help: "Records the log gave a number but could not give back: damaged on disk.",
		}, []string{"log"}),
		insertSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tributary_insert_seconds", Help: "Time of one acknowledged insert, by table.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"table"}),
		insertsFailed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_inserts_failed_total", Help: "Inserts that were not acknowledged, by table.",
		}, []string{"table"}),
		unique: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_unique_decided_total",
			Help: "Hits by who decided whether they are unique: trackers that share Redis together, or this one alone.",
		}, []string{"by"}),
	}
	registry.MustRegister(m, m.shippedRows, m.quarantine, m.missing, m.insertSeconds, m.insertsFailed, m.unique)
	return m
}

// A watchedLog is asked when the metrics are read.
type watchedLog struct {
	lag     func() time.Duration
	records func() uint64
}

var (
	evictedMetric = prometheus.NewDesc("tributary_unique_evicted_total",
		"Visits forgotten before their half hour was over, because there were too many to remember: their visitors may be counted as unique twice.", nil, nil)
	lagMetric   = prometheus.NewDesc("tributary_ship_lag_seconds", "Age of the oldest record that is not in ClickHouse yet, of all logs.", nil, nil)
	spoolMetric = prometheus.NewDesc("tributary_spool_records", "Records in the log that are not in ClickHouse yet, and conversions not settled yet.", []string{"log"}, nil)
)

// Watch has a log that is not shipped by a Shipper of this package counted among
// what is on its way: how old its oldest record is, and how many there are.
func (m *Metrics) Watch(log string, lag func() time.Duration, records func() uint64) {
	m.watch(log, watchedLog{lag: lag, records: records})
}

// WatchWindow has the window counted that decides which hits are unique.
func (m *Metrics) WatchWindow(w *MemoryWindow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.window = w
}

// watch asks a log's shipper from now on; the last one of a name counts.
func (m *Metrics) watch(log string, w watchedLog) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watched[log] = w
	}
}

// Describe implements prometheus.Collector for what is asked of the shippers and
// the window.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- evictedMetric
	descriptions <- lagMetric
	descriptions <- spoolMetric
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	watched, window := maps.Clone(m.watched), m.window
	m.mu.Unlock()
	if window != nil {
		metrics <- prometheus.MustNewConstMetric(evictedMetric, prometheus.CounterValue, float64(window.Evicted()))
	}
	var lag time.Duration
	for log, w := range watched {
		lag = max(lag, w.lag())
		metrics <- prometheus.MustNewConstMetric(spoolMetric, prometheus.GaugeValue, float64(w.records()), log)
	}
	metrics <- prometheus.MustNewConstMetric(lagMetric, prometheus.GaugeValue, lag.Seconds())
}

// Shipped counts an insert that was acknowledged.
func (m *Metrics) Shipped(table string, rows int, took time.Duration) {
	if m != nil {
		m.shippedRows.WithLabelValues(table).Add(float64(rows))
		m.insertSeconds.WithLabelValues(table).Observe(took.Seconds())
	}
}

// InsertFailed counts an insert that was not acknowledged.
func (m *Metrics) InsertFailed(table string) {
	if m != nil {
		m.insertsFailed.WithLabelValues(table).Inc()
	}
}

func (m *Metrics) quarantined(reason string) {
	if m != nil {
		m.quarantine.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) uniqueDecided(together, alone int) {
	if m != nil {
		m.unique.WithLabelValues("together").Add(float64(together))
		m.unique.WithLabelValues("alone").Add(float64(alone))
	}
}

func (m *Metrics) missed(log string, records uint64) {
	if m != nil && records > 0 {
		m.missing.WithLabelValues(log).Add(float64(records))
	}
}
