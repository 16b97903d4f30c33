package spool

import (
	"hash/crc32"
	"io"
	"time"
)

// fsyncStats counts the fsyncs of segments.
type fsyncStats struct {
	count uint64
	mean  time.Duration // exponentially weighted
	max   time.Duration
}

func (s *fsyncStats) add(d time.Duration) {
	if s.count++; s.count == 1 {
		s.mean = d
	}
	s.mean += (d - s.mean) / 8
	s.max = max(s.max, d)
}

// syncLoop is the syncer: it calls fsync so that no record stays off the disk for longer than SyncWithin. It starts
// at half of that, so that a disk that takes the other half is in time.
func (l *Log) syncLoop() {
	defer l.done.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.dirty:
		}
		for {
			l.mu.Lock()
			at := l.dirtyAt
			l.mu.Unlock()
			if at == 0 {
				break
			}
			if left := at + l.opt.SyncWithin/2 - l.elapsed(); left > 0 && !l.syncNow.Load() {
				timer.Reset(left)
				select {
				case <-l.ctx.Done():
					return
				case <-l.dirty:
				case <-timer.C:
				}
				continue
			}
			l.syncNow.Store(false)
			l.syncOnce()
		}
	}
}

// syncOnce makes everything written so far durable, readable and known to those who wait for it; when that fails,
// the segment is suspect.
func (l *Log) syncOnce() {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	at, reached := l.dirtyAt, l.written
	l.dirtyAt = 0
	nothing := reached.seq == l.synced.seq && reached.segment == l.synced.segment || l.suspect != nil
	l.mu.Unlock()
	if at == 0 || nothing {
		return
	}
	began := l.elapsed()
	if err := l.syncSegment(reached.segment); err != nil {
		l.failures.Add(1)
		l.distrust()
		l.fail("fsync", err)
		return
	}
	l.mu.Lock()
	l.fsyncs.add(l.elapsed() - began)
	l.synced = reached
	l.mu.Unlock()
	l.failures.Store(0)
	l.recovered()
	hint := progress{synced: reached.seq, drained: reached.drained}
	if err := l.progress.save(hint.encode(l.hint[:0]), false); err != nil {
		l.log.Warn("spool cannot write its progress: a damaged end of the log would be harder to recover", "dir", l.opt.Dir, "error", err)
	}
	l.crowd = 0
	for _, s := range l.shards {
		woken, waiting, late := s.gate.landed(reached.drained[s.number])
		l.crowd += woken + waiting
		l.awaiting.Add(int64(-woken))
		l.unrecorded.Add(-late)
	}
	l.signal(l.readable)
}

func (l *Log) syncSegment(s *segment) error {
	if err := s.file.Sync(); err != nil {
		return err
	}
	if !s.dirDirty {
		return nil
	}
	if err := l.fs.SyncDir(l.opt.Dir); err != nil {
		return err
	}
	l.mu.Lock()
	s.dirDirty = false
	overruled := l.overruled
	l.overruled = nil
	l.mu.Unlock()
	if err := removeAll(l.fs, overruled); err != nil {
		l.log.Warn("spool cannot remove a segment that a later one overrules", "dir", l.opt.Dir, "error", err)
	}
	return nil
}

// distrust makes the active segment suspect: nothing in it behind the last successful fsync counts.
func (l *Log) distrust() {
	l.mu.Lock()
	if l.suspect == nil {
		l.suspect = l.active
	}
	l.mu.Unlock()
	l.hurry()
}

// unsynced is the part of a suspect segment that must be written again.
type unsynced struct {
	segment *segment
	from    uint64 // first sequence
	off     int64  // where a frame at or before from starts
	end     int64
}

