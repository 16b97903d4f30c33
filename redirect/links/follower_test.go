package links

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tributary/attribution"
)

// A feed is a catalog for tests: every thing under its latest number.
type feed struct {
	mu      sync.Mutex
	changes []attribution.RouteChange // in order
	last    int64
	since   int64 // changes up to here are forgotten by RoutesSince
	down    error
	loads   int
	asked   int
}

func newFeed() *feed {
	f := &feed{}
	f.add(advertiserChange(advertiserRoute(1)))
	f.add(campaignChange(campaignRoute(1, 1)))
	return f
}

func changeID(c attribution.RouteChange) string {
	switch {
	case c.Advertiser != nil:
		return c.Advertiser.ID
	case c.Campaign != nil:
		return c.Campaign.ID
	}
	return c.Link.Identity.LinkID
}

func (f *feed) add(c attribution.RouteChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last += 3 // numbers have gaps
	c.Number = f.last
	var kept []attribution.RouteChange
	for _, old := range f.changes {
		if changeID(old) != changeID(c) {
			kept = append(kept, old)
		}
	}
	f.changes = append(kept, c)
}

func (f *feed) link(n uint64, slug string) *attribution.LinkRoute {
	l := linkRoute(n, 1, 1, slug)
	f.add(linkChange(l))
	return l
}

func (f *feed) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *feed) Routes(_ context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loads++
	if f.down != nil {
		return 0, f.down
	}
	for _, kind := range []func(attribution.RouteChange) bool{
		func(c attribution.RouteChange) bool { return c.Advertiser != nil },
		func(c attribution.RouteChange) bool { return c.Campaign != nil },
		func(c attribution.RouteChange) bool { return c.Link != nil && !c.Link.Deleted },
	} {
		for _, c := range f.changes {
			if kind(c) {
				if err := yield(c); err != nil {
					return 0, err
				}
			}
		}
	}
	return f.last, nil
}

func (f *feed) RoutesSince(_ context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down != nil {
		return nil, f.down
	}
	if after < f.since {
		return nil, fmt.Errorf("trimmed: %w", ErrMissed)
	}
	var found []attribution.RouteChange
	for _, c := range f.changes {
		if c.Number > after && len(found) < limit {
			found = append(found, c)
		}
	}
	return found, nil
}

// run starts a follower; stop ends it and waits.
func run(x *Index, o FollowerOptions) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		Follow(x, o).Run(ctx)
		close(done)
	}()
	return func() { cancel(); <-done }
}

// pass lets so much time pass and everything be done that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestFollowerFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), emptyTestIndex(t, heapMemory)
		before := source.link(1, "before")
		changed := make(chan struct{}, 1)
		stop := run(x, FollowerOptions{Source: source, Changed: changed})
		defer stop()
		synctest.Wait()
		wantEntry(t, x, "before", before)
		if s := x.Stats(); !s.Ready || s.Change != source.last {
			t.Errorf("figures are %+v", s)
		}

		polled := source.link(2, "polled")
		pass(defaultPoll)
		wantEntry(t, x, "polled", polled)

		told := source.link(3, "told")
		changed <- struct{}{}
		synctest.Wait()
		wantEntry(t, x, "told", told)

		gone := *told
		gone.Deleted = true
		source.add(linkChange(&gone))
		close(changed)
		synctest.Wait()
		wantUnknown(t, x, "told")
		source.link(4, "later")
		pass(defaultPoll)
		wantEntry(t, x, "later", linkRoute(4, 1, 1, "later"))
	})
}

func TestFollowerCatchesUpInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), emptyTestIndex(t, heapMemory)
		stop := run(x, FollowerOptions{Source: source})
		defer stop()
		synctest.Wait()
		source.set(func() {
			for n := range uint64(2*feedBatch + 1) {
				source.last++
				c := linkChange(linkRoute(n, 1, 1, fmt.Sprint("link", n)))
				c.Number = source.last
				source.changes = append(source.changes, c)
			}
		})
		pass(defaultPoll)
		if s := x.Stats(); s.Links != 2*feedBatch+1 || s.Change != source.last {
			t.Errorf("figures are %+v", s)
		}
	})
}

func TestLinkBeforeItsCampaignInTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), emptyTestIndex(t, heapMemory)
		stop := run(x, FollowerOptions{Source: source})
		defer stop()
		synctest.Wait()
		l := linkRoute(1, 8, 1, "early")
		source.add(linkChange(l))
		pass(defaultPoll)
		wantUnknown(t, x, "early")
		source.add(campaignChange(campaignRoute(8, 1)))
		pass(defaultPoll)
		wantEntry(t, x, "early", l)
	})
}

func TestFollowerServesWhileTheSourceIsDown(t *testing.T) {
	var logged logLines
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), New(Options{Logger: logged.logger()})
		source.down = errors.New("connection refused")
		stop := run(x, FollowerOptions{Source: source})
		defer stop()
		pass(time.Minute)
		if x.Stats().Ready {
			t.Error("ready without links")
		}
		source.set(func() { source.down = nil })
		l := source.link(1, "first")
		pass(maxBackoff)
		wantEntry(t, x, "first", l)
		if !x.Stats().Ready {
			t.Error("not ready")
		}

		source.set(func() { source.down, source.asked = errors.New("connection refused"), 0 })
		pass(time.Minute)
		wantEntry(t, x, "first", l)
		if !x.Stats().Ready {
			t.Error("not ready because the source is down")
		}
		source.set(func() {
			if source.asked > 40 {
				t.Errorf("the source was asked %d times in a minute", source.asked)
			}
			source.down = nil
		})
		source.link(2, "second")
		pass(maxBackoff)
		wantEntry(t, x, "second", linkRoute(2, 1, 1, "second"))
	})
	if down := strings.Count(logged.String(), "cannot be followed"); down != 2 {
		t.Errorf("logged %d times that the source is down, want 2:\n%s", down, logged.String())
	}
	if up := strings.Count(logged.String(), "followed again"); up != 2 {
		t.Errorf("logged %d times that the source is back, want 2:\n%s", up, logged.String())
	}
}

func TestFollowerReadsAllAgainWhenItMissedChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), emptyTestIndex(t, heapMemory)
		source.add(advertiserChange(advertiserRoute(2)))
		stays := source.link(1, "stays")
		source.link(2, "goes")
		stop := run(x, FollowerOptions{Source: source})
		defer stop()
		synctest.Wait()
		source.set(func() { // link 2 and advertiser 2 are gone without a trace
			source.changes = append(source.changes[:2:2], source.changes[3])
			source.last += 100
			source.since = source.last
		})
		pass(defaultPoll)
		wantEntry(t, x, "stays", stays)
		wantUnknown(t, x, "goes")
		if _, known := x.AdvertiserByPublicKey("pk_2"); known {
			t.Error("an advertiser that is gone is known")
		}
		if s := x.Stats(); s.Change != source.last {
			t.Errorf("figures are %+v", s)
		}
	})
}

func TestFeedThatGoesBackIsNotBelieved(t *testing.T) {
	var logged logLines
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), New(Options{Logger: logged.logger()})
		stop := run(x, FollowerOptions{Source: backwards{source}})
		defer stop()
		pass(time.Minute)
	})
	if !strings.Contains(logged.String(), "went back") {
		t.Errorf("logged:\n%s", logged.String())
	}
}

type backwards struct{ *feed }

func (backwards) RoutesSince(context.Context, int64, int) ([]attribution.RouteChange, error) {
	c := linkChange(linkRoute(1, 1, 1, "again"))
	c.Number = 1
	return []attribution.RouteChange{c}, nil
}

