package spool

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	chunkBytes     = 256 << 10 // of one write(): small and often
	shortestNap    = time.Millisecond
	longestNap     = 5 * time.Millisecond
	idleNaps       = 8 // without a record, before the flusher parks
	touchAgain     = time.Second
	nearBytes      = 64 << 10 // made writable again shortly before use: the kernel may have written it back since
	gatherAtMost   = time.Millisecond
	quietTurns     = 4 // of the others without an Append, before gathering ends
	firstBackoff   = 10 * time.Millisecond
	longestBackoff = time.Second
)

// errPreparing: the preparer is at work on the next segment; it fails or it says when it is ready.
var errPreparing = errors.New("the next segment is being prepared")

// chunk is what one write() takes; it stays until it is written.
type chunk struct {
	buf   []byte
	after place // once buf is written
	all   bool  // the rings held no more
	turn  int   // the shard to begin with, for fairness
	seal  sealer
	mark  int64 // time of the last mark in the segment
}

// flush is the flusher: it moves records from the rings to the active segment.
func (l *Log) flush() {
	defer l.done.Done()
	l.timer = time.NewTimer(time.Hour)
	idle, backoff := 0, firstBackoff
	for l.ctx.Err() == nil {
		wrote, err := l.pass()
		switch {
		case errors.Is(err, errPreparing):
			l.pause(l.timer, l.nap, l.ready)
			continue
		case err != nil:
			l.fail("write", err)
			l.pause(l.timer, backoff, l.ready)
			backoff = min(2*backoff, longestBackoff)
			continue
		case wrote:
			idle = 0
			if !l.chunk.all || l.opt.SyncWithin == 0 {
				continue
			}
		default:
			idle++
		}
		backoff = firstBackoff
		if l.urgent.Swap(false) && wrote {
			continue
		}
		if idle > idleNaps || (idle > 0 && l.opt.SyncWithin == 0) {
			l.park()
		} else {
			l.pause(l.timer, l.nap, l.wake)
		}
	}
}

// pause waits for d, until signalled, or until the log closes. The timer is the calling goroutine's own.
func (l *Log) pause(timer *time.Timer, d time.Duration, until <-chan struct{}) {
	timer.Reset(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-until:
	case <-l.ctx.Done():
	}
}

// park waits until an Append wakes the flusher, or until the rings' near pages want touching.
func (l *Log) park() {
	l.parkedAt.Store(0)
	l.parked.Store(true)
	pending := false
	for _, s := range l.shards {
		// Under the lock: whoever did not see parked has published by now, whoever has not published will see it.
		s.mu.Lock()
		pending = pending || s.head != l.written.drained[s.number]
		s.mu.Unlock()
	}
	if !pending {
		l.pause(l.timer, touchAgain, l.wake)
	}
	l.parked.Store(false)
	if at := l.parkedAt.Swap(0); at != 0 && !pending {
		l.mu.Lock()
		l.boundMS = max(l.boundMS, at)
		l.mu.Unlock()
	}
}

// pass drains once: it writes one chunk, if there is anything.
func (l *Log) pass() (wrote bool, err error) {
	if err := l.replaceSuspect(); err != nil {
		return false, err
	}
	if l.opt.SyncWithin == 0 {
		l.gather()
	}
	started, startedMS := l.elapsed(), wallMS(l.now())
	if len(l.chunk.buf) == 0 {
		if err := l.collect(); err != nil {
			return false, err
		}
	}
	wrote = len(l.chunk.buf) > 0
	if wrote {
		if err := l.write(started); err != nil {
			return false, err
		}
	}
	if l.chunk.all {
		l.mu.Lock()
		l.boundMS = max(l.boundMS, startedMS)
		l.mu.Unlock()
	}
	if wrote && l.opt.SyncWithin == 0 {
		l.syncOnce()
	}
	l.makeRoom()
	return wrote, nil
}

// gather lets producers append first, so that one fsync serves many: most of those the last one found waiting, and
// then whoever can run. Without it a single P would give every fsync to one record.
func (l *Log) gather() {
	last := l.filled()
	if last == 0 {
		return
	}
	began := l.elapsed()
	l.awaitEnough(int64(l.crowd * 3 / 4))
	for quiet := 0; quiet < quietTurns && last < chunkBytes && l.elapsed()-began < gatherAtMost; {
		runtime.Gosched()
		filled := l.filled()
		if filled == last {
			quiet++
		} else {
			quiet = 0
		}
		last = filled
	}
}

