package links

import (
	"context"
	"errors"
	"testing"
)

// A sheet is a Tally in memory: what each tracker has counted of each thing.
type sheet struct {
	counts map[[2]uint64]map[string]int64
	away   bool
	asked  int
}

type sheetOf struct {
	*sheet
	node string
}

var errAway = errors.New("away")

func (s sheetOf) Exchange(_ context.Context, things [][2]uint64, own, others []int64) error {
	s.asked += len(things)
	for i, thing := range things {
		others[i] = -1
		if s.away {
			continue
		}
		if s.counts[thing] == nil {
			s.counts[thing] = map[string]int64{}
		}
		s.counts[thing][s.node] = max(s.counts[thing][s.node], own[i])
		others[i] = -own[i]
		for _, count := range s.counts[thing] {
			others[i] += count
		}
	}
	if s.away {
		return errAway
	}
	return nil
}

func exchange(t *testing.T, l *Limits, with Tally) {
	t.Helper()
	if err := l.Exchange(context.Background(), with); err != nil && !errors.Is(err, errAway) {
		t.Fatal(err)
	}
}

func TestTrackersLimitALinkTogether(t *testing.T) {
	shared := &sheet{counts: map[[2]uint64]map[string]int64{}}
	dirA := t.TempDir()
	a, b := openTestLimits(t, dirA), openTestLimits(t, t.TempDir())
	asA, asB := sheetOf{shared, a.Identity()}, sheetOf{shared, b.Identity()}
	exchange(t, a, asA) // nothing to tell
	for range 6 {
		take(t, a, 7, 10, true)
	}
	for range 3 {
		take(t, b, 7, 10, true)
	}
	exchange(t, a, asA)
	exchange(t, b, asB)
	exchange(t, a, asA)
	if a.Count(7) != 9 || b.Count(7) != 9 {
		t.Errorf("counts are %d and %d, want 9", a.Count(7), b.Count(7))
	}
	take(t, b, 7, 10, true, false)
	exchange(t, b, asB)
	exchange(t, a, asA)
	take(t, a, 7, 10, false)
	take(t, a, 7, 11, true, false) // raised

	// What the others counted outlives a restart with nobody to ask.
	shared.away = true
	exchange(t, a, asA)
	again := openTestLimits(t, dirA)
	if again.Identity() != a.Identity() || a.Identity() == b.Identity() {
		t.Errorf("%s is called %s after a restart, the other %s", a.Identity(), again.Identity(), b.Identity())
	}
	take(t, again, 7, 11, false)

	// Everything is lost: a third tracker learns all of it from the other two.
	shared.away, shared.counts = false, map[[2]uint64]map[string]int64{}
	c := openTestLimits(t, t.TempDir())
	take(t, c, 7, 11, true) // one too many, it cannot know
	exchange(t, again, asA)
	exchange(t, b, asB)
	exchange(t, c, sheetOf{shared, "c"})
	if got := c.Count(7); got != 12 {
		t.Errorf("the third tracker knows of %d clicks, want 12", got)
	}

	// The file of a is lost: what it counted is another's now.
	fresh := openTestLimits(t, t.TempDir())
	take(t, fresh, 7, 20, true)
	exchange(t, fresh, sheetOf{shared, fresh.Identity()})
	if got := fresh.Count(7); got != 13 {
		t.Errorf("a tracker that lost its counts knows of %d clicks, want 13", got)
	}
}

// TestExchangesOfLimitsAreBounded tells many links' clicks over some exchanges,
// and then only so many in turn.
func TestExchangesOfLimitsAreBounded(t *testing.T) {
	shared := &sheet{counts: map[[2]uint64]map[string]int64{}}
	l := openTestLimits(t, t.TempDir())
	const links = 10_000
	for n := range uint64(links) {
		l.Take(n, 5)
	}
	for range 3 {
		shared.asked = 0
		exchange(t, l, sheetOf{shared, "a"})
		if shared.asked > maxChangedCounters+maxRepeated {
			t.Fatalf("%d links were asked about in one exchange", shared.asked)
		}
	}
	if len(shared.counts) != links {
		t.Errorf("%d of %d links were told", len(shared.counts), links)
	}
	shared.asked = 0
	exchange(t, l, sheetOf{shared, "a"})
	if shared.asked != minRepeated {
		t.Errorf("with nothing new, %d links were asked about, want %d", shared.asked, minRepeated)
	}
	shared.counts = map[[2]uint64]map[string]int64{} // lost
	for range links / minRepeated {
		exchange(t, l, sheetOf{shared, "a"})
	}
	if len(shared.counts) != links {
		t.Errorf("after a loss, %d of %d links were told again in time", len(shared.counts), links)
	}
}
