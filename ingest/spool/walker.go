package spool

import (
	"encoding/binary"
	"io"
)

const (
	smallReadBytes = 64 << 10
	largeReadBytes = 2 << 20
)

// walker reads the frames of one segment in order and steps over damage: after bytes that hold no frame it looks at
// every multiple of 8 for one whose checksum and sequence fit.
type walker struct {
	src   io.ReaderAt
	off   int64  // of the next frame
	end   int64  // first offset that may not be read
	next  uint64 // sequence expected next
	limit uint64 // first sequence that this segment does not hold
	seal  sealer

	buf   []byte // bytes of the file from off on
	chunk int    // size of the next read
	// alloc provides read buffers; a frame's payload stays valid for as long as its buffer does.
	alloc func(n int) []byte
	// damaged, when set, is told of each stretch that held no frame, once a frame behind it was found.
	damaged func(from, to int64)
}

// read returns the next frame, or io.EOF. With damage behind the last frame, badFrom is where it starts, else -1.
func (w *walker) read() (f frame, badFrom int64, err error) {
	badFrom = -1
	for {
		b, err := w.peek(frameHeaderBytes)
		if err != nil {
			return frame{}, badFrom, err
		}
		if len(b) < frameHeaderBytes {
			if badFrom < 0 && len(b) > 0 {
				badFrom = w.off
			}
			return frame{}, badFrom, io.EOF
		}
		if w.plausible(b, badFrom) {
			f, needed, ok := decodeFrame(b, &w.seal)
			if !ok && needed > len(b) {
				if b, err = w.peek(needed); err != nil {
					return frame{}, badFrom, err
				}
				f, needed, ok = decodeFrame(b, &w.seal)
			}
			if ok {
				if badFrom >= 0 && w.damaged != nil {
					w.damaged(badFrom, w.off)
				}
				w.skip(needed)
				w.next = f.seq
				if !f.mark() {
					w.next++
				}
				return f, -1, nil
			}
		}
		if badFrom < 0 {
			badFrom = w.off
		}
		w.skip(min(8, len(b)))
	}
}

// plausible tells cheaply whether a frame here could continue the segment: without damage before it the sequence is
// the expected one; behind n damaged bytes it is ahead by no more records than fit in n bytes.
func (w *walker) plausible(b []byte, badFrom int64) bool {
	seq := binary.LittleEndian.Uint64(b[8:])
	if seq < w.next || seq > w.limit || (seq == w.limit && b[7] != kindMark) {
		return false
	}
	room := uint64(0)
	if badFrom >= 0 {
		room = uint64(w.off-badFrom) / frameHeaderBytes
	}
	return seq-w.next <= room
}

func (w *walker) skip(n int) {
	w.buf = w.buf[n:]
	w.off += int64(n)
}

// peek returns the bytes from off on, at least n of them unless the segment ends before.
func (w *walker) peek(n int) ([]byte, error) {
	left := w.end - w.off
	if len(w.buf) >= n || int64(len(w.buf)) >= left {
		return w.buf, nil
	}
	size := int(min(max(int64(w.chunk), int64(n)), left))
	buf := w.alloc(size)
	kept := copy(buf, w.buf)
	got, err := readUpTo(w.src, buf[kept:], w.off+int64(kept))
	if err != nil {
		return nil, err
	}
	w.buf = buf[:kept+got]
	if len(w.buf) < size { // the file is shorter than believed
		w.end = w.off + int64(len(w.buf))
	}
	w.chunk = min(max(2*w.chunk, smallReadBytes), largeReadBytes)
	return w.buf, nil
}

// recycle is an alloc for callers that are done with a frame before they read the next.
func recycle() func(n int) []byte {
	var a, b []byte
	return func(n int) []byte {
		a, b = b, a // the walker copies the rest of the other one
		if cap(a) < n {
			a = make([]byte, n)
		}
		return a[:n]
	}
}
