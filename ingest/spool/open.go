package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Open opens the log in a directory, or makes one, and recovers what an earlier life left: what it wrote to segments
// is synced, what it left in the rings is drained. It fails when another process has the directory.
func Open(o Options) (*Log, error) {
	system := operatingSystem{openDisk()}
	l, err := open(o, system, time.Now)
	if err != nil {
		return nil, errors.Join(err, system.Close())
	}
	return l, nil
}

func open(o Options, fs fileSystem, now func() time.Time) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("spool: cannot make %s: %w: name a directory this user may write to", o.Dir, err)
	}
	lock, err := fs.Lock(filepath.Join(o.Dir, lockName))
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("spool: %s is in use by another process: stop it, or give this one a directory of its own", o.Dir)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("spool: cannot write to %s: %w: give this user the right, or name another directory", o.Dir, err)
	case err != nil:
		return nil, fmt.Errorf("spool: cannot lock %s: %w", o.Dir, err)
	}
	l := &Log{
		opt: o, fs: fs, lock: lock, log: o.Logger, now: now, start: time.Now(), syncing: newDiskLock(),
		nap:  min(max(o.SyncWithin/4, shortestNap), longestNap),
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1), prepare: make(chan struct{}, 1),
		ready: make(chan struct{}, 1), waiting: make(chan struct{}, 1), readable: make(chan struct{}, 1),
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.reader.log = l
	l.waiters.New = newWaiter
	l.chunk.buf = make([]byte, 0, min(chunkBytes, o.SegmentBytes)+int64(markBytes+frameBytes(o.MaxRecordBytes)))
	if err := l.recover(); err != nil {
		l.stop()
		return nil, errors.Join(fmt.Errorf("spool: open %s: %w", o.Dir, err), l.releaseFiles())
	}
	l.run()
	return l, nil
}

func (l *Log) run() {
	for _, s := range l.shards {
		if s.head != l.written.drained[s.number] {
			l.hurry()
		}
	}
	l.done.Add(3)
	go l.flush()
	go l.prepareLoop()
	go l.watch()
	if l.opt.SyncWithin > 0 {
		l.done.Add(1)
		go l.syncLoop()
	}
}

// recover sets the log up with what the directory holds.
func (l *Log) recover() error {
	names, err := l.fs.ReadDir(l.opt.Dir)
	if err != nil {
		return err
	}
	if l.meta, err = openMeta(l.fs, l.opt.Dir, names, l.now()); err != nil {
		return err
	}
	hint, err := l.recoverPlace()
	if err != nil {
		return err
	}
	var overruled []*segment
	if l.segments, overruled, err = listSegments(l.fs, l.opt.Dir, names); err != nil {
		return err
	}
	if len(l.segments) > 0 && l.committed.Load() == 0 && l.segments[0].first > 1 {
		l.log.Warn("spool has lost its cursor: everything it still holds is handed out again", "dir", l.opt.Dir)
		l.committed.Store(l.segments[0].first - 1)
	}
	for _, s := range overruled {
		l.maxEpoch = max(l.maxEpoch, s.epoch)
	}
	for _, s := range l.segments {
		l.maxEpoch = max(l.maxEpoch, s.epoch)
	}
	floor := max(l.committed.Load(), hint.synced)
	l.boundMS = l.meta.CreatedMS
	tail, err := l.recoverSegments(floor)
	if err != nil {
		return err
	}
	for i, pos := range hint.drained {
		tail.drained[i] = max(tail.drained[i], pos)
	}
	l.written = place{seq: max(tail.last, floor), drained: tail.drained}
	l.synced = l.written
	l.reader.next = l.committed.Load() + 1
	l.base = l.written.seq
	if err := l.recoverRings(names); err != nil {
		return err
	}
	paths := make([]string, 0, len(overruled)+1)
	for _, s := range overruled {
		paths = append(paths, s.path)
	}
	for _, name := range names {
		if strings.HasSuffix(name, preparedSuffix) || strings.HasSuffix(name, newSuffix) {
			paths = append(paths, filepath.Join(l.opt.Dir, name))
		}
	}
	return errors.Join(removeAll(l.fs, paths), l.unlinkCommitted())
}

// recoverPlace opens the cursor and the progress hint.
func (l *Log) recoverPlace() (hint progress, err error) {
	var value []byte
	if l.cursor, value, err = openSlots(l.fs, filepath.Join(l.opt.Dir, cursorName)); err != nil {
		return hint, err
	}
	committed, err := decodeCursor(value)
	if err != nil {
		return hint, err
	}
	l.committed.Store(committed)
	if committed > 0 {
		if err := l.cursor.confirm(value); err != nil {
			return hint, fmt.Errorf("write the cursor: %w", err)
		}
	}
	if l.progress, value, err = openSlots(l.fs, filepath.Join(l.opt.Dir, progressName)); err != nil {
		return hint, err
	}
	return decodeProgress(value), nil
}

// tail is what the end of the log tells.
type tail struct {
	last    uint64 // sequence of the last valid record
	drained [maxShards]uint64
}

