package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Reasons a record is in quarantine for.
const (
	ReasonUndecodable = "undecodable" // the record is no encoding this program knows
	ReasonRefused     = "refused"     // ClickHouse will not take the row
)

// A QuarantineEntry is a record that could not be taken, and why.
type QuarantineEntry struct {
	ID         uint64    `json:"id"` // given by Put; grows
	At         time.Time `json:"at"`
	Source     string    `json:"source"`        // what it would have become: "clicks"
	Log        string    `json:"log,omitempty"` // identity of the log it came from
	Seq        uint64    `json:"seq,omitempty"` // in that log
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail,omitempty"` // for people
	Record     []byte    `json:"record"`
	ReplayedAt time.Time `json:"replayed_at,omitzero"`
}

// A QuarantineFilter chooses entries. Empty fields choose all.
type QuarantineFilter struct {
	Source, Reason string
	Log            string
	IDs            []uint64
	Replayed       bool   // those already replayed too
	After          uint64 // only entries with a greater ID
	Limit          int    // at most MaxQuarantineList, which 0 means
}

// MaxQuarantineList bounds one List.
const MaxQuarantineList = 1000

// maxDetailBytes is how much of an error text is kept.
const maxDetailBytes = 500

// A Quarantine keeps the records that could not be taken: append-only files of
// one JSON line an entry, in the order they came. What Put and Replay did is on
// disk when they return. Safe for concurrent use.
type Quarantine struct {
	dir     string
	now     func() time.Time
	metrics *Metrics

	replaying sync.Mutex // held for a whole Replay

	mu       sync.Mutex
	file     *os.File // the last one, appended to
	size     int64
	nextID   uint64
	replayed map[uint64]time.Time
	counts   map[string]uint64 // by reason, replayed ones excluded
}

const quarantineFileBytes = 8 << 20

// quarantineLine is one line of a file: an entry, or a note that some were replayed.
type quarantineLine struct {
	*QuarantineEntry
	Replay *quarantineReplay `json:"replay,omitempty"`
}

type quarantineReplay struct {
	At  time.Time `json:"at"`
	IDs []uint64  `json:"ids"`
}

