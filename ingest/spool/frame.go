package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment is a header page and then frames, each starting at a multiple of 8:
//
//	crc    uint32  CRC32C over payload, salt of the segment, size, sequence, position
//	size   uint32  low 24 bits: payload length; high 8 bits: the record's shard, or kindMark
//	seq    uint64  the record's sequence number; of a mark, that of the next record
//	pos    uint64  where the record ended in its shard's ring; of a mark, a wall time in ms
//	payload, zeros up to a multiple of 8
//
// Every record frame says where in the ring it came from, so any prefix of a segment tells what has been drained. A
// mark says that no record behind it was appended before its time; its payload is the last sequence synced so far.
// The salt is secret and differs by segment: neither a frame of another file nor bytes that a shopper sent can pass.
const (
	frameHeaderBytes = 24
	maxFramePayload  = 1 << 20 // far below 24 bits, so that a flipped length is seldom believed
	kindMark         = 0xff
	maxShards        = 64
	markBytes        = frameHeaderBytes + 8
)

type frame struct {
	kind    uint8
	seq     uint64
	pos     uint64
	payload []byte
}

func (f *frame) mark() bool { return f.kind == kindMark }

// aligned rounds up to the frame alignment.
func aligned(n int) int { return (n + 7) &^ 7 }

func frameBytes(payload int) int { return frameHeaderBytes + aligned(payload) }

// sealer computes the checksum of frames and ring records: the sum of the payload continued over a trailer.
// It is not safe for concurrent use; the trailer lives in it so that nothing escapes to the heap.
type sealer struct {
	salt    uint64
	trailer [28]byte
}

func (s *sealer) seal(payloadSum, size uint32, seq, pos uint64) uint32 {
	binary.LittleEndian.PutUint64(s.trailer[0:], s.salt)
	binary.LittleEndian.PutUint32(s.trailer[8:], size)
	binary.LittleEndian.PutUint64(s.trailer[12:], seq)
	binary.LittleEndian.PutUint64(s.trailer[20:], pos)
	return crc32.Update(payloadSum, castagnoli, s.trailer[:])
}

// appendFrame appends an encoded frame; payloadSum is the CRC32C of the payload.
func appendFrame(dst []byte, s *sealer, f frame, payloadSum uint32) []byte {
	size := uint32(len(f.payload)) | uint32(f.kind)<<24
	dst = binary.LittleEndian.AppendUint32(dst, s.seal(payloadSum, size, f.seq, f.pos))
	dst = binary.LittleEndian.AppendUint32(dst, size)
	dst = binary.LittleEndian.AppendUint64(dst, f.seq)
	dst = binary.LittleEndian.AppendUint64(dst, f.pos)
	dst = append(dst, f.payload...)
	for range aligned(len(f.payload)) - len(f.payload) {
		dst = append(dst, 0)
	}
	return dst
}

func appendMark(dst []byte, s *sealer, next uint64, wallMS int64, synced uint64) []byte {
	var payload [8]byte
	binary.LittleEndian.PutUint64(payload[:], synced)
	f := frame{kind: kindMark, seq: next, pos: uint64(wallMS), payload: payload[:]}
	return appendFrame(dst, s, f, crc32.Checksum(payload[:], castagnoli))
}

// decodeFrame reads the frame at the start of b. needed is the length of the whole frame when its header is
// plausible, also when b is too short to hold it; 0 when there can be no frame here.
func decodeFrame(b []byte, s *sealer) (f frame, needed int, ok bool) {
	if len(b) < frameHeaderBytes {
		return frame{}, frameHeaderBytes, false
	}
	size := binary.LittleEndian.Uint32(b[4:])
	n, kind := int(size&0xffffff), uint8(size>>24)
	seq, pos := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	if n > maxFramePayload || (kind >= maxShards && kind != kindMark) || (kind == kindMark && n != 8) || seq == 0 {
		return frame{}, 0, false
	}
	needed = frameBytes(n)
	if len(b) < needed {
		return frame{}, needed, false
	}
	payload := b[frameHeaderBytes : frameHeaderBytes+n : frameHeaderBytes+n]
	if s.seal(crc32.Checksum(payload, castagnoli), size, seq, pos) != binary.LittleEndian.Uint32(b) {
		return frame{}, 0, false
	}
	return frame{kind: kind, seq: seq, pos: pos, payload: payload}, needed, true
}
