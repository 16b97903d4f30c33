package main

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// twoFigures compare one tracker with two of the same installation.
type twoFigures struct {
	Cores        int     `json:"cores"` // of the machine
	OneMicros    float64 `json:"one_micros"`
	TwoMicros    float64 `json:"two_micros"`               // each, while the other works
	OnePerSecond float64 `json:"one_per_second,omitempty"` // 0: the machine has no cores for generators
	TwoPerSecond float64 `json:"two_per_second,omitempty"`
}

// coresOfTwo are enough for two trackers and a generator for each.
const coresOfTwo = 4

// twoTrackers runs two trackers of one installation, each on a core of its own, and
// compares what a redirect costs with that of one alone. Throughput needs cores for
// generators as well.
func twoTrackers(ctx context.Context, b *bench) (err error) {
	postgres, redis, err := b.startShared(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, redis.stop(), postgres.stop()) }()
	shared := append([]string{"--database", postgres.url, "--redis", redis.url}, spoolOnly...)
	first, err := b.startTributary(ctx, "0", "two-1", shared...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, first.stop()) }()
	two := &twoFigures{Cores: runtime.NumCPU()}
	b.report.Two = two
	if two.OneMicros, two.OnePerSecond, err = b.together(ctx, first); err != nil {
		return err
	}
	second, err := b.resumeTributary(ctx, "1", "two-2", append([]string{"--roles", "tracker", "--secrets", filepath.Join(b.scratch, "two-1", "secrets.json")}, shared...)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, second.stop()) }()
	second.link = second.tracker + first.link[strings.LastIndex(first.link, "/"):]
	if err := second.waitFor(ctx, 30*time.Second, second.redirects); err != nil {
		return err
	}
	if two.TwoMicros, two.TwoPerSecond, err = b.together(ctx, first, second); err != nil {
		return err
	}
	b.report.add("one tracker, processor", "µs/redirect", two.OneMicros)
	b.report.add("each of two trackers, processor", "µs/redirect", two.TwoMicros)
	if two.OnePerSecond > 0 {
		b.report.add("two trackers ÷ one, redirects/s", "", two.TwoPerSecond/two.OnePerSecond)
	}
	return nil
}

// together loads trackers at once: at a rate that leaves time for the generators,
// and, where there are cores for these, as far as they go.
func (b *bench) together(ctx context.Context, trackers ...*target) (micros, perSecond float64, err error) {
	var pids []int
	for _, t := range trackers {
		pids = append(pids, t.cmd.Process.Pid)
	}
	m, err := startMeter(pids...)
	if err != nil {
		return 0, 0, err
	}
	answered, err := atOnce(trackers, func(_ int, t *target) (float64, error) {
		run, _, err := b.clicks(ctx, allCores, []string{t.link}, idleRate, b.duration)
		return float64(run.Answered), err
	})
	if err != nil {
		return 0, 0, err
	}
	used, _, err := m.micros(nil)
	if err != nil {
		return 0, 0, err
	}
	for _, u := range used {
		micros += u
	}
	micros /= answered
	if runtime.NumCPU() >= coresOfTwo {
		perSecond, err = atOnce(trackers, func(n int, t *target) (float64, error) {
			run, err := b.wrkOn(ctx, []string{"2", "3"}[n], t.link, connectionCounts[0], b.duration)
			return run.perSecond, err
		})
	}
	return micros, perSecond, err
}

// atOnce adds up what a load finds of each tracker.
func atOnce(trackers []*target, load func(int, *target) (float64, error)) (sum float64, err error) {
	type found struct {
		n   float64
		err error
	}
	all := make(chan found)
	for n, t := range trackers {
		go func() {
			n, err := load(n, t)
			all <- found{n, err}
		}()
	}
	for range trackers {
		f := <-all
		sum, err = sum+f.n, errors.Join(err, f.err)
	}
	return sum, err
}
