package links

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tributary/attribution"
)

func fullLink(n uint64, slug string) *attribution.LinkRoute {
	l := linkRoute(n, 1, 1, slug)
	l.Identity.PostID = testID(attribution.PrefixPost, n)
	l.Destination = "https://shop1.example/p/ü?a=b#c"
	l.Sub = [5]string{"one", "", "three", "", "fünf"}
	l.Rules = []attribution.DestinationRule{{
		When:        attribution.RuleWhen{Countries: []string{"th"}, After: "2026-01-01T00:00:00Z"},
		Destination: "https://shop1.example/th",
	}}
	l.Split = []attribution.SplitArm{{Destination: "https://shop1.example/a", Weight: 3}}
	l.ExpiresAtMs = 1_800_000_000_000
	l.MaxClicks = 500
	l.Disabled = true
	return l
}

func TestLookupReturnsWhatWasApplied(t *testing.T) {
	odd := linkRoute(1<<48-1, 1, 1, "odd")
	odd.Identity.LinkID, odd.Identity.TaskID, odd.Identity.CreatorID = "lnk_1", "", strings.Repeat("c", 300)
	odd.Identity.Platform = "newest"
	for name, l := range map[string]*attribution.LinkRoute{
		"plain": linkRoute(1, 1, 1, "k3VbQ9xT"),
		"full":  fullLink(2, "Zz-_0189"),
		"odd":   odd,
		"long":  linkRoute(3, 1, 1, strings.Repeat("s", MaxSlugBytes)),
		"short": linkRoute(4, 1, 1, "a"),
	} {
		t.Run(name, func(t *testing.T) {
			x := newTestIndex(t)
			x.Apply(linkChange(l))
			wantEntry(t, x, l.Slug, l)
		})
	}
}

func TestEntryStaysAsItWasWhenTheLinkChanges(t *testing.T) {
	x := newTestIndex(t)
	l := fullLink(1, "k3VbQ9xT")
	x.Apply(linkChange(l))
	var e Entry
	if !x.Lookup([]byte(l.Slug), &e) {
		t.Fatal("unknown")
	}
	identity, destination := bytes.Clone(e.Identity), bytes.Clone(e.Destination)
	changed := fullLink(1, "k3VbQ9xT")
	changed.Destination = "https://elsewhere.example"
	x.Apply(linkChange(changed))
	if !bytes.Equal(e.Identity, identity) || !bytes.Equal(e.Destination, destination) {
		t.Error("an entry changed under its holder")
	}
	wantEntry(t, x, "k3VbQ9xT", changed)
}

func TestOnlySlugsAreLookedUp(t *testing.T) {
	x := newTestIndex(t)
	for _, slug := range []string{"", strings.Repeat("s", MaxSlugBytes+1), "with space", "ünder", "a/b", "a.b", "a%41", "nul\x00", "favicon.ico"} {
		l := linkRoute(7, 1, 1, slug)
		x.Apply(linkChange(l))
		wantUnknown(t, x, slug)
	}
	if n := x.Stats().Links; n != 0 {
		t.Errorf("%d links with impossible slugs are kept", n)
	}
}

func TestVanitySlugsIgnoreCaseAndNeverShadowRandomOnes(t *testing.T) {
	random := linkRoute(1, 1, 1, "AbCdEfGh")
	vanity := linkRoute(2, 1, 1, "abcdEFGH")
	vanity.Vanity = true
	for _, order := range [][]*attribution.LinkRoute{{random, vanity}, {vanity, random}} {
		x := newTestIndex(t)
		for _, l := range order {
			x.Apply(linkChange(l))
		}
		wantEntry(t, x, "AbCdEfGh", random)
		for _, spelling := range []string{"abcdEFGH", "abcdefgh", "ABCDEFGH", "aBcDeFgH"} {
			wantEntry(t, x, spelling, vanity)
		}
		random := *random
		random.Deleted = true
		x.Apply(linkChange(&random))
		wantEntry(t, x, "AbCdEfGh", vanity)
	}

	x := newTestIndex(t)
	x.Apply(linkChange(random))
	wantUnknown(t, x, "abcdefgh")
}