// awaitEnough waits until enough producers wait for the disk, for gatherAtMost.
func (l *Log) awaitEnough(enough int64) {
	if l.awaiting.Load() >= enough {
		return
	}
	l.enough.Store(enough)
	if l.awaiting.Load() < enough {
		l.pause(l.timer, gatherAtMost, l.wake)
	}
	l.enough.Store(0)
}

// filled is how many bytes the rings hold that are not drained.
func (l *Log) filled() (n uint64) {
	for _, s := range l.shards {
		n += s.published.Load() - l.written.drained[s.number]
	}
	return n
}

// collect encodes what the rings hold, a chunk at most, each record with its final sequence number.
func (l *Log) collect() error {
	c := &l.chunk
	c.all = true
	if l.filled() == 0 {
		return nil
	}
	for range 2 {
		if err := l.makeActive(); err != nil {
			return err
		}
		c.all, c.after = true, l.written
		l.markChunk()
		for i := range l.shards {
			l.collectShard(l.shards[(c.turn+i)%len(l.shards)])
		}
		c.turn++
		switch {
		case c.after.seq > l.written.seq:
			return nil
		case c.after.drained != l.written.drained: // only damage: nothing to write, but it must not be seen again
			c.buf = c.buf[:0]
			l.mu.Lock()
			l.written.drained = c.after.drained
			l.mu.Unlock()
			return nil
		}
		c.buf = c.buf[:0]
		if err := l.rotate(); err != nil {
			return err
		}
	}
	c.all = false
	return nil
}

func (l *Log) collectShard(s *shard) {
	c := &l.chunk
	pos, head := c.after.drained[s.number], s.published.Load()
	for pos < head {
		record, sum, end, skipped := s.ring.next(&s.checker, pos, head)
		if record != nil {
			need := len(c.buf) + frameBytes(len(record))
			if need > chunkBytes+frameBytes(len(record)) || c.after.off+int64(need) > c.after.segment.bytes {
				c.all = false
				break
			}
			c.after.seq++
			c.buf = appendFrame(c.buf, &c.seal, frame{kind: uint8(s.number), seq: c.after.seq, pos: end, payload: record}, sum)
		}
		if skipped > 0 {
			l.log.Warn("spool stepped over damage in a ring", "dir", l.opt.Dir, "ring", ringName(s.number), "bytes", skipped)
		}
		pos = end
	}
	c.after.drained[s.number] = pos
}

// markChunk begins a chunk with a time mark when the last one is older than its grain.
func (l *Log) markChunk() {
	l.mu.Lock()
	bound, synced := l.boundMS, l.synced.seq
	l.mu.Unlock()
	c := &l.chunk
	if bound <= c.mark || c.after.off+markBytes > c.after.segment.bytes {
		return
	}
	c.buf = appendMark(c.buf, &c.seal, c.after.seq+1, bound, synced)
	c.mark = bound
}

// write puts the chunk into the active segment. A full disk keeps it for the next try; any other failure makes the
// segment suspect.
func (l *Log) write(started time.Duration) error {
	c := &l.chunk
	f := c.after.segment.file
	if err := writeFull(f, c.buf, c.after.off); err != nil {
		if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
			l.distrust()
		}
		return err
	}
	c.after.off += int64(len(c.buf))
	l.mu.Lock()
	l.times.add(l.written.seq+1, l.boundMS)
	l.written = c.after
	clean := l.dirtyAt == 0
	if clean {
		l.dirtyAt = max(started-l.nap, 1)
	}
	l.mu.Unlock()
	c.buf = c.buf[:0]
	if clean {
		l.signal(l.dirty)
	}
	return nil
}

// makeRoom lets producers reuse what is drained. Records that are not on disk yet stay in the ring for as long as half
// of it is free without them, so that a failed fsync finds them there; when producers wait for the disk, always. It
// leaves a ring alone that is nearly free: touching pages costs system calls.
func (l *Log) makeRoom() {
	l.mu.Lock()
	written, synced, suspect := l.written.drained, l.synced.drained, l.suspect != nil
	l.mu.Unlock()
	now := l.elapsed()
	for _, s := range l.shards {
		size, head, old := s.ring.size(), s.published.Load(), s.limit.Load()
		limit := synced[s.number] + size
		if enough := head + size/2; limit < enough && l.opt.SyncWithin > 0 && !suspect {
			limit = max(limit, min(written[s.number]+size, enough))
		}
		if limit > old && old-head < size-size/8 {
			s.ring.touch(old, limit)
			s.limit.Store(limit)
			s.gate.roomMade()
		}
		if near := min(head+nearBytes, max(limit, old)); head+nearBytes/2 > s.near || now-s.nearAt >= touchAgain {
			s.ring.touch(head, near)
			s.near, s.nearAt = near, now
		}
	}
}
