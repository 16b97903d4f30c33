package links

import (
	"sync/atomic"
	"unsafe"
)

// A table is an open-addressing hash table from a hash to values of 40 bits,
// with linear probing. One goroutine writes, any number probe: a slot is one
// word, written and read atomically. A table never grows; a fuller one is
// replaced by rehashed.
//
// A slot holds 24 bits of the hash above the value, so that a probe that misses
// hardly ever has to look at what a value stands for. The values 0 and 1 below
// the hash bits mean empty and removed.
type table struct {
	slots  []atomic.Uint64
	memory *region
	used   *marks // which slots were probed with success; nil: nobody asks

	live, removed int // the writer's
}

const (
	valueBits  = 40
	valueMask  = 1<<valueBits - 1
	maxValue   = valueMask - firstValue
	firstValue = 2

	emptySlot   = 0
	removedSlot = 1

	minTableSlots = 1 << 10
	slotBytes     = 8
)

// newTable makes a table that takes at least n values before it is full.
func newTable(n int, alloc allocator) *table {
	slots := minTableSlots
	for tooFull(n, slots) {
		slots *= 2
	}
	memory := alloc(slots * slotBytes)
	words := unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(memory.mem))), slots)
	return &table{slots: words, memory: memory}
}

// tooFull reports whether n of so many slots are more than 70 %: beyond that,
// probing gets long.
func tooFull(n, slots int) bool { return n*10 > slots*7 }

// full reports whether the table must be replaced before the next insert.
func (t *table) full() bool { return tooFull(t.live+t.removed+1, len(t.slots)) }

func (t *table) bytes() int64 { return int64(len(t.memory.mem)) }

// A probe walks the values that a hash may stand for.
type probe struct {
	slots []atomic.Uint64
	tag   uint64
	at    uint64
}

func (t *table) probe(hash uint64) probe {
	return probe{slots: t.slots, tag: hash &^ valueMask, at: hash}
}

// next returns the next candidate, or false after the last.
func (p *probe) next() (value uint64, found bool) {
	mask := uint64(len(p.slots) - 1)
	for {
		slot := p.slots[p.at&mask].Load()
		p.at++
		if slot == emptySlot {
			return 0, false
		}
		if slot&^valueMask == p.tag && slot&valueMask >= firstValue {
			return slot&valueMask - firstValue, true
		}
	}
}

// insert adds a value. The table must not be full.
func (t *table) insert(hash, value uint64) {
	mask := uint64(len(t.slots) - 1)
	for at := hash; ; at++ {
		slot := &t.slots[at&mask]
		old := slot.Load()
		if old == removedSlot {
			t.removed--
		} else if old != emptySlot {
			continue
		}
		slot.Store(hash&^valueMask | (value + firstValue))
		t.live++
		return
	}
}

// replace puts a value in the place of one that is there.
func (t *table) replace(hash, old, value uint64) {
	if slot := t.slotOf(hash, old); slot != nil {
		slot.Store(hash&^valueMask | (value + firstValue))
	}
}

func (t *table) remove(hash, value uint64) {
	if slot := t.slotOf(hash, value); slot != nil {
		slot.Store(removedSlot)
		t.live--
		t.removed++
	}
}

func (t *table) slotOf(hash, value uint64) *atomic.Uint64 {
	p := t.probe(hash)
	for {
		switch found, ok := p.next(); {
		case !ok:
			return nil
		case found == value:
			return &t.slots[(p.at-1)&uint64(len(t.slots)-1)]
		}
	}
}

// each calls f with every value, until f returns false.
func (t *table) each(f func(value uint64) bool) {
	for i := range t.slots {
		if slot := t.slots[i].Load(); slot&valueMask >= firstValue && !f(slot&valueMask-firstValue) {
			return
		}
	}
}

// rehashed returns a table of the same values with room for as many again as
// there are, and without the removed ones' slots. moved gives a value's new
// name and its hash.
func (t *table) rehashed(alloc allocator, moved func(value uint64) (hash, renamed uint64)) *table {
	fresh := newTable(t.live+t.live/2+1, alloc)
	if t.used != nil {
		fresh.used = newMarks(len(fresh.slots), alloc)
	}
	t.each(func(value uint64) bool {
		fresh.insert(moved(value))
		return true
	})
	return fresh
}
