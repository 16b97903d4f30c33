package spool

import (
	"hash/crc32"
	"time"
)

// Append takes the record out of the reach of kill -9 and, with SyncWithin 0, onto the disk; it copies the record. Any
// shard number will do; producers that differ in it do not meet. It waits no longer than MaxWait.
//
// An error is an ErrUnrecorded: the record is not safe, and counted in Stats.Unrecorded.
func (l *Log) Append(shard uint32, record []byte) error {
	if len(record) > l.opt.MaxRecordBytes {
		l.unrecorded.Add(1)
		return ErrTooLarge
	}
	s := l.shard(shard)
	end, err := l.take(s, record)
	if err != nil {
		l.unrecorded.Add(1)
		return err
	}
	if l.opt.SyncWithin > 0 {
		return nil
	}
	return l.awaitDisk(s, end)
}

func (l *Log) shard(n uint32) *shard { return l.shards[n%uint32(l.opt.Shards)] }

// AppendAll appends records in their order, next to each other but for those of other producers, and with SyncWithin 0
// waits for the disk once, for all of them. After an error some may be in the log: whoever is told must send all again.
func (l *Log) AppendAll(shard uint32, records [][]byte) error {
	for _, record := range records {
		if len(record) > l.opt.MaxRecordBytes {
			l.unrecorded.Add(int64(len(records)))
			return ErrTooLarge
		}
	}
	s := l.shard(shard)
	var end uint64
	for i, record := range records {
		var err error
		if end, err = l.take(s, record); err != nil {
			l.unrecorded.Add(int64(len(records) - i))
			return err
		}
	}
	if l.opt.SyncWithin > 0 || len(records) == 0 {
		return nil
	}
	return l.awaitDisk(s, end)
}

// take brings the record into the shard's ring, waiting for room if it must.
func (l *Log) take(s *shard, record []byte) (end uint64, err error) {
	sum := crc32.Update(0, castagnoli, record)
	end, took, err := l.put(s, record, sum)
	if !took && err == nil {
		end, err = l.putWaiting(s, record, sum)
	}
	if err == nil && l.parked.Load() {
		l.unpark()
	}
	return end, err
}

// put copies the record into the shard's ring if there is room.
func (l *Log) put(s *shard, record []byte, sum uint32) (end uint64, took bool, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return 0, false, ErrClosed
	}
	start, end := s.ring.span(s.head, len(record))
	if end > s.limit.Load() {
		s.mu.Unlock()
		return 0, false, nil
	}
	if l.parked.Load() { // before the record counts, so that parkedAt is not later than it
		l.parkedAt.CompareAndSwap(0, wallMS(l.now()))
	}
	s.ring.put(&s.seal, s.head, start, record, sum)
	s.head = end
	s.appended++
	s.published.Store(end)
	s.mu.Unlock()
	if s.limit.Load()-end < s.ring.size()/4 && !l.urgent.Load() {
		l.hurry()
	}
	return end, true, nil
}

// putWaiting waits for room. Once somebody has waited in vain the others are refused at once, until there is room:
// there is no sense in making every shopper wait on a full disk.
func (l *Log) putWaiting(s *shard, record []byte, sum uint32) (end uint64, err error) {
	deadline := l.elapsed() + l.patience()
	g := &s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if g.stuck {
			return 0, ErrUnrecorded
		}
		changes := g.changes
		g.mu.Unlock()
		end, took, err := l.put(s, record, sum)
		l.hurry()
		g.mu.Lock()
		if took || err != nil {
			return end, err
		}
		if l.elapsed() >= deadline {
			g.stuck = true
			return 0, ErrUnrecorded
		}
		if g.changes == changes {
			g.expectRoomBy(deadline)
			l.signal(l.waiting) // not before: the watchdog rests once it finds that nobody waits
			g.cond.Wait()
		}
	}
}

// awaitDisk waits until an fsync covers the record that ends at end.
func (l *Log) awaitDisk(s *shard, end uint64) error {
	g := &s.gate
	if g.durable.Load() >= end {
		return nil
	}
	w := l.waiters.Get().(*waiter)
	w.end, w.deadline = end, 0
	if g.enlist(w) {
		l.arrive()
		l.signal(l.waiting)
		<-w.wake
	}
	l.waiters.Put(w)
	if g.durable.Load() >= end {
		return nil
	}
	return g.giveUp(end, &l.unrecorded)
}

// arrive counts a producer that waits for the disk, and ends the gathering it completes.
func (l *Log) arrive() {
	waiting := l.awaiting.Add(1)
	if enough := l.enough.Load(); enough != 0 && waiting >= enough && l.enough.CompareAndSwap(enough, 0) {
		l.signal(l.wake)
	}
}

// elapsed is the monotonic time since Open.
func (l *Log) elapsed() time.Duration { return time.Since(l.start) }

// patience is what is left of MaxWait when the watchdog's grain is taken off.
func (l *Log) patience() time.Duration { return l.opt.MaxWait - l.grain() }

func (l *Log) grain() time.Duration { return max(l.opt.MaxWait/20, time.Millisecond) }

// unpark wakes a parked flusher; one of many Appends does it.
func (l *Log) unpark() {
	if l.parked.CompareAndSwap(true, false) {
		l.signal(l.wake)
	}
}

// watch wakes producers whose time is up: the disk that should have woken them may hang.
func (l *Log) watch() {
	defer l.done.Done()
	tick := time.NewTimer(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.waiting:
		}
		for waiting := true; waiting; {
			tick.Reset(l.grain())
			select {
			case <-l.ctx.Done():
				return
			case <-tick.C:
			}
			waiting = false
			for _, s := range l.shards {
				more, released := s.gate.expire(l.elapsed(), l.patience()-l.grain())
				l.awaiting.Add(int64(-released))
				waiting = waiting || more
			}
		}
	}
}
