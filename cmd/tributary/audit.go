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

	"tributary/admin/money"
	"tributary/attribution"
	"tributary/ingest"
	"tributary/ledger"
	"tributary/schema"
)

type auditCommand struct {
	Settings
	URL string `name:"url" placeholder:"URL" help:"The API of the running process; http://ADMIN-ADDR by default."`
}

// Help is printed below the verb's first line.
func (auditCommand) Help() string {
	return "Adds everything up: every click that was received is stored, spooled or quarantined; every report of a merchant ended in " +
		"one way or waits; conversions, actions and entries in ClickHouse are those of the ledger to the minor unit. Where a process " +
		"serves the data directory, it is asked to do it, by a key that is valid for minutes; else the stores are opened. What waits in " +
		"the ledger's outbox is copied to ClickHouse first; clicks and reports that wait are counted as they are. It exits with 1 when " +
		"something differs, and says what."
}

// Run audits the data directory, or asks whoever serves it to.
func (c *auditCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	err = audit(ctx, options, appConfig{log: slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}, t.Out)
	var inUse *inUseError
	if errors.As(err, &inUse) {
		return c.ask(ctx, t, options)
	}
	return err
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
	if a.quarantine, err = ingest.OpenQuarantine(a.dir.file(quarantineDir), time.Now, nil); err != nil {
		return err
	}
	a.life.onClose("quarantine", a.quarantine.Close)
	none := func() time.Time { return time.Time{} }
	a.copy = newLedgerCopy(a.money, a.clickhouse, a.shipping, a.log, none, time.Now)
	found, err := a.Audit(ctx)
	if err != nil {
		return err
	}
	return tellAudit(out, &found)
}

// tellAudit prints what an audit found; books that differ are an error.
func tellAudit(out io.Writer, found *money.Audit) error {
	for _, line := range found.Lines {
		fmt.Fprintln(out, line)
	}
	for _, difference := range found.Differences {
		fmt.Fprintln(out, "DIFFERS  "+difference)
	}
	if !found.Agree {
		return fmt.Errorf("the books differ in %d places; see DIFFERS above", len(found.Differences))
	}
	fmt.Fprintln(out, "the books agree")
	return nil
}

// Beside a process that takes clicks a table and its sums are never read at
// quite the same moment: what differs is looked at again.
const (
	auditTries = 5
	auditPause = 500 * time.Millisecond
)

// Audit implements money.Auditor.
func (a *app) Audit(ctx context.Context) (money.Audit, error) {
	for try := 1; ; try++ {
		b := &books{app: a, found: money.Audit{At: attribution.InstantOf(a.now()), Lines: []string{}, Differences: []string{}}}
		for _, check := range []func(context.Context) error{b.clicks, b.money} {
			if err := check(ctx); err != nil {
				return money.Audit{}, err
			}
		}
		if b.found.Agree = len(b.found.Differences) == 0; b.found.Agree || try == auditTries {
			return b.found, nil
		}
		select {
		case <-ctx.Done():
			return money.Audit{}, ctx.Err()
		case <-time.After(auditPause):
		}
	}
}

// books are what an audit compares.
type books struct {
	*app
	found money.Audit
}

func (b *books) say(format string, args ...any) {
	b.found.Lines = append(b.found.Lines, fmt.Sprintf(format, args...))
}

func (b *books) differs(format string, args ...any) {
	b.found.Differences = append(b.found.Differences, fmt.Sprintf(format, args...))
}

