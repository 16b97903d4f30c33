package spool

import (
	"sync"
	"sync/atomic"
	"time"
)

// shard is one ring and those who wait for it. Producers hold mu while they copy.
type shard struct {
	number   int // of the ring file and in frames
	mu       sync.Mutex
	ring     *ring
	seal     sealer
	head     uint64
	appended uint64
	closed   bool

	_         [64]byte // what the producers write above, what the flusher writes below
	published atomic.Uint64
	limit     atomic.Uint64 // producers may fill positions below: free, and touched
	checker   sealer        // the flusher's
	near      uint64        // the flusher's: pages up to here were made writable again,
	nearAt    time.Duration // then
	gate      gate
}

func newShard(number int, r *ring) *shard {
	s := &shard{number: number, ring: r, seal: sealer{salt: r.salt}, checker: sealer{salt: r.salt}}
	s.gate.cond.L = &s.gate.mu
	return s
}

// start sets the shard up with what recovery found: records lie in [from, head).
func (s *shard) start(from, head uint64) {
	s.head = head
	s.published.Store(head)
	s.gate.durable.Store(from)
	s.ring.touch(0, s.ring.size())
	s.limit.Store(from + s.ring.size())
}

func (s *shard) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.gate.roomMade()
}
