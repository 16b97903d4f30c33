package catalog

import (
	"context"
	"testing"

	"tributary/attribution"
	"tributary/schema/database"
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

// BenchmarkOfferedTo looks for those who are to be told of ten campaigns among b.N
// creators (try -benchtime 100000x); one op is one creator.
func BenchmarkOfferedTo(b *testing.B) {
	w := benchWorld(b)
	var campaigns []string
	for range 10 {
		campaigns = append(campaigns, w.offer(func(f *CampaignFields) { f.Eligibility.Countries = []string{"TH"} }).ID)
	}
	w.signUp(b.N)
	b.ResetTimer()
	found := 0
	for p := (Page{Limit: MaxLimit}); ; {
		list := must(w.Creators(w.ctx, admin, CreatorFilter{}, p))(b)
		for _, campaign := range campaigns {
			_, told, err := w.OfferedTo(w.ctx, campaign, list.Items)
			if err != nil {
				b.Fatal(err)
			}
			found += len(told)
		}
		if p.Cursor = list.NextCursor; p.Cursor == "" {
			break
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creators/s")
	if found < b.N/2*len(campaigns) {
		b.Fatalf("found %d of %d", found, b.N)
	}
}

// BenchmarkOfferedCampaigns lists 1,000 campaigns to a creator who sees half of
// them; one op is one page of 100.
func BenchmarkOfferedCampaigns(b *testing.B) {
	w := benchWorld(b)
	for i := range 1000 {
		w.offer(func(f *CampaignFields) { f.Eligibility.Countries = []string{[]string{"TH", "VN"}[i%2]} })
	}
	_, scope := w.newcomer(CreatorFields{Country: "TH"})
	b.ResetTimer()
	for range b.N {
		if list := must(w.Campaigns(w.ctx, scope, CampaignFilter{}, Page{}))(b); len(list.Items) != defaultLimit {
			b.Fatalf("%d campaigns", len(list.Items))
		}
	}
}

// signUp makes creators, every other one in Thailand.
func (w *world) signUp(n int) {
	w.t.Helper()
	ok(w.t, w.db.Write(w.ctx, func(ctx context.Context, _ *database.Tx) error {
		for i := range n {
			fields := CreatorFields{Name: "creator", Email: "c@example.com", Country: []string{"TH", "VN"}[i%2], Categories: []string{"beauty"},
				Socials: []Social{{Platform: "tiktok", Handle: "creator", Followers: 1000}}}
			if _, err := w.CreateCreator(ctx, admin, fields); err != nil {
				return err
			}
		}
		return nil
	}))
}