// clicks compares what the spool numbered with where it is.
func (b *books) clicks(ctx context.Context) error {
	stats, identity := b.app.clicks.Stats(), b.app.clicks.Identity()
	var rows, stored, all, summed uint64
	node := nodeName + "/" + identity[:min(12, len(identity))]
	// A row above the cursor is in the spool too, and counted there. A bitmap counts
	// exactly, in a few bits a click: a set of millions would not fit a query's memory.
	err := b.clickhouse.QueryRow(ctx, `SELECT countIf(node = ? AND seq <= ?), groupBitmapIf(seq, node = ? AND seq <= ?), count(),
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
	said := fmt.Sprintf("clicks: received %d = stored %d + expired %d + spooled %d", received, stored, expired, stats.Pending)
	for _, reason := range slices.Sorted(maps.Keys(quarantined)) {
		said += fmt.Sprintf(" + quarantined (%s) %d", reason, quarantined[reason])
		found += quarantined[reason]
	}
	b.say("%s", said)
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
	counts, filter := map[string]uint64{}, ingest.QuarantineFilter{Source: "clicks", Log: identity, Replayed: true}
	for {
		entries, next, err := b.quarantine.List(ctx, filter)
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

// reports compares what the spool of reports numbered with how they ended, and
// what ended so with what is there.
func (b *books) reports(totals *ledger.Totals) {
	log, stats := b.app.reports.Identity(), b.app.reports.Stats()
	var settled uint64
	var made, kept int64
	said := ""
	for i := range totals.Reports {
		r := &totals.Reports[i]
		if r.Log == log {
			settled += uint64(r.Reports)
			said += fmt.Sprintf("%ss %s %d + ", r.Kind, r.Outcome, r.Reports)
		}
		if r.MadeConversion() {
			made += r.Reports
		}
		if r.Refused() {
			kept += r.Reports
		}
	}
	position := totals.Positions[log]
	b.say("reports: received %d = %swaiting %d", stats.Appended, said, stats.Appended-min(stats.Appended, position))
	if settled != position {
		b.differs("reports: %d are settled, %d are counted by how they ended", position, settled)
	}
	var conversions int64
	for _, total := range totals.Conversions {
		conversions += total.Rows
	}
	if made != conversions {
		b.differs("conversions: %d reports made one, there are %d", made, conversions)
	}
	if kept != totals.Kept {
		b.differs("quarantine: %d reports were refused, %d were kept", kept, totals.Kept)
	}
}

// money compares the ledger with itself and with its copy in ClickHouse, at a
// moment when nothing is on its way: the copy stands still until both are added up.
func (b *books) money(ctx context.Context) error {
	b.copy.turn.Lock()
	defer b.copy.turn.Unlock()
	totals, err := b.app.money.SettledTotals(ctx, func(ctx context.Context) (err error) {
		for more := true; more && err == nil; {
			more, err = b.copy.passInTurn(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	copied, err := b.copied(ctx)
	if err != nil {
		return err
	}
	b.reports(totals)
	for _, reason := range slices.Sorted(maps.Keys(totals.Quarantined)) {
		b.say("reports quarantined: %s %d", reason, totals.Quarantined[reason])
	}
	b.compare("actions", "their entries", totals.Actions, totals.EntrySums)
	b.compare("conversions", "ClickHouse", totals.Conversions, copied["conversions"])
	b.compare("actions", "ClickHouse", totals.Actions, copied["actions"])
	b.compare("actions", "the sums of reports", totals.Actions, copied["action_sums"])
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
	copied := map[string]map[ledger.TotalKey]ledger.Total{"conversions": {}, "actions": {}, "action_sums": {}, "entries": {}}
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
	b.say("%s: %d in the ledger, compared with %s", what, count, elsewhere)
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(x, y ledger.TotalKey) int {
		return strings.Compare(x.AdvertiserID+" "+x.Currency+" "+x.State, y.AdvertiserID+" "+y.Currency+" "+y.State)
	}) {
		if o, t := ours[key], theirs[key]; o != t {
			b.differs("%s of %s, %s, %s: the ledger has %d rows with amount %d, payout %d, cost %d; %s has %d with %d, %d, %d",
				what, key.AdvertiserID, key.Currency, key.State, o.Rows, o.Amount, o.Payout, o.Cost, elsewhere, t.Rows, t.Amount, t.Payout, t.Cost)
		}
	}
}
