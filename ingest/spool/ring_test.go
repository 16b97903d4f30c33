package spool

import (
	"fmt"
	"strings"
	"testing"
)

// memory is a mapping without a file.
type memory []byte

func (m memory) Bytes() []byte  { return m }
func (m memory) Touch(int, int) {}
func (m memory) Unmap() error   { return nil }

func memoryRing(size int) *ring {
	m := make(memory, ringFileHeader+size)
	return &ring{m: m, data: m[ringFileHeader:], mask: uint64(size - 1), salt: 9}
}

func TestRingGivesBackWhatWasPut(t *testing.T) {
	r := memoryRing(4096)
	s := sealer{salt: r.salt}
	head, tail := uint64(0), uint64(0)
	var want []string
	for i := range 2000 {
		record := fmt.Sprint(i, strings.Repeat("r", i*7%500))
		start, end := r.span(head, len(record))
		for end-tail > r.size() {
			got, _, next, skipped := r.next(&s, tail, head)
			if string(got) != want[0] || skipped != 0 {
				t.Fatalf("got %.20q, want %.20q, skipped %d", got, want[0], skipped)
			}
			tail, want = next, want[1:]
		}
		r.put(&s, head, start, []byte(record), checksum([]byte(record)))
		head, want = end, append(want, record)
		if i%100 == 0 {
			if found, n := r.recover(&s, tail); found != head || n != uint64(len(want)) {
				t.Fatalf("recovered %d records up to %d, want %d up to %d", n, found, len(want), head)
			}
		}
	}
}

func TestRingRecoveryStepsOverDamage(t *testing.T) {
	r := memoryRing(4096)
	s := sealer{salt: r.salt}
	head := uint64(3 * 4096) // a later lap: what lies here already must not pass
	from := head
	for i := range 10 {
		record := fmt.Appendf(nil, "record %d", i)
		start, end := r.span(head, len(record))
		r.put(&s, head, start, record, checksum(record))
		head = end
	}
	for i := range int(head - from) {
		r.data[i] ^= 0x10
		if found, n := r.recover(&s, from); n < 9 || n > 10 || found > head {
			t.Fatalf("byte %d: recovered %d records up to %d", i, n, found)
		}
		r.data[i] ^= 0x10
	}
	if _, n := r.recover(&s, from+4096); n != 0 {
		t.Fatalf("%d records of an earlier lap", n)
	}
}

func TestRingsOfOtherSizesAndShardsAreDrained(t *testing.T) {
	o := small(t.TempDir())
	o.MaxRecordBytes = 2 << 10
	for i, change := range []func(){
		func() { o.Shards = 5 },
		func() { o.Shards, o.RingBytes = 1, 128<<10 },
		func() { o.Shards, o.RingBytes = 3, 32<<10 },
	} {
		change()
		l := mustOpen(t, o)
		for shard := range uint32(7) {
			mustAppend(t, l, shard, fmt.Sprint(i, shard))
		}
		if got := len(drain(t, l, 7)); got != 7 {
			t.Fatal(got)
		}
		if err := l.Commit(uint64(7 * (i + 1))); err != nil {
			t.Fatal(err)
		}
		if size := l.shards[0].ring.size(); size != uint64(o.RingBytes) || len(l.shards) != o.Shards {
			t.Fatalf("%d rings of %d bytes", len(l.shards), size)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
