package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tributary/admin/money"
	"tributary/attribution"
	"tributary/ingest"
	"tributary/ingest/spool"
	"tributary/ledger"
	"tributary/schema"
)

type auditCommand struct{ Settings }

// Help is printed below the verb's first line.
func (auditCommand) Help() string {
	return "Adds everything up: every click that was received is stored, spooled or quarantined; every report of a merchant ended in " +
		"one way or waits; conversions, actions and entries in ClickHouse are those of the ledger to the minor unit. Where a process " +
		"serves the data directory, it is asked to do it; else the stores are opened. What waits in the ledger's outbox is copied to " +
		"ClickHouse first; clicks and reports that wait are counted as they are. Of several nodes each accounts for what it received itself, " +
		"and those with the role admin for the money of all. It exits with 1 when something differs, and says what."
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
		return auditServed(ctx, options.DataDir, t.Out)
	}
	return err
}

// auditPath is where an audit is asked for on the control socket.
const auditPath = "/audit"

// auditServed has the process that serves a data directory do the audit.
func auditServed(ctx context.Context, dataDir string, out io.Writer) error {
	client := newControlClient(dataDir)
	defer client.CloseIdleConnections()
	var found money.Audit
	if err := client.ask(ctx, http.MethodGet, auditPath, nil, &found); err != nil {
		return err
	}
	return tellAudit(out, &found)
}

// auditPatience is how long an audit beside a process that has just started waits
// for ClickHouse, which is not what serving waits for.
const auditPatience = time.Minute

// answerAudit audits for a verb beside the process.
func (a *app) answerAudit(w http.ResponseWriter, r *http.Request) {
	select {
	case <-a.migrated:
	case <-r.Context().Done():
		return
	case <-time.After(auditPatience):
		answerControl(w, nil, errors.New("ClickHouse is not ready, and without it nothing can be compared: see the log of the process that serves the data directory"))
		return
	}
	found, err := a.Audit(r.Context())
	answerControl(w, found, err)
}

// audit opens the stores of a data directory as serve does, but serves nothing.
func audit(ctx context.Context, o Options, c appConfig, out io.Writer) (err error) {
	if err := mustHoldData(o.DataDir); err != nil {
		return err
	}
	c.out = out
	a := newApp(o, c)
	defer func() { err = errors.Join(err, a.stop()) }()
	if err := a.openBooks(ctx, c); err != nil {
		return err
	}
	found, err := a.Audit(ctx)
	if err != nil {
		return err
	}
	return tellAudit(out, &found)
}

// openBooks opens what an audit reads, for a directory that nobody serves.
func (a *app) openBooks(ctx context.Context, c appConfig) (err error) {
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
	return nil
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
		checks := []func(context.Context) error{b.clicks, b.money}
		if !a.options.Admin { // the books of all are for those who keep them
			checks[1] = b.ownReports
		}
		for _, check := range checks {
			if err := check(ctx); err != nil {
				return money.Audit{}, err
			}
		}
		if b.found.Agree = len(b.found.Differences) == 0; b.found.Agree {
			return b.found, nil
		}
		if try == auditTries {
			return b.found, b.replicas(ctx)
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
	var rows, stored, others, all, summed uint64
	node := nodeInRows(identity)
	// A row above the cursor is in the spool too, and counted there. A bitmap counts
	// exactly, in a few bits a click: a set of millions would not fit a query's memory.
	err := b.clickhouse.QueryRow(ctx, `SELECT countIf(node = ? AND seq <= ?), groupBitmapIf(seq, node = ? AND seq <= ?), countIf(node != ?), count(),
		(SELECT sum(hits) FROM clicks_15m) FROM clicks`, node, stats.Committed, node, stats.Committed, node).Scan(&rows, &stored, &others, &all, &summed)
	if err != nil {
		return fmt.Errorf("count the clicks in ClickHouse: %w", err)
	}
	quarantined, err := b.quarantined(ctx, identity)
	if err != nil {
		return err
	}
	var elsewhere uint64 // than in the table
	for _, n := range quarantined {
		elsewhere += n
	}
	expired := expiredOf(stats, stored+elsewhere, others, all, summed)
	received, found := stats.Appended, stored+expired+stats.Pending
	said := fmt.Sprintf("clicks: received %d = stored %d + expired %d + spooled %d", received, stored, expired, stats.Pending)
	for _, reason := range slices.Sorted(maps.Keys(quarantined)) {
		said += fmt.Sprintf(" + quarantined (%s) %d", reason, quarantined[reason])
		found += quarantined[reason]
	}
	b.say("%s", said)
	if others > 0 {
		b.say("clicks: %d that other nodes received are stored: each of those accounts for its own", others)
	}
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

// replicas says so when ClickHouse's replicas that were asked lack what others have: what
// differs may be that.
func (b *books) replicas(ctx context.Context) error {
	behind, err := schema.ReplicasBehind(ctx, b.clickhouse)
	if err == nil && behind > 0 {
		b.say("ClickHouse: %d tables lack rows that are on another replica, and what differs may be those: look again when they have come", behind)
	}
	return err
}

// nodeInRows is what the node column has for a log.
func nodeInRows(identity string) string { return nodeName + "/" + identity[:min(12, len(identity))] }

// expiredOf is how many of a log's clicks retention has dropped. It drops clicks and
// never their sums, so that the difference of both is what it dropped of all nodes;
// of a log that is not alone it cannot be told which, and what is missing up to the
// difference counts as dropped.
func expiredOf(stats spool.Stats, accounted, others, all, summed uint64) uint64 {
	expired := summed - min(summed, all)
	if others == 0 {
		return expired
	}
	return min(expired, stats.Committed-min(stats.Committed, accounted))
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

// ownReports is what a node without the role admin can say of reports of merchants.
func (b *books) ownReports(ctx context.Context) error {
	ended, positions, err := b.app.money.EndedReports(ctx)
	if err == nil {
		b.received(ended, positions)
		b.say("money: an audit on a node with the role admin compares what all nodes settled")
	}
	return err
}

// received compares what this node's spool of reports numbered with how they ended.
func (b *books) received(ended []ledger.ReportTotal, positions map[string]uint64) {
	log, stats := b.app.reports.Identity(), b.app.reports.Stats()
	var settled uint64
	said := ""
	for i := range ended {
		if r := &ended[i]; r.Log == log {
			settled += uint64(r.Reports)
			how := r.Outcome
			if r.Code != "" {
				how += " (" + r.Code + ")"
			}
			said += fmt.Sprintf("%ss %s %d + ", r.Kind, how, r.Reports)
		}
	}
	position := positions[log]
	b.say("reports: received %d = %swaiting %d", stats.Appended, said, stats.Appended-min(stats.Appended, position))
	if settled != position {
		b.differs("reports: %d are settled, %d are counted by how they ended", position, settled)
	}
}

// reports compares how reports ended, those of all nodes, with what is there.
func (b *books) reports(totals *ledger.Totals) {
	b.received(totals.Reports, totals.Positions)
	var made, kept int64
	for i := range totals.Reports {
		r := &totals.Reports[i]
		if r.MadeConversion() {
			made += r.Reports
		}
		if r.Refused() {
			kept += r.Reports
		}
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
	if err := b.copy.drainInTurn(ctx); err != nil { // first what is long, while everybody writes on
		return err
	}
	totals, err := b.app.money.SettledTotals(ctx, b.copy.drainInTurn)
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

// drainInTurn copies until a pass leaves nothing behind, for who holds the turn.
func (c *ledgerCopy) drainInTurn(ctx context.Context) (err error) {
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = c.passInTurn(ctx)
		}
	}
	return err
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
