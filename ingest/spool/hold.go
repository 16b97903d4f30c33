package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"sync"
)

// A Hold is for a copy of the log as it is at one moment, made while the log goes on. What was not committed when it
// began stays in the log until Release, whatever is committed meanwhile.
//
// Cut says where the copy ends. A log opened on the copy has the records from behind the cursor of the Hold to the Cut,
// with the same numbers, and continues behind them.
type Hold struct {
	log       *Log
	committed uint64
	once      sync.Once
	files     []heldFile
}

// heldFile is one file of the copy: in memory, or the beginning of one of the log's.
type heldFile struct {
	name    string
	content []byte
	path    string
	bytes   int64
}

// Hold begins a copy of the log.
func (l *Log) Hold() *Hold {
	l.commitMu.Lock()
	defer l.commitMu.Unlock()
	l.holds++
	return &Hold{log: l, committed: l.committed.Load()}
}

// Release ends the Hold. It may be called again.
func (h *Hold) Release() {
	h.once.Do(func() {
		l := h.log
		l.commitMu.Lock()
		defer l.commitMu.Unlock()
		if l.holds--; l.closing.Load() {
			return
		}
		if err := l.unlinkCommitted(); err != nil {
			l.log.Warn("spool cannot remove a segment that is done with", "dir", l.opt.Dir, "error", err)
		}
	})
}

// Cut ends the copy behind the last record that was appended before the call, or later. It waits for the disk, for 5 s
// at most, and is called once.
func (h *Hold) Cut() error {
	l := h.log
	if err := l.Sync(); err != nil {
		return err
	}
	identity := filepath.Join(l.opt.Dir, metaName)
	n, err := l.sizeOf(identity)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	h.files = append(h.files, heldFile{name: metaName, path: identity, bytes: n})
	l.mu.Lock()
	end := l.synced
	for _, s := range l.segments {
		f := heldFile{name: filepath.Base(s.path), path: s.path, bytes: s.bytes}
		switch {
		case s.first > end.seq:
			f.bytes = segmentHeaderBytes // it holds nothing yet, but the rings' positions
		case s == end.segment:
			f.bytes = end.off
		}
		h.files = append(h.files, f)
	}
	l.mu.Unlock()
	reached := progress{synced: end.seq, drained: end.drained}
	h.keep(cursorName, binary.LittleEndian.AppendUint64(nil, h.committed))
	h.keep(progressName, reached.encode(nil))
	return nil
}

func (h *Hold) keep(name string, value []byte) {
	image := slotImage(value)
	h.files = append(h.files, heldFile{name: name, content: image, bytes: int64(len(image))})
}

func (l *Log) sizeOf(path string) (int64, error) {
	f, err := l.fs.Open(path, false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Size()
}

// Bytes is the size of the copy.
func (h *Hold) Bytes() (n int64) {
	for i := range h.files {
		n += h.files[i].bytes
	}
	return n
}

// Files hands out the files of the copy, each of bytes bytes. An error of visit ends it.
func (h *Hold) Files(visit func(name string, bytes int64, content io.Reader) error) error {
	for i := range h.files {
		if err := h.hand(&h.files[i], visit); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hold) hand(f *heldFile, visit func(string, int64, io.Reader) error) error {
	if f.content != nil {
		return visit(f.name, f.bytes, bytes.NewReader(f.content))
	}
	open, err := h.log.fs.Open(f.path, false)
	if err != nil {
		return fmt.Errorf("spool: copy a segment: %w", err)
	}
	defer open.Close()
	return visit(f.name, f.bytes, io.NewSectionReader(open, 0, f.bytes))
}