// OpenQuarantine opens the quarantine in a directory, which is made when
// missing. metrics may be nil.
func OpenQuarantine(dir string, now func() time.Time, metrics *Metrics) (*Quarantine, error) {
	q := &Quarantine{dir: dir, now: now, metrics: metrics, nextID: 1, replayed: map[uint64]time.Time{}, counts: map[string]uint64{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	names, err := q.files()
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		if err := q.cutTornLine(names[len(names)-1]); err != nil {
			return nil, err
		}
	}
	reasons := map[uint64]string{}
	err = q.scan(context.Background(), names, func(e *QuarantineEntry, r *quarantineReplay) bool {
		if e != nil {
			q.nextID = max(q.nextID, e.ID+1)
			reasons[e.ID] = e.Reason
			q.counts[e.Reason]++
			return true
		}
		for _, id := range r.IDs {
			q.noteReplay(id, reasons[id], r.At)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return q, q.openLast(names)
}

// Close closes the files.
func (q *Quarantine) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.file == nil {
		return nil
	}
	err := q.file.Close()
	q.file = nil
	return err
}

// Put adds entries; At and ID are given here.
func (q *Quarantine) Put(entries ...QuarantineEntry) error {
	if len(entries) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var lines []byte
	at := q.now().UTC()
	for i := range entries {
		e := entries[i]
		e.ID, e.At = q.nextID+uint64(i), at
		if len(e.Detail) > maxDetailBytes {
			e.Detail = strings.ToValidUTF8(e.Detail[:maxDetailBytes], "")
		}
		line, err := json.Marshal(quarantineLine{QuarantineEntry: &e})
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if err := q.append(lines); err != nil {
		return err
	}
	q.nextID += uint64(len(entries))
	for _, e := range entries {
		q.counts[e.Reason]++
		q.metrics.quarantined(e.Reason)
	}
	return nil
}

// Counts is the number of entries by reason, those replayed excluded.
func (q *Quarantine) Counts() map[string]uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.counts)
}

// Ever is how many entries were ever put here, replayed ones too: their records are
// still on the disk.
func (q *Quarantine) Ever() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.nextID - 1
}

// List returns the entries a filter chooses, in the order they came. next is
// the After of the following page, 0 at the end.
func (q *Quarantine) List(ctx context.Context, filter QuarantineFilter) (entries []QuarantineEntry, next uint64, err error) {
	if filter.Limit <= 0 || filter.Limit > MaxQuarantineList {
		filter.Limit = MaxQuarantineList
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	names, err := q.files()
	if err != nil {
		return nil, 0, err
	}
	// A file is named for its first entry: those wholly before the page are skipped.
	for len(names) > 1 && fileID(names[1]) <= filter.After+1 {
		names = names[1:]
	}
	err = q.scan(ctx, names, func(e *QuarantineEntry, _ *quarantineReplay) bool {
		if e == nil || !filter.chooses(e, q.replayed) {
			return true
		}
		if len(entries) == filter.Limit {
			next = entries[len(entries)-1].ID
			return false
		}
		e.ReplayedAt = q.replayed[e.ID]
		entries = append(entries, *e)
		return true
	})
	return entries, next, err
}

func (f *QuarantineFilter) chooses(e *QuarantineEntry, replayed map[uint64]time.Time) bool {
	_, done := replayed[e.ID]
	return e.ID > f.After && (f.Source == "" || e.Source == f.Source) && (f.Reason == "" || e.Reason == f.Reason) &&
		(f.Log == "" || e.Log == f.Log) && (len(f.IDs) == 0 || slices.Contains(f.IDs, e.ID)) && (f.Replayed || !done)
}

// Replay hands the records a filter chooses back, page by page, and remembers
// that it did: none is handed back twice, unless the process dies between put
// and the note of it. put must have made a record durable when it returns nil;
// its error ends the replay. It returns how many records were handed back.
func (q *Quarantine) Replay(ctx context.Context, filter QuarantineFilter, put func(QuarantineEntry) error) (int, error) {
	q.replaying.Lock()
	defer q.replaying.Unlock()
	filter.Replayed = false
	limit, done := filter.Limit, 0
	for limit <= 0 || done < limit {
		filter.Limit = 100
		if limit > 0 {
			filter.Limit = min(filter.Limit, limit-done)
		}
		entries, _, err := q.List(ctx, filter)
		if err != nil || len(entries) == 0 {
			return done, err
		}
		var ids []uint64
		var failed error
		for _, e := range entries {
			if failed = put(e); failed != nil {
				break
			}
			ids = append(ids, e.ID)
		}
		if err := q.markReplayed(entries[:len(ids)], ids); err != nil {
			return done, errors.Join(failed, err)
		}
		done += len(ids)
		if failed != nil {
			return done, failed
		}
		filter.After = entries[len(entries)-1].ID
	}
	return done, nil
}

func (q *Quarantine) markReplayed(entries []QuarantineEntry, ids []uint64) error {
	if len(ids) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	note := quarantineReplay{At: q.now().UTC(), IDs: ids}
	line, err := json.Marshal(quarantineLine{Replay: &note})
	if err != nil {
		return err
	}
	if err := q.append(append(line, '\n')); err != nil {
		return err
	}
	for _, e := range entries {
		q.noteReplay(e.ID, e.Reason, note.At)
	}
	return nil
}

func (q *Quarantine) noteReplay(id uint64, reason string, at time.Time) {
	if _, before := q.replayed[id]; !before {
		q.replayed[id] = at
		if q.counts[reason]--; q.counts[reason] == 0 {
			delete(q.counts, reason)
		}
	}
}
