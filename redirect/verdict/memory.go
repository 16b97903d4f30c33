package verdict

import (
	"hash/maphash"
	"sync/atomic"

	"tributary/attribution"
)

// memorySlots times 8 bytes is all a memory ever takes.
const (
	memorySlots = 1 << 16
	slotTaken   = 1 << 15 // told from the reasons of an empty slot
	reasonBits  = 1<<15 - 1
)

// A memory recalls the reasons of user agents seen before. A slot is one word:
// the upper 48 bits of the user agent's hash and its reasons, where the lower 16
// bits of the hash chose the slot, so that all 64 are compared. The hash is
// seeded afresh in every process: nobody can prepare two user agents that share
// one, and among a million different ones the odds that any is mistaken for
// another are below 1 in 10^8. The newest user agent takes a slot; a flood of
// random ones costs a scan each and no memory.
type memory struct {
	seed  maphash.Seed
	slots [memorySlots]atomic.Uint64
}

func (m *memory) hash(userAgent []byte) uint64 { return maphash.Bytes(m.seed, userAgent) }

func (m *memory) recall(hash uint64) (attribution.Reasons, bool) {
	word := m.slots[hash%memorySlots].Load()
	known := word&slotTaken != 0 && (word^hash)&^(memorySlots-1) == 0
	return attribution.Reasons(word & reasonBits), known
}

func (m *memory) keep(hash uint64, reasons attribution.Reasons) {
	m.slots[hash%memorySlots].Store(hash&^(memorySlots-1) | slotTaken | uint64(reasons))
}
