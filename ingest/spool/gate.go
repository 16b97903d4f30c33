package spool

import (
	"sync"
	"sync/atomic"
	"time"
)

// gate is where a shard's producers wait: for room all together, for the disk each for its own record, so that nobody
// is woken by an fsync that does not cover it.
type gate struct {
	mu       sync.Mutex
	cond     sync.Cond // for room
	changes  uint64
	changed  chan struct{} // closed at the next change, when somebody asked
	deadline time.Duration // the earliest of those who wait for room, since the log's start; 0: nobody
	stuck    bool          // somebody waited in vain for room and none has come since

	durable atomic.Uint64 // every record that ends here or before is on disk; changes under mu
	waiters []*waiter     // for the disk
	covered []*waiter     // landed's, from one call to the next
	late    []uint64      // ends of records whose producer was told that they are unrecorded
	closed  bool
}

// waiter is a producer that waits for the disk.
type waiter struct {
	end      uint64        // of its record
	deadline time.Duration // since the log's start; 0 until the watchdog has seen it: producers read no clock
	wake     chan struct{} // holds one element; sent to by whoever takes the waiter off its gate's list
}

func newWaiter() any { return &waiter{wake: make(chan struct{}, 1)} }

// change returns a channel that is closed at the next change.
func (g *gate) change() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.changed
}

// enlist has w woken when its record is on disk, when its time is up or when the log closes. It reports false when
// there is nothing to wait for.
func (g *gate) enlist(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.durable.Load() >= w.end {
		return false
	}
	g.waiters = append(g.waiters, w)
	return true
}

// giveUp counts the record that ends at end as unrecorded, unless it is on disk; landed tells when it is after all.
func (g *gate) giveUp(end uint64, unrecorded *atomic.Int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.durable.Load() >= end {
		return nil
	}
	g.late = append(g.late, end)
	unrecorded.Add(1)
	if g.closed {
		return ErrClosed
	}
	return ErrUnrecorded
}

// landed wakes those whose records are on disk: all that end at durable or before. It returns how many it woke, how
// many wait on, and how many of the late records have landed. Calls do not overlap.
func (g *gate) landed(durable uint64) (woken, waiting int, late int64) {
	g.mu.Lock()
	if durable > g.durable.Load() {
		g.durable.Store(durable)
		kept := g.late[:0]
		for _, end := range g.late {
			if end > durable {
				kept = append(kept, end)
			}
		}
		late = int64(len(g.late) - len(kept))
		g.late = kept
		g.covered = g.take(g.covered, func(w *waiter) bool { return w.end <= durable })
		g.broadcast()
	}
	waiting = len(g.waiters)
	g.mu.Unlock()
	for _, w := range g.covered {
		w.wake <- struct{}{}
	}
	woken = len(g.covered)
	clear(g.covered)
	g.covered = g.covered[:0]
	return woken, waiting, late
}

// take moves the waiters that are meant from the list to taken. The caller holds mu.
func (g *gate) take(taken []*waiter, meant func(*waiter) bool) []*waiter {
	kept := g.waiters[:0]
	for _, w := range g.waiters {
		if meant(w) {
			taken = append(taken, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(g.waiters[len(kept):])
	g.waiters = kept
	return taken
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
	g.release(func(*waiter) bool { return true })
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

func (g *gate) release(meant func(*waiter) bool) (released int) {
	all := g.take(nil, meant)
	for _, w := range all {
		w.wake <- struct{}{}
	}
	return len(all)
}

// expectRoomBy notes that somebody is about to wait on cond for room. The caller holds mu.
func (g *gate) expectRoomBy(deadline time.Duration) {
	if g.deadline == 0 || deadline < g.deadline {
		g.deadline = deadline
	}
}

// expire wakes those who have waited long enough: for the disk, those it saw first patience ago. It reports whether
// anybody waits, and how many it released from waiting for the disk.
func (g *gate) expire(now, patience time.Duration) (waiting bool, released int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting = g.deadline != 0 || len(g.waiters) > 0
	if g.deadline != 0 && g.deadline <= now {
		g.broadcast()
	}
	released = g.release(func(w *waiter) bool {
		if w.deadline == 0 {
			w.deadline = max(now+patience, 1)
		}
		return w.deadline <= now
	})
	return waiting, released
}
