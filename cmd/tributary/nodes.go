package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/admin/dashboard"
	"tributary/admin/reports"
	"tributary/schema/database"
)

// The times of nodes' signs of life.
const (
	beatEvery   = time.Second
	silentAfter = time.Minute     // a node counts as silent
	awaitedBeat = 2 * time.Second // a start or a stop waits for one no longer
)

// nothingLeft is how far a node has handed on what it received when it has stopped
// and nothing waits: it holds no report back.
const nothingLeft = math.MaxInt64

// A node is one process with a data directory, as others know it.
type node struct {
	ID, Machine, Roles                string
	SeenMs                            int64
	ClicksWaiting, ReportsWaiting     int64
	ClicksThroughMs, ReportsThroughMs int64
}

// gone reports whether it has stopped with nothing left.
func (n *node) gone() bool {
	return n.ClicksThroughMs == nothingLeft && n.ReportsThroughMs == nothingLeft
}

// silent reports whether it may hold something and nobody heard of it for long.
func (n *node) silent(now time.Time) bool {
	return !n.gone() && now.Sub(time.UnixMilli(n.SeenMs)) > silentAfter
}

// allNodes lists the nodes of an installation.
func allNodes(ctx context.Context, db database.Reader) (nodes []node, err error) {
	rows, err := db.Rows(ctx, "node.all")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n node
		if err := rows.Scan(&n.ID, &n.Machine, &n.Roles, &n.SeenMs, &n.ClicksWaiting, &n.ReportsWaiting, &n.ClicksThroughMs, &n.ReportsThroughMs); err != nil {
			return nil, fmt.Errorf("read the nodes: %w", err)
		}
		nodes = append(nodes, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the nodes: %w", err)
	}
	return nodes, nil
}

// forgetGoneNodes takes nodes off the list that stopped with nothing left before a
// time: machines that come and go with the load leave many. One that begins again
// is on it again.
func forgetGoneNodes(ctx context.Context, db *database.DB, before time.Time) error {
	return db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "node.forget_gone", int64(nothingLeft), before.UnixMilli())
		return err
	})
}

// neighbours know the other nodes, as of a second ago. How far clicks and money
// reach is how far the node has handed them on that is furthest behind; one that was
// lost holds that back until its disk is drained or it is forgotten, because nobody
// else knows what it has.
type neighbours struct {
	mu      sync.Mutex
	known   bool
	nodes   []node // without this one
	clicks  time.Time
	reports time.Time
}

// learn takes up what nodes have told by a time. None reaches further than that: one
// that had stopped, or was never heard of, may receive something since.
func (n *neighbours) learn(nodes []node, self string, at time.Time) {
	clicks, reports := at.UnixMilli(), at.UnixMilli()
	var others []node
	for _, other := range nodes {
		if other.ID != self {
			others = append(others, other)
			clicks, reports = min(clicks, other.ClicksThroughMs), min(reports, other.ReportsThroughMs)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known, n.nodes, n.clicks, n.reports = true, others, time.UnixMilli(clicks), time.UnixMilli(reports)
}

// through is how far others reach with clicks and with reports of merchants; before
// it is known, nowhere.
func (n *neighbours) through() (clicks, reports time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.known {
		return time.UnixMilli(0), time.UnixMilli(0)
	}
	return n.clicks, n.reports
}

func (n *neighbours) list() []node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.nodes
}

// meetNodes tells other nodes how far this one is, and learns how far they are, once
// a second. It starts before what takes and hands on, and so ends behind it: its last
// beat says what is left.
func (a *app) meetNodes(context.Context, appConfig) error {
	a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tributary_nodes_silent",
		Help: "Other nodes not heard of for a minute that may hold clicks and reports: reports reach no further than they did. Drain their disks, or forget them: tributary nodes.",
	}, func() float64 {
		silent := 0
		for _, n := range a.neighbours.list() {
			if n.silent(time.Now()) {
				silent++
			}
		}
		return float64(silent)
	}))
	if !a.db.Shared() {
		return nil
	}
	a.life.onStop("last sign of life", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, awaitedBeat)
		defer cancel()
		if err := a.beat(ctx, true); err != nil { // others see it as silent then
			a.log.Warn("other nodes were not told what is left here", "error", err)
		}
		return nil
	})
	return nil
}