func TestRestartFromSnapshot(t *testing.T) {
	dir := t.TempDir()
	source := newFeed()
	old := source.link(1, "old")
	source.link(2, "killed")
	synctest.Test(t, func(t *testing.T) {
		stop := run(emptyTestIndex(t, heapMemory), FollowerOptions{Source: source, Dir: dir, Catalog: "one"})
		synctest.Wait()
		stop()
	})

	gone := linkRoute(2, 1, 1, "killed")
	gone.Deleted = true
	source.add(linkChange(gone))
	fresh := source.link(3, "new")
	t.Run("goes on from its change", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := emptyTestIndex(t, heapMemory)
			source.loads = 0
			stop := run(x, FollowerOptions{Source: source, Dir: dir, Catalog: "one"})
			synctest.Wait()
			wantEntry(t, x, "old", old)
			wantEntry(t, x, "new", fresh)
			wantUnknown(t, x, "killed")
			stop()
			if source.loads != 0 {
				t.Error("the whole catalog was read")
			}
		})
	})
	t.Run("serves without the source", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := emptyTestIndex(t, heapMemory)
			stop := run(x, FollowerOptions{Source: &feed{down: errors.New("down")}, Dir: dir, Catalog: "one"})
			synctest.Wait()
			wantEntry(t, x, "new", fresh)
			if !x.Stats().Ready {
				t.Error("not ready")
			}
			stop()
		})
	})
	for name, c := range map[string]struct {
		catalog string
		damage  func(path string) error
		source  func() *feed
		logged  string
	}{
		"of another catalog": {catalog: "two", logged: "it is of catalog"},
		"damaged": {catalog: "one", logged: "ignored", damage: func(path string) error {
			return os.Truncate(path, 100)
		}},
		"newer than the catalog": {catalog: "one", logged: "were missed", source: func() *feed {
			f := newFeed()
			f.link(1, "restored")
			return f
		}},
	} {
		t.Run("ignores one "+name, func(t *testing.T) {
			var logged logLines
			own := t.TempDir()
			if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				if err := c.damage(filepath.Join(own, snapshotName)); err != nil {
					t.Fatal(err)
				}
			}
			source := source
			slug, other := "new", "restored"
			if c.source != nil {
				source = c.source()
				slug, other = other, slug
			}
			source.loads = 0
			synctest.Test(t, func(t *testing.T) {
				x := New(Options{Logger: logged.logger()})
				stop := run(x, FollowerOptions{Source: source, Dir: own, Catalog: c.catalog})
				synctest.Wait()
				var e Entry
				if !x.Lookup([]byte(slug), &e) {
					t.Errorf("%q is unknown", slug)
				}
				wantUnknown(t, x, other)
				stop()
				again := New(Options{Logger: logged.logger()})
				if err := again.loadSnapshot(own, c.catalog); err != nil || !again.Lookup([]byte(slug), &e) {
					t.Errorf("the snapshot was not replaced: %v", err)
				}
			})
			if source.loads != 1 || !strings.Contains(logged.String(), c.logged) {
				t.Errorf("read the catalog %d times, logged:\n%s", source.loads, logged.String())
			}
		})
	}
}

func TestSnapshotIsWrittenAgainAfterManyChanges(t *testing.T) {
	dir := t.TempDir()
	changeOnDisk := func() int64 {
		x := emptyTestIndex(t, heapMemory)
		if err := x.loadSnapshot(dir, ""); err != nil {
			t.Error(err)
		}
		return x.Stats().Change
	}
	synctest.Test(t, func(t *testing.T) {
		source, x := newFeed(), emptyTestIndex(t, heapMemory)
		stop := run(x, FollowerOptions{Source: source, Dir: dir})
		defer stop()
		pass(defaultPoll)
		first := changeOnDisk()
		source.link(1, "few")
		pass(defaultPoll)
		if now := changeOnDisk(); now != first {
			t.Errorf("written for one change: %d after %d", now, first)
		}
		source.set(func() { source.last += snapshotMinChanges })
		source.link(2, "many")
		pass(2 * defaultPoll)
		if now := changeOnDisk(); now != source.last {
			t.Errorf("not written for many changes: %d, want %d", now, source.last)
		}
	})
}

func TestSnapshotThatCannotBeWrittenIsLoggedOnce(t *testing.T) {
	var logged logLines
	dir := filepath.Join(t.TempDir(), "missing")
	synctest.Test(t, func(t *testing.T) {
		x := New(Options{Logger: logged.logger()})
		stop := run(x, FollowerOptions{Source: newFeed(), Dir: dir})
		pass(10 * time.Minute)
		if !x.Stats().Ready {
			t.Error("not ready")
		}
		stop()
	})
	if n := strings.Count(logged.String(), "not written"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, logged.String())
	}
}
