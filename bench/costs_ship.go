package main

import (
	"context"
	"errors"
	"time"
)

// Shipped is what became of some clicks on their way into ClickHouse.
type shipped struct {
	rows, inserts, perSecond float64
	micros                   []float64 // of the tracker, and of ClickHouse and what stands behind it
	wire                     int64
}

// leastMicros stands for a cost that is a difference of two measurements, when noise
// made nothing of it.
const leastMicros = 0.001

// split tells what a row costs from what an insert costs, by two runs with other
// numbers of rows an insert.
func split(large, small shipped, of int) (row, insert float64) {
	// micros = row × rows + insert × inserts, twice
	d := large.rows*small.inserts - small.rows*large.inserts
	row = (large.micros[of]*small.inserts - small.micros[of]*large.inserts) / d
	insert = (large.rows*small.micros[of] - small.rows*large.micros[of]) / d
	return max(row, leastMicros), max(insert, leastMicros)
}

// drain lets ClickHouse return and measures until everything is stored and merged.
func (b *bench) drain(ctx context.Context, l *clickLine, rest []float64, more ...int) (shipped, error) {
	s, m, err := l.beginShipping(more...)
	if err != nil {
		return s, err
	}
	waiting, err := l.metric("tributary_spool_records")
	if err != nil {
		return s, err
	}
	l.clickhouse.away(false)
	var first, last moment
	err = l.waitFor(ctx, 10*time.Minute, func() error {
		time.Sleep(lookEvery)
		left, err := l.metric("tributary_spool_records")
		if now := (moment{time.Now(), left}); err == nil && left < waiting {
			if first.at.IsZero() {
				first = now
			}
			last = now
		}
		return errors.Join(err, l.spoolEmpty())
	})
	if err != nil {
		return s, err
	}
	if !last.at.After(first.at) {
		return s, errors.New("the spool was empty before it could be looked at twice: give a longer -duration")
	}
	s.perSecond = (first.left - last.left) / last.at.Sub(first.at).Seconds()
	return s, l.endShipping(ctx, &s, m, rest)
}

type moment struct {
	at   time.Time
	left float64
}

// trickle sends so few clicks that every insert is small.
func (b *bench) trickle(ctx context.Context, l *clickLine, rest []float64) (shipped, error) {
	s, m, err := l.beginShipping()
	if err != nil {
		return s, err
	}
	run, _, err := b.clicks(ctx, generatorCore, l.links, trickleRate, 2*b.duration)
	if err != nil {
		return s, err
	}
	if err := l.waitFor(ctx, time.Minute, l.spoolEmpty); err != nil {
		return s, err
	}
	if err := l.endShipping(ctx, &s, m, rest); err != nil {
		return s, err
	}
	s.micros[0] = max(s.micros[0]-float64(run.Answered)*l.trickled, 0) // the rest is the shipper's
	return s, nil
}

func (l *clickLine) beginShipping(more ...int) (s shipped, m *meter, err error) {
	if s.rows, err = l.metric("tributary_shipped_rows_total"); err != nil {
		return s, nil, err
	}
	if s.inserts, err = l.metric("tributary_insert_seconds_count"); err != nil {
		return s, nil, err
	}
	s.wire = l.clickhouse.there.Load()
	m, err = startMeter(append([]int{l.cmd.Process.Pid, l.clickhouse.cmd.Process.Pid}, more...)...)
	return s, m, err
}

// endShipping waits for merges, which follow inserts.
func (l *clickLine) endShipping(ctx context.Context, s *shipped, m *meter, rest []float64) error {
	rows, err := l.metric("tributary_shipped_rows_total")
	if err != nil {
		return err
	}
	inserts, err := l.metric("tributary_insert_seconds_count")
	if err != nil {
		return err
	}
	s.rows, s.inserts, s.wire = rows-s.rows, inserts-s.inserts, l.clickhouse.there.Load()-s.wire
	if err := l.merged(ctx); err != nil {
		return err
	}
	s.micros, _, err = m.micros(rest)
	return err
}

// merged waits until ClickHouse has hardly anything to do for some seconds.
func (l *clickLine) merged(ctx context.Context) error {
	for range 60 {
		used, err := atRest(2*time.Second, l.clickhouse.cmd.Process.Pid)
		if err != nil || used[0] < 100_000 || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return errors.New("ClickHouse is busy for two minutes without a load")
}

// bytesOf is what a row of a table takes on disk.
func (s *store) bytesOf(table string) (float64, error) {
	rows, err := s.ask("SELECT count() FROM " + table)
	if err != nil {
		return 0, err
	}
	bytes, err := s.ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'tributary' AND table = '" + table + "'")
	if err != nil {
		return 0, err
	}
	return bytes / rows, nil
}
