package ingest

import (
	"context"
	"fmt"
	"time"
)

// pausePoll is how often a pause looks whether an earlier life's batches are delivered.
const pausePoll = 20 * time.Millisecond

// Pause returns once no batch is in flight, and none will be until resume is
// called: what the table then has of the log is what is committed, and nothing
// else. Records wait in the log meanwhile. It fails when ctx ends first, as it
// does while ClickHouse does not take a batch.
func (s *Shipper) Pause(ctx context.Context) (resume func(), err error) {
	for {
		taken, err := s.takeTurns(ctx)
		resume = func() {
			for range taken {
				<-s.turns
			}
		}
		if err == nil && len(s.claims.all()) == 0 {
			return resume, nil
		}
		resume() // an earlier life's batches have their turn first
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the clicks in flight are not delivered: %w", ctx.Err())
		case <-time.After(pausePoll):
		}
	}
}

// takeTurns takes every turn; after an error, those it got.
func (s *Shipper) takeTurns(ctx context.Context) (taken int, err error) {
	for ; taken < cap(s.turns); taken++ {
		select {
		case s.turns <- struct{}{}:
		case <-ctx.Done():
			return taken, ctx.Err()
		}
	}
	return taken, nil
}
