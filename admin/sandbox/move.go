package sandbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tributary/attribution"
)

// A Life is what happens by itself as time passes.
type Life interface {
	// Tick does everything that is due now.
	Tick(ctx context.Context) error
	// NextDue is when something is due next; 0: never.
	NextDue(ctx context.Context) (attribution.Instant, error)
}

// A Rehearsal moves a clock.
type Rehearsal struct {
	Clock *Clock
	Life  Life
	// Settled returns once everything acknowledged before the call is settled.
	Settled func(ctx context.Context) error
	// Moved is told of every time the clock shows.
	Moved func(at attribution.Instant) error

	moving sync.Mutex // one move at a time
}

// A Move is where to move a clock: to a time, or on by a duration.
type Move struct {
	Set     *attribution.Instant `json:"set,omitempty" doc:"A time: any at first, later none before the present" example:"2027-01-10T09:00:00Z"`
	Advance string               `json:"advance,omitempty" doc:"A duration such as 720h, 90m or 1ms" example:"720h"`
}

// maxYear is the last year a clock can be set to: beyond it times are no longer RFC 3339.
const maxYear = 9998

// target checks a move and says where it leads.
func (r *Rehearsal) target(m Move) (attribution.Instant, error) {
	var check attribution.Checker
	now := attribution.InstantOf(r.Clock.Now())
	to := now
	switch {
	case (m.Set == nil) == (m.Advance == ""):
		check.Add("body", "must have either set or advance")
	case m.Set != nil:
		to = *m.Set
		check.Require(!r.Clock.stands() || to >= now, "body.set", "must not be before %s: the clock only moves forward", now)
		check.Require(to > 0, "body.set", "must be after 1970")
	default:
		by, err := time.ParseDuration(strings.TrimSpace(m.Advance))
		if err != nil {
			check.Add("body.advance", "must be a duration such as 720h, 90m or 1ms")
		}
		check.Require(by >= 0, "body.advance", "must not be negative: the clock only moves forward")
		to += attribution.Instant(by.Milliseconds())
	}
	check.Require(to.Time().Year() <= maxYear, "body", "must end before the year %d", maxYear+1)
	return to, check.Err()
}

// Move settles what was received so far and moves the clock, stopping at every
// time at which something is due. It returns the new time.
func (r *Rehearsal) Move(ctx context.Context, m Move) (attribution.Instant, error) {
	r.moving.Lock()
	defer r.moving.Unlock()
	to, err := r.target(m)
	if err != nil {
		return 0, err
	}
	if err := r.Settled(ctx); err != nil {
		return 0, fmt.Errorf("settle what was received before the clock moves: %w", err)
	}
	if err := r.Clock.keepAt(to); err != nil {
		return 0, err
	}
	if attribution.InstantOf(r.Clock.Now()) <= to { // the first time may be a past one, when nothing is due
		if err := r.passTime(ctx, to); err != nil {
			return 0, err
		}
	}
	return to, r.live(ctx, to)
}

// maxTicks bounds how often in a row the same time can be due.
const maxTicks = 10_000

// passTime stops at every time up to a limit at which something is due.
func (r *Rehearsal) passTime(ctx context.Context, limit attribution.Instant) error {
	var last attribution.Instant
	for ticks := 0; ticks < maxTicks; ticks++ {
		due, err := r.Life.NextDue(ctx)
		if err != nil {
			return fmt.Errorf("look for what is due: %w", err)
		}
		if due == 0 || due > limit {
			return nil
		}
		if due != last {
			ticks, last = 0, due
		}
		// What is overdue already happens now: time never runs backwards.
		if err := r.live(ctx, max(due, attribution.InstantOf(r.Clock.Now()))); err != nil {
			return err
		}
	}
	return fmt.Errorf("what was due at %s is still due after it was done %d times", last, maxTicks)
}

// live shows a time and does what is due at it.
func (r *Rehearsal) live(ctx context.Context, at attribution.Instant) error {
	r.Clock.show(at)
	if err := r.Moved(at); err != nil {
		return err
	}
	if err := r.Life.Tick(ctx); err != nil {
		return fmt.Errorf("do what is due at %s: %w", at, err)
	}
	return nil
}
