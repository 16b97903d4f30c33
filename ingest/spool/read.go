package spool

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// Batch is a run of records in the order they were appended.
type Batch struct {
	// First and Last are the sequence numbers the batch covers. The next batch's First is this one's Last + 1.
	First, Last uint64
	// Records are valid until the next call of Next or ReadRange, or Release. There may be none, when all are Missing.
	Records [][]byte
	// Missing counts the sequence numbers from First to Last whose records were lost to corruption:
	// Last - First + 1 = len(Records) + Missing.
	Missing int

	sequences []uint64
	buffers   [][]byte
	free      [][]byte
	bytes     int
}

// Sequence is the sequence number of Records[i]: First + i as long as nothing before it is missing.
func (b *Batch) Sequence(i int) uint64 { return b.sequences[i] }

// Release gives the records' memory back before the next batch is asked for, for consumers that pause.
func (b *Batch) Release() {
	b.Records, b.sequences = nil, nil
	b.buffers, b.free = nil, nil
}

// begin makes b an empty batch from first on; the buffers of the last one are used again.
func (b *Batch) begin(first uint64) {
	clear(b.Records)
	b.Records, b.sequences = b.Records[:0], b.sequences[:0]
	b.First, b.Last, b.Missing, b.bytes = first, first-1, 0, 0
	b.buffers, b.free = b.free[:0], b.buffers
}

// alloc provides a buffer that lives as long as the batch.
func (b *Batch) alloc(n int) []byte {
	var buf []byte
	for i := len(b.free) - 1; i >= 0 && buf == nil; i-- {
		if cap(b.free[i]) >= n {
			buf = b.free[i][:n]
			b.free = append(b.free[:i], b.free[i+1:]...)
		}
	}
	if buf == nil {
		buf = make([]byte, n)
	}
	b.buffers = append(b.buffers, buf)
	return buf
}

func (b *Batch) miss(until uint64) {
	if until > b.Last+1 {
		b.Missing += int(until - b.Last - 1)
		b.Last = until - 1
	}
}

// reader is the consumer's place in the log.
type reader struct {
	log    *Log
	mu     sync.Mutex
	closed bool
	next   uint64 // sequence Next continues with
	missed uint64 // lost sequences up to here are counted
	batch  Batch

	segment *segment
	file    file
	off     int64  // of the frame that holds sequence at, or of damage before it
	at      uint64 // first sequence behind off

	damaged damagedFiles
}

// Next returns the records that follow those handed out or committed last, at most maxRecords of them and, but for a
// single larger one, maxBytes. It waits until there is a record that is on disk: one that is not might yet lose its
// sequence number in a power cut. It never waits for a batch to fill.
//
// The memory of a batch is about maxBytes, kept for the next one until Release.
func (l *Log) Next(ctx context.Context, maxRecords, maxBytes int) (*Batch, error) {
	if maxRecords < 1 || maxBytes < 1 {
		return nil, fmt.Errorf("spool: a batch of %d records and %d bytes: ask for at least one", maxRecords, maxBytes)
	}
	r := &l.reader
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.mu.Lock()
		last := l.synced.seq
		l.mu.Unlock()
		r.mu.Lock()
		if r.closed || l.closing.Load() {
			r.mu.Unlock()
			return nil, ErrClosed
		}
		if r.next <= last {
			defer r.mu.Unlock()
			return r.read(ctx, r.next, last, maxRecords, maxBytes)
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-l.ctx.Done():
		case <-l.readable:
		}
	}
}

