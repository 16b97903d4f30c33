package links

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"tributary/attribution"
)

// A model is the index as a plain map would have it.
type model map[uint64]*attribution.LinkRoute

func key(l *attribution.LinkRoute) string {
	if l.Vanity {
		return "vanity " + strings.ToLower(l.Slug)
	}
	return "random " + l.Slug
}

func (m model) apply(l *attribution.LinkRoute) {
	delete(m, l.Identity.Number)
	if l.Deleted {
		return
	}
	for number, other := range m {
		if key(other) == key(l) {
			delete(m, number)
		}
	}
	m[l.Identity.Number] = l
}

func (m model) lookup(slug string) *attribution.LinkRoute {
	var vanity *attribution.LinkRoute
	for _, l := range m {
		switch {
		case !l.Vanity && l.Slug == slug:
			return l
		case l.Vanity && strings.EqualFold(l.Slug, slug):
			vanity = l
		}
	}
	return vanity
}

var modelSlugs = []string{"abc", "Abc", "ABC", "xyzzy", "XyZZy", "k3VbQ9xT", "K3VBQ9XT", "a-b_c", "A-B_C"}

func drawLink(t *rapid.T) *attribution.LinkRoute {
	l := linkRoute(rapid.Uint64Range(1, 12).Draw(t, "number"), 1, 1, rapid.SampledFrom(modelSlugs).Draw(t, "slug"))
	l.Vanity = rapid.Bool().Draw(t, "vanity")
	l.Disabled = rapid.Bool().Draw(t, "disabled")
	l.Deleted = rapid.IntRange(0, 4).Draw(t, "deleted") == 0
	l.MaxClicks = rapid.Int64Range(0, 2).Draw(t, "max")
	if size := rapid.SampledFrom([]int{0, 10, 400, 1600}).Draw(t, "size"); size > 0 {
		l.Destination = strings.Repeat("d", size)
	}
	if rule := rapid.IntRange(0, 3).Draw(t, "rule"); rule > 0 {
		l.Rules = []attribution.DestinationRule{{Destination: fmt.Sprint("https://shop1.example/", rule)}}
	}
	return l
}

func TestIndexIsLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := Options{memory: heapMemory, chunkBytes: testChunkBytes}
		x := New(options)
		x.Apply(advertiserChange(advertiserRoute(1)))
		x.Apply(campaignChange(campaignRoute(1, 1)))
		m := model{}
		crowd := uint64(1000)
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				for range 4 {
					l := drawLink(t)
					x.Apply(linkChange(l))
					m.apply(l)
				}
			},
			"crowd comes and goes": func(t *rapid.T) {
				for n := range uint64(150) {
					x.Apply(linkChange(linkRoute(crowd+n, 1, 1, fmt.Sprint("crowd", crowd+n))))
				}
				for n := range uint64(150) {
					gone := linkRoute(crowd+n, 1, 1, "")
					gone.Deleted = true
					x.Apply(linkChange(gone))
				}
				crowd += 150
			},
			"restart": func(t *rapid.T) {
				written := snapshotBytes(t, x, "cat")
				x = New(options)
				if err := x.readSnapshot(bytes.NewReader(written), "cat"); err != nil {
					t.Fatal(err)
				}
			},
			"read all again": func(t *rapid.T) {
				x.locked((*store).beginReload)
				x.Apply(advertiserChange(advertiserRoute(1)))
				x.Apply(campaignChange(campaignRoute(1, 1)))
				forgotten := rapid.Uint64Range(1, 12).Draw(t, "forgotten")
				delete(m, forgotten)
				for _, l := range m {
					x.Apply(linkChange(l))
				}
				x.locked((*store).endReload)
			},
			"": func(t *rapid.T) { compare(t, x, m) },
		})
	})
}

