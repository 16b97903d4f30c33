package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	segmentMagic       = "TRIBSEG1"
	segmentHeaderBytes = pageBytes
	segmentSuffix      = ".segment"
	preparedSuffix     = ".prepared"
)

// segment is one file of the log: the records from first up to the next segment's first. The epoch counts segments
// and tells which of two that hold the same sequences is the later one, and so the one that counts.
type segment struct {
	path  string
	epoch uint64
	first uint64
	bytes int64 // on disk, preallocated space included

	file     file     // open while it is written, else nil
	dirDirty bool     // its name is not durable yet
	filling  diskLock // of a prepared one: held by the preparer while it writes to the file
	filled   int64    // the preparer's: zeros were written up to here
	failed   bool     // the preparer could not; under filling
}

// segmentHeader repeats what the name says and carries every shard's ring position at the segment's start, so that
// the older segments are not needed to recover.
type segmentHeader struct {
	identity [16]byte
	epoch    uint64
	first    uint64
	wallMS   int64 // no record in the segment was appended before
	drained  [maxShards]uint64
}

func segmentName(first, epoch uint64) string {
	return fmt.Sprintf("%020d-%010d%s", first, epoch, segmentSuffix)
}

func parseSegmentName(name string) (first, epoch uint64, ok bool) {
	base, isSegment := strings.CutSuffix(name, segmentSuffix)
	if !isSegment {
		return 0, 0, false
	}
	if n, err := fmt.Sscanf(base, "%d-%d", &first, &epoch); n != 2 || err != nil {
		return 0, 0, false
	}
	return first, epoch, first > 0 && segmentName(first, epoch) == name
}

func (h *segmentHeader) encode() []byte {
	b := make([]byte, 0, segmentHeaderBytes)
	b = append(b, segmentMagic...)
	b = append(b, h.identity[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.wallMS))
	for _, pos := range h.drained {
		b = binary.LittleEndian.AppendUint64(b, pos)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:segmentHeaderBytes]
}

// decodeSegmentHeader reports false for a header that is damaged or of another log.
func decodeSegmentHeader(b []byte, identity [16]byte) (h segmentHeader, ok bool) {
	const body = 8 + 16 + 3*8 + maxShards*8
	if len(b) < body+4 || string(b[:8]) != segmentMagic ||
		crc32.Checksum(b[:body], castagnoli) != binary.LittleEndian.Uint32(b[body:]) {
		return h, false
	}
	copy(h.identity[:], b[8:])
	h.epoch = binary.LittleEndian.Uint64(b[24:])
	h.first = binary.LittleEndian.Uint64(b[32:])
	h.wallMS = int64(binary.LittleEndian.Uint64(b[40:]))
	for i := range h.drained {
		h.drained[i] = binary.LittleEndian.Uint64(b[48+8*i:])
	}
	return h, h.identity == identity
}

// salt derives the checksum salt of one file of the log from the log's secret.
func (m *meta) salt(kind string, number, first uint64) uint64 {
	h := sha256.New()
	h.Write(m.Secret[:])
	fmt.Fprintf(h, "%s %d %d", kind, number, first)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

func (m *meta) segmentSealer(s *segment) sealer {
	return sealer{salt: m.salt("segment", s.epoch, s.first)}
}

// listSegments returns the segments in the order they were begun. One whose first sequence is not above its
// predecessor's overrules the predecessor whole; such predecessors come back in overruled.
func listSegments(fs fileSystem, dir string, names []string) (live, overruled []*segment, err error) {
	for _, name := range names {
		first, epoch, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		s := &segment{path: filepath.Join(dir, name), epoch: epoch, first: first}
		f, err := fs.Open(s.path, false)
		if err != nil {
			return nil, nil, err
		}
		s.bytes, err = f.Size()
		f.Close()
		if err != nil {
			return nil, nil, err
		}
		live = append(live, s)
	}
	slices.SortFunc(live, func(a, b *segment) int {
		if a.epoch < b.epoch {
			return -1
		}
		return 1
	})
	kept := live[:0]
	for _, s := range live {
		for len(kept) > 0 && kept[len(kept)-1].first >= s.first {
			overruled = append(overruled, kept[len(kept)-1])
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, s)
	}
	return kept, overruled, nil
}

// readHeader reads a segment's header, or makes the one its name implies when it is damaged.
func (m *meta) readHeader(f file, s *segment) (segmentHeader, bool, error) {
	b := make([]byte, segmentHeaderBytes)
	n, err := readUpTo(f, b, 0)
	if err != nil {
		return segmentHeader{}, false, err
	}
	h, ok := decodeSegmentHeader(b[:n], m.Identity)
	if !ok || h.epoch != s.epoch || h.first != s.first {
		return segmentHeader{identity: m.Identity, epoch: s.epoch, first: s.first}, false, nil
	}
	return h, true, nil
}

func wallMS(t time.Time) int64 { return t.UnixMilli() }
