package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"tributary/bench/capacity"
)

// A moneyLine is a merchant, a tributary and the stores behind it, with forwarders
// between.
type moneyLine struct {
	*merchant
	b          *bench
	clickhouse *store
	postgres   *store // nil: SQLite
	rest       []float64
	back       func() error // the bench to all cores
}

func (b *bench) startMoneyLine(ctx context.Context, withPostgres bool) (_ *moneyLine, err error) {
	l := &moneyLine{b: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.stop())
		}
	}()
	if l.clickhouse, err = b.startClickHouse(); err != nil {
		return nil, err
	}
	flags := []string{"--clickhouse", l.clickhouse.url, "--rate-limit", "0"}
	if withPostgres {
		if l.postgres, err = b.startPostgres(ctx); err != nil {
			return nil, err
		}
		flags = append(flags, "--database", l.postgres.url)
	}
	t, err := b.startTributary(ctx, serverCore, "costs", flags...)
	if err != nil {
		return nil, err
	}
	l.merchant = &merchant{target: t} // for stop, should what follows fail
	if l.merchant, err = newMerchant(t); err != nil {
		l.merchant = &merchant{target: t}
		return nil, err
	}
	if err := t.waitFor(ctx, time.Minute, (&clickLine{target: t}).stored); err != nil {
		return nil, err
	}
	if l.back, err = moveTo(ctx, generatorCore); err != nil {
		return nil, err
	}
	l.rest, err = atRest(restFor, l.pids()...)
	return l, err
}

func (l *moneyLine) stop() (err error) {
	if l.back != nil {
		err = l.back()
	}
	if l.merchant != nil {
		err = errors.Join(err, l.target.stop())
	}
	for _, s := range []*store{l.clickhouse, l.postgres} {
		if s != nil {
			err = errors.Join(err, s.stop())
		}
	}
	return err
}

// pids are tributary's, ClickHouse's and, where there is one, PostgreSQL's.
func (l *moneyLine) pids() []int {
	pids := []int{l.cmd.Process.Pid, l.clickhouse.cmd.Process.Pid}
	if l.postgres != nil {
		pids = append(pids, l.postgres.cmd.Process.Pid)
	}
	return pids
}

func (b *bench) costsOfMoneyInSQLite(ctx context.Context, c *capacity.Costs) error {
	return b.costsOfMoney(ctx, c, false)
}

func (b *bench) costsOfMoneyInPostgres(ctx context.Context, c *capacity.Costs) error {
	return b.costsOfMoney(ctx, c, true)
}

// costsOfMoney follows conversions from the shop to the reports.
func (b *bench) costsOfMoney(ctx context.Context, c *capacity.Costs, withPostgres bool) error {
	l, err := b.startMoneyLine(ctx, withPostgres)
	if err != nil {
		return err
	}
	return errors.Join(l.follow(ctx, c), l.stop())
}

func (l *moneyLine) follow(ctx context.Context, c *capacity.Costs) error {
	l.clickhouse.away(true)
	kept, err := l.databaseBytes()
	if err != nil {
		return err
	}
	settled, err := l.settleArrays(ctx, c)
	if err != nil {
		return err
	}
	now, err := l.databaseBytes()
	if err != nil {
		return err
	}
	each := (now - kept) / settled.all
	if l.postgres != nil {
		c.SettlePostgresMicros, c.PostgresMicros, c.WriterPostgresMicros = settled.micros[0], settled.micros[2], settled.clock
		c.PostgresBytes, c.SettleWireBytes = each, settled.wire
		return l.takeCosts(ctx, c)
	}
	c.SettleSQLiteMicros, c.WriterSQLiteMicros, c.SQLiteBytes = settled.micros[0], settled.clock, each
	return l.copy(ctx, c, settled.all)
}

// Settled is what one conversion cost to settle.
type settledCosts struct {
	micros []float64 // of each process
	clock  float64   // µs
	wire   float64
	all    float64 // conversions there are
}

// settleArrays posts arrays faster than they are settled, and measures what settling
// the rest costs.
func (l *moneyLine) settleArrays(ctx context.Context, c *capacity.Costs) (s settledCosts, err error) {
	var sent atomic.Int64
	if _, err := l.together(arrayConnections, func() (bool, error) {
		return ctx.Err() == nil && sent.Add(1) < arrayRequests, l.report("", arrayLength)
	}); err != nil {
		return s, err
	}
	s.all = float64(l.orders.Load())
	written, err := l.b.writtenBytes("costs", "conversions")
	if err != nil {
		return s, err
	}
	c.SpoolConversionBytes = written / s.all // segments are let go of as wholes, and this is the first
	left, err := l.metric("tributary_spool_records")
	if err != nil {
		return s, err
	}
	m, err := startMeter(l.pids()...)
	if err != nil {
		return s, err
	}
	began, wire := time.Now(), l.databaseWire()
	if err := l.waitFor(ctx, settlePatience, func() error {
		time.Sleep(lookEvery / 5)
		return l.settled()
	}); err != nil {
		return s, err
	}
	s.clock = float64(time.Since(began).Microseconds()) / left
	s.wire = float64(l.databaseWire()-wire) / left
	if err := l.waitFor(ctx, settlePatience, func() error { return l.told("events") }); err != nil {
		return s, err
	}
	if s.micros, _, err = m.micros(l.rest); err != nil {
		return s, err
	}
	for i := range s.micros {
		s.micros[i] /= left
	}
	return s, nil
}

