package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scheduleLease is the lease on what runs by a timer.
const scheduleLease = "schedule"

// leaderLook is how often a node looks whether it still leads, or does now.
const leaderLook = 250 * time.Millisecond

// lead has one node of an installation do what is scheduled: the life cycle, pay
// per click, conversion rates, the copy to ClickHouse, events and campaigns that
// start, reclassifications, erasures. When it stops, another goes on at once; when
// it dies, within ten seconds.
//
// A lease is no lock. A node that was paused may go on for a moment after another
// took over, so each of these works is right with two of them, if wasteful; each
// says why where it is started.
func (a *app) lead(context.Context, appConfig) error {
	if !a.options.Admin {
		return nil
	}
	a.lease = a.db.Lease(scheduleLease, a.clicks.Identity())
	a.life.background("leadership", func(ctx context.Context) {
		a.lease.Run(ctx, func(err error) {
			a.log.Warn("it is not known which node does what is scheduled; it is tried again", "error", err)
		})
	})
	a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tributary_leader", ConstLabels: prometheus.Labels{"work": scheduleLease},
		Help: "1 when this node does what one node does at a time: the life cycle, payments by click, copies to ClickHouse, events. Over all admin nodes the sum is 1.",
	}, func() float64 { return truth(a.lease.Held()) }))
	return nil
}

// scheduled runs something while this node leads, until the stop. A node that
// never may leaves it to others.
func (a *app) scheduled(name string, run func(context.Context)) {
	if a.lease == nil && a.db.Shared() {
		return
	}
	a.life.background(name, func(ctx context.Context) {
		for ctx.Err() == nil {
			if a.leads() {
				a.whileLeading(ctx, run)
			}
			pause(ctx, leaderLook)
		}
	})
}

// leads reports whether this node does what is scheduled now.
func (a *app) leads() bool {
	if a.lease == nil {
		return !a.db.Shared()
	}
	return a.lease.Held()
}

// whileLeading runs something that ends with its context, which ends when another
// node may lead.
func (a *app) whileLeading(ctx context.Context, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for a.leads() && ctx.Err() == nil {
			pause(ctx, leaderLook)
		}
		cancel()
	}()
	run(ctx)
}

// pause waits, not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
