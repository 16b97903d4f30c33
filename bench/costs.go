package main

import (
	"context"
	"errors"
	"time"

	"tributary/bench/capacity"
)

// The loads of the costs experiment. Processor time per event depends on how long a
// load lasts, and on what else the machine does, far less than throughput.
const (
	idleRate     = 20_000 // redirects a second on a core that is mostly idle
	fillRate     = 40_000 // to fill a spool
	trickleRate  = 300    // so that every insert is small
	costLinks    = 50
	costVisitors = 100_000
	restFor      = 3 * time.Second
	lookEvery    = 500 * time.Millisecond // at metrics, which take the measured process's time
)

// costs measures what one click, one conversion, one report and one change cost each
// part: processor time from the kernel's books around a known load, bytes from files
// and connections. docs/scaling.md is computed from it.
func costs(ctx context.Context, b *bench) error {
	c := &capacity.Costs{Links: costLinks, Visitors: costVisitors}
	b.report.Costs = c
	var err error
	for _, step := range []func(context.Context, *capacity.Costs) error{b.costsOfMachine, b.costsOfBusyCore, b.costsOfClicks,
		b.costsOfMoneyInSQLite, b.costsOfMoneyInPostgres, b.costsOfRedis} {
		if err = step(ctx, c); err != nil {
			break
		}
	}
	for _, f := range c.Figures() {
		b.report.add(f.Name, f.Unit, f.Value)
	}
	return errors.Join(err, c.Check())
}

func (b *bench) costsOfMachine(_ context.Context, c *capacity.Costs) (err error) {
	c.ServerPauses, c.GeneratorPauses, err = machinePauses(b.duration)
	return err
}

// costsOfBusyCore saturates one core with redirects, as the redirect experiment does.
func (b *bench) costsOfBusyCore(ctx context.Context, c *capacity.Costs) error {
	t, err := b.startTributary(ctx, serverCore, "costs", spoolOnly...)
	if err != nil {
		return err
	}
	var found comparison
	for range b.rounds {
		if err := b.saturate(ctx, t, connectionCounts[0], &found); err != nil {
			return errors.Join(err, t.stop())
		}
	}
	c.RedirectBusyMicros = median(found.cpu)
	return t.stop()
}