func (l *moneyLine) databaseWire() int64 {
	if l.postgres == nil {
		return 0
	}
	return l.postgres.bytes()
}

func (l *moneyLine) databaseBytes() (float64, error) {
	if l.postgres != nil {
		return dirBytes(filepath.Join(l.postgres.dir, "base"), func(string) bool { return true })
	}
	return dirBytes(filepath.Join(l.b.scratch, "costs"), func(name string) bool { return strings.HasPrefix(name, "tributary.db") })
}

// told reports an error while a reader of the outbox is behind.
func (t *target) told(reader string) error {
	left, err := t.metricOf("tributary_outbox_messages", `reader="`+reader+`"`)
	if err == nil && left > 0 {
		err = fmt.Errorf("%.0f messages wait for %s", left, reader)
	}
	return err
}

// copy lets ClickHouse return and measures until it has every conversion.
func (l *moneyLine) copy(ctx context.Context, c *capacity.Costs, conversions float64) error {
	m, err := startMeter(l.pids()...)
	if err != nil {
		return err
	}
	wire := l.clickhouse.there.Load()
	l.clickhouse.away(false)
	if err := l.waitFor(ctx, settlePatience, func() error { return l.told("clickhouse") }); err != nil {
		return err
	}
	c.InsertConversionBytes = float64(l.clickhouse.there.Load()-wire) / conversions
	line := &clickLine{target: l.target, clickhouse: l.clickhouse}
	if err := line.merged(ctx); err != nil {
		return err
	}
	used, _, err := m.micros(l.rest)
	if err != nil {
		return err
	}
	c.CopyMicros, c.CopyStoreMicros = used[0]/conversions, used[1]/conversions
	stored, err := l.clickhouse.ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'tributary' AND table NOT LIKE 'clicks%'")
	c.StoredConversionBytes = stored / conversions
	return err
}

// takeCosts are measured while PostgreSQL is away: what is taken is not settled.
func (l *moneyLine) takeCosts(ctx context.Context, c *capacity.Costs) (err error) {
	l.postgres.away(true)
	defer l.postgres.away(false)
	until := time.Now().Add(l.b.duration / 2)
	if c.TakeMicros, err = l.take(singleConnections, func() (bool, error) {
		return ctx.Err() == nil && time.Now().Before(until), l.report("", 1)
	}); err != nil {
		return err
	}
	var sent atomic.Int64
	c.TakeArrayMicros, err = l.take(arrayConnections, func() (bool, error) {
		return ctx.Err() == nil && sent.Add(1) < arrayRequests, l.report("", arrayLength)
	})
	return err
}

// take returns what a conversion costs tributary, in microseconds.
func (l *moneyLine) take(connections int, send func() (bool, error)) (float64, error) {
	m, err := startMeter(l.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	before := l.orders.Load()
	if _, err := l.together(connections, send); err != nil {
		return 0, err
	}
	used, _, err := m.micros(l.rest[:1])
	return used[0] / float64(l.orders.Load()-before), err
}

// metricOf is one series of a metric.
func (t *target) metricOf(name, label string) (float64, error) {
	response, err := http.Get(t.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(response.Body); err != nil {
		return 0, err
	}
	for line := range strings.Lines(content.String()) {
		if rest, found := strings.CutPrefix(line, name+"{"+label+"} "); found {
			var v float64
			_, err := fmt.Sscan(rest, &v)
			return v, err
		}
	}
	return 0, fmt.Errorf("there is no metric %s{%s}", name, label)
}

// writtenBytes is how much of a log's segments was written: what is preallocated
// ends in zeros.
func (b *bench) writtenBytes(label, log string) (float64, error) {
	segments, err := filepath.Glob(filepath.Join(b.scratch, label, log, "*.segment"))
	if err != nil {
		return 0, err
	}
	if len(segments) == 0 {
		return 0, fmt.Errorf("the log %s has no segments", log)
	}
	total := 0
	for _, segment := range segments {
		content, err := os.ReadFile(segment)
		if err != nil {
			return 0, err
		}
		total += len(bytes.TrimRight(content, "\x00"))
	}
	return float64(total), nil
}
