package verdict

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestParseRate(t *testing.T) {
	good := map[string]Rate{
		"600/min": {600, 60_000}, "10/s": {10, 1000}, "5000/h": {5000, 3_600_000}, "1/min": {1, 60_000},
		"0": {}, "0/min": {}, "1000000000/s": {1_000_000_000, 1000},
	}
	for text, want := range good {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if again, err := ParseRate(got.String()); err != nil || again != want {
			t.Errorf("%s is written %s: %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "600", "/min", "-1/s", "+1/s", "1.5/s", "600 / min", "600/minute", "600/", "600/min/", "1000000001/s", "99999999999/s", "x/s"} {
		if _, err := ParseRate(text); err == nil || !strings.Contains(err.Error(), "600/min") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRateWindow(t *testing.T) {
	w := NewRateWindow(Rate{3, 60_000})
	const someTime = 1_800_000_000_000
	opened := w.opened(w.key(1, 1), someTime)
	for i, want := range []bool{false, false, false, true, true} {
		if got := w.Exceeded(1, 1, opened+int64(i*1000)); got != want {
			t.Errorf("hit %d: %v", i+1, got)
		}
	}
	if w.Exceeded(1, 2, opened+5000) || w.Exceeded(2, 1, opened+5000) {
		t.Error("another link or network shares the count")
	}
	if !w.Exceeded(1, 1, opened+59_999) {
		t.Error("the window closed early")
	}
	if w.Exceeded(1, 1, opened+60_000) {
		t.Error("the window did not close")
	}
	if w.Exceeded(1, 1, opened+59_990) || w.Exceeded(1, 1, opened+60_010) || !w.Exceeded(1, 1, opened+60_005) {
		t.Error("a clock read a little earlier is another window")
	}
	if w.Exceeded(1, 1, opened-60_000) {
		t.Error("a clock set back by windows does not open another")
	}
}

// Windows begin at moments of each key's own, so that nobody can wait for them.
func TestRateWindowsDoNotOpenTogether(t *testing.T) {
	w := NewRateWindow(Rate{3, 60_000})
	began := map[int64]bool{}
	for link := range uint64(100) {
		began[w.opened(w.key(1, link), 1_800_000_000_000)] = true
	}
	if len(began) < 90 {
		t.Errorf("the windows of 100 links begin at %d moments", len(began))
	}
}

func TestRateWindowWithoutLimit(t *testing.T) {
	w := NewRateWindow(Rate{})
	for range 10 {
		if w.Exceeded(1, 1, 0) {
			t.Fatal("exceeded")
		}
	}
}

// However many keys there are, no key is called exceeded before it made more
// hits than the limit, and a key with many hits is not forgotten for ones with few.
func TestRateWindowErrsOnOneSide(t *testing.T) {
	w := NewRateWindow(Rate{5, 60_000})
	const heavy = 1 << 40
	opened := w.opened(w.key(heavy, heavy), 1_800_000_000_000)
	for range 6 {
		w.Exceeded(heavy, heavy, opened)
	}
	for round := range uint64(5) {
		for key := range uint64(4 * rateKeys) {
			if w.Exceeded(key, 7, opened+int64(round)) {
				t.Fatalf("key %d is exceeded at its hit %d", key, round+1)
			}
		}
	}
	if !w.Exceeded(heavy, heavy, opened+100) {
		t.Error("the heaviest key was forgotten")
	}
}

func TestRateWindowIsConcurrent(t *testing.T) {
	const goroutines, each, limit = 8, 1000, 5000
	w := NewRateWindow(Rate{limit, 60_000})
	opened := w.opened(w.key(9, 9), 1_800_000_000_000)
	var exceeded atomic.Int64
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for i := range each {
				if w.Exceeded(9, 9, opened+int64(i%7)) {
					exceeded.Add(1)
				}
			}
		})
	}
	group.Wait()
	if got := exceeded.Load(); got != goroutines*each-limit {
		t.Errorf("%d above the limit, want %d", got, goroutines*each-limit)
	}
}

func TestRateWindowAllocatesNothing(t *testing.T) {
	w := NewRateWindow(Rate{5, 60_000})
	key := uint64(0)
	if n := testing.AllocsPerRun(1000, func() { key++; w.Exceeded(key, 1, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRateWindow(b *testing.B) {
	w := NewRateWindow(Rate{600, 60_000})
	b.ReportAllocs()
	key := uint64(0)
	for b.Loop() {
		key++
		w.Exceeded(key&0xffff, 1, int64(key>>10))
	}
}

func BenchmarkRateWindowParallel(b *testing.B) {
	w := NewRateWindow(Rate{600, 60_000})
	var seq atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		key := seq.Add(1) << 32
		for pb.Next() {
			key++
			w.Exceeded(key&0xffff, 1, int64(key>>10)&0xffff)
		}
	})
}
