package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// castagnoli is the polynomial with processor support; the table is never written after it was made.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	slotBytes       = pageBytes
	slotHeaderBytes = 16 // crc, payload length, generation
	maxSlotPayload  = slotBytes - slotHeaderBytes
)

// slotFile keeps one small value in two alternating slots, each with its checksum and generation: a torn write
// spoils only the slot that does not count yet.
type slotFile struct {
	f          file
	generation uint64
	buf        [slotBytes]byte
}

// openSlots opens the file and returns the newest valid value, nil when there is none.
func openSlots(fs fileSystem, path string) (*slotFile, []byte, error) {
	f, err := fs.Open(path, true)
	if err != nil {
		return nil, nil, err
	}
	size, err := f.Size()
	if err == nil && size < 2*slotBytes {
		err = f.Allocate(2 * slotBytes)
	}
	s := &slotFile{f: f}
	both := make([]byte, 2*slotBytes)
	if err == nil {
		_, err = readUpTo(f, both, 0)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	var value []byte
	for slot := range 2 {
		b := both[slot*slotBytes : (slot+1)*slotBytes]
		n := binary.LittleEndian.Uint32(b[4:])
		generation := binary.LittleEndian.Uint64(b[8:])
		if n > maxSlotPayload || generation <= s.generation || generation%2 != uint64(slot) {
			continue
		}
		if crc32.Checksum(b[4:slotHeaderBytes+n], castagnoli) == binary.LittleEndian.Uint32(b) {
			s.generation, value = generation, b[slotHeaderBytes:slotHeaderBytes+n]
		}
	}
	return s, value, nil
}

// save writes the value into the older slot. Without durable it is out of kill -9's reach only. When it fails the
// newer slot still counts and the next save takes the same slot again.
func (s *slotFile) save(value []byte, durable bool) error {
	generation := s.generation + 1
	if err := writeFull(s.f, fillSlot(&s.buf, value, generation), int64(generation%2)*slotBytes); err != nil {
		return err
	}
	if durable {
		if err := s.f.Sync(); err != nil {
			return err
		}
	}
	s.generation = generation
	return nil
}

// confirm makes the newest value durable, which a process that was killed may have written without knowing it on disk.
// It goes into its own slot once more: the other one may hold the last value that is on disk.
func (s *slotFile) confirm(value []byte) error {
	s.generation--
	return s.save(value, true)
}

// fillSlot writes a slot into buf and returns the part of it that counts.
func fillSlot(buf *[slotBytes]byte, value []byte, generation uint64) []byte {
	n := slotHeaderBytes + copy(buf[slotHeaderBytes:], value)
	binary.LittleEndian.PutUint32(buf[4:], uint32(len(value)))
	binary.LittleEndian.PutUint64(buf[8:], generation)
	binary.LittleEndian.PutUint32(buf[:], crc32.Checksum(buf[4:n], castagnoli))
	return buf[:n]
}

// slotImage is a whole file of slots that holds the value.
func slotImage(value []byte) []byte {
	const generation = 1
	var buf [slotBytes]byte
	image := make([]byte, 2*slotBytes)
	copy(image[generation%2*slotBytes:], fillSlot(&buf, value, generation))
	return image
}

func (s *slotFile) close() error { return s.f.Close() }
