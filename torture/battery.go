package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An experiment is a fault, and how it is brought about.
type experiment struct {
	name  string
	fault string
	run   func(context.Context, *trial) error
	// mounts: it needs to mount a disk, which not everybody may, as in a container.
	mounts bool
	// elsewhere: tests of the product have a short form of their own.
	elsewhere bool
}

// experiments in the order in which they run.
var experiments = []experiment{
	{name: "kill", fault: "kill -9 of the process, of ClickHouse, of both, at random moments", run: killed},
	{name: "first-start", fault: "kill -9 during the first start and its migrations", run: killedWhileStarting},
	{name: "twice", fault: "a second process on the same data directory", run: startedTwice},
	{name: "down", fault: "ClickHouse is down", run: clickhouseDown},
	{name: "chaos", fault: "ClickHouse is slow, inserts are cut in the middle, replies are lost after the commit", run: clickhouseChaos},
	{name: "full", fault: "the disk is full", run: diskFull, mounts: true},
	{name: "siege", fault: "thousands of silent and slow connections, and keys being guessed", run: besieged},
	{name: "clock", fault: "the clock is set back by a year and jumps ahead, with kills in between", run: clockJumps},
	{name: "fleet", fault: "trackers, admins, Redis, PostgreSQL and ClickHouse of several nodes die and come back", run: fleetKilled, elsewhere: true},
	{name: "restore", fault: "a machine is lost, and its backup, made under load, is restored on another", run: restored},
}

func choose(only string) ([]experiment, error) {
	if only == "" {
		return experiments, nil
	}
	var chosen []experiment
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(experiments, func(e experiment) bool { return e.name == name })
		if i < 0 {
			var names []string
			for _, e := range experiments {
				names = append(names, e.name)
			}
			return nil, fmt.Errorf("-only %s: there are %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, experiments[i])
	}
	return chosen, nil
}

// A battery is what experiments have in common.
type battery struct {
	binary, library string
	scratch         string // where experiments store
	short           bool
	length          time.Duration // of an experiment that lasts; 0: its own
	seed            uint64
	log             io.Writer // progress
}

// lasting is how long something goes on: short in the short form.
func (b *battery) lasting(short, long time.Duration) time.Duration {
	switch {
	case b.short:
		return short
	case b.length > 0:
		return b.length
	}
	return long
}

// count is how often, or how many.
func (b *battery) count(short, long int) int {
	if b.short {
		return short
	}
	return long
}

// run runs experiments one after the other. One that fails does not stop the next.
func (b *battery) run(ctx context.Context, chosen []experiment) *report {
	r := &report{At: time.Now().UTC().Format(time.RFC3339), Machine: machine(), Seed: b.seed, Short: b.short, Held: true}
	fmt.Fprintf(b.log, "seed %d\n", b.seed)
	for _, e := range chosen {
		if ctx.Err() != nil {
			break
		}
		result := b.try(ctx, e)
		r.Held = r.Held && result.Held
		r.Results = append(r.Results, result)
	}
	return r
}

// try runs one experiment in a directory of its own.
func (b *battery) try(ctx context.Context, e experiment) *result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Every experiment draws for itself, so that one alone repeats what it did among others.
	place := uint64(slices.IndexFunc(experiments, func(other experiment) bool { return other.name == e.name }))
	t := &trial{battery: b, random: rand.New(rand.NewPCG(b.seed, place)), dir: filepath.Join(b.scratch, e.name), result: &result{Name: e.name, Fault: e.fault}}
	began := time.Now()
	err := os.MkdirAll(t.dir, 0o700)
	if err == nil {
		err = e.run(ctx, t)
	}
	if err != nil {
		t.wrong("%v", err)
	}
	t.cleanUp()
	t.result.Seconds = time.Since(began).Seconds()
	if t.result.Held = len(t.result.Wrong) == 0; t.result.Held {
		if err := os.RemoveAll(t.dir); err != nil {
			t.say("%v", err)
		}
	}
	t.say("%s after %.0f s", t.result.verdict(), t.result.Seconds)
	return t.result
}

// A trial is one run of an experiment.
type trial struct {
	*battery
	random  *rand.Rand
	dir     string
	result  *result
	endings []func() error
}

// say tells whoever waits how far it is.
func (t *trial) say(format string, args ...any) {
	fmt.Fprintf(t.log, "%-12s %s\n", t.result.Name, fmt.Sprintf(format, args...))
}

// wrong notes what must not be.
func (t *trial) wrong(format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	t.result.Wrong = append(t.result.Wrong, problem)
	t.say("WRONG  %s", problem)
}

// note keeps a figure for the report.
func (t *trial) note(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	t.result.Notes = append(t.result.Notes, note)
	t.say("%s", note)
}

// atEnd has something undone after the experiment, last in, first out.
func (t *trial) atEnd(undo func() error) { t.endings = append(t.endings, undo) }

func (t *trial) cleanUp() {
	for _, undo := range slices.Backward(t.endings) {
		if err := undo(); err != nil {
			t.say("%v", err)
		}
	}
}

// pause is a random moment within most.
func (t *trial) pause(ctx context.Context, most time.Duration) error {
	return sleep(ctx, time.Duration(t.random.Int64N(int64(most))))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// within polls until check succeeds.
func within(ctx context.Context, limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w, after %s", err, limit)
		}
		if stopped := sleep(ctx, 20*time.Millisecond); stopped != nil {
			return errors.Join(stopped, err)
		}
	}
}
