package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const fillBytes = 1 << 20 // of a prepared segment, at once

// makeActive sees to it that there is a segment to write to.
func (l *Log) makeActive() error {
	if l.active != nil {
		return nil
	}
	next, err := l.takePrepared()
	if err != nil {
		return err
	}
	next.first = l.written.seq + 1
	if err := l.begin(next, l.written.drained); err != nil {
		l.discard(next)
		return err
	}
	l.mu.Lock()
	l.written.segment, l.written.off = next, segmentHeaderBytes
	l.mu.Unlock()
	return nil
}

// rotate ends the active segment, which must be durable before anything is written behind it, and begins the next.
func (l *Log) rotate() error {
	l.mu.Lock()
	l.dirtyAt = max(l.dirtyAt, 1)
	l.mu.Unlock()
	l.syncOnce()
	l.mu.Lock()
	durable := l.suspect == nil && l.synced.seq == l.written.seq
	if durable {
		l.active = nil
	}
	old := l.written.segment
	l.mu.Unlock()
	if !durable {
		return nil // the next pass replaces it
	}
	err := l.makeActive()
	if err == nil && old != nil && old.file != nil {
		old.file.Close()
		old.file = nil
	}
	if err != nil {
		l.mu.Lock()
		l.active = old
		l.mu.Unlock()
	}
	return err
}

// begin gives a prepared segment its header and its name and makes it the active one. Its first sequence is set.
func (l *Log) begin(s *segment, drained [maxShards]uint64) error {
	l.mu.Lock()
	header := segmentHeader{identity: l.meta.Identity, epoch: s.epoch, first: s.first, wallMS: l.boundMS, drained: drained}
	l.mu.Unlock()
	if err := writeFull(s.file, header.encode(), 0); err != nil {
		return err
	}
	// A name must not outlive a power cut that the header does not: it overrules other segments, and what they know of
	// the rings would be gone.
	if err := s.file.Sync(); err != nil {
		return err
	}
	path := filepath.Join(l.opt.Dir, segmentName(s.first, s.epoch))
	if err := l.fs.Rename(s.path, path); err != nil {
		return err
	}
	s.path, s.dirDirty = path, true
	l.mu.Lock()
	for n := len(l.segments); n > 0 && l.segments[n-1].first >= s.first; n-- {
		l.overruled = append(l.overruled, l.segments[n-1].path)
		l.segments = l.segments[:n-1]
	}
	if old := l.active; old != nil && old.file != nil {
		old.file.Close()
		old.file = nil
	}
	l.segments = append(l.segments, s)
	l.active = s
	l.mu.Unlock()
	l.chunk.seal, l.chunk.mark = l.meta.segmentSealer(s), 0
	l.signal(l.prepare)
	return nil
}

// takePrepared takes the next segment from the preparer.
func (l *Log) takePrepared() (*segment, error) {
	s, err := l.claimPrepared()
	if err != nil {
		return nil, err
	}
	s.filling.Lock() // the preparer sees from now on that the segment is taken
	defer s.filling.Unlock()
	if s.failed {
		l.discard(s)
		return nil, errPreparing
	}
	return s, nil
}

func (l *Log) claimPrepared() (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.prepared
	if s == nil && l.noRoom != nil {
		return nil, fmt.Errorf("no room for another segment: %w", l.noRoom)
	}
	if s == nil {
		return nil, errPreparing
	}
	l.prepared = nil
	l.maxEpoch++
	s.epoch = l.maxEpoch
	return s, nil
}

// discard gives up a prepared segment that the disk failed on.
func (l *Log) discard(s *segment) {
	s.file.Close()
	if err := l.fs.Remove(s.path); err != nil {
		l.log.Warn("spool cannot remove a segment it does not use", "path", s.path, "error", err)
	}
	l.signal(l.prepare)
}

// prepareLoop is the preparer: it keeps one preallocated segment ready, so that the flusher never waits for blocks.
func (l *Log) prepareLoop() {
	defer l.done.Done()
	timer := time.NewTimer(time.Hour)
	backoff := firstBackoff
	for {
		err := l.prepareNext()
		if err == nil && l.opt.FillAhead {
			err = l.fillPrepared(timer)
		}
		if err == nil {
			backoff = firstBackoff
			select {
			case <-l.ctx.Done():
				return
			case <-l.prepare:
			}
			continue
		}
		l.mu.Lock()
		l.lastError = err
		l.mu.Unlock()
		l.pause(timer, backoff, l.prepare)
		backoff = min(2*backoff, longestBackoff)
		if l.ctx.Err() != nil {
			return
		}
	}
}

