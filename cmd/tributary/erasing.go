package main

import (
	"context"
	"time"

	"tributary/admin/erasures"
	"tributary/ingest"
)

// shippedPoll is how often shippedAll looks.
const shippedPoll = 100 * time.Millisecond

// openErasures makes what erases persons, and finishes what an earlier life began.
// Two nodes may do it at once: whoever comes second finds nothing left.
func (a *app) openErasures() (*erasures.Service, error) {
	reader, err := a.newReader()
	if err != nil {
		return nil, err
	}
	s := erasures.New(erasures.Options{
		DB: a.db, ClickHouse: a.clickhouse, ClickKeys: a.clickKeys, Links: a.things, Hashes: reader.PersonHashes,
		Still: a.copy.standingStill, Shipped: a.shippedAll, Quarantine: a.quarantine, Now: a.now, Log: a.log,
	})
	a.scheduled("erasures", func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.migrated:
			s.Run(ctx)
		}
	})
	return s, nil
}

var _ erasures.Quarantine = (*ingest.Quarantine)(nil)

// standingStill runs do while nothing is being copied.
func (c *ledgerCopy) standingStill(do func() error) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return do()
}

// shippedAll returns once every click recorded before the call is in ClickHouse or
// in quarantine.
func (a *app) shippedAll(ctx context.Context) error {
	recorded := a.clicks.Stats().Appended
	for a.clicks.Stats().Committed < recorded {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(shippedPoll):
		}
	}
	return nil
}
