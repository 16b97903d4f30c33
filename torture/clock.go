package main

import (
	"context"
	"net/http"
	"time"
)

// The length of clockJumps.
const (
	jumpsShort, jumpsLong = 2, 40
	jumpLong              = 36 * time.Hour
	setBack               = 365 * 24 * time.Hour
)

// clockJumps runs the product in rehearsal mode, whose clock is moved by the API:
// back by a year while clicks are on their way, then ahead by days, with
// kills in between. What is numbered and stored does not depend on the time.
func clockJumps(ctx context.Context, t *trial) error {
	s, err := t.newServer("data", nil, "--sandbox")
	if err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	past := time.Now().Add(-setBack)
	w, err := s.populateAt(ctx, past)
	if err != nil {
		return err
	}
	crowd := t.gather(ctx, w, 8, 400)
	if err := crowd.clicking(ctx, 100); err != nil {
		return err
	}
	if _, err := s.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": past.UTC().Format(time.RFC3339)}); err != nil {
		return err
	}
	t.result.Cycles++
	if err := crowd.clicking(ctx, 100); err != nil {
		return err
	}
	if _, err := s.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": (setBack + jumpLong).String()}); err != nil {
		return err
	}
	t.result.Cycles++
	// Now that the creator has joined again and the clicks are of today, orders earn.
	if err := w.firstClicks(ctx); err != nil {
		return err
	}
	counter := t.open(ctx, w)
	for range t.count(jumpsShort, jumpsLong) {
		if err := crowd.clicking(ctx, 50); err != nil {
			return err
		}
		if err := s.kill(); err != nil {
			return err
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		if err := crowd.clicking(ctx, 50); err != nil {
			return err
		}
		if _, err := s.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": jumpLong.String()}); err != nil {
			return err
		}
		t.result.Cycles++
	}
	if err := counter.taking(ctx, 10); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	t.unexpected(crowd, counter)
	return t.reckon(ctx, w)
}