func TestDeletedLinksAreUnknown(t *testing.T) {
	x := newTestIndex(t)
	l := linkRoute(1, 1, 1, "k3VbQ9xT")
	x.Apply(linkChange(l))
	gone := *l
	gone.Deleted = true
	x.Apply(linkChange(&gone))
	wantUnknown(t, x, "k3VbQ9xT")
	x.Apply(linkChange(&gone))
	x.Apply(linkChange(l))
	wantEntry(t, x, "k3VbQ9xT", l)
}

func TestSlugsMoveBetweenLinks(t *testing.T) {
	x := newTestIndex(t)
	a, b := linkRoute(1, 1, 1, "first"), linkRoute(2, 1, 1, "second")
	x.Apply(linkChange(a))
	x.Apply(linkChange(b))

	renamed := *a
	renamed.Slug = "third"
	x.Apply(linkChange(&renamed))
	wantUnknown(t, x, "first")
	wantEntry(t, x, "third", &renamed)

	// The feed may tell of the slug's new link before the old one's end.
	taker := *b
	taker.Slug = "third"
	x.Apply(linkChange(&taker))
	wantUnknown(t, x, "second")
	wantEntry(t, x, "third", &taker)
	gone := renamed
	gone.Deleted = true
	x.Apply(linkChange(&gone))
	wantEntry(t, x, "third", &taker)
	if n := x.Stats().Links; n != 1 {
		t.Errorf("%d links, want 1", n)
	}
}

func TestLinkWaitsForItsCampaignAndAdvertiser(t *testing.T) {
	x := emptyTestIndex(t, heapMemory)
	l := linkRoute(1, 5, 6, "early")
	x.Apply(linkChange(l))
	wantUnknown(t, x, "early")
	x.Apply(campaignChange(campaignRoute(5, 6)))
	wantUnknown(t, x, "early")
	x.Apply(advertiserChange(advertiserRoute(6)))
	wantEntry(t, x, "early", l)
}

func TestCampaignChangesTouchNoLink(t *testing.T) {
	x := newTestIndex(t)
	for n := range uint64(100) {
		x.Apply(linkChange(linkRoute(n, 1, 1, fmt.Sprint("link", n))))
	}
	before := x.Stats()
	c := campaignRoute(1, 1)
	c.State.Paused = true
	c.InactiveDestination = "https://shop1.example/over"
	x.Apply(campaignChange(c))
	a := advertiserRoute(1)
	a.ClickParam = "cid"
	x.Apply(advertiserChange(a))
	if after := x.Stats(); after != before {
		t.Errorf("figures went from %+v to %+v", before, after)
	}
	var e Entry
	if !x.Lookup([]byte("link42"), &e) || !e.Campaign.State.Paused || string(e.Campaign.InactiveDestination) != c.InactiveDestination ||
		e.Advertiser.ClickParam != "cid" || e.Advertiser.Domains[0] != "shop1.example" {
		t.Errorf("link has campaign %+v and advertiser %+v", e.Campaign, e.Advertiser)
	}
}

func TestAdvertiserByPublicKey(t *testing.T) {
	x := emptyTestIndex(t, heapMemory)
	want := func(key string, n uint64) {
		t.Helper()
		switch a, known := x.AdvertiserByPublicKey(key); {
		case known != (n != 0):
			t.Errorf("key %q: known is %v", key, known)
		case known && a.ID != testID(attribution.PrefixAdvertiser, n):
			t.Errorf("key %q: advertiser %s", key, a.ID)
		}
	}
	for n := range uint64(3000) { // the table grows
		x.Apply(advertiserChange(advertiserRoute(n + 1)))
	}
	want("pk_1", 1)
	want("pk_3000", 3000)
	want("pk_3001", 0)
	want("", 0)
	a := advertiserRoute(7)
	a.PublicKey = "rotated"
	x.Apply(advertiserChange(a))
	want("pk_7", 0)
	want("rotated", 7)
}

