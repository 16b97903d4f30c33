package links

import (
	"encoding/binary"
	"slices"
)

// An arena holds records, appended to chunks of outside memory. A record's place
// is its chunk's position and its offset. Places are never used again, so that a
// reader who holds an old place finds the old record or, where the chunk is gone
// from the list, learns that it must look again.
//
// The list of chunks is copied when an element changes and shared when one is
// added: whoever holds a list may read all of it.
type arena struct {
	chunks     []*chunk // nil where a chunk was evacuated
	alloc      allocator
	chunkBytes int // of a new chunk, at most maxChunkBytes

	bytes, garbage int64 // of records
	holes          int   // nils in chunks
	crowded        []int // chunks to look at for garbage
}

// A chunk is memory that records are appended to.
type chunk struct {
	memory        *region
	used, garbage int // bytes; the writer's
}

const (
	chunkBits     = 20
	maxChunkBytes = 1 << chunkBits
	maxChunks     = 1 << (valueBits - chunkBits - 1)
)

func placeOf(chunk, offset int) uint64 { return uint64(chunk)<<chunkBits | uint64(offset) }

func chunkOf(place uint64) int { return int(place >> chunkBits) }

// wasteful reports whether more than 40 % of the chunk's bytes are garbage.
func (c *chunk) wasteful() bool { return c.garbage*5 > c.used*2 }

// body returns the record's body at an offset and the offset behind it.
func (c *chunk) body(offset int) (body []byte, next int) {
	mem := c.memory.mem[offset:]
	n, size := uint64(mem[0]), 1
	if n >= 0x80 {
		n, size = binary.Uvarint(mem)
	}
	end := size + int(n)
	return mem[size:end:end], offset + end
}

// bodyAt returns the body of the record at a place, or nil when the chunk is
// not in the list: it is newer than the list, or gone.
func bodyAt(chunks []*chunk, place uint64) []byte {
	i := chunkOf(place)
	if i >= len(chunks) || chunks[i] == nil {
		return nil
	}
	body, _ := chunks[i].body(int(place & (maxChunkBytes - 1)))
	return body
}

// append adds a record, which is at most a.chunkBytes long, and returns its place.
// grown tells that the list of chunks did.
func (a *arena) append(record []byte) (place uint64, grown bool) {
	last := len(a.chunks) - 1
	if last < 0 || a.chunks[last] == nil || a.chunks[last].used+len(record) > len(a.chunks[last].memory.mem) {
		last = a.add(&chunk{memory: a.alloc(a.chunkBytes)})
		grown = true
	}
	tail := a.chunks[last]
	place = placeOf(last, tail.used)
	copy(tail.memory.mem[tail.used:], record)
	tail.used += len(record)
	a.bytes += int64(len(record))
	return place, grown
}

// add appends a chunk, which becomes the one that is written to.
func (a *arena) add(c *chunk) int {
	last := len(a.chunks)
	a.chunks = append(a.chunks, c)
	a.bytes += int64(c.used)
	if last > 0 {
		a.crowded = append(a.crowded, last-1)
	}
	return last
}

// discard declares the record at a place garbage.
func (a *arena) discard(place uint64) {
	c := a.chunks[chunkOf(place)]
	offset := int(place & (maxChunkBytes - 1))
	_, next := c.body(offset)
	c.garbage += next - offset
	a.garbage += int64(next - offset)
	a.crowded = append(a.crowded, chunkOf(place))
}

// wasteful returns the next chunk that should be evacuated. The one that is
// being written to waits until it is full.
func (a *arena) wasteful() (i int, found bool) {
	for len(a.crowded) > 0 {
		last := len(a.crowded) - 1
		i = a.crowded[last]
		a.crowded = a.crowded[:last]
		if i < len(a.chunks)-1 && a.chunks[i] != nil && a.chunks[i].wasteful() {
			return i, true
		}
	}
	return 0, false
}

// drop takes a chunk without live records out of the list. Its memory is
// unmapped when the last reader has left it.
func (a *arena) drop(i int) {
	a.bytes -= int64(a.chunks[i].used)
	a.garbage -= int64(a.chunks[i].garbage)
	a.chunks = slices.Clone(a.chunks)
	a.chunks[i] = nil
	a.holes++
}

// scattered reports whether the list of chunks is mostly holes, or about to
// have more chunks than places can name.
func (a *arena) scattered() bool {
	return a.holes > 1024 && a.holes > len(a.chunks)/2 || len(a.chunks) >= maxChunks
}

// gathered returns the list without holes and each chunk's new position.
func (a *arena) gathered() (chunks []*chunk, position []int) {
	position = make([]int, len(a.chunks))
	for i, c := range a.chunks {
		if c != nil {
			position[i] = len(chunks)
			chunks = append(chunks, c)
		}
	}
	return chunks, position
}

// gather replaces the list by the one gathered returned.
func (a *arena) gather(chunks []*chunk) {
	a.chunks, a.holes, a.crowded = chunks, 0, nil
}
