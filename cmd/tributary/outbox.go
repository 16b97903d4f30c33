package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin/reports"
	"tributary/background"
	"tributary/ingest"
	"tributary/ledger"
	"tributary/schema"
	"tributary/schema/database"
)

// A ledgerCopy brings what happened in the ledger to ClickHouse, for reports:
// conversions and actions as the outbox tells of them, and every entry.
//
// Each row is in ClickHouse exactly once, as its newest version: a message is
// forgotten only once its rows are stored, a batch is sent again as it was under
// the same token until then, and a row that comes twice all the same is one row
// there.
type ledgerCopy struct {
	ledger     *ledger.Ledger
	clickhouse driver.Conn
	metrics    *ingest.Metrics
	log        *slog.Logger
	// pending is the oldest report that is not settled, zero for none.
	pending func() time.Time
	now     func() time.Time

	turn    sync.Mutex // held by pass
	entries int64      // the last entry that is stored; -1: ClickHouse is to be asked

	mu      sync.Mutex
	through time.Time
	copied  bool // all there was, once since the start
}

func newLedgerCopy(l *ledger.Ledger, conn driver.Conn, metrics *ingest.Metrics, log *slog.Logger, pending, now func() time.Time) *ledgerCopy {
	return &ledgerCopy{ledger: l, clickhouse: conn, metrics: metrics, log: log, pending: pending, now: now, entries: -1}
}

// The bounds of copying.
const (
	copyBatch    = 5_000 // messages, and entries, of one pass
	copyInterval = 200 * time.Millisecond
	copyLook     = time.Second     // at another node's copy
	copyTimeout  = 2 * time.Minute // of one insert
	maxCopyWait  = 10 * time.Second
)

// run copies until ctx ends. The same failure is logged once.
func (c *ledgerCopy) run(ctx context.Context) {
	failed := func(err error) {
		c.log.Warn("conversions and actions wait for ClickHouse in the ledger's outbox", "error", err)
	}
	background.Repeat(ctx, background.Pace{Every: copyInterval, Most: maxCopyWait}, failed, c.pass)
}

// pass copies one batch and reports whether there may be more.
func (c *ledgerCopy) pass(ctx context.Context) (more bool, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.passInTurn(ctx)
}

// passInTurn is pass for who holds the turn.
func (c *ledgerCopy) passInTurn(ctx context.Context) (more bool, err error) {
	through, pending := c.now(), c.pending()
	batch, err := c.ledger.Outbox(ctx, ledger.ReaderClickHouse, copyBatch)
	if err != nil {
		return false, err
	}
	rows, err := rowsOf(batch.Messages)
	if err != nil {
		return false, err
	}
	if err := c.insert(ctx, "conversions", rows.conversions); err != nil {
		return false, err
	}
	if err := c.insert(ctx, "actions", rows.actions); err != nil {
		return false, err
	}
	if err := c.insert(ctx, "landings", rows.landings); err != nil {
		return false, err
	}
	if err := c.insert(ctx, "posts", rows.posts); err != nil {
		return false, err
	}
	moreEntries, err := c.copyEntries(ctx)
	if err != nil {
		return false, err
	}
	if err := c.ledger.OutboxDone(ctx, batch); errors.Is(err, ledger.ErrReadElsewhere) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if len(batch.Messages) == copyBatch || moreEntries {
		return true, nil
	}
	c.reached(through, pending)
	return false, nil
}

// reached notes how far the copy reaches after a pass that left nothing behind:
// to its beginning, or to the oldest report that was not settled then.
func (c *ledgerCopy) reached(through, pending time.Time) {
	if !pending.IsZero() && pending.Before(through) {
		through = pending
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.copied = true
	if now := c.now(); now.Before(through) { // the clock of a rehearsal was set back
		through = now
	}
	if through.After(c.through) {
		c.through = through
	}
}

// behind is how far the copy lags; ok is false before it copied all there was once.
func (c *ledgerCopy) behind() (lag time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, c.now().Sub(c.through)), c.copied
}

// turnBack follows the clock of a rehearsal to a time before the machine's.
func (c *ledgerCopy) turnBack(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Before(c.through) {
		c.through = at
	}
}

// dataThrough is a time: what was received before it is in ClickHouse.
func (c *ledgerCopy) dataThrough() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.through
}

// begin has the copy ask ClickHouse where to go on: another node may have copied
// since.
func (c *ledgerCopy) begin() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.entries = -1
}

// lastCopied is the last entry that ClickHouse has.
func (c *ledgerCopy) lastCopied(ctx context.Context) (int64, error) {
	var last uint64
	if err := c.clickhouse.QueryRow(ctx, "SELECT max(number) FROM entries").Scan(&last); err != nil {
		return 0, fmt.Errorf("ask ClickHouse how far the entries reach: %w", err)
	}
	return int64(last), nil
}

