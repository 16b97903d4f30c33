package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/ledger"
)

// What accounting may cost whoever reads the metrics, however often they do: one
// part in accountShare of the time, and never for long.
const (
	accountTimeout = 5 * time.Second
	accountFor     = 5 * time.Second
	accountShare   = 20
)

// An account says where a log's records are. What was received is the sum of the
// other places.
type account struct {
	log      string
	received uint64
	places   map[string]uint64
	refused  map[refusal]uint64 // what of some places is there for which reason
}

// A refusal is why records are in a place where nobody wanted them.
type refusal struct{ place, reason string }

// unaccounted is how many records are nowhere; negative, how many are in two places.
func (a account) unaccounted() float64 {
	missing := float64(a.received)
	for _, n := range a.places {
		missing -= float64(n)
	}
	return missing
}

// clicksAccount is the dashboard's, of every click this node ever numbered.
func (a *app) clicksAccount(ctx context.Context) (account, error) {
	b := (&watch{app: a}).books(ctx)
	if b.Failed != "" {
		return account{}, errors.New(b.Failed)
	}
	found := account{"clicks", b.Received, map[string]uint64{
		"stored": b.Stored, "expired": b.Expired, "spooled": b.Spooled, "quarantined": b.Quarantined,
	}, map[refusal]uint64{}}
	for reason, n := range b.Reasons {
		found.refused[refusal{"quarantined", reason}] = n
	}
	return found, nil
}

// reportsAccount is of everything merchants reported here: how it ended, or that it
// waits to be settled.
func (a *app) reportsAccount(ctx context.Context) (account, error) {
	reports, positions, err := a.money.EndedReports(ctx)
	if err != nil {
		return account{}, err
	}
	log, received := a.reports.Identity(), a.reports.Stats().Appended // read after how far it is settled
	places := map[string]uint64{ledger.Accepted: 0, ledger.Duplicate: 0, ledger.Conflict: 0, ledger.Rejected: 0, "spooled": received - min(received, positions[log])}
	refused := map[refusal]uint64{}
	for i := range reports {
		r := &reports[i]
		if r.Log != log {
			continue
		}
		places[r.Outcome] += uint64(r.Reports)
		if r.Refused() {
			refused[refusal{r.Outcome, r.Code}] += uint64(r.Reports)
		}
	}
	return account{"conversions", received, places, refused}, nil
}

// An accountMeter tells where every record is, counted in the stores themselves.
type accountMeter struct {
	records, refused, missing *prometheus.Desc
	count                     []func(context.Context) (account, error)

	mu       sync.Mutex
	next     time.Time // when it is counted again
	accounts []account
}

func newAccountMeter(count ...func(context.Context) (account, error)) *accountMeter {
	return &accountMeter{count: count,
		records: prometheus.NewDesc("tributary_records",
			"Records of a log by where they are, counted in the stores every 5 seconds at most. Place received is every record the log ever took: the sum of the other places. Left out while a store does not answer.",
			[]string{"log", "place"}, nil),
		refused: prometheus.NewDesc("tributary_records_refused",
			"Of tributary_records, those in the places quarantined, conflict and rejected, by the typed reason.",
			[]string{"log", "place", "reason"}, nil),
		missing: prometheus.NewDesc("tributary_records_unaccounted",
			"Received records that are in no other place, or, negative, in two. Not 0 for a moment while records move; not 0 for minutes: run tributary audit.",
			[]string{"log"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *accountMeter) Describe(to chan<- *prometheus.Desc) {
	to <- m.records
	to <- m.refused
	to <- m.missing
}

// Collect implements prometheus.Collector. Nothing is said of what is not known.
func (m *accountMeter) Collect(to chan<- prometheus.Metric) {
	for _, a := range m.latest() {
		to <- prometheus.MustNewConstMetric(m.missing, prometheus.GaugeValue, a.unaccounted(), a.log)
		to <- prometheus.MustNewConstMetric(m.records, prometheus.GaugeValue, float64(a.received), a.log, "received")
		for place, n := range a.places {
			to <- prometheus.MustNewConstMetric(m.records, prometheus.GaugeValue, float64(n), a.log, place)
		}
		for why, n := range a.refused {
			to <- prometheus.MustNewConstMetric(m.refused, prometheus.GaugeValue, float64(n), a.log, why.place, why.reason)
		}
	}
}

func (m *accountMeter) latest() []account {
	m.mu.Lock()
	defer m.mu.Unlock()
	began := time.Now()
	if began.Before(m.next) {
		return m.accounts
	}
	ctx, cancel := context.WithTimeout(context.Background(), accountTimeout)
	defer cancel()
	m.accounts = nil
	wait := accountFor
	for _, count := range m.count {
		if a, err := count(ctx); err == nil { // a store that is down is told elsewhere
			m.accounts = append(m.accounts, a)
		}
	}
	now := time.Now()
	if len(m.accounts) == len(m.count) { // where one is not known, the next look should not be long in coming
		wait = max(wait, accountShare*now.Sub(began))
	}
	m.next = now.Add(wait)
	return m.accounts
}
