package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// powerJudge knows what was appended, acknowledged, handed out and committed over all lives of a log, by plain lists,
// and says what broke a promise.
type powerJudge struct {
	mu        sync.Mutex
	seed      uint64
	records   []*powerRecord
	bySeq     map[uint64]*powerRecord // what was handed out
	gone      map[uint64]bool         // sequences that came back missing
	handedOut uint64                  // the last sequence
	committed uint64                  // acknowledged by Commit
	trying    uint64                  // the highest Commit was asked for
	identity  string
	broken    error
}

// powerRecord is one record and what became of it.
type powerRecord struct {
	id       int
	size     int
	life     int
	producer int
	acked    bool
	due      time.Time // an acknowledged one is on disk by then; zero: nobody promised
	required bool      // it is on disk
	seq      uint64    // it was handed out as; 0: not yet
}

const powerRecordHeader = 8

func newPowerJudge(seed uint64) *powerJudge {
	return &powerJudge{seed: seed, bySeq: map[uint64]*powerRecord{}, gone: map[uint64]bool{}}
}

func (j *powerJudge) breaks(format string, args ...any) {
	if j.broken == nil {
		j.broken = fmt.Errorf(format, args...)
	}
}

// complain is for what a life finds out itself.
func (j *powerJudge) complain(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.breaks(format, args...)
}

func (j *powerJudge) verdict() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.broken
}

// content is what a record holds: its number, and bytes that follow from it.
func (j *powerJudge) content(r *powerRecord) []byte {
	b := make([]byte, r.size)
	binary.LittleEndian.PutUint64(b, uint64(r.id))
	random := rand.NewPCG(j.seed, uint64(r.id))
	for i := powerRecordHeader; i < len(b); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], random.Uint64())
		copy(b[i:], word[:])
	}
	return b
}

// submit is told of a record before it is appended.
func (j *powerJudge) submit(life, producer, size int) (*powerRecord, []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &powerRecord{id: len(j.records), size: max(size, powerRecordHeader), life: life, producer: producer}
	j.records = append(j.records, r)
	return r, j.content(r)
}

// acknowledge is told of a record that Append has taken, with when it has to be on disk; now: it is.
func (j *powerJudge) acknowledge(r *powerRecord, due time.Time, now bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.acked, r.due, r.required = true, due, now
}

// appended lists the records acknowledged so far that need not be on disk.
func (j *powerJudge) appended() (loose []*powerRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		if r.acked && !r.required {
			loose = append(loose, r)
		}
	}
	return loose
}

// synced is told that these records were in the log before a Sync or Close that succeeded.
func (j *powerJudge) synced(records []*powerRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		r.required = true
	}
}

// died is told of the end of a life. After a power cut nobody expects more than what was promised by then; after a kill
// the next life is promised all that was acknowledged: due tells until when it must have it on disk.
func (j *powerJudge) died(at time.Time, power bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		if r.acked && !r.due.IsZero() && !r.due.After(at) {
			r.required = true
		}
		if power {
			r.acked = r.required
		}
		r.due = time.Time{}
	}
}

// reopened is told that a log serves again: what the process was killed with has to be on disk by due, if that is promised.
func (j *powerJudge) reopened(l *Log, due time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.identity == "" {
		j.identity = l.Identity()
	} else if j.identity != l.Identity() {
		j.breaks("the log's identity changed")
	}
	c, st := l.Committed(), l.Stats()
	if c < j.committed || c > j.trying {
		j.breaks("committed is %d after the restart; %d was acknowledged, %d asked for", c, j.committed, j.trying)
	}
	j.committed = c
	if st.Synced < j.handedOut {
		j.breaks("the log is synced up to %d, but %d was handed out before", st.Synced, j.handedOut)
	}
	for _, r := range j.records {
		if r.acked && !r.required {
			r.due = due
		}
	}
}

func (j *powerJudge) commits(last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trying = max(j.trying, last)
}

func (j *powerJudge) committedUpTo(last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.committed = max(j.committed, last)
}

// batch judges what a reader got.
func (j *powerJudge) batch(b *Batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if got := uint64(len(b.Records) + b.Missing); got != b.Last-b.First+1 {
		j.breaks("a batch from %d to %d has %d records and %d missing", b.First, b.Last, len(b.Records), b.Missing)
	}
	next := b.First
	for i, content := range b.Records {
		seq := b.Sequence(i)
		j.missing(next, seq)
		j.read(seq, content)
		next = seq + 1
	}
	j.missing(next, b.Last+1)
	j.handedOut = max(j.handedOut, b.Last)
}

func (j *powerJudge) missing(from, to uint64) {
	for seq := from; seq < to; seq++ {
		j.gone[seq] = true
		if r := j.bySeq[seq]; r != nil {
			j.breaks("record %d was handed out as %d, which is missing now", r.id, seq)
		}
	}
}

func (j *powerJudge) read(seq uint64, content []byte) {
	if len(content) < powerRecordHeader || binary.LittleEndian.Uint64(content) >= uint64(len(j.records)) {
		j.breaks("sequence %d holds what nobody appended: %.20q", seq, content)
		return
	}
	r := j.records[binary.LittleEndian.Uint64(content)]
	switch before := j.bySeq[seq]; {
	case j.gone[seq]:
		j.breaks("sequence %d was missing and is record %d now", seq, r.id)
	case !bytes.Equal(content, j.content(r)):
		j.breaks("record %d came back different, as %d", r.id, seq)
	case before != nil && before != r:
		j.breaks("sequence %d was record %d and is record %d now", seq, before.id, r.id)
	case r.seq != 0 && r.seq != seq:
		j.breaks("record %d is there twice, as %d and as %d", r.id, r.seq, seq)
	}
	r.seq, r.required = seq, true
	j.bySeq[seq] = r
}

// complete is told that the log was read to its end: what had to be there was seen by now. all: the log was synced, so
// that every record acknowledged in a life that did not end with a power cut is there too.
func (j *powerJudge) complete(all bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		if r.seq == 0 && (r.required || all && r.acked) {
			j.breaks("record %d of producer %d in life %d was acknowledged and is lost", r.id, r.producer, r.life)
			return
		}
	}
}

// order judges that each producer's records of one life came in the order it appended them.
func (j *powerJudge) order() {
	j.mu.Lock()
	defer j.mu.Unlock()
	seqs := make([]uint64, 0, len(j.bySeq))
	for seq := range j.bySeq {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	last := map[[2]int]*powerRecord{}
	for _, seq := range seqs {
		r := j.bySeq[seq]
		who := [2]int{r.life, r.producer}
		if before := last[who]; before != nil && before.id > r.id {
			j.breaks("records %d and %d of one producer come in the wrong order, as %d and %d", r.id, before.id, r.seq, before.seq)
		}
		last[who] = r
	}
}
