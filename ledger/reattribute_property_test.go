package ledger

import (
	"testing"

	"pgregory.net/rapid"

	"tributary/attribution"
	"tributary/catalog"
)

// TestReattributionHolds decides again under random models amid random things, and
// checks after each step that the books are in order.
func TestReattributionHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(t, `{"budget":{"amount":"60.00"},"max_creator_payout":"90.00",
			"terms":{"caps":[{"scope":"creator","metric":"payout","period":"day","limit":"30.00"}]}}`)
		defer s.db.Close()
		_, second := s.join("Ben")
		b := &books{shop: s, T: rt, budgetMinor: 6000, hard: true, raw: s.raw()}
		defer b.raw.Close()
		post := must(s.catalog.CreatePost(s.ctx, catalogAdmin, s.link.TaskID, catalog.PostFields{URL: "https://video.example/1"}))(s)
		b.post = &posted{s, post}
		b.clicks = []string{s.click(s.link, attribution.Valid), s.click(second, attribution.Valid)}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			b.step()
			b.check()
			asked := Reattribution{
				AdvertiserID: s.advertiser.ID, From: instant("2027-01-01T00:00:00Z"), To: instant("2027-12-01T00:00:00Z"),
				Model: rapid.SampledFrom(models[:]).Draw(rt, "model"), DryRun: rapid.Bool().Draw(rt, "dry"),
			}
			must(s.Reattribute(s.ctx, adminScope, asked))(s)
			b.check()
		}
	})
}
