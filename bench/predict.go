package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"tributary/bench/capacity"
)

// A prediction is what the model said, from costs alone, and what happened.
type prediction struct {
	What      string  `json:"what"`
	Unit      string  `json:"unit"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
}

func (b *bench) predicted(what, unit string, predicted, measured float64) {
	b.report.Predictions = append(b.report.Predictions, prediction{what, unit, predicted, measured})
	b.report.add(what+", predicted", unit, predicted)
	b.report.add(what+", measured", unit, measured)
}

// predict lets the capacity model foretell loads that no cost was measured at, and
// then measures them.
func predict(ctx context.Context, b *bench) error {
	if b.report.Costs == nil {
		return errors.New("predictions need costs: -only costs,predict, or -from the results of a run that measured them")
	}
	b.report.Predictions = nil
	return errors.Join(b.predictRedirects(ctx), b.predictOutage(ctx), b.predictSettling(ctx))
}

// predictRedirects loads one core by parts of what it should bear.
func (b *bench) predictRedirects(ctx context.Context) error {
	c := b.report.Costs
	t, err := b.startTributary(ctx, serverCore, "predict", spoolOnly...)
	if err != nil {
		return err
	}
	for _, part := range []float64{0.25, 0.50, 0.75} {
		rate := part * 1e6 / c.RedirectBusyMicros
		m, err := startMeter(t.cmd.Process.Pid)
		if err != nil {
			return errors.Join(err, t.stop())
		}
		run, _, err := b.clicks(ctx, generatorCore, []string{t.link}, rate, b.duration)
		if err != nil {
			return errors.Join(err, t.stop())
		}
		used, _, err := m.micros(nil)
		if err != nil {
			return errors.Join(err, t.stop())
		}
		one := capacity.Installation{Trackers: 1, TrackerCores: 1}
		waits := capacity.Redirects(c, capacity.Tracker{
			Cores: 1, Pauses: c.ServerPauses, RoundTripMicros: c.RoundTripMicros,
			Client: &capacity.Client{Pauses: c.GeneratorPauses},
		}, rate, 1)
		label := fmt.Sprintf("one core at %s redirects/s", amount(rate))
		b.predicted(label+", core in use", "%", 100*one.RedirectShare(c, rate), used[0]/float64(run.Answered)*run.AnsweredPerSecond/1e4)
		b.predicted(label+", p50", "ms", waits.P50Millis, run.Latency.P50)
		b.predicted(label+", p99", "ms", waits.P99Millis, run.Latency.P99)
	}
	return t.stop()
}

// outageRate is a load that leaves a machine of two cores time to catch up.
const outageRate = 20_000

// predictOutage takes ClickHouse away under load, with everything on one machine.
func (b *bench) predictOutage(ctx context.Context) error {
	l, err := b.startClickLine(ctx, allCores)
	if err != nil {
		return err
	}
	caughtUp, err := b.outage(ctx, l)
	if err = errors.Join(err, l.stop()); err != nil {
		return err
	}
	c := *b.report.Costs // the generator takes its time from the same cores
	c.RedirectIdleMicros += c.GeneratorMicros
	c.RedirectBusyMicros += c.GeneratorMicros
	away := 3 * b.duration.Seconds()
	outcome := capacity.Run(&c, capacity.OneMachine(runtime.NumCPU()), &capacity.Scenario{
		Load: capacity.Load{Clicks: outageRate}, Seconds: away + 600, Away: []capacity.Span{{To: away}},
	})
	foreseen := 0.0
	if outcome.CaughtUpSeconds > 0 {
		foreseen = away * outageRate / outcome.CaughtUpSeconds
	}
	b.predicted(fmt.Sprintf("ClickHouse back, %s clicks/s go on, everything on %d cores: backlog falls by", amount(outageRate), runtime.NumCPU()), "clicks/s", foreseen, caughtUp)
	return nil
}

// outage returns how fast the backlog of an outage fell while other clicks came.
func (b *bench) outage(ctx context.Context, l *clickLine) (perSecond float64, err error) {
	away := 3 * b.duration
	l.clickhouse.away(true)
	loading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, _, err := b.clicks(loading, allCores, l.links, outageRate, away+5*time.Minute)
		ended <- err
	}()
	time.Sleep(away)
	l.clickhouse.away(false)
	var most float64
	var first, last moment
	err = l.waitFor(ctx, 5*time.Minute, func() error {
		time.Sleep(lookEvery / 5)
		select {
		case err := <-ended:
			return fmt.Errorf("the load ended: %w", err)
		default:
		}
		left, err := l.metric("tributary_spool_records")
		if err != nil {
			return err
		}
		most = max(most, left)
		switch now := (moment{time.Now(), left}); {
		case left < most-outageRate && first.at.IsZero(): // batches are stored again
			first, last = now, now
		case !first.at.IsZero() && left < last.left:
			last = now
		}
		if left > 2*outageRate { // what is on its way at most, in batches
			return fmt.Errorf("%.0f clicks wait", left)
		}
		return nil
	})
	stop()
	<-ended // it was cut off
	if err == nil && !last.at.After(first.at) {
		err = errors.New("the backlog was too small to see it fall: give a longer -duration")
	}
	if err != nil {
		return 0, err
	}
	return (first.left - last.left) / last.at.Sub(first.at).Seconds(), nil
}

// The load of predictSettling: more than one core takes and settles.
const (
	settlingRate    = 10_000
	settlingSenders = 64
)

// predictSettling reports more conversions than can be settled meanwhile.
func (b *bench) predictSettling(ctx context.Context) error {
	l, err := b.startMoneyLine(ctx, false)
	if err != nil {
		return err
	}
	l.clickhouse.away(true)
	load, waited, took, err := l.overload(ctx, b.duration)
	if err = errors.Join(err, l.stop()); err != nil {
		return err
	}
	sent, length := load.perSecond(), load.took.Seconds() // a busy generator is late
	outcome := capacity.Run(b.report.Costs, capacity.Installation{Trackers: 1, TrackerCores: 1, Shards: 1, ShardCores: 1, AdminCores: 1}, &capacity.Scenario{
		Load: capacity.Load{Conversions: 1}, Seconds: length + 600, Away: []capacity.Span{{To: length + 600}},
		Bursts: []capacity.Burst{{Span: capacity.Span{To: length}, Times: sent}},
	})
	what := fmt.Sprintf("%s conversions/s reported for %s to one core", amount(sent), span(length))
	b.predicted(what+", not settled at the end", "conversions", outcome.ReportsWaiting, waited)
	b.predicted(what+", settled after", "s", outcome.SettledSeconds-length, took)
	return nil
}

// overload posts one by one at a steady rate, as near to it as the generator comes.
func (l *moneyLine) overload(ctx context.Context, length time.Duration) (run *tally, waited, seconds float64, err error) {
	began := time.Now()
	most := int64(length.Seconds() * settlingRate)
	var drawn atomic.Int64
	run, err = l.together(settlingSenders, func() (bool, error) {
		n := drawn.Add(1)
		if wait := time.Until(began.Add(time.Duration(n) * time.Second / settlingRate)); wait > 0 {
			select {
			case <-ctx.Done():
				return false, ctx.Err()
			case <-time.After(wait):
			}
		}
		return n+settlingSenders <= most, l.report("", 1)
	})
	if err != nil {
		return nil, 0, 0, err
	}
	if waited, err = l.metric("tributary_spool_records"); err != nil {
		return nil, 0, 0, err
	}
	ended := time.Now()
	err = l.waitFor(ctx, settlePatience, l.settled)
	return run, waited, time.Since(ended).Seconds(), err
}
