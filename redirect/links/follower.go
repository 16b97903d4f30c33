package links

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"tributary/attribution"
	"tributary/background"
)

// ErrMissed is what a Source returns, wrapped or as it is, from RoutesSince when
// it cannot tell all that changed after a number: it has forgotten some of it,
// or never came that far. The Follower then reads the whole catalog again.
var ErrMissed = errors.New("the feed no longer has every change since")

// ErrWentBack is what a Source returns, wrapped or as it is, from RoutesSince when
// what it had told before is no more true, as after a restore. Everything is read
// again, from whichever source.
var ErrWentBack = errors.New("the catalog went back")

// A Source is the catalog's feed of changes.
type Source interface {
	// Routes yields every advertiser, campaign and link (in that order) as of a
	// change number and returns it. Deleted links may be left out.
	Routes(ctx context.Context, yield func(attribution.RouteChange) error) (through int64, err error)
	// RoutesSince returns up to limit changes after a number, in order.
	RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error)
}

// FollowerOptions say how to follow a Source.
type FollowerOptions struct {
	Source Source
	// Fallback is asked when Source fails, and from time to time whether Source has
	// everything; nil: nobody. Both tell of the same changes under the same numbers.
	Fallback Source
	// Finder reads links again in an index that has MaxLinks, which it needs: sources
	// of such an index yield no links from Routes.
	Finder  Finder
	Catalog string          // names the catalog; a snapshot of another, or of one before a restore, is not used
	Dir     string          // where the snapshot is; empty: none
	Changed <-chan struct{} // says that there may be changes; nil: polling only
	Poll    time.Duration   // longest between looks at the feed; 0: 500 ms
	Logger  *slog.Logger    // nil: the index's
}

const (
	defaultPoll = 500 * time.Millisecond
	feedBatch   = 1000            // changes asked for at a time
	feedTimeout = 5 * time.Second // longest for one answer of RoutesSince
	maxBackoff  = 2 * time.Second // a source that returns is followed again this soon
	loadTimeout = 30 * time.Minute
)

// A Follower keeps an Index as its Source says. It is the index's one writer.
type Follower struct {
	index *Index
	o     FollowerOptions
	log   *slog.Logger

	loaded    bool // the index has a snapshot or the whole catalog
	confirmed bool // the feed goes on from where the index is
	down      bool // the source, as far as we know
	snapshots *snapshotter

	compared  time.Time // when Fallback was last asked whether Source has everything
	doubted   bool      // Source had not, after doubtedAt
	doubtedAt int64

	repairDue    bool      // links that are held may be wrong
	repairFailed time.Time // when reading them again last failed
	refreshed    int       // place in the table of slugs up to which they were read
	refreshedOf  int       // places of that table
}

// Follow makes a Follower of an index. Run starts it.
func Follow(x *Index, o FollowerOptions) *Follower {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Logger == nil {
		o.Logger = x.log
	}
	return &Follower{index: x, o: o, log: o.Logger, snapshots: newSnapshotter(x, o)}
}

// Run fills the index and follows the source until ctx is done. Then it writes
// a last snapshot, if that is worth it and done within 5 s, and returns. A source that is down is no error: the index stays as it is and
// the source is asked again, at most 2 s apart; that is logged when it begins
// and when it ends.
func (f *Follower) Run(ctx context.Context) {
	defer f.snapshots.stop()
	f.start()
	pace := background.Pace{Every: f.o.Poll, Most: maxBackoff, Wake: f.o.Changed} // no news helps while the source is down
	background.Repeat(ctx, pace, func(error) {}, func(ctx context.Context) (more bool, err error) {
		if err = f.follow(ctx); ctx.Err() == nil {
			f.followed(ctx, err)
		}
		return false, err
	})
}

// followed is what comes after a look at the source.
func (f *Follower) followed(ctx context.Context, err error) {
	f.report(err)
	if f.loaded {
		f.index.ready.Store(true)
		f.snapshots.consider()
	}
	if err == nil {
		f.repair(ctx)
	}
}

// start takes over the snapshot, if there is one. Of few links: Source may have lost
// changes since it was written.
func (f *Follower) start() {
	f.needRepair()
	f.index.behind.Store(true)
	if f.o.Dir == "" {
		return
	}
	began := time.Now()
	err := f.index.loadSnapshot(f.o.Dir, f.o.Catalog)
	switch stats := f.index.Stats(); {
	case err == nil && f.index.isPartial():
		f.log.Info("some links loaded from the snapshot of a node that held some; all are read now", "links", stats.Links)
	case err == nil:
		f.loaded, f.snapshots.onDisk = true, stats.Change
		f.log.Info("links loaded from snapshot", "links", stats.Links, "change", stats.Change, "took", time.Since(began))
	case !errors.Is(err, os.ErrNotExist):
		f.log.Warn("snapshot of links ignored; they are read from the catalog", "error", err)
	}
}

// follow brings the index up to date.
func (f *Follower) follow(ctx context.Context) error {
	if !f.loaded {
		return f.load(ctx)
	}
	err := f.catchUp(ctx)
	if !errors.Is(err, ErrMissed) && !errors.Is(err, ErrWentBack) {
		return err
	}
	f.loaded = false
	f.log.Warn("changes of links were missed; all are read again", "change", f.index.change.Load(), "reason", err)
	f.snapshots.forget()
	return f.load(ctx)
}

// load reads the whole catalog, while the index serves what it has.
func (f *Follower) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	began := time.Now()
	through, err := f.readAll(ctx)
	if err != nil {
		return err
	}
	f.index.change.Store(through)
	f.loaded, f.confirmed = true, true
	f.log.Info("links loaded from the catalog", "links", f.index.Stats().Links, "change", through, "took", time.Since(began))
	return f.catchUp(ctx)
}

// catchUp applies everything the feed has after the index's change number.
func (f *Follower) catchUp(ctx context.Context) error {
	if err := f.confirm(ctx); err != nil {
		return err
	}
	for {
		after := f.index.change.Load()
		changes, err := f.since(ctx, after, feedBatch)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if c.Number <= f.index.change.Load() {
				return fmt.Errorf("the feed went back from change %d to %d", f.index.change.Load(), c.Number)
			}
			f.index.Apply(c)
		}
		if len(changes) < feedBatch {
			return nil
		}
	}
}

// confirm makes sure, once after a start from a snapshot, that the source came
// as far as the snapshot. The last thing the snapshot has is still in the feed,
// under its number or, having changed again, a later one. A source without it
// was restored from a backup, or is another.
func (f *Follower) confirm(ctx context.Context) error {
	if f.confirmed {
		return nil
	}
	var newest int64
	f.index.locked(func(s *store) { newest = s.newest })
	if newest > 0 {
		changes, err := f.since(ctx, newest-1, 1)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return fmt.Errorf("the catalog has no change %d, which the snapshot has: %w", newest, ErrMissed)
		}
	}
	f.confirmed = true
	return nil
}

func (f *Follower) since(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	changes, err := f.ask(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading changes of links after %d: %w", after, err)
	}
	return changes, nil
}

// report logs when the source goes away and when it is back.
func (f *Follower) report(err error) {
	switch {
	case err != nil && !f.down:
		f.log.Warn("the catalog cannot be followed; links are served as they were", "change", f.index.change.Load(), "error", err)
	case err == nil && f.down:
		f.log.Info("the catalog is followed again", "change", f.index.change.Load())
	}
	f.down = err != nil
}

// locked gives the writer's view of the index.
func (x *Index) locked(write func(*store)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	write(x.store)
}