// recoverSegments reads the last segment, and those before it while a damaged header hides the rings' positions.
// floor is the last sequence that is known to have been synced.
func (l *Log) recoverSegments(floor uint64) (t tail, err error) {
	for i := len(l.segments) - 1; i >= 0; i-- {
		last := i == len(l.segments)-1
		limit := ^uint64(0)
		if !last {
			limit = l.segments[i+1].first
		}
		s := l.segments[i]
		seen, err := l.scanSegment(s, limit, floor, last)
		if err != nil {
			return t, fmt.Errorf("%s: %w", s.path, err)
		}
		if last {
			t.last = seen.last
		}
		for shard, pos := range seen.drained {
			t.drained[shard] = max(t.drained[shard], pos)
		}
		if seen.headerOK {
			break
		}
		l.log.Warn("spool found a damaged segment header; its records are read all the same", "segment", s.path)
	}
	return t, nil
}

type scanned struct {
	tail
	headerOK bool
}

func (l *Log) scanSegment(s *segment, limit, floor uint64, last bool) (r scanned, err error) {
	f, err := l.fs.Open(s.path, false)
	if err != nil {
		return r, err
	}
	defer f.Close()
	header, ok, err := l.meta.readHeader(f, s)
	if err != nil {
		return r, err
	}
	r.headerOK, r.drained, r.last = ok, header.drained, s.first-1
	l.boundMS = max(l.boundMS, header.wallMS)
	if ok {
		l.times.add(s.first, header.wallMS)
	}
	w := &walker{src: f, off: segmentHeaderBytes, end: s.bytes, next: s.first, limit: limit,
		seal: l.meta.segmentSealer(s), chunk: largeReadBytes, alloc: recycle()}
	dirtyFrom, bad := int64(-1), int64(-1)
	for {
		var got frame
		got, bad, err = w.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return r, err
		}
		if got.mark() {
			l.times.add(got.seq, int64(got.pos))
			l.boundMS = max(l.boundMS, int64(got.pos))
			continue
		}
		if r.last = got.seq; got.seq > floor && dirtyFrom < 0 {
			dirtyFrom = w.off - int64(frameBytes(len(got.payload)))
		}
		r.drained[got.kind] = max(r.drained[got.kind], got.pos)
	}
	if !last {
		return r, nil
	}
	return r, l.endSegment(f, s, bad, w.off, dirtyFrom, r.last < floor)
}

// endSegment makes the last segment of an earlier life end behind its last valid frame, and durable. What was not
// synced for sure is written again first: after a failed fsync the kernel holds pages for clean that the disk never
// got, and a plain fsync would not write them.
func (l *Log) endSegment(f file, s *segment, bad, end, dirtyFrom int64, damaged bool) error {
	if bad >= 0 {
		nonzero, err := anyNonzero(f, bad, end)
		if err != nil {
			return err
		}
		if nonzero {
			if damaged {
				l.reader.keepDamaged(f, s, bad, end)
			} else {
				l.torn++
				l.log.Info("spool dropped a torn end that was never synced", "segment", s.path, "offset", bad)
			}
		}
		end = bad
	}
	if dirtyFrom >= 0 {
		if err := copyRange(f, dirtyFrom, end); err != nil {
			return err
		}
	}
	end = max(end, segmentHeaderBytes)
	if end < s.bytes {
		if err := f.Truncate(end); err != nil {
			return err
		}
		s.bytes = end
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	return l.fs.SyncDir(l.opt.Dir)
}

// copyRange writes a stretch of a file over itself.
func copyRange(f file, from, to int64) error {
	buf := make([]byte, min(largeReadBytes, to-from))
	for from < to {
		n, err := readUpTo(f, buf[:min(int64(len(buf)), to-from)], from)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if err := writeFull(f, buf[:n], from); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

func anyNonzero(f file, from, to int64) (bool, error) {
	buf := make([]byte, min(largeReadBytes, to-from))
	for from < to {
		n, err := readUpTo(f, buf[:min(int64(len(buf)), to-from)], from)
		if err != nil || n == 0 {
			return false, err
		}
		for _, b := range buf[:n] {
			if b != 0 {
				return true, nil
			}
		}
		from += int64(n)
	}
	return false, nil
}

// recoverRings maps the rings and finds the records in them that no segment holds.
func (l *Log) recoverRings(names []string) error {
	numbers := make([]int, 0, l.opt.Shards)
	for i := range l.opt.Shards {
		numbers = append(numbers, i)
	}
	for _, name := range names {
		if i, ok := parseRingName(name); ok && i >= l.opt.Shards {
			numbers = append(numbers, i)
		}
	}
	for _, i := range numbers {
		s, head, records, err := l.recoverRing(i)
		if err != nil {
			return err
		}
		if records == 0 && (i >= l.opt.Shards || s.ring.size() != uint64(l.opt.RingBytes)) {
			path := filepath.Join(l.opt.Dir, ringName(i))
			if err := errors.Join(s.ring.close(), l.fs.Remove(path)); err != nil {
				return err
			}
			if i >= l.opt.Shards {
				continue
			}
			if s, head, records, err = l.recoverRing(i); err != nil {
				return err
			}
		}
		l.shards = append(l.shards, s)
		s.start(l.written.drained[i], head)
		s.appended = records
	}
	return nil
}

func (l *Log) recoverRing(i int) (s *shard, head, records uint64, err error) {
	r, err := openRing(l.fs, l.opt.Dir, i, l.opt.RingBytes, l.meta)
	if err != nil {
		return nil, 0, 0, err
	}
	s = newShard(i, r)
	head, records = r.recover(&s.checker, l.written.drained[i])
	return s, head, records, nil
}
