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
	o := a.erasing()
	o.Links, o.Hashes, o.Still, o.Shipped = a.things, reader.PersonHashes, a.copy.standingStill, a.shippedAll
	s := erasures.New(o)
	a.scheduled("erasures", func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.migrated:
			s.Run(ctx)
		}
	})
	return s, nil
}

// eraseBeside does this node's part of what the node that leads erases.
func (a *app) eraseBeside(context.Context, appConfig) error {
	if !a.db.Shared() {
		return nil
	}
	s := erasures.New(a.erasing())
	a.life.background("erasures in quarantined clicks", func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.migrated:
			s.Beside(ctx)
		}
	})
	return nil
}

// erasing are the options of both.
func (a *app) erasing() erasures.Options {
	return erasures.Options{
		DB: a.db, ClickHouse: a.clickhouse, ClickKeys: a.clickKeys, Quarantine: a.quarantine, Node: a.clicks.Identity(), Now: a.now, Log: a.log,
	}
}

var _ erasures.Quarantine = (*ingest.Quarantine)(nil)

// standingStill runs do while nothing is being copied.
func (c *ledgerCopy) standingStill(do func() error) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return do()
}

// shippedAll returns once every click recorded before the call is in ClickHouse or
// in quarantine. Of other nodes' clicks it is known through what they tell: one that
// is not heard of holds it back.
func (a *app) shippedAll(ctx context.Context) error {
	recorded, asked := a.clicks.Stats().Appended, time.Now()
	reached := func() bool {
		if a.clicks.Stats().Committed < recorded {
			return false
		}
		if !a.db.Shared() {
			return true
		}
		clicks, _ := a.neighbours.through()
		return !clicks.Before(asked)
	}
	for !reached() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(shippedPoll):
		}
	}
	return nil
}
