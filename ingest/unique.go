package ingest

import (
	"context"
	"math/bits"
	"sync/atomic"
	"time"
)

// UniqueWindowLength is how long a visitor who came back to a link is not
// counted as unique again; each valid hit starts it anew.
const UniqueWindowLength = 30 * time.Minute

// A Hit is a valid hit of a known visitor on a link.
type Hit struct {
	Link        uint64 // stable hash of the link's id
	Visitor     uint64 // never 0
	VisitorPrev uint64 // the same visitor under yesterday's salt, else 0
	AtMs        int64
	Place       uint64 // hash of link, network and user agent: the same for all hits of a visitor on a link
	Number      uint32 // of the hit itself, never 0: the same however often it is marked
	Unique      bool   // set by Mark
}

// VisitKey names the visitor on the link, whoever asks; never 0.
func (h *Hit) VisitKey() uint64 { return visitKey(h.Link, h.Visitor) }

// VisitKeyPrev names the same visitor under yesterday's salt; 0 without one.
func (h *Hit) VisitKeyPrev() uint64 {
	if h.VisitorPrev == 0 {
		return 0
	}
	return visitKey(h.Link, h.VisitorPrev)
}

// A UniqueWindow remembers which visitor was last seen on which link when. Time
// is the hits' own, never the clock's: the same hits in the same order get the
// same answers.
type UniqueWindow interface {
	// Mark decides Unique for each hit, in order, and remembers them.
	Mark(ctx context.Context, hits []Hit) error
}

// A MemoryWindow is the UniqueWindow of one process. It holds two generations
// of hash tables: hits go to the young one, and after a window's length of
// click time the old one, in which nothing can match any more, is dropped.
//
// Memory is bounded by the number of entries a generation may have, 16 bytes
// each in tables at most three quarters full: DefaultWindowEntries take up to
// 64 MiB a generation. When the young one is full early, the old one is
// dropped early, and Evicted counts those of its entries that could still have
// matched: visitors who may be counted as unique again.
type MemoryWindow struct {
	limit         int
	young, old    visitTable
	youngSinceMs  int64
	evicted       atomic.Uint64
	lengthMs      int64
	hasGeneration bool
}

// DefaultWindowEntries is the number of (link, visitor) pairs a generation
// holds: 1,700 new ones a second for half an hour.
const DefaultWindowEntries = 3 << 20

// NewMemoryWindow makes an empty window whose generations hold the given number
// of entries; DefaultWindowEntries when 0.
func NewMemoryWindow(entries int) *MemoryWindow {
	if entries <= 0 {
		entries = DefaultWindowEntries
	}
	return &MemoryWindow{limit: entries, lengthMs: UniqueWindowLength.Milliseconds()}
}

// Mark implements UniqueWindow; it never fails.
func (w *MemoryWindow) Mark(_ context.Context, hits []Hit) error {
	for i := range hits {
		h := &hits[i]
		last, seen := w.last(visitKey(h.Link, h.Visitor))
		if h.VisitorPrev != 0 {
			if before, there := w.last(visitKey(h.Link, h.VisitorPrev)); there && (!seen || before > last) {
				last, seen = before, true
			}
		}
		// A record may be a little older than one before it in the log.
		h.Unique = !seen || h.AtMs-last >= w.lengthMs || last-h.AtMs >= w.lengthMs
		w.Seen(*h)
	}
	return nil
}

// Seen remembers a hit without asking whether it is unique.
func (w *MemoryWindow) Seen(h Hit) {
	w.touch(visitKey(h.Link, h.Visitor), h.AtMs)
	if h.VisitorPrev != 0 {
		// A hit of before midnight that comes late still knows only this one.
		w.touch(visitKey(h.Link, h.VisitorPrev), h.AtMs)
	}
}

// Evicted is the number of entries dropped although they could still match; it
// may be asked at any time.
func (w *MemoryWindow) Evicted() uint64 { return w.evicted.Load() }

// Entries is the number of entries held.
func (w *MemoryWindow) Entries() int { return w.young.used + w.old.used }

func (w *MemoryWindow) last(key uint64) (atMs int64, seen bool) {
	young, inYoung := w.young.get(key)
	old, inOld := w.old.get(key)
	if inYoung && (!inOld || young >= old) {
		return young, true
	}
	return old, inOld
}

func (w *MemoryWindow) touch(key uint64, atMs int64) {
	switch {
	case !w.hasGeneration:
		w.youngSinceMs, w.hasGeneration = atMs, true
	case atMs-w.youngSinceMs >= w.lengthMs, w.young.used >= w.limit:
		w.rotate(atMs)
	}
	if before, there := w.old.get(key); there && before > atMs {
		atMs = before
	}
	w.young.put(key, atMs)
}

func (w *MemoryWindow) rotate(atMs int64) {
	for _, v := range w.old.slots {
		if v.key != 0 && atMs-v.atMs < w.lengthMs {
			if renewed, _ := w.young.get(v.key); renewed < v.atMs {
				w.evicted.Add(1)
			}
		}
	}
	w.old = w.young
	w.young = newVisitTable(w.old.used)
	w.youngSinceMs = atMs
}

// visitKey mixes link and visitor into a key that is never 0.
func visitKey(link, visitor uint64) uint64 {
	x := link ^ bits.RotateLeft64(visitor, 32)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	if x == 0 {
		return 1
	}
	return x
}

// A visitTable is a hash table with open addressing and no deletion. Keys are
// well mixed. The zero table is empty.
type visitTable struct {
	slots []visit // a power of two of them
	used  int
}

type visit struct {
	key  uint64 // 0: free
	atMs int64
}

// newVisitTable makes a table that takes the given number of entries without
// growing.
func newVisitTable(entries int) visitTable {
	return visitTable{slots: make([]visit, max(1024, 1<<bits.Len(uint(entries*4/3))))}
}

func (t *visitTable) get(key uint64) (int64, bool) {
	if t.used == 0 {
		return 0, false
	}
	v := t.slot(key)
	return v.atMs, v.key == key
}

// put keeps the latest time of a key.
func (t *visitTable) put(key uint64, atMs int64) {
	if (t.used+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	v := t.slot(key)
	if v.key == 0 {
		t.used++
		*v = visit{key, atMs}
	} else if atMs > v.atMs {
		v.atMs = atMs
	}
}

// slot is the key's place, or the free one where it would be.
func (t *visitTable) slot(key uint64) *visit {
	mask := uint64(len(t.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if v := &t.slots[i]; v.key == key || v.key == 0 {
			return v
		}
	}
}

func (t *visitTable) grow() {
	grown := newVisitTable(max(1024, len(t.slots)))
	for _, v := range t.slots {
		if v.key != 0 {
			*grown.slot(v.key) = v
		}
	}
	grown.used = t.used
	t.slots = grown.slots
}
