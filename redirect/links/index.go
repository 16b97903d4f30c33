package links

import (
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"tributary/attribution"
)

// Options of an Index. The zero value is fine.
type Options struct {
	Logger   *slog.Logger // nil: slog.Default()
	MaxLinks int          // only so many are held, those in use; Misses bring them. 0: all

	memory     allocator // tests look for races in Go memory; nil: mapMemory
	chunkBytes int       // tests fill chunks with less; 0: maxChunkBytes
}

// An Index finds links by slug. Any number of goroutines may look up while
// another applies changes.
type Index struct {
	current atomic.Pointer[view] // what readers see
	hash    hasher
	log     *slog.Logger
	memory  allocator
	chunk   int // bytes
	max     int // links; 0: all
	misses  atomic.Pointer[Misses]

	mu      sync.Mutex // held by the writer; never by a look-up
	store   *store     // under mu
	partial bool       // under mu: the snapshot it came from had only some of the links

	size   gauges
	change atomic.Int64 // number of the last change applied
	behind atomic.Bool  // the Finder may not have all changes up to there
	ready  atomic.Bool
}

// A hasher hashes what clients send, under seeds that are new in each process.
type hasher struct {
	slugs, publicKeys maphash.Seed
}

func newHasher() hasher {
	return hasher{slugs: maphash.MakeSeed(), publicKeys: maphash.MakeSeed()}
}

func (h *hasher) folded(slug []byte) uint64 { return maphash.Bytes(h.slugs, slug) }

func (h *hasher) slug(slug []byte) uint64 {
	var folded [MaxSlugBytes]byte
	return h.folded(fold(&folded, slug))
}

func (h *hasher) publicKey(key string) uint64 { return maphash.String(h.publicKeys, key) }

// hashNumber spreads a link's number, which the catalog gives, over all bits:
// the finalizer of SplitMix64. Files of Limits hold 16 bits of it.
func hashNumber(number uint64) uint64 {
	number += 0x9e3779b97f4a7c15
	number = (number ^ number>>30) * 0xbf58476d1ce4e5b9
	number = (number ^ number>>27) * 0x94d049bb133111eb
	return number ^ number>>31
}

// New makes an empty index.
func New(o Options) *Index {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.memory == nil {
		o.memory = mapMemory
	}
	if o.chunkBytes == 0 {
		o.chunkBytes = maxChunkBytes
	}
	x := &Index{
		hash:   newHasher(),
		log:    o.Logger,
		memory: o.memory,
		chunk:  o.chunkBytes,
		max:    o.MaxLinks,
	}
	x.adopt(x.newStore(0))
	return x
}

// maxLooks bounds how often a look-up starts again because the link it found
// was changed meanwhile. Each time, a change was published; one is rare enough.
const maxLooks = 64

// Lookup finds the link a slug names and fills e in, which it leaves undefined
// when there is none. See the package's promise for which link that is.
func (x *Index) Lookup(slug []byte, e *Entry) bool { return x.find(slug, e, true) }

// LookupNew is Lookup for a slug that was just brought in by Misses. Being asked for
// once does not count as use: of many links that are clicked once, each would push
// out one that is clicked all the time.
func (x *Index) LookupNew(slug []byte, e *Entry) bool { return x.find(slug, e, false) }

func (x *Index) find(slug []byte, e *Entry, use bool) bool {
	var lower [MaxSlugBytes]byte
	folded := fold(&lower, slug)
	if folded == nil {
		return false
	}
	hash := x.hash.folded(folded)
	for range maxLooks {
		v := x.current.Load()
		body, at, got := v.lookup(hash, slug, folded)
		if got == found {
			if use {
				v.slugs.use(at)
			}
			got = e.fill(v, body)
		}
		runtime.KeepAlive(v) // and with it the memory the tables and body are in
		if got != stale {
			return got == found
		}
	}
	return false
}

// AdvertiserByPublicKey finds the advertiser that a pixel or tag names.
func (x *Index) AdvertiserByPublicKey(key string) (*Advertiser, bool) {
	hash := x.hash.publicKey(key)
	for range maxLooks {
		v := x.current.Load()
		advertiser, got := v.advertiserByPublicKey(hash, key)
		runtime.KeepAlive(v)
		if got != stale {
			return advertiser, got == found
		}
	}
	return nil, false
}

func (v *view) advertiserByPublicKey(hash uint64, key string) (*Advertiser, outcome) {
	p := v.publicKeys.probe(hash)
	for {
		slot, ok := p.next()
		if !ok {
			return nil, unknown
		}
		if slot >= uint64(len(v.advertisers)) {
			return nil, stale
		}
		if a := v.advertisers[slot].current.Load(); a != nil && a.PublicKey == key {
			return a, found
		}
	}
}

// Apply brings one change into the index. A link that arrives before its
// campaign or advertiser is kept until they arrive.
func (x *Index) Apply(c attribution.RouteChange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apply(&c)
	if c.Number > x.change.Load() {
		x.change.Store(c.Number)
	}
}

// apply brings a change of the feed into the store. The index's lock is held.
func (x *Index) apply(c *attribution.RouteChange) {
	if misses := x.misses.Load(); misses != nil && c.Link != nil {
		misses.overtake(c.Link.Slug)
	}
	if c.Link != nil && x.max > 0 && !x.store.holds(c.Link.Identity.Number) {
		return // it comes when somebody asks for it
	}
	x.store.apply(c)
}

// adopt makes a store the index's own and shows it to readers.
func (x *Index) adopt(s *store) {
	x.store = s
	s.gauges = &x.size
	s.shown = &x.current
	s.publish()
	s.measure()
}

// Stats are figures of an index.
type Stats struct {
	Links       int64
	Campaigns   int64
	Advertisers int64
	Targetings  int64 // different ones
	Bytes       int64 // of records and tables, outside the Go heap; garbage included
	Garbage     int64 // bytes of records that are no more
	Change      int64 // number of the last change applied
	Ready       bool  // a snapshot or the whole catalog was loaded
}

// gauges are the figures of a store as others may read them at any time.
type gauges struct {
	links, campaigns, advertisers, targetings, bytes, garbage atomic.Int64
}

// Stats returns the index's figures. It waits for nobody.
func (x *Index) Stats() Stats {
	return Stats{
		Links:       x.size.links.Load(),
		Campaigns:   x.size.campaigns.Load(),
		Advertisers: x.size.advertisers.Load(),
		Targetings:  x.size.targetings.Load(),
		Bytes:       x.size.bytes.Load(),
		Garbage:     x.size.garbage.Load(),
		Change:      x.change.Load(),
		Ready:       x.ready.Load(),
	}
}