// keepMeetingNodes begins once there are spools to tell of.
func (a *app) keepMeetingNodes(ctx context.Context, _ appConfig) error {
	if !a.db.Shared() {
		return nil
	}
	if err := a.firstBeat(ctx); err != nil {
		a.log.Warn("other nodes were not told that this one begins; it is tried again", "error", err)
	}
	a.life.background("signs of life", func(ctx context.Context) {
		if a.db.Await(ctx) != nil {
			return
		}
		a.every(ctx, beatEvery, "other nodes were not told how far this one is; it is tried again", func(ctx context.Context) error {
			if err := a.beat(ctx, false); err != nil {
				return err
			}
			at := time.Now()
			nodes, err := allNodes(ctx, a.db)
			if err == nil {
				a.neighbours.learn(nodes, a.clicks.Identity(), at)
			}
			return err
		})
	})
	return nil
}

// firstBeat tells others, before this node receives anything, that it no longer has
// nothing, as its last life may have said. While the database is away nobody can be told.
func (a *app) firstBeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awaitedBeat)
	defer cancel()
	return a.beat(ctx, false)
}

// beat notes how far this node is. The times are taken before what waits is looked
// at, so that nothing received meanwhile is before them.
func (a *app) beat(ctx context.Context, stopped bool) error {
	if a.clicks == nil || a.reports == nil {
		return nil
	}
	select {
	case <-a.db.Migrated():
	default:
		return nil
	}
	now := time.Now()
	var clicks, reports int64
	if a.shipper != nil {
		clicks, reports = a.shipper.DataThrough(now).UnixMilli(), now.Add(-a.unsettledFor()).UnixMilli()
	}
	left, quarantined := a.left(), a.quarantine.Ever()
	switch {
	case stopped && left.none():
		clicks, reports = nothingLeft, nothingLeft
	case a.shipper == nil: // what its last life told is still so
		return nil
	}
	return a.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "node.beat", a.clicks.Identity(), machineName(), a.options.roles(), now.UnixMilli(), int64(left.Clicks), int64(left.Reports), clicks, reports, int64(quarantined))
		return err
	})
}

func (o Options) roles() string {
	var roles []string
	if o.Tracker {
		roles = append(roles, "tracker")
	}
	if o.Admin {
		roles = append(roles, "admin")
	}
	return strings.Join(roles, ",")
}

// A sharedFreshness is this node's, as far as the others are too.
type sharedFreshness struct {
	own    reports.Freshness
	others *neighbours
}

// DataThrough implements reports.Freshness.
func (f sharedFreshness) DataThrough(now time.Time) time.Time {
	through := f.own.DataThrough(now)
	if clicks, _ := f.others.through(); clicks.Before(through) {
		return clicks
	}
	return through
}

// oldestReport is the oldest report of a merchant that is not settled, or from when
// on other nodes may have such; zero for none.
func (a *app) oldestReport() time.Time {
	oldest := a.reports.OldestPending()
	if !a.db.Shared() {
		return oldest
	}
	if _, reports := a.neighbours.through(); reports.Before(time.Now()) && (oldest.IsZero() || reports.Before(oldest)) {
		return reports
	}
	return oldest
}

// neighbourVitals are the other nodes as the health page shows them.
func (a *app) neighbourVitals() (all []dashboard.NodeVitals) {
	for _, n := range a.neighbours.list() {
		if n.gone() {
			continue
		}
		all = append(all, dashboard.NodeVitals{
			Machine: n.Machine, Roles: n.Roles, Seen: time.UnixMilli(n.SeenMs), Clicks: uint64(n.ClicksWaiting), Reports: uint64(n.ReportsWaiting),
			Silent: n.silent(time.Now()),
		})
	}
	return all
}
