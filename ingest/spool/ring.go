package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// A ring file is a header page and then a power of two of data bytes. Positions are absolute and only grow; a
// position's place is its remainder. A record lies in one piece at a multiple of 8, or, where it would cross the end, a
// pad fills the rest of the lap:
//
//	crc  uint32  CRC32C over payload, salt of the ring, size, 0, position
//	size uint32  low 24 bits: payload length; high 8 bits: ringRecord or ringPad
//	pos  uint64  where the record starts
//
// The record publishes itself: its checksum covers its position, so what an earlier lap left behind never passes, nor
// does a record that a kill interrupted. There is no head in the file that every request would have to write: the one
// page it lies in would be the one to fault whenever the kernel has written it back.
const (
	ringMagic        = "TRIBRNG1"
	newSuffix        = ".new" // of a ring that is being made
	ringFileHeader   = pageBytes
	ringRecordHeader = 16
	ringRecord       = 1
	ringPad          = 2
)

// ring is the mapped memory of one shard. It has no lock: one producer at a time writes above the head, the flusher
// reads below it.
type ring struct {
	f    file
	m    mapping
	data []byte
	mask uint64 // len(data) - 1
	salt uint64
}

func ringName(shard int) string { return fmt.Sprintf("ring-%02d", shard) }

func parseRingName(name string) (shard int, ok bool) {
	if n, err := fmt.Sscanf(name, "ring-%02d", &shard); n != 1 || err != nil {
		return 0, false
	}
	return shard, shard >= 0 && shard < maxShards && ringName(shard) == name
}

// openRing maps a shard's ring; one that does not exist is made with size data bytes, one that does keeps its own.
func openRing(fs fileSystem, dir string, shard int, size int, m *meta) (*ring, error) {
	path := filepath.Join(dir, ringName(shard))
	f, err := openSized(fs, path, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, err := mapRing(f, m.salt("ring", uint64(shard), 0))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// openSized opens a file that has a ring's size, or makes one. It gets its name once its size is durable: the size says
// where a position lies, so a power cut must not change it under the records.
func openSized(fs fileSystem, path string, size int) (file, error) {
	f, err := fs.Open(path, false)
	if err == nil {
		have, err := f.Size()
		if data := have - ringFileHeader; err == nil && data >= pageBytes && data&(data-1) == 0 {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	name := path + newSuffix
	if f, err = fs.Open(name, true); err != nil {
		return nil, err
	}
	if err = makeBlocks(f, int64(ringFileHeader+size)); err == nil {
		err = fs.Rename(name, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// makeBlocks makes a file one of zeros, its size durable. Blocks that were written once cost a fault less than blocks
// that are only reserved.
func makeBlocks(f file, size int64) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if err := f.Allocate(size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return writeFull(f, make([]byte, size), 0)
}

func mapRing(f file, salt uint64) (*ring, error) {
	have, err := f.Size()
	if err != nil {
		return nil, err
	}
	// Also of an old file: a hole in a mapped file would kill the process at the first store on a full disk.
	if err := f.Allocate(have); err != nil {
		return nil, err
	}
	size := int(have) - ringFileHeader
	mapped, err := f.Map(ringFileHeader + size)
	if err != nil {
		return nil, err
	}
	copy(mapped.Bytes(), ringMagic)
	return &ring{f: f, m: mapped, data: mapped.Bytes()[ringFileHeader:], mask: uint64(size - 1), salt: salt}, nil
}

func (r *ring) size() uint64 { return uint64(len(r.data)) }

// touch makes the pages of [from, to) writable ahead of the producers.
func (r *ring) touch(from, to uint64) {
	if to-from >= r.size() {
		r.m.Touch(0, ringFileHeader+len(r.data))
		return
	}
	a, b := from&r.mask, to&r.mask
	if a < b {
		r.m.Touch(ringFileHeader+int(a), ringFileHeader+int(b))
	} else if from < to {
		r.m.Touch(ringFileHeader+int(a), ringFileHeader+len(r.data))
		r.m.Touch(ringFileHeader, ringFileHeader+int(b))
	}
}

// span returns where a record of n bytes put at head would start and end: behind a pad when it would cross the lap.
func (r *ring) span(head uint64, n int) (start, end uint64) {
	need := uint64(ringRecordHeader + aligned(n))
	if left := r.size() - head&r.mask; left < need {
		head += left
	}
	return head, head + need
}

// put stores a record in the span it was given; sum is the CRC32C of the record.
func (r *ring) put(s *sealer, head, start uint64, record []byte, sum uint32) {
	if start-head >= ringRecordHeader {
		r.header(s, head, ringPad<<24, 0)
	}
	copy(r.data[start&r.mask+ringRecordHeader:], record)
	r.header(s, start, uint32(len(record))|ringRecord<<24, sum)
}

func (r *ring) header(s *sealer, pos uint64, size, sum uint32) {
	b := r.data[pos&r.mask:][:ringRecordHeader]
	binary.LittleEndian.PutUint64(b[8:], pos)
	binary.LittleEndian.PutUint32(b[4:], size)
	binary.LittleEndian.PutUint32(b, s.seal(sum, size, 0, pos))
}

// next returns the record at pos or the first valid one behind it, before head. end is where the one after it starts.
// sum is the record's CRC32C, skipped what had to be stepped over; without a record, end is head.
func (r *ring) next(s *sealer, pos, head uint64) (record []byte, sum uint32, end, skipped uint64) {
	for pos < head {
		left := r.size() - pos&r.mask
		if left < ringRecordHeader {
			pos += left
			continue
		}
		b := r.data[pos&r.mask:]
		size := binary.LittleEndian.Uint32(b[4:])
		n := int(size & 0xffffff)
		if binary.LittleEndian.Uint64(b[8:]) == pos {
			switch {
			case size == ringPad<<24 && s.seal(0, size, 0, pos) == binary.LittleEndian.Uint32(b):
				pos += left
				continue
			case size>>24 == ringRecord && ringRecordHeader+aligned(n) <= len(b) && pos+uint64(ringRecordHeader+aligned(n)) <= head:
				record = b[ringRecordHeader : ringRecordHeader+n : ringRecordHeader+n]
				sum = crc32.Checksum(record, castagnoli)
				if s.seal(sum, size, 0, pos) == binary.LittleEndian.Uint32(b) {
					return record, sum, pos + uint64(ringRecordHeader+aligned(n)), skipped
				}
			}
		}
		pos += 8
		skipped += 8
	}
	return nil, 0, head, skipped
}

// recover finds the end of the last valid record in the lap that starts at pos, and how many there are.
func (r *ring) recover(s *sealer, pos uint64) (head, records uint64) {
	head = pos
	for limit := pos + r.size(); ; records++ {
		record, _, end, _ := r.next(s, pos, limit)
		if record == nil {
			return head, records
		}
		head, pos = end, end
	}
}

// count counts the records between two positions.
func (r *ring) count(s *sealer, pos, head uint64) (records uint64) {
	for {
		record, _, end, _ := r.next(s, pos, head)
		if record == nil {
			return records
		}
		records++
		pos = end
	}
}

func (r *ring) close() error {
	err := r.m.Unmap()
	if e := r.f.Close(); err == nil {
		err = e
	}
	return err
}
