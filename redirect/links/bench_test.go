package links

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/attribution"
)

var tenMillion = flag.Bool("links.ten-million", false, "measure an index of ten million links (minutes, 3 GB of memory, 2 GB of disk)")

const benchLinks = 200_000

// crowdSlug is the random slug of link n.
func crowdSlug(dst []byte, n uint64) []byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
	bits := hashNumber(n)
	for range 8 {
		dst = append(dst, alphabet[bits&63])
		bits >>= 6
	}
	return dst
}

// crowd yields n links with destinations of their own over 1,000 advertisers and
// 10,000 campaigns, as a catalog would.
func crowd(n uint64, yield func(attribution.RouteChange) error) error {
	for a := range uint64(1000) {
		if err := yield(advertiserChange(advertiserRoute(a))); err != nil {
			return err
		}
	}
	for c := range uint64(10_000) {
		if err := yield(campaignChange(campaignRoute(c, c%1000))); err != nil {
			return err
		}
	}
	for i := range n {
		l := linkRoute(i+1, i%10_000, i%1000, string(crowdSlug(nil, i)))
		l.Destination = "https://shop" + strconv.FormatUint(i%1000, 10) + ".example/products/" + strconv.FormatUint(i, 10) + "?ref=creator-campaign"
		if err := yield(linkChange(l)); err != nil {
			return err
		}
	}
	return nil
}

func fill(t testing.TB, x *Index, n uint64) {
	if err := crowd(n, func(c attribution.RouteChange) error { x.Apply(c); return nil }); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLookup(b *testing.B) {
	x := New(Options{Logger: testLog(b)})
	fill(b, x, benchLinks)
	b.Run("hit", func(b *testing.B) { benchmarkLookup(b, x, 0, benchLinks) })
	b.Run("miss", func(b *testing.B) { benchmarkLookup(b, x, 1<<40, benchLinks) })
	b.Run("cached", func(b *testing.B) { benchmarkCachedLookup(b, x) })
}

// benchmarkCachedLookup looks up so few links that all of it stays in the
// processor's cache: what is measured is the work alone.
func benchmarkCachedLookup(b *testing.B, x *Index) {
	var slugs [64][]byte
	for n := range slugs {
		slugs[n] = crowdSlug(nil, uint64(n))
	}
	b.ReportAllocs()
	b.ResetTimer()
	defer reportProcessorTime(b, processorTime(b))
	var e Entry
	for i := range b.N {
		if !x.Lookup(slugs[i%len(slugs)], &e) {
			b.Fatalf("%q is unknown", slugs[i%len(slugs)])
		}
	}
}

func benchmarkLookup(b *testing.B, x *Index, first, n uint64) {
	b.ReportAllocs()
	defer reportProcessorTime(b, processorTime(b))
	b.RunParallel(func(pb *testing.PB) {
		random := rand.New(rand.NewPCG(1, rand.Uint64()))
		var e Entry
		slug := make([]byte, 0, 8)
		for pb.Next() {
			slug = crowdSlug(slug[:0], first+random.Uint64N(n))
			if x.Lookup(slug, &e) != (first == 0) {
				b.Errorf("%q: known is %v", slug, first != 0)
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	x := New(Options{Logger: testLog(b)})
	fill(b, x, benchLinks)
	b.ReportAllocs()
	b.ResetTimer()
	defer reportProcessorTime(b, processorTime(b))
	for i := range b.N {
		l := linkRoute(uint64(i%benchLinks)+1, 1, 1, string(crowdSlug(nil, uint64(i%benchLinks))))
		l.MaxClicks = int64(i)
		x.Apply(linkChange(l))
	}
}

func BenchmarkTake(b *testing.B) {
	l, err := OpenLimits(b.TempDir(), testLog(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := rand.Uint64N(1 << 20); pb.Next(); n++ {
			l.Take(n%10_000, 1<<60)
		}
	})
}

// processorTime is what the process has used so far: on a busy machine, the
// clock measures the others too.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func reportProcessorTime(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// crowdSource is a catalog of ten million links.
type crowdSource struct{ links uint64 }

func (s crowdSource) Routes(_ context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	return int64(s.links), crowd(s.links, yield)
}

func (crowdSource) RoutesSince(context.Context, int64, int) ([]attribution.RouteChange, error) {
	return nil, nil
}

// TestTenMillionLinks prints what an index of ten million links costs, and fails
// where it breaks its promises: 3 GB resident, 30 s from start to first redirect.
func TestTenMillionLinks(t *testing.T) {
	if !*tenMillion {
		return
	}
	const links = 10_000_000
	dir := t.TempDir()
	began := time.Now()
	x := New(Options{Logger: testLog(t)})
	fill(t, x, links)
	report(t, x, "applied one by one", began)

	began = time.Now()
	for i := range uint64(1_000_000) {
		l := linkRoute(i*7%links+1, i*7%10_000, i*7%1000, string(crowdSlug(nil, i*7%links)))
		l.Disabled = true
		x.Apply(linkChange(l))
	}
	report(t, x, "a million of them changed", began)

	began = time.Now()
	if _, err := x.writeSnapshot(t.Context(), dir, ""); err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(dir, snapshotName))
	if err != nil {
		t.Fatal(err)
	}
	report(t, x, fmt.Sprintf("snapshot of %.2f GB written", float64(file.Size())/1e9), began)
	x = nil
	debug.FreeOSMemory()

	began = time.Now()
	x = New(Options{Logger: testLog(t)})
	var e Entry
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { Follow(x, FollowerOptions{Source: crowdSource{links}, Dir: dir}).Run(ctx); close(done) }()
	for !x.Lookup(crowdSlug(nil, 4711), &e) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("no redirect within 30 s of the start")
		}
		time.Sleep(time.Millisecond)
	}
	report(t, x, "first look-up after a start from the snapshot", began)
	cancel()
	<-done
	runtime.GC()
	report(t, x, "after a collection", began)
	for name, first := range map[string]uint64{"hit": 0, "miss": 1 << 40} {
		r := testing.Benchmark(func(b *testing.B) { benchmarkLookup(b, x, first, links) })
		t.Logf("look-up, %s: %.0f ns of processor time, %d allocations", name, r.Extra["cpu-ns/op"], r.AllocsPerOp())
	}
}

func report(t *testing.T, x *Index, what string, began time.Time) {
	took, s := time.Since(began), x.Stats()
	resident, peak := residentBytes(t)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%s: %.1f s; %d links, %.0f bytes each (garbage %.0f MB); resident %.2f GB, at most %.2f GB; Go heap %.0f MB",
		what, took.Seconds(), s.Links, float64(s.Bytes)/float64(s.Links), float64(s.Garbage)/1e6, float64(resident)/1e9,
		float64(peak)/1e9, float64(memory.HeapAlloc)/1e6)
	if peak > 3e9 {
		t.Errorf("%d bytes were resident", peak)
	}
}

// residentBytes reads the process's memory and its peak from the kernel.
func residentBytes(t *testing.T) (now, peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kB int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kB); err == nil {
			now = kB << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil {
			peak = kB << 10
		}
	}
	return now, peak
}
