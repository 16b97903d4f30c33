package spool

import "slices"

const (
	maxTimes    = 4096
	timeGrainMS = 10
)

// times bounds from below when records were appended: every record from seq on was appended at or after ms. It keeps
// some thousand bounds; with more, each second one goes, which only makes the bounds older.
type times struct {
	list []timeBound // by seq, ms not falling
}

type timeBound struct {
	seq uint64
	ms  int64
}

func (t *times) add(seq uint64, ms int64) {
	i, found := slices.BinarySearchFunc(t.list, seq, func(b timeBound, seq uint64) int {
		switch {
		case b.seq < seq:
			return -1
		case b.seq > seq:
			return 1
		}
		return 0
	})
	if found {
		t.list[i].ms = max(t.list[i].ms, ms)
		return
	}
	if i > 0 && ms-t.list[i-1].ms < timeGrainMS {
		return
	}
	t.list = slices.Insert(t.list, i, timeBound{seq, ms})
	if len(t.list) > maxTimes {
		kept := t.list[:0]
		for i, b := range t.list {
			if i%2 == 0 {
				kept = append(kept, b)
			}
		}
		t.list = kept
	}
}

// at is the bound for the record seq, or other when there is none.
func (t *times) at(seq uint64, other int64) int64 {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.list[i].seq <= seq {
			return t.list[i].ms
		}
	}
	return other
}

// forget drops what is of no use for records from seq on.
func (t *times) forget(seq uint64) {
	n := 0
	for n+1 < len(t.list) && t.list[n+1].seq <= seq {
		n++
	}
	t.list = slices.Delete(t.list, 0, n)
}
