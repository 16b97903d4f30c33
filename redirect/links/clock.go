package links

import (
	"sync/atomic"
	"unsafe"
)

// An index with MaxLinks lets go of the links nobody asked for: a clock's hand goes
// round the slots of the table, spares each that was used since it last came by,
// and takes the first that was not (the second-chance algorithm). A look-up writes
// only when its slot's mark is not set yet, which for links in use is rare.

// marks are a bit for each slot of a table.
type marks struct {
	words  []atomic.Uint32
	memory *region
}

const markWordBytes = 4

func newMarks(slots int, alloc allocator) *marks {
	memory := alloc(max(slots/32, 1) * markWordBytes)
	return &marks{unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(memory.mem))), max(slots/32, 1)), memory}
}

// use notes that the slot before a probe's place was asked for.
func (t *table) use(at uint64) {
	if t.used != nil {
		t.used.set((at - 1) & uint64(len(t.slots)-1))
	}
}

func (m *marks) set(slot uint64) {
	word, bit := &m.words[slot/32], uint32(1)<<(slot%32)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// clear takes a slot's mark away and reports whether it had one.
func (m *marks) clear(slot int) bool {
	word, bit := &m.words[slot/32], uint32(1)<<(slot%32)
	return word.And(^bit)&bit != 0
}

// makeRoom lets links go until there is room for so many more.
func (s *store) makeRoom(more int) {
	for s.max > 0 && s.numbers.live > 0 && s.numbers.live+more > s.max {
		s.letGo()
	}
}

// letGo removes the next link that was not used since the hand last came by.
func (s *store) letGo() {
	for {
		s.hand = (s.hand + 1) % len(s.slugs.slots)
		word := s.slugs.slots[s.hand].Load()
		if word&valueMask >= firstValue && !s.slugs.used.clear(s.hand) {
			s.removeLink(keyOf(s.bodyAt(word&valueMask - firstValue)).number)
			return
		}
	}
}

// holds reports whether the link with a number is in the store.
func (s *store) holds(number uint64) bool {
	_, held := s.placeOfLink(number)
	return held
}

// slugsFrom returns up to n slugs of links in the slots from a place on, and the
// place to go on from. A table replaced meanwhile has been filled with what was
// read since, and with what moved to places before: tables are replaced when links
// come, which were just read.
func (s *store) slugsFrom(slot, n int) (slugs []string, next int) {
	for ; slot < len(s.slugs.slots) && len(slugs) < n; slot++ {
		if word := s.slugs.slots[slot].Load(); word&valueMask >= firstValue {
			_, slug := slugOf(s.bodyAt(word&valueMask - firstValue))
			slugs = append(slugs, string(slug))
		}
	}
	return slugs, slot
}

// removeSlug removes the links a slug names, of either kind.
func (s *store) removeSlug(slug string) {
	for _, vanity := range []bool{false, true} {
		if place, held := s.holderOf(recordKey{vanity: vanity, slug: []byte(slug)}); held {
			s.removeLink(keyOf(s.bodyAt(place)).number)
		}
	}
	s.tidy()
}