func TestSameChangeAgainMakesNoGarbage(t *testing.T) {
	x := newTestIndex(t)
	for range 3 {
		x.Apply(linkChange(fullLink(1, "k3VbQ9xT")))
		x.Apply(linkChange(linkRoute(2, 1, 1, "other")))
	}
	if s := x.Stats(); s.Garbage != 0 || s.Links != 2 || s.Targetings != 1 {
		t.Errorf("figures are %+v", s)
	}
}

func TestTargetingsAreSharedAndGivenUp(t *testing.T) {
	x := newTestIndex(t)
	for n := range uint64(10) {
		x.Apply(linkChange(fullLink(n, fmt.Sprint("link", n))))
	}
	if s := x.Stats(); s.Targetings != 1 {
		t.Errorf("%d targetings, want 1", s.Targetings)
	}
	for n := range uint64(10) {
		x.Apply(linkChange(linkRoute(n, 1, 1, fmt.Sprint("link", n))))
	}
	if s := x.Stats(); s.Targetings != 0 {
		t.Errorf("%d targetings, want none", s.Targetings)
	}
	other := fullLink(3, "link3")
	other.Split[0].Weight = 7
	x.Apply(linkChange(other))
	wantEntry(t, x, "link3", other)
}

func TestGarbageIsCollected(t *testing.T) {
	x := newTestIndex(t)
	before := x.Stats().Bytes // of the tables
	last := map[uint64]*attribution.LinkRoute{}
	for i := range uint64(2000) {
		n := i % 20
		if i < 20 {
			n = 100 + i // these stay where they were put, unless evacuated
		}
		l := linkRoute(n, 1, 1, fmt.Sprint("link", n))
		l.Destination = "https://shop1.example/" + strings.Repeat("x", 500) + fmt.Sprint(i)
		x.Apply(linkChange(l))
		last[n] = l
	}
	for _, l := range last {
		wantEntry(t, x, l.Slug, l)
	}
	s := x.Stats()
	if live := int64(len(last)) * 600; s.Bytes-before > 3*live+4*testChunkBytes {
		t.Errorf("%d bytes for %d live ones, %d of them garbage", s.Bytes, live, s.Garbage)
	}
}

func TestChunksAreGathered(t *testing.T) {
	x := newTestIndex(t)
	big := strings.Repeat("x", testChunkBytes/2)
	var last [3]*attribution.LinkRoute
	for i := range 2500 {
		n := i % 2
		if i == 1000 {
			n = 2 // stays in the middle of holes
		}
		l := linkRoute(uint64(n), 1, 1, fmt.Sprint("link", n))
		l.Destination = big + fmt.Sprint(i)
		x.Apply(linkChange(l))
		last[n] = l
	}
	for _, l := range last {
		wantEntry(t, x, l.Slug, l)
	}
	if chunks := len(x.store.arena.chunks); chunks > 1500 {
		t.Errorf("the list has %d chunks for 3 links", chunks)
	}
}

func TestLinkLongerThanAChunkIsRefused(t *testing.T) {
	x := newTestIndex(t)
	l := linkRoute(1, 1, 1, "long")
	l.Destination = strings.Repeat("x", testChunkBytes)
	x.Apply(linkChange(l))
	wantUnknown(t, x, "long")
}

func TestLookupAllocatesNothing(t *testing.T) {
	x := newTestIndex(t)
	x.Apply(linkChange(fullLink(1, "k3VbQ9xT")))
	vanity := linkRoute(2, 1, 1, "Summer-Sale")
	vanity.Vanity = true
	x.Apply(linkChange(vanity))
	var e Entry
	slugs := [][]byte{[]byte("k3VbQ9xT"), []byte("summer-SALE"), []byte("unknown8"), []byte("not a slug")}
	for _, slug := range slugs {
		x.Lookup(slug, &e)
		if n := testing.AllocsPerRun(100, func() { x.Lookup(slug, &e) }); n != 0 {
			t.Errorf("looking %q up allocates %v times", slug, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { x.AdvertiserByPublicKey("pk_1") }); n != 0 {
		t.Errorf("looking a public key up allocates %v times", n)
	}
}
