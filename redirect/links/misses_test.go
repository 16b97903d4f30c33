package links

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tributary/attribution"
)

// A finder is where all links are, which may be down, or slow.
type finder struct {
	mu    sync.Mutex
	links map[string]attribution.RouteChange // by folded slug
	asked int
	down  bool
	slow  time.Duration
	wait  chan struct{} // not nil: an answer that was looked up waits for it
}

func newFinder() *finder { return &finder{links: map[string]attribution.RouteChange{}} }

func (f *finder) set(number int64, l *attribution.LinkRoute) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links[strings.ToLower(l.Slug)] = attribution.RouteChange{Number: number, Link: l}
}

func (f *finder) count() (asked int) {
	f.tell(func() { asked = f.asked })
	return asked
}

func (f *finder) tell(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *finder) Find(ctx context.Context, slugs ...string) ([]*attribution.RouteChange, error) {
	f.mu.Lock()
	f.asked++
	down, slow, wait := f.down, f.slow, f.wait
	found := make([]*attribution.RouteChange, len(slugs))
	for i, slug := range slugs {
		if c, known := f.links[strings.ToLower(slug)]; known && !c.Link.Deleted {
			found[i] = &c
		}
	}
	f.mu.Unlock()
	if down {
		return nil, errors.New("redis is away")
	}
	if slow > 0 {
		time.Sleep(slow)
	}
	if wait != nil {
		<-wait
	}
	return found, nil
}

func fewIndex(t testing.TB, most int) *Index {
	x := New(Options{Logger: testLog(t), memory: heapMemory, chunkBytes: testChunkBytes, MaxLinks: most})
	x.Apply(advertiserChange(advertiserRoute(1)))
	x.Apply(campaignChange(campaignRoute(1, 1)))
	return x
}

func numbered(number int64, l *attribution.LinkRoute) attribution.RouteChange {
	return attribution.RouteChange{Number: number, Link: l}
}

func TestMissBringsALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := newTestIndex(t), newFinder()
		m := NewMisses(x, f)
		l := linkRoute(7, 1, 1, "k3VbQ9xT")
		f.set(10, l)
		f.slow = 10 * time.Millisecond
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if got := m.Ask([]byte("k3VbQ9xT")); got != Found {
					t.Errorf("the answer is %d", got)
				}
			})
		}
		group.Wait()
		wantEntry(t, x, "k3VbQ9xT", l)
		if s := m.Stats(); f.count() != 1 || s.Asked != 1 || s.Found != 1 {
			t.Errorf("asked %d times: %+v", f.count(), s)
		}
	})
}

func TestUnknownSlugsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := newTestIndex(t), newFinder()
		m := NewMisses(x, f)
		for range 10 {
			if got := m.Ask([]byte("nobody")); got != Nowhere {
				t.Errorf("the answer is %d", got)
			}
		}
		for _, impossible := range []string{"", "wp-login.php", "a b", strings.Repeat("x", MaxSlugBytes+1)} {
			m.Ask([]byte(impossible))
		}
		if f.count() != 1 {
			t.Errorf("asked %d times", f.count())
		}
		l := linkRoute(7, 1, 1, "nobody")
		x.Apply(numbered(10, l))
		l.Deleted = true
		x.Apply(numbered(11, l))
		f.set(12, linkRoute(7, 1, 1, "nobody"))
		if got := m.Ask([]byte("NOBODY")); got != Found {
			t.Errorf("after the feed told of it, the answer is %d", got)
		}
		m.Ask([]byte("other"))
		time.Sleep(2 * unknownFor)
		m.Ask([]byte("other"))
		if f.count() != 4 {
			t.Errorf("asked %d times; an unknown slug is remembered for ever", f.count())
		}
	})
}

func TestMissesAreBounded(t *testing.T) {
	for name, few := range map[string]bool{"all links": false, "few links": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, f, want, most := newTestIndex(t), newFinder(), Nowhere, questions
				if few {
					x, want, most = fewIndex(t, 100), Unsure, questionsOfFew
				}
				m := NewMisses(x, f)
				f.slow = time.Hour
				began := time.Now()
				var group sync.WaitGroup
				for i := range 500 {
					group.Go(func() {
						if got := m.Ask(fmt.Append(nil, "slow", i)); got != want {
							t.Errorf("the answer is %d", got)
						}
					})
				}
				group.Wait()
				if took := time.Since(began); took > missPatience || f.count() > maxFlights {
					t.Errorf("took %v, asked %d times", took, f.count())
				}
				time.Sleep(2 * time.Hour)

				f.tell(func() { f.slow, f.asked = 0, 0 })
				for i := range 2 * most {
					m.Ask(fmt.Append(nil, "random", i))
				}
				if f.count() > most {
					t.Errorf("asked %d times at once", f.count())
				}
				f.tell(func() { f.down = true })
				time.Sleep(time.Second)
				if got := m.Ask([]byte("whose")); got != want {
					t.Errorf("while nobody answers, the answer is %d", got)
				}
			})
		})
	}
}

func TestFewUnknownSlugsAreRemembered(t *testing.T) {
	var u unknownSlugs
	for hash := range uint64(5 * maxUnknown) {
		u.add(hash, time.Time{})
	}
	if n := len(u.young) + len(u.old); n > 2*maxUnknown || !u.has(5*maxUnknown-1, time.Time{}) {
		t.Errorf("remembers %d", n)
	}
}

