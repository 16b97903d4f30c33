package verdict

import (
	"context"
	"errors"
	"testing"
)

// A sheet is a Tally in memory: what each tracker has counted of each thing.
type sheet struct{ counts map[[2]uint64]map[int]int64 }

// of is the sheet as a tracker sees it; away while it cannot be reached.
func (s *sheet) of(node int, away *bool) Tally { return sheetOf{s, node, away} }

type sheetOf struct {
	*sheet
	node int
	away *bool
}

var errAway = errors.New("away")

func (s sheetOf) Exchange(_ context.Context, things [][2]uint64, own, others []int64) error {
	for i, thing := range things {
		others[i] = -1
		if *s.away {
			continue
		}
		if s.counts[thing] == nil {
			s.counts[thing] = map[int]int64{}
		}
		s.counts[thing][s.node] = max(s.counts[thing][s.node], own[i])
		others[i] = -own[i]
		for _, count := range s.counts[thing] {
			others[i] += count
		}
	}
	if *s.away {
		return errAway
	}
	return nil
}

func TestTrackersCountRatesTogether(t *testing.T) {
	const limit, trackers = 600, 3
	secret := [32]byte{1, 2, 3}
	shared, away := &sheet{map[[2]uint64]map[int]int64{}}, false
	var windows [trackers]*RateWindow
	for i := range windows {
		windows[i] = NewSharedRateWindow(Rate{limit, 60_000}, secret)
	}
	now := windows[0].opened(windows[0].key(7, 7), 1_800_000_000_000)
	exchange := func() {
		t.Helper()
		for range 2 { // the first to ask learns of the last only then
			for i, w := range windows {
				if err := w.Exchange(context.Background(), shared.of(i, &away), now); err != nil && !away {
					t.Fatal(err)
				}
			}
		}
	}
	hits := func(each int) (exceeded int) {
		for _, w := range windows {
			for range each {
				if w.Exceeded(7, 7, now) {
					exceeded++
				}
			}
		}
		return exceeded
	}
	if n := hits(150); n != 0 {
		t.Fatalf("%d hits of 450 are above 600", n)
	}
	exchange()
	if n := hits(50); n != 0 {
		t.Fatalf("%d hits of 600 are above 600", n)
	}
	exchange()
	if n := hits(1); n != trackers {
		t.Errorf("behind the 600th hit together, %d of %d trackers let another pass", trackers-n, trackers)
	}
	if windows[1].Exceeded(7, 8, now) {
		t.Error("another link shares the count")
	}
	now += 60_000
	if n := hits(200); n != 0 {
		t.Errorf("%d hits are above the limit in a new window", n)
	}
	away = true
	exchange()
	if n := hits(400); n != 0 {
		t.Errorf("while trackers cannot talk, %d hits of 600 each are above it", n)
	}
	if n := hits(10); n == 0 {
		t.Error("while trackers cannot talk, each has no limit of its own")
	}
}

func TestExchangesAreBounded(t *testing.T) {
	w, away := NewRateWindow(Rate{100, 60_000}), false
	shared := &sheet{map[[2]uint64]map[int]int64{}}
	const now = 1_800_000_000_000
	exchange := func() {
		t.Helper()
		if err := w.Exchange(context.Background(), shared.of(1, &away), now); err != nil {
			t.Fatal(err)
		}
	}
	for link := range uint64(5000) {
		hits := 3 // below the share others are told of
		if link < 2000 {
			hits = 4 + int(link)%50
		}
		for range hits {
			w.Exceeded(1, link, now)
		}
	}
	exchange()
	if len(shared.counts) != rateExchangeKeys {
		t.Errorf("%d keys were told in one exchange, want %d", len(shared.counts), rateExchangeKeys)
	}
	exchange()
	if len(shared.counts) != 2000 {
		t.Errorf("%d keys were told, want the 2,000 with hits enough", len(shared.counts))
	}
	exchange()
	exchange()
	if again := w.heaviest(nil, now); len(again) != 0 {
		t.Errorf("%d keys would be told again though nothing happened", len(again))
	}
}
