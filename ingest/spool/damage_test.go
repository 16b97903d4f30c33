package spool

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// These tests damage every file of a log at every place, on a simulated disk: each log that is opened costs no real time.

const (
	damagedRecords   = 20
	damagedCommitted = 3
	damagedDirectory = "/spool"
)

func everyDamageOptions() Options {
	return Options{Dir: damagedDirectory, SyncWithin: time.Millisecond, Shards: 1, RingBytes: 4096, MaxRecordBytes: 64,
		SegmentBytes: segmentHeaderBytes + 500, MaxWait: time.Second}
}

// eagerMachine is a simulated disk that works, at once.
func eagerMachine(d *simDisk) *simMachine {
	return newSimMachine(d, simFlaws{}, 1, 0, 8, func(string) {})
}

func openSimulated(t *testing.T, m *simMachine) *Log {
	t.Helper()
	l, err := open(everyDamageOptions(), m, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wholeLog is the disk of a log with records in several segments, some of them committed, cleanly closed.
func wholeLog(t *testing.T) *simDisk {
	m := eagerMachine(newSimDisk())
	l := openSimulated(t, m)
	for seq := range uint64(damagedRecords) {
		mustAppend(t, l, 0, imageRecord(seq+1))
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(damagedCommitted) {
		if err := l.Commit(seq + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return m.disk
}

// ringLog is the disk of a process that was killed with all its records in the ring.
func ringLog(t *testing.T) *simDisk {
	m := newSimMachine(newSimDisk(), simFlaws{}, 1, 0, 0, func(string) {}) // nothing happens before it is let
	random := rand.New(rand.NewPCG(1, 1))
	opened := make(chan *Log, 1)
	go func() { opened <- openSimulated(t, m) }()
	var l *Log
	for l == nil {
		synctest.Wait()
		select {
		case l = <-opened:
		default:
			m.next(random)
		}
	}
	for seq := range uint64(damagedRecords) {
		mustAppend(t, l, 0, imageRecord(seq+1))
	}
	synctest.Wait()
	d := m.disk.killed()
	m.die(random, false)
	_ = l.Close()
	return d
}

// outcome is what a damaged log still had.
type outcome struct {
	found, missing int // behind what was committed
	err            error
}

// readAgain opens a log and reads it to its end. Whatever happened to it, nothing may be wrong or there twice.
func readAgain(t *testing.T, d *simDisk) (o outcome) {
	t.Helper()
	l, err := open(everyDamageOptions(), eagerMachine(d), time.Now)
	if err != nil {
		return outcome{err: err}
	}
	defer l.Close()
	mustAppend(t, l, 0, "last")
	missing := 0
	seen := map[string]bool{}
	for {
		b, err := l.Next(context.Background(), 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if missing += b.Missing; b.Last > damagedCommitted {
			o.missing += b.Missing
		}
		for i, r := range b.Records {
			if string(r) == "last" {
				if st := l.Stats(); int(st.Corrupt) != missing {
					t.Fatalf("%d missing, stats %+v", missing, st)
				}
				return o
			}
			var seq uint64
			fmt.Sscanf(string(r), "record %d ", &seq)
			if seen[string(r)] || string(r) != imageRecord(seq) {
				t.Fatalf("record %d is %q", b.Sequence(i), r)
			}
			seen[string(r)] = true
			if seq > damagedCommitted {
				o.found++
			}
		}
	}
}

// file finds a file of a disk by the end of its name; index counts those with the same ending.
func (d *simDisk) file(suffix string, index int) (n *simNode, name string) {
	dir, _ := d.find(damagedDirectory)
	var names []string
	for name := range dir.seenNames {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	if index >= len(names) {
		return nil, ""
	}
	slices.Sort(names)
	name = names[index]
	return dir.seenNames[name], name
}

// wounds lists the bits to flip of a file: all of the bytes that hold something or lie next to one that does, and one
// of each other byte, or of some of them.
func wounds(content []byte) (bits []int) {
	for i, b := range content {
		near := bytes.ContainsFunc(content[max(i-8, 0):min(i+9, len(content))], func(r rune) bool { return r != 0 })
		switch {
		case b != 0:
			for bit := range 8 {
				bits = append(bits, 8*i+bit)
			}
		case near || i < 620 || i%32 == 0:
			bits = append(bits, 8*i+i%8)
		}
	}
	return bits
}

func TestEveryFlippedBitOfEveryFileIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := wholeLog(t)
		const behind = damagedRecords - damagedCommitted
		if o := readAgain(t, whole.killed()); o.found != behind || o.missing != 0 {
			t.Fatalf("undamaged: %+v", o)
		}
		tried, cost := 0, 0
		for _, suffix := range []string{segmentSuffix, ringName(0), metaName, cursorName, progressName} {
			for index := 0; ; index++ {
				n, name := whole.file(suffix, index)
				if n == nil {
					break
				}
				for i, bit := range wounds(n.seen) {
					if i%damageStride != 0 {
						continue
					}
					d := whole.killed()
					f, _ := d.file(suffix, index)
					f.seen[bit/8] ^= 1 << (bit % 8)
					o := readAgain(t, d)
					allowed := 0
					if suffix == segmentSuffix && bit/8 >= segmentHeaderBytes {
						allowed = 1
					}
					if o.err != nil || o.missing > allowed || o.found+o.missing != behind {
						t.Fatalf("%s, byte %d, bit %d: %+v", name, bit/8, bit%8, o)
					}
					tried, cost = tried+1, cost+o.missing
				}
			}
		}
		if t.Logf("%d bits flipped, %d of them cost a record", tried, cost); cost == 0 {
			t.Error("no damage hit a record: the test tests nothing")
		}
	})
}

func TestEveryFlippedBitOfARingCostsAtMostItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := ringLog(t)
		const all = damagedRecords - damagedCommitted
		if o := readAgain(t, whole.killed()); o.found != all || o.err != nil {
			t.Fatalf("undamaged: %+v", o)
		}
		n, _ := whole.file(ringName(0), 0)
		for i, bit := range wounds(n.seen) {
			if i%damageStride != 0 {
				continue
			}
			d := whole.killed()
			f, _ := d.file(ringName(0), 0)
			f.seen[bit/8] ^= 1 << (bit % 8)
			if o := readAgain(t, d); o.err != nil || o.found < all-1 || o.missing != 0 {
				t.Fatalf("byte %d, bit %d: %+v", bit/8, bit%8, o)
			}
		}
	})
}

func TestEveryTruncationOfEveryFileIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := wholeLog(t)
		const behind = damagedRecords - damagedCommitted
		for _, suffix := range []string{segmentSuffix, ringName(0), metaName, cursorName, progressName} {
			for index := 0; ; index++ {
				n, name := whole.file(suffix, index)
				if n == nil {
					break
				}
				least := 0 // records that a longer beginning of the file held cannot be missing from it
				for size := 0; size <= len(n.seen); size++ {
					if size%damageStride != 0 || suffix != segmentSuffix && size%64 > 1 {
						continue
					}
					d := whole.killed()
					f, _ := d.file(suffix, index)
					f.resize(size)
					o := readAgain(t, d)
					if suffix == metaName && size < segmentHeaderBytes && o.err != nil {
						if !strings.Contains(o.err.Error(), "restore that file") {
							t.Fatalf("%s of %d bytes: %v", name, size, o.err)
						}
						continue
					}
					if o.err != nil || o.found+o.missing != behind || o.found < least || suffix != segmentSuffix && o.missing > 0 {
						t.Fatalf("%s cut to %d bytes: %+v, %d with less", name, size, o, least)
					}
					least = o.found
				}
				if least != behind && damageStride == 1 {
					t.Fatalf("%s, whole: %d records", name, least)
				}
			}
		}
	})
}
