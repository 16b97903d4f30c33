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
	gate      gate
}

// gate is where producers wait for room or for the disk. One broadcast wakes them all.
type gate struct {
	mu       sync.Mutex
	cond     sync.Cond
	changes  uint64
	changed  chan struct{} // closed at the next change, when somebody asked
	durable  uint64        // every record that ends here or before is on disk
	late     []uint64      // ends of records whose producer was told that they are unrecorded
	deadline time.Duration // the earliest of those who wait, since the log's start; 0: nobody
	closed   bool
	stuck    bool // somebody waited in vain for room and none has come since
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
	s.gate.durable = from
	s.ring.touch(0, s.ring.size())
	s.limit.Store(from + s.ring.size())
}

func (s *shard) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.gate.roomMade()
}

func (g *gate) synced() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.durable
}

// change returns a channel that is closed at the next release.
func (g *gate) change() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.changed
}

// landed wakes those who wait for the disk: records up to durable are on it. It returns how many of the late ones are.
func (g *gate) landed(durable uint64) (late int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if durable <= g.durable {
		return 0
	}
	g.durable = durable
	kept := g.late[:0]
	for _, end := range g.late {
		if end > durable {
			kept = append(kept, end)
		}
	}
	late = int64(len(g.late) - len(kept))
	g.late = kept
	g.broadcast()
	return late
}

// roomMade wakes those who wait for room.
func (g *gate) roomMade() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stuck = false
	g.broadcast()
}

// close sends everybody away.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.broadcast()
}

func (g *gate) broadcast() {
	g.changes++
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
	if g.deadline != 0 {
		g.deadline = 0
		g.cond.Broadcast()
	}
}

// wait blocks until the next change. The caller holds mu.
func (g *gate) wait(deadline time.Duration) {
	if g.deadline == 0 || deadline < g.deadline {
		g.deadline = deadline
	}
	g.cond.Wait()
}

// expire wakes those who wait when one of them has waited long enough.
func (g *gate) expire(now time.Duration) (waiting bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.deadline != 0 && g.deadline <= now {
		g.broadcast()
		return true
	}
	return g.deadline != 0
}
