package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"tributary/fleet"
	"tributary/redirect/links"
)

func (a *app) measurePublisher(p *fleet.Publisher) {
	gauge := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("tributary_redis_connected", "1 if Redis (every master of a Cluster) answered within the last second, else 0.",
		func() float64 { return truth(a.fleet.Connected()) })
	gauge("tributary_links_unpublished", "How many changes Redis was behind the database when this node last looked.",
		func() float64 { return float64(p.Stats().Lag) })
	gauge("tributary_links_unpublished_seconds", "For how long this node has failed to bring changes of links to Redis; 0 when it does not.",
		func() float64 { return p.Stats().Failing.Seconds() })
}

func (a *app) measureMisses(m *links.Misses) {
	for _, result := range []struct {
		name  string
		count func(links.MissStats) uint64
	}{
		{"found", func(s links.MissStats) uint64 { return s.Found }},
		{"unknown", func(s links.MissStats) uint64 { return s.Unknown }},
		{"failed", func(s links.MissStats) uint64 { return s.Failed }},
		{"remembered", func(s links.MissStats) uint64 { return s.Remembered }},
		{"refused", func(s links.MissStats) uint64 { return s.Refused }},
	} {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "tributary_link_misses_total",
			Help:        "Slugs the tracker did not have: found in Redis, unknown there, not answered in time (failed), known to be unknown (remembered), or not asked for because there were too many (refused).",
			ConstLabels: prometheus.Labels{"result": result.name},
		}, func() float64 { return float64(result.count(m.Stats())) }))
	}
}
