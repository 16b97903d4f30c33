package links

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tributary/attribution"
)

func testID(prefix string, n uint64) string {
	var entropy [10]byte
	for i := range 8 {
		entropy[i] = byte(n >> (8 * i))
	}
	return attribution.MakeID(prefix, 1_700_000_000_000+int64(n), entropy)
}

func advertiserRoute(n uint64) *attribution.AdvertiserRoute {
	return &attribution.AdvertiserRoute{
		ID:         testID(attribution.PrefixAdvertiser, n),
		Domains:    []string{fmt.Sprintf("Shop%d.Example", n)},
		ClickParam: "tcid",
		PublicKey:  fmt.Sprintf("pk_%d", n),
	}
}

func campaignRoute(n, advertiser uint64) *attribution.CampaignRoute {
	return &attribution.CampaignRoute{
		ID:           testID(attribution.PrefixCampaign, n),
		AdvertiserID: testID(attribution.PrefixAdvertiser, advertiser),
		State:        attribution.CampaignState{Approved: true, EndsAtMs: 1 << 50},
		Destination:  fmt.Sprintf("https://shop%d.example/campaign/%d", advertiser, n),
	}
}

func linkRoute(n, campaign, advertiser uint64, slug string) *attribution.LinkRoute {
	return &attribution.LinkRoute{
		Identity: attribution.LinkIdentity{
			Number:       n,
			LinkID:       testID(attribution.PrefixLink, n),
			TaskID:       testID(attribution.PrefixTask, n+1e6),
			CampaignID:   testID(attribution.PrefixCampaign, campaign),
			CreatorID:    testID(attribution.PrefixCreator, n%1000),
			AdvertiserID: testID(attribution.PrefixAdvertiser, advertiser),
			Platform:     attribution.Platforms()[n%16],
			Currency:     "USD",
		},
		Slug: slug,
	}
}

func advertiserChange(a *attribution.AdvertiserRoute) attribution.RouteChange {
	return attribution.RouteChange{Advertiser: a}
}

func campaignChange(c *attribution.CampaignRoute) attribution.RouteChange {
	return attribution.RouteChange{Campaign: c}
}

func linkChange(l *attribution.LinkRoute) attribution.RouteChange {
	return attribution.RouteChange{Link: l}
}

// newTestIndex makes an index in Go memory, where races are seen, with
// advertiser 1 and its campaign 1.
func newTestIndex(t testing.TB) *Index {
	t.Helper()
	x := emptyTestIndex(t, heapMemory)
	x.Apply(advertiserChange(advertiserRoute(1)))
	x.Apply(campaignChange(campaignRoute(1, 1)))
	return x
}

func emptyTestIndex(t testing.TB, memory allocator) *Index {
	return New(Options{Logger: testLog(t), memory: memory, chunkBytes: testChunkBytes})
}

// testChunkBytes is little, so that a few links fill many chunks.
const testChunkBytes = 4 << 10

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// logLines keeps what is logged.
type logLines struct{ strings.Builder }

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&l.Builder, nil))
}

// wantEntry fails unless the slug leads to the link.
func wantEntry(t testing.TB, x *Index, slug string, l *attribution.LinkRoute) {
	t.Helper()
	var e Entry
	if !x.Lookup([]byte(slug), &e) {
		t.Errorf("%q is unknown, want link %d", slug, l.Identity.Number)
		return
	}
	if got, want := string(e.Identity), string(attribution.AppendIdentity(nil, &l.Identity)); got != want {
		t.Errorf("%q has identity\n%q, want\n%q", slug, got, want)
	}
	identity, err := attribution.DecodeIdentity(e.Identity)
	if err != nil || e.Number != identity.Number {
		t.Errorf("%q has number %d, identity %+v: %v", slug, e.Number, identity, err)
	}
	got := attribution.LinkRoute{
		Identity: identity,
		Slug:     l.Slug, Vanity: l.Vanity, Destination: string(e.Destination), Rules: l.Rules, Split: l.Split,
		ExpiresAtMs: e.ExpiresAtMs, MaxClicks: e.MaxClicks, Disabled: e.Disabled,
	}
	for i, sub := range e.Sub {
		got.Sub[i] = string(sub)
	}
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", *l); got != want {
		t.Errorf("%q is\n%.2000s, want\n%.2000s", slug, got, want)
	}
	if got, want := describe(e.Targeting), describe(CompileTargeting(l.Rules, l.Split)); got != want {
		t.Errorf("%q has targeting\n%s, want\n%s", slug, got, want)
	}
	if e.Campaign == nil || e.Campaign.ID != l.Identity.CampaignID {
		t.Errorf("%q has campaign %+v", slug, e.Campaign)
	}
	if e.Advertiser == nil || e.Advertiser.ID != l.Identity.AdvertiserID {
		t.Errorf("%q has advertiser %+v", slug, e.Advertiser)
	}
}

func wantUnknown(t testing.TB, x *Index, slug string) {
	t.Helper()
	var e Entry
	if x.Lookup([]byte(slug), &e) {
		t.Errorf("%q leads to link %d, want none", slug, e.Number)
	}
}

func describe(t *Targeting) string {
	if t == nil {
		return "none"
	}
	return fmt.Sprintf("%+v %+v %d", t.Rules, t.Split, t.SplitTotal)
}
