package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tributary/admin/dashboard"
	"tributary/ingest/spool"
	"tributary/ledger"
)

// A watch tells the dashboard how the process does, from the parts themselves.
type watch struct {
	*app
	started time.Time
}

// storePatience is how long a store may take to say that it is there.
const storePatience = 2 * time.Second

// Vitals implements dashboard.Watch.
func (w *watch) Vitals(ctx context.Context) dashboard.Vitals {
	v := dashboard.Vitals{
		Version: version, Started: w.started, Tracker: w.tracker != nil,
		Clicks:      w.logVitals(w.clicks, spoolDir),
		Reports:     w.logVitals(w.reports, reportsDir),
		Quarantined: w.quarantine.Counts(),
		DataThrough: reportFreshness{w.freshness(), w.copy}.DataThrough(w.reportTime()),
		DiskFree:    freeBytes(w.dir.path), Machine: machineName(), Nodes: w.neighbourVitals(),
	}
	if err := w.ready(); err != nil {
		v.Ready = err.Error()
	}
	if w.index != nil {
		v.Links = int(w.index.Stats().Links)
	}
	var copied bool
	if v.CopyBehind, copied = w.copy.behind(); !copied {
		v.CopyBehind = -1
	}
	var wg sync.WaitGroup
	wg.Go(func() { v.ClickHouse = w.clickHouseVitals(ctx) })
	wg.Go(func() { v.Database = w.databaseVitals(ctx) })
	wg.Go(func() { v.Books = w.books(ctx) })
	wg.Go(func() { v.Ended = w.ended(ctx) })
	wg.Go(func() { v.Outbox, _ = w.money.OutboxBehind(ctx) }) // a database that is down is told by its own vitals
	wg.Wait()
	return v
}

func (w *watch) logVitals(log *spool.Log, dir string) dashboard.LogVitals {
	stats := log.Stats()
	v := dashboard.LogVitals{
		Received: stats.Appended, Waiting: stats.Pending, Oldest: log.OldestPending(), Bytes: stats.DiskBytes, Writable: stats.Writable,
		Fsync: stats.FsyncLatency, Corrupt: stats.Corrupt, Unrecorded: uint64(max(0, stats.Unrecorded)),
	}
	if stats.LastError != nil {
		v.LastError = stats.LastError.Error()
	}
	segments, err := filepath.Glob(filepath.Join(w.dir.file(dir), "*.segment"))
	if err == nil { // only a bad pattern is one
		v.Segments = len(segments)
	}
	return v
}

func (w *watch) clickHouseVitals(ctx context.Context) dashboard.StoreVitals {
	v := dashboard.StoreVitals{Kind: "ClickHouse"}
	if w.engine != nil {
		v.Kind, v.Restarts = "Embedded ClickHouse "+w.engine.Version(), w.engine.Restarts()
	}
	v.Failed, v.Answered = asked(ctx, w.clickhouse.Ping)
	return v
}

func (w *watch) databaseVitals(ctx context.Context) dashboard.StoreVitals {
	v := dashboard.StoreVitals{Kind: "SQLite"}
	if w.options.Database != "" {
		v.Kind = "PostgreSQL"
	}
	v.Failed, v.Answered = asked(ctx, func(ctx context.Context) error {
		_, err := w.money.Position(ctx, w.reports.Identity())
		return err
	})
	return v
}

// asked says whether a store answers, and how soon.
func asked(ctx context.Context, ask func(context.Context) error) (failed string, took time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	began := time.Now()
	err := ask(ctx)
	switch took = time.Since(began); {
	case errors.Is(err, context.DeadlineExceeded):
		failed = "no answer within " + storePatience.String()
	case err != nil:
		failed = err.Error()
	}
	return failed, took
}

// books add up where this node's clicks are. The audit does the same with every
// row looked at; this counts them only.
func (w *watch) books(ctx context.Context) dashboard.Books {
	stats, identity := w.clicks.Stats(), w.clicks.Identity()
	b := dashboard.Books{Received: stats.Appended, Spooled: stats.Pending}
	var others, all, summed uint64
	node := nodeInRows(identity)
	err := w.clickhouse.QueryRow(ctx, "SELECT countIf(node = ? AND seq <= ?), countIf(node != ?), count(), (SELECT sum(hits) FROM clicks_15m) FROM clicks",
		node, stats.Committed, node).Scan(&b.Stored, &others, &all, &summed)
	if err != nil {
		b.Failed = "ClickHouse does not answer"
		return b
	}
	quarantined, err := (&books{app: w.app}).quarantined(ctx, identity)
	if err != nil {
		b.Failed = fmt.Sprintf("the quarantine cannot be read: %v", err)
		return b
	}
	b.Reasons = quarantined
	for n := range maps.Values(quarantined) {
		b.Quarantined += n
	}
	b.Expired = expiredOf(stats, b.Stored+b.Quarantined, others, all, summed)
	return b
}

// ended adds up how this node's reports ended.
func (w *watch) ended(ctx context.Context) dashboard.ReportBooks {
	a, err := w.reportsAccount(ctx)
	if err != nil {
		return dashboard.ReportBooks{Failed: "the database does not answer"}
	}
	reasons := map[string]uint64{}
	for refused, n := range a.refused {
		reasons[refused.reason] += n
	}
	return dashboard.ReportBooks{Received: a.received, Reasons: reasons, Accepted: a.places[ledger.Accepted], Duplicate: a.places[ledger.Duplicate],
		Conflict: a.places[ledger.Conflict], Rejected: a.places[ledger.Rejected], Waiting: a.places["spooled"]}
}

// freeBytes is the space left where a directory is; -1 where it is not known.
func freeBytes(dir string) int64 {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return -1
	}
	return int64(uint64(disk.Bavail) * uint64(disk.Bsize))
}
