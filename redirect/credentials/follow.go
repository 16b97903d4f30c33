package credentials

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tributary/attribution"
)

// A Source is the catalog's feed of credentials.
type Source interface {
	// CredentialsSince returns up to limit changes after a number, in order; from
	// 0 on, all there are.
	CredentialsSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error)
}

const (
	poll        = 500 * time.Millisecond // between looks at the feed, without news of a change
	maxBackoff  = 2 * time.Second        // a source that returns is followed again this soon
	feedBatch   = 1000
	feedTimeout = 5 * time.Second
	// reloadEvery bounds how long a store believes what a catalog that was restored
	// from a backup no longer has.
	reloadEvery = 10 * time.Minute
)

// A Follower keeps a Store as its Source says.
type Follower struct {
	store   *Store
	source  Source
	changed <-chan struct{}
	log     *slog.Logger

	after  int64     // the last change applied
	loaded time.Time // when all was last read; zero: never
	looked time.Time // when the feed was last looked at
	down   bool
	keeper *keeper // nil: nothing is written down
}

// Follow makes a Follower. changed says that there may be changes; nil: there is
// nobody to say so. Run starts it.
func Follow(s *Store, source Source, changed <-chan struct{}, log *slog.Logger) *Follower {
	return &Follower{store: s, source: source, changed: changed, log: log}
}

// Run fills the store from the copy that Keep named, and follows the source until
// ctx is done. While the source is down the store
// stays as it is; that is logged when it begins and when it ends.
func (f *Follower) Run(ctx context.Context) {
	f.remember()
	backoff := time.Duration(0)
	for ctx.Err() == nil {
		err := f.look(ctx)
		if ctx.Err() != nil {
			return
		}
		f.report(err)
		if err == nil { // or else the copy would look younger than what it holds
			f.keep()
		}
		wake, wait := f.changed, poll
		if err != nil {
			backoff = min(max(2*backoff, poll), maxBackoff)
			wake, wait = nil, backoff
		} else {
			backoff = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		case <-f.store.asks.wake:
			select {
			case <-ctx.Done():
			case <-time.After(refreshPause - time.Since(f.looked)):
			}
		case _, open := <-wake:
			if !open {
				f.changed = nil
			}
		}
	}
}

func (f *Follower) follow(ctx context.Context) error {
	if f.loaded.IsZero() || time.Since(f.loaded) > reloadEvery {
		return f.reload(ctx)
	}
	after, err := f.read(ctx, f.after, f.store)
	if f.keeper != nil && after != f.after {
		f.keeper.changed = true
	}
	f.after = after
	return err
}

// reload reads all credentials into a new store, which takes the old one's place
// once it is whole.
func (f *Follower) reload(ctx context.Context) error {
	fresh := NewStore(f.store.pepper)
	after, err := f.read(ctx, 0, fresh)
	if err != nil {
		return err
	}
	f.store.adopt(fresh)
	f.store.sure.Store(true)
	if f.keeper != nil {
		f.keeper.changed = true
	}
	f.after, f.loaded = after, time.Now()
	return nil
}

// read applies everything the feed has after a number, and returns how far it
// came.
func (f *Follower) read(ctx context.Context, after int64, into *Store) (int64, error) {
	for {
		changes, err := f.since(ctx, after)
		if err != nil {
			return after, err
		}
		into.Apply(changes...)
		if len(changes) > 0 {
			after = changes[len(changes)-1].Number
		}
		if len(changes) < feedBatch {
			return after, nil
		}
	}
}

func (f *Follower) since(ctx context.Context, after int64) ([]attribution.RouteChange, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	changes, err := f.source.CredentialsSince(ctx, after, feedBatch)
	if err != nil {
		return nil, fmt.Errorf("reading changes of credentials after %d: %w", after, err)
	}
	return changes, nil
}

func (f *Follower) report(err error) {
	switch {
	case err != nil && !f.down && f.store.Ready():
		f.log.Warn("the catalog cannot be followed; credentials are taken as they were", "error", err)
	case err != nil && !f.down:
		f.log.Warn("the catalog cannot be read; conversions are refused until it can", "error", err)
	case err == nil && f.down:
		f.log.Info("the catalog's credentials are followed again")
	}
	f.down = err != nil
}