func compare(t *rapid.T, x *Index, m model) {
	if got := x.Stats().Links; got != int64(len(m)) {
		t.Fatalf("%d links, want %d", got, len(m))
	}
	var e Entry
	for _, slug := range modelSlugs {
		want := m.lookup(slug)
		known := x.Lookup([]byte(slug), &e)
		if known != (want != nil) {
			t.Fatalf("%q known is %v, want link %+v", slug, known, want)
		}
		if !known {
			continue
		}
		if e.Number != want.Identity.Number || string(e.Destination) != want.Destination || e.Disabled != want.Disabled ||
			e.MaxClicks != want.MaxClicks || describe(e.Targeting) != describe(CompileTargeting(want.Rules, want.Split)) {
			t.Fatalf("%q is link %d, want %d", slug, e.Number, want.Identity.Number)
		}
	}
	live := int64(0)
	for _, c := range x.store.arena.chunks {
		if c != nil {
			live += int64(c.used - c.garbage)
		}
	}
	if live != x.store.arena.bytes-x.store.arena.garbage {
		t.Fatalf("arena counts %d live bytes, its chunks %d", x.store.arena.bytes-x.store.arena.garbage, live)
	}
}

// versioned returns a link all of whose parts carry a version.
func versioned(n uint64, version int) *attribution.LinkRoute {
	l := linkRoute(n, 1, 1, fmt.Sprint("stable", n))
	text := fmt.Sprintf("%d.%d", n, version)
	l.Sub = [5]string{text, "", text}
	l.Rules = []attribution.DestinationRule{{Destination: text}}
	l.Destination = text + "/" + strings.Repeat("d", 200)
	return l
}

func checkVersion(x *Index, n uint64, e *Entry) error {
	if !x.Lookup(fmt.Appendf(nil, "stable%d", n), e) {
		return fmt.Errorf("link %d went missing", n)
	}
	text := string(e.Sub[0])
	if e.Number != n || string(e.Sub[2]) != text || e.Targeting == nil || string(e.Targeting.Rules[0].Destination) != text ||
		!strings.HasPrefix(string(e.Destination), text+"/") || !strings.HasPrefix(text, fmt.Sprint(n, ".")) {
		return fmt.Errorf("link %d is torn: number %d, sub %q, targeting %s, destination %.20q", n, e.Number, text, describe(e.Targeting), e.Destination)
	}
	return nil
}

func TestReadersNeverMissOrTearALink(t *testing.T) {
	for name, memory := range map[string]allocator{"go memory": heapMemory, "mapped memory": mapMemory} {
		t.Run(name, func(t *testing.T) {
			x := emptyTestIndex(t, memory)
			x.Apply(advertiserChange(advertiserRoute(1)))
			x.Apply(campaignChange(campaignRoute(1, 1)))
			const stable = 50
			for n := range uint64(stable) {
				x.Apply(linkChange(versioned(n, 0)))
			}
			var done atomic.Bool
			var readers sync.WaitGroup // and writers of snapshots
			for r := range 4 {
				readers.Go(func() {
					random := rand.New(rand.NewPCG(uint64(r), 1))
					var e Entry
					for !done.Load() {
						if err := checkVersion(x, random.Uint64N(stable), &e); err != nil {
							t.Error(err)
							return
						}
						x.Lookup([]byte("crowd1234"), &e)
						x.AdvertiserByPublicKey("pk_1")
					}
				})
			}
			random := rand.New(rand.NewPCG(9, 9))
			for i := range 2500 {
				x.Apply(linkChange(versioned(random.Uint64N(stable), i+1)))
				x.Apply(linkChange(linkRoute(uint64(1000+i), 1, 1, fmt.Sprint("crowd", i))))
				if i%3 == 0 {
					gone := linkRoute(uint64(1000+i), 1, 1, "")
					gone.Deleted = true
					x.Apply(linkChange(gone))
				}
				if i%500 == 0 {
					readers.Go(func() { snapshotBytes(t, x, "cat") })
				}
			}
			done.Store(true)
			readers.Wait()
		})
	}
}
