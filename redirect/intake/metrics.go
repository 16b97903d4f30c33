package intake

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
)

type metrics struct {
	conversions *prometheus.CounterVec
	refunds     *prometheus.CounterVec
	landings    *prometheus.CounterVec
	requests    *prometheus.CounterVec
}

// The results a report is counted under.
const (
	resultAccepted    = "accepted"
	resultRejected    = "rejected"
	resultUnavailable = "unavailable"
)

func newMetrics() *metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		conversions: counter("tributary_conversions_total", "Conversions reported: accepted and rejected ones are on disk, unavailable ones were answered 503.", "result"),
		refunds:     counter("tributary_refunds_total", "Refunds reported: accepted and rejected ones are on disk, unavailable ones were answered 503.", "result"),
		landings:    counter("tributary_landings_total", "Landings the tag reported.", "result"),
		requests:    counter("tributary_intake_refused_total", "Requests under /t/ that were refused as a whole and are not on disk as reports, by reason.", "reason"),
	}
	for _, of := range []*prometheus.CounterVec{m.conversions, m.refunds, m.landings} {
		for _, result := range []string{resultAccepted, resultRejected, resultUnavailable} {
			of.WithLabelValues(result)
		}
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	return errors.Join(r.Register(m.conversions), r.Register(m.refunds), r.Register(m.landings), r.Register(m.requests))
}

func (m *metrics) of(kind string) *prometheus.CounterVec {
	switch kind {
	case attribution.ReportRefund:
		return m.refunds
	case attribution.ReportLanding:
		return m.landings
	}
	return m.conversions
}

// refused counts a request by the code it was refused with; there are few.
func (m *metrics) refused(code string) { m.requests.WithLabelValues(code).Inc() }

// stored counts a batch. A report of nobody known is rejected and on no disk.
func (m *metrics) stored(kind string, b *batch, durable bool) {
	var accepted, rejected, lost float64
	for i := range b.results {
		switch r := &b.results[i]; {
		case !durable:
			lost++
		case r.rejected != nil:
			rejected++
		default:
			accepted++
		}
	}
	of := m.of(kind)
	of.WithLabelValues(resultAccepted).Add(accepted)
	of.WithLabelValues(resultRejected).Add(rejected)
	of.WithLabelValues(resultUnavailable).Add(lost)
}

// one counts a single report.
func (m *metrics) one(report *attribution.Report, durable bool) {
	result := resultAccepted
	switch {
	case !durable:
		result = resultUnavailable
	case report.Rejected != nil:
		result = resultRejected
	}
	m.of(report.Kind).WithLabelValues(result).Inc()
}
