package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tributary/background"
)

// A lifecycle holds what must be done to stop, in the reverse of the order it
// was started in, each step with a name.
type lifecycle struct {
	mu       sync.Mutex
	cleanUps []cleanUp
	stopOnce sync.Once
	stopErr  error
}

type cleanUp struct {
	name string
	do   func(context.Context) error
}

// onStop adds a step. Steps run last in, first out.
func (l *lifecycle) onStop(name string, do func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cleanUps = append(l.cleanUps, cleanUp{name, do})
}

// onClose adds a step that cannot wait.
func (l *lifecycle) onClose(name string, do func() error) {
	l.onStop(name, func(context.Context) error { return do() })
}

// background runs something until the stop reaches it, and then waits for its end.
// It gives way to requests.
func (l *lifecycle) background(name string, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		background.GiveWay()
		run(ctx)
	}()
	l.onStop(name, func(context.Context) error {
		cancel()
		<-ended
		return nil
	})
}

// until tries something until it works or ctx ends. The same failure is logged once.
func (a *app) until(ctx context.Context, pause time.Duration, failed string, try func(context.Context) error) {
	worked, stop := context.WithCancel(ctx)
	defer stop()
	a.every(worked, pause, failed, func(ctx context.Context) error {
		err := try(ctx)
		if err == nil {
			stop()
		}
		return err
	})
}

// every does something until ctx ends, an interval after the time before. What fails
// is tried again; the same failure is logged once.
func (a *app) every(ctx context.Context, interval time.Duration, failed string, do func(context.Context) error) {
	tell := func(err error) { a.log.Warn(failed, "error", err) }
	background.Repeat(ctx, background.Pace{Every: interval}, tell, func(ctx context.Context) (more bool, err error) { return false, do(ctx) })
}

// stop runs every step under one deadline and returns what failed. A step that
// outlives the deadline is left behind, so that one hung store cannot keep the
// spool from being closed. Later calls return the first one's answer.
func (l *lifecycle) stop(limit time.Duration) error {
	l.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		l.mu.Lock()
		steps := l.cleanUps
		l.mu.Unlock()
		var failed []error
		for i := len(steps) - 1; i >= 0; i-- {
			if err := runStep(ctx, steps[i]); err != nil {
				failed = append(failed, fmt.Errorf("stop %s: %w", steps[i].name, err))
			}
		}
		l.stopErr = errors.Join(failed...)
	})
	return l.stopErr
}

// lateStep is how long a step may still take when the deadline has passed:
// closing files is quick, and worth doing even then.
const lateStep = 200 * time.Millisecond

func runStep(ctx context.Context, step cleanUp) error {
	done := make(chan error, 1)
	go func() { done <- step.do(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(lateStep)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return ctx.Err()
	}
}
