package credentials

import (
	"context"
	"sync"
	"time"
)

// asks are requests that the feed be looked at. Any number wait for one look, so
// that unknown keys cost the catalog no more than one look each refreshPause.
type asks struct {
	wake    chan struct{}
	mu      sync.Mutex
	waiting []chan struct{}
}

// refreshPause is the least time between two looks that were asked for.
const refreshPause = 20 * time.Millisecond

// Refresh has the follower look at the feed, and returns after a look that began
// after the call, or when ctx ends. A credential that was not known before it and
// is not known after it does not exist: one that was made a moment ago may still
// be on its way.
func (s *Store) Refresh(ctx context.Context) {
	done := make(chan struct{})
	s.asks.mu.Lock()
	s.asks.waiting = append(s.asks.waiting, done)
	s.asks.mu.Unlock()
	select {
	case s.asks.wake <- struct{}{}:
	default:
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// take returns who waits for the look that begins now.
func (a *asks) take() []chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting
	a.waiting = nil
	return waiting
}

// look follows the feed and tells who waited for it.
func (f *Follower) look(ctx context.Context) error {
	waiting := f.store.asks.take()
	defer func() {
		for _, done := range waiting {
			close(done)
		}
	}()
	f.looked = time.Now()
	return f.follow(ctx)
}
