package catalog

import (
	"testing"

	"tributary/attribution"
)

// BenchmarkCreateLinks makes links a thousand at a time; one op is one link.
func BenchmarkCreateLinks(b *testing.B) {
	w := benchWorld(b)
	b.ResetTimer()
	makeLinks(b, w, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "links/s")
}

// BenchmarkRoutes streams the feed of b.N links (try -benchtime 1000000x).
func BenchmarkRoutes(b *testing.B) {
	w := benchWorld(b)
	makeLinks(b, w, b.N)
	b.ResetTimer()
	links := 0
	_, err := w.Routes(w.ctx, func(change attribution.RouteChange) error {
		if change.Link != nil {
			links++
		}
		return nil
	})
	if err != nil || links != b.N {
		b.Fatalf("%d links of %d, %v", links, b.N, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "links/s")
}

func benchWorld(b *testing.B) *world {
	b.Helper()
	b.ReportAllocs()
	return newWorld(b, openIn(b, b.TempDir()))
}

func makeLinks(b *testing.B, w *world, n int) {
	b.Helper()
	for n > 0 {
		requests := make([]LinkRequest, min(n, MaxBulk))
		for i := range requests {
			requests[i].TaskID = w.task.ID
		}
		if _, err := w.CreateLinks(w.ctx, admin, requests); err != nil {
			b.Fatal(err)
		}
		n -= len(requests)
	}
}