// copyEntries copies the entries above those ClickHouse has. They are inserted in
// order and each insert is whole, so that the greatest number says how far it got.
func (c *ledgerCopy) copyEntries(ctx context.Context) (more bool, err error) {
	if c.entries < 0 {
		if err := schema.SumActions(ctx, c.clickhouse); err != nil { // of a life that ended in between
			return false, err
		}
		if c.entries, err = c.lastCopied(ctx); err != nil {
			return false, err
		}
	}
	entries, err := c.ledger.Entries(ctx, c.entries, copyBatch)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	batch := newCopyRows(len(entries))
	for i := range entries {
		batch.add(entryRow(&entries[i]), uint64(entries[i].Number))
	}
	if err := c.insert(ctx, "entries", batch); err != nil {
		return false, err
	}
	c.entries = entries[len(entries)-1].Number
	if err := schema.SumActions(ctx, c.clickhouse); err != nil {
		c.entries = -1
		return false, err
	}
	return len(entries) == copyBatch, nil
}

// insert stores rows under a token that follows from what they are, so that the
// same rows have the same one in any life of the process.
func (c *ledgerCopy) insert(ctx context.Context, table string, rows *copyRows) (err error) {
	if len(rows.rows) == 0 {
		return nil
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(schema.InsertSettings(table+" "+hex.EncodeToString(rows.token.Sum(nil)))))
	defer func() {
		if err != nil {
			c.metrics.InsertFailed(table)
			err = fmt.Errorf("copy %s to ClickHouse: %w", table, err)
		}
	}()
	batch, err := c.clickhouse.PrepareBatch(ctx, "INSERT INTO "+table+" ("+copiedColumns[table]+")")
	if err != nil {
		return err
	}
	defer batch.Close()
	for _, row := range rows.rows {
		if err := batch.Append(row...); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	c.metrics.Shipped(table, len(rows.rows), time.Since(began))
	return nil
}

// copyLedger copies the ledger from when ClickHouse has its tables until the stop.
func (a *app) copyLedger(ctx context.Context, _ appConfig) error {
	a.copy = newLedgerCopy(a.money, a.clickhouse, a.shipping, a.log, a.oldestReport, a.now)
	first, err := a.things.FirstAdvertiserAt(ctx)
	if database.Unavailable(err) {
		first, err = 1, nil // nothing is known to have been copied
	}
	if err != nil {
		return err
	}
	// Until it is known how far reports reach, they reach to when nothing can have
	// been received yet.
	if a.copy.through = a.now(); first > 0 {
		a.copy.through = first.Time()
	}
	if a.clock != nil {
		a.rehearsedClicks = &rehearsedFreshness{shipper: a.shipper, through: a.copy.through}
		// The spool knows the machine's time only: in a rehearsal the copy reaches
		// nowhere new while a report waits.
		a.copy.pending = func() time.Time {
			if a.reports.OldestPending().IsZero() {
				return time.Time{}
			}
			return a.copy.dataThrough()
		}
	}
	if a.db.Shared() && !a.options.Admin {
		return nil
	}
	// Two nodes may copy at once: a row that comes twice is one row, each inserts
	// entries on from those that are there, and sums are made in steps that count once.
	a.scheduled("copy of the ledger", func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.migrated:
			a.copy.begin()
			a.copy.run(ctx)
		}
	})
	if a.db.Shared() {
		a.life.background("reach of the ledger's copy", a.watchCopy)
	}
	return nil
}

// watchCopy learns how far the copy reaches while another node makes it.
func (a *app) watchCopy(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-a.migrated:
		a.every(ctx, copyLook, "it is not known how far the copy to ClickHouse reaches; it is tried again", func(ctx context.Context) error {
			if a.leads() {
				return nil
			}
			return a.copy.look(ctx)
		})
	}
}

// look notes how far another node's copy reaches, when it left nothing behind.
func (c *ledgerCopy) look(ctx context.Context) error {
	through, pending := c.now(), c.pending()
	batch, err := c.ledger.Outbox(ctx, ledger.ReaderClickHouse, 1)
	if err != nil || len(batch.Messages) > 0 {
		return err
	}
	last, err := c.lastCopied(ctx)
	if err != nil {
		return err
	}
	if entries, err := c.ledger.Entries(ctx, last, 1); err != nil || len(entries) > 0 {
		return err
	}
	c.reached(through, pending)
	return nil
}

// A reportFreshness says how far reports reach: as far as both clicks and money.
type reportFreshness struct {
	clicks reports.Freshness
	money  *ledgerCopy
}

// DataThrough implements reports.Freshness.
func (f reportFreshness) DataThrough(now time.Time) time.Time {
	through := f.clicks.DataThrough(now)
	if money := f.money.dataThrough(); money.Before(through) {
		return money
	}
	return through
}

// stamp is a stored time, within what ClickHouse's tables hold.
func stamp(ms int64) time.Time { return time.UnixMilli(max(0, min(ms, maxStampMs))).UTC() }

// maxStampMs is the end of the year 2261, near the last that ClickHouse writes.
const maxStampMs = 9_214_646_400_000
