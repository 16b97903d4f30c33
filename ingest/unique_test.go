package ingest

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestWindowAnswersLikeAMap compares the window to its definition, over hours
// of hits that are up to two seconds out of order.
func TestWindowAnswersLikeAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	length := UniqueWindowLength.Milliseconds()
	last := map[[2]uint64]int64{}
	var hits []Hit
	var want []bool
	atMs := day.UnixMilli()
	for range 200_000 {
		atMs += rng.Int64N(200)
		h := Hit{Link: linkKey("lnk_1") + uint64(rng.IntN(20)), Visitor: 1 + rng.Uint64N(2000), AtMs: atMs - rng.Int64N(2000)}
		if rng.IntN(10) == 0 {
			h.VisitorPrev = 1 + rng.Uint64N(2000)
		}
		unique := true
		for _, v := range []uint64{h.Visitor, h.VisitorPrev} {
			if seen, there := last[[2]uint64{h.Link, v}]; there && v != 0 && h.AtMs-seen < length {
				unique = false
			}
		}
		for _, v := range []uint64{h.Visitor, h.VisitorPrev} {
			if key := [2]uint64{h.Link, v}; v != 0 {
				last[key] = max(last[key], h.AtMs)
			}
		}
		hits, want = append(hits, h), append(want, unique)
	}
	w := NewMemoryWindow(100_000)
	for i := 0; i < len(hits); i += 1000 {
		if err := w.Mark(context.Background(), hits[i:i+1000]); err != nil {
			t.Fatal(err)
		}
	}
	wrong := 0
	for i := range hits {
		if hits[i].Unique != want[i] {
			wrong++
		}
	}
	if wrong > 0 || w.Evicted() > 0 {
		t.Errorf("%d of %d answers are wrong, %d entries were evicted", wrong, len(hits), w.Evicted())
	}
}

func TestWindowIsBounded(t *testing.T) {
	w := NewMemoryWindow(1000)
	mark := func(visitor uint64) bool {
		h := []Hit{{Link: 1, Visitor: visitor, AtMs: day.UnixMilli()}}
		if err := w.Mark(context.Background(), h); err != nil {
			t.Fatal(err)
		}
		return h[0].Unique
	}
	for v := uint64(1); v <= 10_000; v++ {
		if !mark(v) {
			t.Fatalf("visitor %d is not unique", v)
		}
	}
	if w.Entries() > 2000 || len(w.young.slots)+len(w.old.slots) > 4*2048 {
		t.Errorf("a window of 1,000 entries a generation holds %d in %d slots", w.Entries(), len(w.young.slots)+len(w.old.slots))
	}
	if w.Evicted() != 10_000-uint64(w.Entries()) {
		t.Errorf("%d entries held and %d counted as evicted, of 10,000", w.Entries(), w.Evicted())
	}
	registry := prometheus.NewPedanticRegistry()
	NewMetrics(registry).WatchWindow(w)
	if got := gathered(t, registry)["tributary_unique_evicted_total"]; got != float64(w.Evicted()) {
		t.Errorf("the metric says %v, not %d", got, w.Evicted())
	}
	if mark(10_000) || mark(9_500) {
		t.Error("the latest visitors were forgotten")
	}
}

// TestWindowForgetsWhatIsOver has no entry left of hours ago.
func TestWindowForgetsWhatIsOver(t *testing.T) {
	w := NewMemoryWindow(100_000)
	for minute := range int64(300) {
		for v := range uint64(100) {
			w.Seen(Hit{Link: 1, Visitor: uint64(minute)*100 + v + 1, AtMs: day.UnixMilli() + minute*60_000})
		}
	}
	if w.Entries() > 2*30*100 || w.Evicted() > 0 {
		t.Errorf("%d entries are held of 60 minutes with 100 each, %d evicted", w.Entries(), w.Evicted())
	}
}