// ReadRange reads the records from first to last again, all of them, for a batch whose range was persisted; Next then
// continues behind last at the earliest. ErrRange: some of them are committed and gone, or not on disk.
func (l *Log) ReadRange(ctx context.Context, first, last uint64) (*Batch, error) {
	l.mu.Lock()
	synced := l.synced.seq
	gone := len(l.segments) > 0 && first < l.segments[0].first && first <= l.committed.Load()
	l.mu.Unlock()
	if first < 1 || first > last || last > synced || gone {
		return nil, fmt.Errorf("%w: %d to %d asked, committed up to %d, on disk up to %d", ErrRange, first, last, l.committed.Load(), synced)
	}
	r := &l.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || l.closing.Load() {
		return nil, ErrClosed
	}
	const all = int(^uint(0) >> 1)
	b, err := r.read(ctx, first, last, all, all)
	if err == nil && b.Last != last {
		err = fmt.Errorf("spool: read %d to %d and got to %d", first, last, b.Last)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// read fills the batch with records from first on, up to last. A failure behind the first record ends the batch.
func (r *reader) read(ctx context.Context, first, last uint64, maxRecords, maxBytes int) (*Batch, error) {
	b := &r.batch
	b.begin(first)
	for more := true; more && b.Last < last; {
		var err error
		if more, err = r.readSegment(ctx, b, last, maxRecords, maxBytes); err != nil {
			if b.Last >= b.First {
				break
			}
			return nil, err
		}
	}
	if lost := b.Missing; lost > 0 && b.Last > r.missed {
		r.log.corrupt.Add(uint64(lost))
		r.log.log.Error("spool lost records to corruption: what is left of them is in its damaged directory; check the disk",
			"dir", r.log.opt.Dir, "first", b.First, "last", b.Last, "lost", lost)
	}
	r.missed = max(r.missed, b.Last)
	r.next = max(r.next, b.Last+1)
	return b, nil
}

// readSegment adds to the batch what the segment with its next sequence holds. more: the batch takes more.
func (r *reader) readSegment(ctx context.Context, b *Batch, last uint64, maxRecords, maxBytes int) (more bool, err error) {
	s, limit, end := r.log.locate(b.Last + 1)
	if s == nil { // removed by hand
		b.miss(min(limit, last+1))
		return true, nil
	}
	if err := r.open(s, b.Last+1); err != nil {
		return false, err
	}
	w := &walker{src: r.file, off: r.off, end: end, next: r.at, limit: limit, seal: r.log.meta.segmentSealer(s),
		chunk: min(max(maxBytes/4, smallReadBytes), largeReadBytes), alloc: b.alloc,
		damaged: func(from, to int64) { r.keepDamaged(r.file, s, from, to) }}
	for i := 0; w.next < limit; i++ {
		if i%4096 == 4095 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		f, bad, err := w.read()
		if err == io.EOF {
			if bad >= 0 {
				r.keepDamaged(r.file, s, bad, w.off)
			}
			r.off, r.at = w.off, limit
			b.miss(min(limit, last+1))
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("spool: read %s: %w: check the disk", s.path, err)
		}
		if f.mark() {
			r.log.noteTime(f.seq, int64(f.pos))
		} else if !b.take(f, last, maxRecords, maxBytes) {
			r.off, r.at = w.off-int64(frameBytes(len(f.payload))), f.seq
			return false, nil
		}
		r.off, r.at = w.off, w.next
	}
	return true, nil
}

// take adds a record unless the batch is full without it; what is missing before it belongs to the batch in any case.
func (b *Batch) take(f frame, last uint64, maxRecords, maxBytes int) bool {
	if f.seq <= b.Last {
		return true // before the range
	}
	b.miss(min(f.seq, last+1))
	n := len(b.Records)
	if f.seq > last || n >= maxRecords || (n > 0 && b.bytes+len(f.payload) > maxBytes) {
		return false
	}
	b.Records = append(b.Records, f.payload)
	b.sequences = append(b.sequences, f.seq)
	b.bytes += len(f.payload)
	b.Last = f.seq
	return true
}

// locate finds the segment that holds a sequence, the first sequence it does not hold, and the end of what may be
// read. Without one, limit is where the next segment begins.
func (l *Log) locate(seq uint64) (s *segment, limit uint64, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit = l.synced.seq + 1
	for i := len(l.segments) - 1; i >= 0; i-- {
		s = l.segments[i]
		if s.first <= seq {
			end = s.bytes
			if s == l.synced.segment {
				end = l.synced.off
			}
			return s, limit, end
		}
		limit = min(limit, s.first)
	}
	return nil, limit, 0
}

// open makes s the segment that is read, from a place at or before seq.
func (r *reader) open(s *segment, seq uint64) error {
	if r.segment == s && r.file != nil {
		if r.at > seq {
			r.off, r.at = segmentHeaderBytes, s.first
		}
		return nil
	}
	r.closeFile()
	r.log.mu.Lock()
	path := s.path
	r.log.mu.Unlock()
	f, err := r.log.fs.Open(path, false)
	if err != nil {
		return fmt.Errorf("spool: open a segment: %w", err)
	}
	r.segment, r.file, r.off, r.at = s, f, segmentHeaderBytes, s.first
	return nil
}

func (r *reader) closeFile() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	r.segment = nil
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.closeFile()
}

func (l *Log) noteTime(seq uint64, ms int64) {
	l.mu.Lock()
	if seq > l.committed.Load() {
		l.times.add(seq, ms)
	}
	l.mu.Unlock()
}
