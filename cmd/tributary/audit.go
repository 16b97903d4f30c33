package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/ingest"
	"tributary/ledger"
	"tributary/schema"
)

type auditCommand struct{ Settings }

// Help is printed below the verb's first line.
func (auditCommand) Help() string {
	return "Works on a stopped data directory: stop the process that serves it first. It adds everything up: every click that was " +
		"received is stored, spooled or quarantined; every report of a merchant is settled or waits; conversions, actions and " +
		"entries in ClickHouse are those of the ledger to the minor unit. What waits in the ledger's outbox is copied to " +
		"ClickHouse first; clicks and reports that wait are counted as they are. It exits with 1 when something differs, and says what."
}

// Run audits the data directory.
func (c *auditCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	return audit(ctx, options, appConfig{log: slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}, t.Out)
}

// audit opens the stores of a data directory as serve does, but serves nothing.
func audit(ctx context.Context, o Options, c appConfig, out io.Writer) (err error) {
	if _, err := readSecrets(o.DataDir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no Tributary in %s: name its directory with --data", o.DataDir)
	}
	a := &app{options: o, log: c.log, out: out, failed: make(chan error, 2), migrated: make(chan struct{}), metrics: newMetricBook(), now: time.Now}
	defer func() { err = errors.Join(err, a.stop()) }()
	for _, open := range []func(context.Context, appConfig) error{
		a.openDataDir, a.openCatalog, a.openShipping, a.openClicks, a.openReports, a.openClickHouse,
	} {
		if err := open(ctx, c); err != nil {
			return err
		}
	}
	if err := schema.MigrateClickHouse(ctx, a.clickhouse); err != nil {
		return err
	}
	b := &books{app: a, out: out}
	for _, check := range []func(context.Context) error{b.clicks, b.reports, b.money} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	if b.differences > 0 {
		return fmt.Errorf("the books differ in %d places; see DIFFERS above", b.differences)
	}
	fmt.Fprintln(out, "the books agree")
	return nil
}

// books are what an audit compares.
type books struct {
	*app
	out         io.Writer
	differences int
}

func (b *books) differs(format string, args ...any) {
	b.differences++
	fmt.Fprintf(b.out, "DIFFERS  "+format+"\n", args...)
}

// clicks compares what the spool numbered with where it is.
func (b *books) clicks(ctx context.Context) error {
	stats, identity := b.app.clicks.Stats(), b.app.clicks.Identity()
	var rows, stored, all, summed uint64
	node := nodeName + "/" + identity[:min(12, len(identity))]
	// A row above the cursor is in the spool too, and counted there.
	err := b.clickhouse.QueryRow(ctx, `SELECT countIf(node = ? AND seq <= ?), uniqExactIf(seq, node = ? AND seq <= ?), count(),
		(SELECT sum(hits) FROM clicks_15m) FROM clicks`, node, stats.Committed, node, stats.Committed).Scan(&rows, &stored, &all, &summed)
	if err != nil {
		return fmt.Errorf("count the clicks in ClickHouse: %w", err)
	}
	quarantined, err := b.quarantined(ctx, identity)
	if err != nil {
		return err
	}
	expired := summed - min(summed, all) // retention drops clicks, never their sums
	received, found := stats.Appended, stored+expired+stats.Pending
	fmt.Fprintf(b.out, "clicks: received %d = stored %d + expired %d + spooled %d", received, stored, expired, stats.Pending)
	for _, reason := range slices.Sorted(maps.Keys(quarantined)) {
		fmt.Fprintf(b.out, " + quarantined (%s) %d", reason, quarantined[reason])
		found += quarantined[reason]
	}
	fmt.Fprintln(b.out)
	if received != found {
		b.differs("clicks: %d were received, %d are accounted for", received, found)
	}
	if rows != stored {
		b.differs("clicks: %d rows are stored twice", rows-stored)
	}
	if summed < all {
		b.differs("clicks: the sums of 15 minutes have %d, the table has %d", summed, all)
	}
	return nil
}

