package main

import (
	"context"
	"fmt"
	"time"
)

// The length of killedWhileStarting.
const (
	freshDirectoriesShort, freshDirectoriesLong = 2, 25
	startsShort, startsLong                     = 4, 12
	longestStart                                = 1200 * time.Millisecond
	clicksAfterStart                            = 50
)

// killedWhileStarting kills the first start of a fresh directory at random moments,
// and each start after it, and then has one succeed: whatever was half made is made
// whole.
func killedWhileStarting(ctx context.Context, t *trial) error {
	for range t.count(freshDirectoriesShort, freshDirectoriesLong) {
		if err := startedInPieces(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func startedInPieces(ctx context.Context, t *trial) error {
	s, err := t.newServer(fmt.Sprintf("data-%d", t.result.Cycles), nil)
	if err != nil {
		return err
	}
	for range t.count(startsShort, startsLong) {
		if err := s.start(); err != nil {
			return err
		}
		if err := t.pause(ctx, longestStart); err != nil {
			return err
		}
		if err := s.kill(); err != nil {
			return err
		}
		t.result.Cycles++
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	w, err := s.populate(ctx)
	if err != nil {
		return err
	}
	crowd, counter := t.gather(ctx, w, 2, 200), t.open(ctx, w)
	if err := crowd.clicking(ctx, clicksAfterStart); err != nil {
		return err
	}
	if err := counter.taking(ctx, clicksAfterStart/5); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	if err := t.reckon(ctx, w); err != nil {
		return err
	}
	return s.stop()
}