func TestAKilledLinkIsNotBroughtBack(t *testing.T) {
	for name, few := range map[string]bool{"all links": false, "few links": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, f := newTestIndex(t), newFinder()
				if few {
					x = fewIndex(t, 100)
				}
				m := NewMisses(x, f)
				l := linkRoute(7, 1, 1, "killed")
				f.set(10, l)
				f.wait = make(chan struct{})
				done := make(chan struct{})
				go func() { m.Ask([]byte("killed")); close(done) }()
				synctest.Wait() // the answer is looked up, and on its way
				gone := *l
				gone.Deleted = true
				x.Apply(numbered(11, &gone))
				close(f.wait)
				<-done
				wantUnknown(t, x, "killed")
				if !few { // an answer from before what the feed told already
					m.Ask([]byte("killed"))
					wantUnknown(t, x, "killed")
				}
			})
		})
	}
}

// An index of few links answers like one of all, and holds what is in use.
func TestFewLinksAreLikeAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 5
		options := Options{memory: heapMemory, chunkBytes: testChunkBytes, MaxLinks: most}
		fresh := func() (*Index, *finder, *Misses) {
			x, f := New(options), newFinder()
			m := NewMisses(x, f)
			m.budget.perSecond, m.wait = 1e9, time.Minute
			x.Apply(advertiserChange(advertiserRoute(1)))
			x.Apply(campaignChange(campaignRoute(1, 1)))
			return x, f, m
		}
		x, f, m := fresh()
		truth, number := map[uint64]*attribution.LinkRoute{}, int64(10)
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				n := rapid.Uint64Range(1, 30).Draw(t, "number")
				l := linkRoute(n, 1, 1, fmt.Sprint("Slug", n)) // a link keeps its slug
				l.MaxClicks, l.Deleted = rapid.Int64Range(0, 3).Draw(t, "most"), rapid.IntRange(0, 3).Draw(t, "deleted") == 0
				number++
				truth[n] = l
				f.set(number, l)
				x.Apply(numbered(number, l))
			},
			"click": func(t *rapid.T) {
				n := rapid.Uint64Range(1, 30).Draw(t, "clicked")
				slug := fmt.Sprint("Slug", n)
				var e Entry
				found := x.Lookup([]byte(slug), &e)
				if !found && m.Ask([]byte(slug)) == Found {
					found = x.Lookup([]byte(slug), &e)
				}
				l := truth[n]
				if want := l != nil && !l.Deleted; found != want || found && e.MaxClicks != l.MaxClicks {
					t.Fatalf("%s is found %v, with %d clicks; want %+v", slug, found, e.MaxClicks, l)
				}
			},
			"restart": func(t *rapid.T) {
				written := snapshotBytes(t, x, "cat")
				was := f
				x, f, m = fresh()
				f.links = was.links
				if err := x.readSnapshot(bytes.NewReader(written), "cat"); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if held := x.Stats().Links; held > most {
					t.Fatalf("%d links are held", held)
				}
			},
		})
	})
}

func TestLinksInUseStay(t *testing.T) {
	const most = 200
	x, f := fewIndex(t, most), newFinder()
	m := NewMisses(x, f)
	m.budget.perSecond, m.wait = 1e9, time.Minute
	var e Entry
	click := func(slug string) {
		if !x.Lookup([]byte(slug), &e) && (m.Ask([]byte(slug)) != Found || !x.LookupNew([]byte(slug), &e)) {
			t.Fatalf("%s is not found", slug)
		}
	}
	for n := range uint64(20 * most) {
		f.set(int64(n), linkRoute(n, 1, 1, fmt.Sprint("link", n)))
	}
	for n := range 20 * most {
		click(fmt.Sprint("link", n))
		click(fmt.Sprint("link", n%100)) // these are in use all the time
	}
	if s := m.Stats(); s.Found > 21*most {
		t.Errorf("%d questions for %d links", s.Found, 20*most)
	}
	if held := x.Stats().Links; held != most {
		t.Errorf("%d links are held", held)
	}
}

func TestASnapshotOfFewLinksIsNotTakenForAll(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x, f := fewIndex(t, 100), newFinder()
		NewMisses(x, f)
		source := things{newFeed()}
		held := source.link(1, "held")
		source.link(2, "other")
		f.set(100, held)
		stop := run(x, FollowerOptions{Source: source, Finder: f, Dir: dir})
		synctest.Wait()
		if x.Stats().Links != 0 || !x.Stats().Ready {
			t.Errorf("figures are %+v", x.Stats())
		}
		x.misses.Load().Ask([]byte("held"))
		wantEntry(t, x, "held", held)
		x.change.Add(10)
		stop()

		again := fewIndex(t, 100)
		stop = run(again, FollowerOptions{Source: &feed{down: errors.New("down")}, Finder: f, Dir: dir})
		synctest.Wait()
		wantEntry(t, again, "held", held)
		stop()

		all := emptyTestIndex(t, heapMemory)
		stop = run(all, FollowerOptions{Source: source.feed, Dir: dir})
		synctest.Wait()
		wantEntry(t, all, "other", linkRoute(2, 1, 1, "other"))
		stop()
	})
}
