package spool

import (
	"encoding/binary"
	"fmt"
)

// Commit says that the consumer is done with every record up to last. It is durable when Commit returns nil; only then
// are segments removed. Committing again what is committed does nothing; ErrRange: last is not on disk yet.
func (l *Log) Commit(last uint64) error {
	l.commitMu.Lock()
	defer l.commitMu.Unlock()
	if l.closing.Load() {
		return ErrClosed
	}
	if last <= l.committed.Load() {
		return nil
	}
	l.mu.Lock()
	synced := l.synced.seq
	l.mu.Unlock()
	if last > synced {
		return fmt.Errorf("%w: cannot commit %d, on disk up to %d", ErrRange, last, synced)
	}
	if err := l.cursor.save(binary.LittleEndian.AppendUint64(nil, last), true); err != nil {
		return fmt.Errorf("spool: write the cursor: %w", err)
	}
	l.mu.Lock()
	l.committed.Store(last)
	l.times.forget(last + 1)
	l.mu.Unlock()
	l.reader.mu.Lock()
	l.reader.next = max(l.reader.next, last+1)
	l.reader.mu.Unlock()
	if err := l.unlinkCommitted(); err != nil {
		l.log.Warn("spool cannot remove a segment that is done with", "dir", l.opt.Dir, "error", err)
	}
	return nil
}

// decodeCursor reads a cursor; there is none in a new log.
func decodeCursor(b []byte) (committed uint64, err error) {
	switch len(b) {
	case 0:
		return 0, nil
	case 8:
		return binary.LittleEndian.Uint64(b), nil
	}
	return 0, fmt.Errorf("the cursor has %d bytes: it was written by another version of tributary", len(b))
}

// unlinkCommitted removes the segments whose records are all committed. The last one stays, and one whose successor
// may not be durable yet: a header with the rings' positions must be left. While the log is held, all stay.
func (l *Log) unlinkCommitted() error {
	if l.holds > 0 {
		return nil
	}
	l.mu.Lock()
	var paths []string
	for len(l.segments) > 1 && l.segments[1].first <= l.committed.Load()+1 && !l.segments[1].dirDirty {
		paths = append(paths, l.segments[0].path)
		l.segments = l.segments[1:]
	}
	l.mu.Unlock()
	if len(paths) == 0 {
		return nil
	}
	l.signal(l.prepare)
	return removeAll(l.fs, paths)
}