// quarantined counts the log's records that ended in quarantine, by reason. One
// that was replayed was received again and is counted twice on both sides.
func (b *books) quarantined(ctx context.Context, identity string) (map[string]uint64, error) {
	quarantine, err := ingest.OpenQuarantine(b.dir.file(quarantineDir), time.Now, nil)
	if err != nil {
		return nil, err
	}
	b.life.onClose("quarantine", quarantine.Close)
	counts, filter := map[string]uint64{}, ingest.QuarantineFilter{Source: "clicks", Log: identity, Replayed: true}
	for {
		entries, next, err := quarantine.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			counts[e.Reason]++
		}
		if filter.After = next; next == 0 {
			return counts, nil
		}
	}
}

// reports compares what the spool of reports numbered with what is settled.
func (b *books) reports(ctx context.Context) error {
	stats := b.app.reports.Stats()
	settled, err := b.app.money.Position(ctx, b.app.reports.Identity())
	if err != nil {
		return err
	}
	waiting := stats.Appended - min(stats.Appended, settled)
	fmt.Fprintf(b.out, "reports: received %d = settled %d + waiting %d\n", stats.Appended, settled, waiting)
	if settled > stats.Appended {
		b.differs("reports: %d are settled, but the spool knows of %d", settled, stats.Appended)
	}
	return nil
}

// money compares the ledger with itself and with its copy in ClickHouse.
func (b *books) money(ctx context.Context) error {
	none := func() time.Time { return time.Time{} }
	outbox := newLedgerCopy(b.app.money, b.clickhouse, b.shipping, b.log, none, time.Now)
	for more := true; more; {
		var err error
		if more, err = outbox.pass(ctx); err != nil {
			return err
		}
	}
	totals, err := b.app.money.Totals(ctx)
	if err != nil {
		return err
	}
	copied, err := b.copied(ctx)
	if err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(totals.Quarantined)) {
		fmt.Fprintf(b.out, "reports quarantined: %s %d\n", reason, totals.Quarantined[reason])
	}
	b.compare("actions", "their entries", totals.Actions, totals.EntrySums)
	b.compare("conversions", "ClickHouse", totals.Conversions, copied["conversions"])
	b.compare("actions", "ClickHouse", totals.Actions, copied["actions"])
	b.compare("entries", "ClickHouse", totals.Entries, copied["entries"])
	return nil
}

// copied adds up what ClickHouse has, by table.
func (b *books) copied(ctx context.Context) (map[string]map[ledger.TotalKey]ledger.Total, error) {
	rows, err := b.clickhouse.Query(ctx, schema.ClickHouseQuery("audit_totals"))
	if err != nil {
		return nil, fmt.Errorf("add up what ClickHouse has: %w", err)
	}
	defer rows.Close()
	copied := map[string]map[ledger.TotalKey]ledger.Total{"conversions": {}, "actions": {}, "entries": {}}
	for rows.Next() {
		var what string
		var key ledger.TotalKey
		var total ledger.Total
		if err := rows.Scan(&what, &key.AdvertiserID, &key.Currency, &key.State, &total.Rows, &total.Amount, &total.Payout, &total.Cost); err != nil {
			return nil, fmt.Errorf("add up what ClickHouse has: %w", err)
		}
		copied[what][key] = total
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("add up what ClickHouse has: %w", err)
	}
	return copied, nil
}

// compare says which totals of the ledger are others elsewhere. Money is in minor
// units, so that nothing is rounded away.
func (b *books) compare(what, elsewhere string, ours, theirs map[ledger.TotalKey]ledger.Total) {
	keys := maps.Clone(theirs)
	maps.Copy(keys, ours)
	var count int64
	for key := range keys {
		count += ours[key].Rows
	}
	fmt.Fprintf(b.out, "%s: %d in the ledger, compared with %s\n", what, count, elsewhere)
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(x, y ledger.TotalKey) int {
		return strings.Compare(x.AdvertiserID+" "+x.Currency+" "+x.State, y.AdvertiserID+" "+y.Currency+" "+y.State)
	}) {
		if o, t := ours[key], theirs[key]; o != t {
			b.differs("%s of %s, %s, %s: the ledger has %d rows with amount %d, payout %d, cost %d; %s has %d with %d, %d, %d",
				what, key.AdvertiserID, key.Currency, key.State, o.Rows, o.Amount, o.Payout, o.Cost, elsewhere, t.Rows, t.Amount, t.Payout, t.Cost)
		}
	}
}