// replaceSuspect begins a new segment at the first sequence that the suspect one does not hold for sure. Records that
// left the ring are copied over from the suspect, the others are drained again.
func (l *Log) replaceSuspect() error {
	l.mu.Lock()
	none := l.suspect == nil
	l.mu.Unlock()
	if none {
		return nil
	}
	if n := l.failures.Load(); n > 1 {
		l.pause(l.timer, min(firstBackoff<<min(n, 7), longestBackoff), nil)
	}
	// An fsync that was under way when a write failed may yet succeed: what it covers is known only behind it.
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	sus := unsynced{segment: l.suspect, from: l.synced.seq + 1, off: segmentHeaderBytes, end: l.written.off}
	if l.synced.segment == sus.segment {
		sus.off = l.synced.off
	}
	l.mu.Unlock()
	next, err := l.takePrepared()
	if err != nil {
		return err
	}
	next.first = sus.from
	reached, err := l.salvage(sus, next)
	if err == nil {
		err = l.begin(next, reached.drainedBefore)
	}
	if err != nil {
		l.discard(next)
		return err
	}
	l.mu.Lock()
	l.written = reached.place
	l.suspect = nil
	l.lost += reached.lost
	l.dirtyAt = max(l.elapsed(), 1)
	l.mu.Unlock()
	l.corrupt.Add(reached.lost)
	l.chunk.buf, l.chunk.all = l.chunk.buf[:0], false
	l.log.Warn("spool replaced a segment the disk failed on", "dir", l.opt.Dir, "segment", sus.segment.path,
		"from", sus.from, "copied", reached.seq+1-sus.from, "lost", reached.lost)
	l.signal(l.dirty)
	return nil
}

type salvaged struct {
	place
	drainedBefore [maxShards]uint64
	lost          uint64
}

// salvage copies from the suspect what its ring does not hold any more.
func (l *Log) salvage(sus unsynced, next *segment) (r salvaged, err error) {
	l.mu.Lock()
	r.drained = l.synced.drained
	r.drainedBefore = r.drained
	bound := l.times.at(sus.from, l.boundMS)
	l.mu.Unlock()
	kept := map[uint8]uint64{} // ring positions from here on are drained again
	for _, s := range l.shards {
		kept[uint8(s.number)] = s.limit.Load() - s.ring.size()
	}
	seal := l.meta.segmentSealer(next)
	r.segment, r.seq, r.off = next, sus.from-1, segmentHeaderBytes
	in, err := l.fs.Open(sus.segment.path, false)
	if err != nil {
		return r, err
	}
	defer in.Close()
	w := &walker{src: in, off: sus.off, end: sus.end, next: sus.from, limit: ^uint64(0),
		seal: l.meta.segmentSealer(sus.segment), alloc: recycle()}
	if sus.off == segmentHeaderBytes {
		w.next = sus.segment.first
	}
	buf := appendMark(nil, &seal, r.seq+1, bound, sus.from-1)
	for {
		f, _, err := w.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return r, err
		}
		if f.mark() || f.seq < sus.from {
			continue
		}
		begin := f.pos - uint64(ringRecordHeader+aligned(len(f.payload)))
		if limit, ok := kept[f.kind]; ok && begin >= limit {
			continue
		}
		r.seq++
		r.drained[f.kind] = max(r.drained[f.kind], f.pos)
		out := frame{kind: f.kind, seq: r.seq, pos: f.pos, payload: f.payload}
		buf = appendFrame(buf, &seal, out, checksum(f.payload))
		if len(buf) >= chunkBytes {
			if err := writeFull(next.file, buf, r.off); err != nil {
				return r, err
			}
			r.off, buf = r.off+int64(len(buf)), buf[:0]
		}
	}
	if err := writeFull(next.file, buf, r.off); err != nil {
		return r, err
	}
	r.off += int64(len(buf))
	have := r.seq
	for _, s := range l.shards {
		i := s.number
		r.drained[i] = max(r.drained[i], kept[uint8(i)])
		have += s.ring.count(&s.checker, r.drained[i], l.written.drained[i])
	}
	r.lost = l.written.seq - min(have, l.written.seq)
	return r, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