// prepareNext preallocates the next segment unless there is one.
func (l *Log) prepareNext() (err error) {
	l.mu.Lock()
	have := l.prepared != nil
	used := l.diskBytes()
	l.mu.Unlock()
	if have {
		return nil
	}
	defer func() {
		l.mu.Lock()
		l.noRoom = err
		l.mu.Unlock()
	}()
	if used+l.opt.SegmentBytes > l.opt.MaxBytes {
		return fmt.Errorf("the spool holds %d bytes of at most %d: let the store catch up, or allow more", used, l.opt.MaxBytes)
	}
	if err := l.spareDisk(); err != nil {
		return err
	}
	// Each has a name of its own: the one before may not have been given its final one yet.
	l.preparations++
	name := fmt.Sprintf("%d%s", l.preparations, preparedSuffix)
	s := &segment{path: filepath.Join(l.opt.Dir, name), bytes: l.opt.SegmentBytes, filling: newDiskLock()}
	if s.file, err = l.fs.Open(s.path, true); err != nil {
		return err
	}
	if err = s.file.Allocate(s.bytes); err == nil {
		err = s.file.Sync() // so that the first fsync of records finds the blocks allocated
	}
	if err != nil {
		s.file.Close()
		_ = l.fs.Remove(s.path) // the blocks it got may be what others need
		return fmt.Errorf("prepare a segment of %d bytes: %w", s.bytes, err)
	}
	l.mu.Lock()
	l.prepared = s
	l.mu.Unlock()
	l.signal(l.ready)
	return nil
}

// spareDisk reports an error when a segment would take of what the disk must keep free.
func (l *Log) spareDisk() error {
	if l.opt.KeepFreeBytes == 0 {
		return nil
	}
	free, size, err := l.fs.Space(l.opt.Dir)
	if err != nil {
		return err
	}
	if keep := min(l.opt.KeepFreeBytes, size/4); free < keep+uint64(l.opt.SegmentBytes) {
		return fmt.Errorf("%w: the disk of %s has %d bytes free; a segment takes %d, and %d are left for what drains the log: free space or take a larger disk",
			unix.ENOSPC, l.opt.Dir, free, l.opt.SegmentBytes, keep)
	}
	return nil
}

// fillPrepared writes zeros over the prepared segment until it is taken. An fsync of blocks that were written before
// changes nothing but them. One of blocks that are only reserved has to note in the file system that they are written
// now, which takes about twice as long.
func (l *Log) fillPrepared(timer *time.Timer) error {
	l.mu.Lock()
	s := l.prepared
	l.mu.Unlock()
	if s == nil || s.filled == s.bytes {
		return nil
	}
	zeros := make([]byte, min(fillBytes, s.bytes))
	for s.filled < s.bytes && l.ctx.Err() == nil {
		began := l.elapsed()
		more, err := l.fill(s, zeros[:min(fillBytes, s.bytes-s.filled)])
		if err != nil || !more {
			return err
		}
		l.pause(timer, l.elapsed()-began, nil) // the disk is the flusher's first of all
	}
	return nil
}

// fill writes zeros to a segment unless it is taken. A segment that the disk fails on is given up; on a file system
// that needs room to write over reserved blocks and has none, it stays as it is.
func (l *Log) fill(s *segment, zeros []byte) (more bool, err error) {
	s.filling.Lock()
	defer s.filling.Unlock()
	if !l.isPrepared(s) {
		return false, nil
	}
	err = writeFull(s.file, zeros, s.filled)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		s.filled = s.bytes
		return false, nil
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		s.filled += int64(len(zeros))
		return true, nil
	}
	s.failed = true
	l.mu.Lock()
	taken := l.prepared != s
	if !taken {
		l.prepared = nil
	}
	l.mu.Unlock()
	if !taken {
		s.file.Close()
		_ = l.fs.Remove(s.path) // the disk has just failed; what is left is found at the next Open
	}
	return false, fmt.Errorf("prepare a segment of %d bytes: %w", s.bytes, err)
}

func (l *Log) isPrepared(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.prepared == s
}

// diskBytes is what segments and rings occupy. The caller holds mu.
func (l *Log) diskBytes() (n int64) {
	for _, s := range l.segments {
		n += s.bytes
	}
	if l.prepared != nil {
		n += l.prepared.bytes
	}
	for _, s := range l.shards {
		n += int64(ringFileHeader + len(s.ring.data))
	}
	return n
}
