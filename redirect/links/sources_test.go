package links

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tributary/attribution"
)

// things is a source for an index of few links.
type things struct{ *feed }

func (s things) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	return s.feed.Routes(ctx, func(c attribution.RouteChange) error {
		if c.Link != nil {
			return nil
		}
		return yield(c)
	})
}

func TestFewLinksAreReadAgainWhenChangesWereMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 10_000), newFinder()
		m := NewMisses(x, f)
		source := things{newFeed()}
		for n := range uint64(700) {
			f.set(int64(n), linkRoute(n, 1, 1, fmt.Sprint("link", n)))
			m.Ask(fmt.Append(nil, "link", n))
		}
		stop := run(x, FollowerOptions{Source: source, Finder: f})
		defer stop()
		synctest.Wait()
		changed, gone := linkRoute(3, 1, 1, "link3"), linkRoute(4, 1, 1, "link4")
		changed.Destination, gone.Deleted = "https://shop1.example/new", true
		source.set(func() { source.last += 100; source.since = source.last }) // nobody tells of it
		f.set(800, changed)
		f.set(801, gone)
		f.tell(func() { f.down = true })
		pass(time.Minute)
		wantEntry(t, x, "link5", linkRoute(5, 1, 1, "link5"))
		f.tell(func() { f.down = false })
		pass(2 * maxBackoff)
		wantEntry(t, x, "link3", changed)
		wantUnknown(t, x, "link4")
		if held := x.Stats().Links; held != 699 {
			t.Errorf("%d links are held", held)
		}
	})
}

func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, x := newFeed(), newFeed(), emptyTestIndex(t, heapMemory)
		both := func(n uint64) *attribution.LinkRoute {
			first.link(n, fmt.Sprint("link", n))
			return second.link(n, fmt.Sprint("link", n))
		}
		l := both(1)
		first.down = errors.New("not filled")
		stop := run(x, FollowerOptions{Source: first, Fallback: second})
		defer stop()
		synctest.Wait()
		wantEntry(t, x, "link1", l)

		second.set(func() { second.down = errors.New("connection refused") })
		first.set(func() { first.down = nil })
		l = both(2)
		pass(2 * maxBackoff)
		wantEntry(t, x, "link2", l)

		first.set(func() { first.down = ErrMissed }) // it was flushed
		second.set(func() { second.down = nil })
		loads := second.loads
		l = both(3)
		pass(2 * maxBackoff)
		wantEntry(t, x, "link3", l)
		if second.loads != loads {
			t.Error("everything was read again, though the fallback could tell what changed")
		}

		first.set(func() { first.down = ErrWentBack })
		pass(defaultPoll)
		if second.loads == loads {
			t.Error("after a restore not everything was read again")
		}
	})
}

// Redis is behind what the database told: a killed link must not come back from it.
func TestAKilledLinkIsNotBroughtBackFromBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 100), newFinder()
		m := NewMisses(x, f)
		first, second := things{newFeed()}, things{newFeed()}
		l := first.link(1, "killed")
		second.link(1, "killed")
		f.set(first.last, l)
		stop := run(x, FollowerOptions{Source: first, Fallback: second, Finder: f})
		defer stop()
		synctest.Wait()
		gone := *l
		gone.Deleted = true
		first.set(func() { first.down = errors.New("redis is behind") })
		second.add(linkChange(&gone))
		pass(2 * maxBackoff)
		if got := m.Ask([]byte("killed")); got != Unsure {
			t.Errorf("while Redis is behind, the answer is %d", got)
		}
		wantUnknown(t, x, "killed")
		first.set(func() { first.down = nil })
		first.add(linkChange(&gone))
		f.set(first.last, &gone)
		pass(2 * maxBackoff)
		if got := m.Ask([]byte("killed")); got != Nowhere {
			t.Errorf("once Redis has it, the answer is %d", got)
		}
		wantUnknown(t, x, "killed")
	})
}

// Redis lost changes and told of a link as it was before them; the fallback hides
// that from the feed.
func TestFewLinksAreReadAgainThoughTheFallbackAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 10_000), newFinder()
		m := NewMisses(x, f)
		first, second := things{newFeed()}, things{newFeed()}
		stop := run(x, FollowerOptions{Source: first, Fallback: second, Finder: f})
		defer stop()
		synctest.Wait()
		for n := range uint64(700) {
			f.set(1, linkRoute(n, 1, 1, fmt.Sprint("link", n)))
			m.Ask(fmt.Append(nil, "link", n))
		}
		gone := linkRoute(4, 1, 1, "link4")
		gone.Deleted = true
		f.set(2, gone)
		first.set(func() { first.down = ErrMissed })
		f.tell(func() { f.down = true })
		pass(maxBackoff)
		first.set(func() { first.down = nil })
		pass(maxBackoff)
		wantEntry(t, x, "link5", linkRoute(5, 1, 1, "link5"))
		f.tell(func() { f.down = false })
		pass(2 * repairEvery)
		wantUnknown(t, x, "link4")
		if held := x.Stats().Links; held != 699 || second.loads != 0 {
			t.Errorf("%d links are held, the fallback was read %d times", held, second.loads)
		}
	})
}

func TestASnapshotOfFewLinksIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 100), newFinder()
		m := NewMisses(x, f)
		source := things{newFeed()}
		f.set(1, linkRoute(1, 1, 1, "killed"))
		f.set(1, linkRoute(2, 1, 1, "stays"))
		stop := run(x, FollowerOptions{Source: source, Finder: f, Dir: dir})
		synctest.Wait()
		m.Ask([]byte("killed"))
		m.Ask([]byte("stays"))
		x.change.Add(10) // it is worth another snapshot
		stop()

		gone := linkRoute(1, 1, 1, "killed")
		gone.Deleted = true
		f.set(2, gone)
		source.set(func() { source.last = x.change.Load() })
		again := fewIndex(t, 100)
		stop = run(again, FollowerOptions{Source: source, Finder: f, Dir: dir})
		defer stop()
		pass(2 * repairEvery)
		wantEntry(t, again, "stays", linkRoute(2, 1, 1, "stays"))
		wantUnknown(t, again, "killed")
	})
}

// A source that is read and takes nothing new is found out by the fallback, with few
// questions.
func TestASourceThatTakesNothingIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, first, second := emptyTestIndex(t, heapMemory), newFeed(), newFeed()
		l := first.link(1, "killed")
		second.link(1, "killed")
		stop := run(x, FollowerOptions{Source: first, Fallback: second})
		defer stop()
		synctest.Wait()
		wantEntry(t, x, "killed", l)
		second.set(func() { second.asked = 0 })
		pass(time.Minute)
		second.set(func() {
			if second.asked > 31 || second.asked < 10 {
				t.Errorf("the fallback was asked %d times in a minute", second.asked)
			}
		})
		gone := *l
		gone.Deleted = true
		second.add(linkChange(&gone))
		pass(5*time.Second - 1)
		wantUnknown(t, x, "killed")
	})
}

// What is on its way to Redis is no reason to doubt it.
func TestASourceThatIsSlowIsNotDoubted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 100), newFinder()
		NewMisses(x, f)
		first, second := things{newFeed()}, things{newFeed()}
		stop := run(x, FollowerOptions{Source: first, Fallback: second, Finder: f})
		defer stop()
		synctest.Wait()
		for n := range uint64(100) {
			second.link(n, fmt.Sprint("link", n))
			pass(100 * time.Millisecond)
			if x.behind.Load() {
				t.Fatal("it is doubted")
			}
			first.link(n, fmt.Sprint("link", n))
			pass(defaultPoll)
		}
	})
}
