package links

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/attribution"
)

const (
	compareEvery   = 2 * time.Second // whether Source has what Fallback has
	compareTimeout = time.Second
	repairEvery    = maxBackoff  // where it failed
	repairFor      = time.Second // between looks at the feed
)

// ask returns what changed after a number, from the first source that can tell.
//
// An index of few links takes links from the Finder, which has what Source has. As
// long as Source is not known to be as far as the index, the Finder may still have
// a link that the index knows to be gone, and is not asked. And where Source lost
// changes, it may have told of such a link before: what is held is read again.
func (f *Follower) ask(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	changes, err := f.o.Source.RoutesSince(ctx, after, limit)
	if err == nil {
		if len(changes) == 0 {
			changes = f.unpublished(ctx, after, limit)
		} else if after == f.index.change.Load() {
			f.index.behind.Store(false)
		}
		return changes, nil
	}
	f.index.behind.Store(true)
	if errors.Is(err, ErrMissed) {
		f.needRepair()
	}
	if f.o.Fallback == nil || errors.Is(err, ErrWentBack) {
		return nil, err
	}
	changes, second := f.o.Fallback.RoutesSince(ctx, after, limit)
	if second == nil {
		return changes, nil
	}
	return nil, errors.Join(err, second)
}

// unpublished returns what Fallback has after a number after which Source has
// nothing: a Source that is read may have stopped taking what is new. It is asked
// for from time to time, and believed the second time: the first, it may be on its
// way.
func (f *Follower) unpublished(ctx context.Context, after int64, limit int) []attribution.RouteChange {
	changes := f.compare(ctx, after, limit)
	if after == f.index.change.Load() {
		f.index.behind.Store(len(changes) > 0)
	}
	return changes
}

func (f *Follower) compare(ctx context.Context, after int64, limit int) []attribution.RouteChange {
	doubted := f.doubted && f.doubtedAt == after
	pause := compareEvery
	if doubted {
		pause = defaultPoll
	}
	if f.o.Fallback == nil || time.Since(f.compared) < pause {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	changes, err := f.o.Fallback.RoutesSince(ctx, after, limit)
	f.compared = time.Now()
	f.doubted, f.doubtedAt = err == nil && len(changes) > 0, after
	if !f.doubted || !doubted {
		return nil
	}
	return changes
}

// readAll reads everything from the first source that has it, while the index
// serves what it has.
func (f *Follower) readAll(ctx context.Context) (through int64, err error) {
	through, err = f.readFrom(ctx, f.o.Source)
	if err == nil || f.o.Fallback == nil || ctx.Err() != nil {
		return through, err
	}
	through, second := f.readFrom(ctx, f.o.Fallback)
	if second == nil {
		return through, nil
	}
	return 0, errors.Join(err, second)
}

func (f *Follower) readFrom(ctx context.Context, source Source) (through int64, err error) {
	f.index.locked((*store).beginReload)
	through, err = source.Routes(ctx, func(c attribution.RouteChange) error {
		f.index.mu.Lock()
		defer f.index.mu.Unlock()
		f.index.apply(&c)
		return ctx.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("reading all links: %w", err)
	}
	f.index.locked((*store).endReload)
	switch {
	case f.index.max == 0:
	case source != f.o.Source: // the Finder may be behind
		f.needRepair()
		f.index.behind.Store(true)
	default:
		if err = f.refresh(ctx); err == nil {
			f.repairDue = false
		}
	}
	return through, err
}

// repair goes on with reading the links that are held again, where that is due and
// the Finder is known to be as far as the index. It takes a part of them at a time:
// the feed must be followed meanwhile. Where it fails it stays due.
func (f *Follower) repair(ctx context.Context) {
	if f.index.max == 0 || !f.repairDue || f.index.behind.Load() || time.Since(f.repairFailed) < repairEvery {
		return
	}
	done, err := f.refreshSome(ctx, time.Now().Add(repairFor))
	switch {
	case err != nil:
		f.repairFailed = time.Now()
	case done:
		f.repairDue = false
		f.log.Info("links that are held were read again", "links", f.index.Stats().Links)
	}
}

// needRepair has everything that is held read again, from the first on.
func (f *Follower) needRepair() { f.repairDue, f.refreshed = true, 0 }

// refresh reads the links that are held again.
func (f *Follower) refresh(ctx context.Context) error {
	f.refreshed = 0
	for {
		if done, err := f.refreshSome(ctx, time.Now().Add(repairFor)); done || err != nil {
			return err
		}
	}
}

// refreshSome goes on with it, and returns whether it came to the end in time.
func (f *Follower) refreshSome(ctx context.Context, until time.Time) (done bool, err error) {
	const batch = 256
	for time.Now().Before(until) {
		var slugs []string
		next := f.refreshed
		f.index.locked(func(s *store) {
			size := len(s.slugs.slots)
			if size < f.refreshedOf { // what was not read may be before now
				next = 0
			}
			f.refreshedOf = size
			slugs, next = s.slugsFrom(next, batch)
		})
		if len(slugs) == 0 {
			return true, nil
		}
		found, err := f.o.Finder.Find(ctx, slugs...)
		if err != nil {
			return false, fmt.Errorf("reading links again: %w", err)
		}
		f.index.mu.Lock()
		for i, change := range found {
			if change == nil {
				f.index.store.removeSlug(slugs[i])
			} else {
				f.index.apply(change)
			}
		}
		f.index.mu.Unlock()
		f.refreshed = next
	}
	return false, nil
}

func (x *Index) isPartial() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.partial
}
