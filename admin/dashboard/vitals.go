package dashboard

import (
	"context"
	"time"
)

// A Watch tells how the process and its stores do. What it cannot find out within
// the context's time, it says in Vitals instead of failing.
type Watch interface {
	Vitals(ctx context.Context) Vitals
}

// Vitals are how one process does at one moment.
type Vitals struct {
	Version string
	Started time.Time

	Tracker bool   // it takes clicks and reports
	Ready   string // why it cannot do its job; empty when it can

	Clicks  LogVitals // until ClickHouse has them
	Reports LogVitals // until they are settled
	Books   Books
	Ended   ReportBooks

	ClickHouse StoreVitals
	Database   StoreVitals

	CopyBehind  time.Duration     // how far reports of money lag behind the ledger; negative: nothing was copied since the start
	Outbox      map[string]int64  // messages that wait, by reader
	Quarantined map[string]uint64 // clicks, by reason
	Links       int               // the tracker knows
	DataThrough time.Time         // everything received before it is in reports; zero: not known since the start
	DiskFree    int64             // bytes where the data directory is; negative: unknown

	Machine string       // that this process runs on
	Nodes   []NodeVitals // the others, of several nodes
}

// NodeVitals are what another node told last.
type NodeVitals struct {
	Machine, Roles  string
	Seen            time.Time
	Clicks, Reports uint64 // that wait on its disk
	Silent          bool   // for long: it may be lost, with what waits there
}

// LogVitals are a durable log's.
type LogVitals struct {
	Received   uint64 // over all its lives
	Waiting    uint64
	Oldest     time.Time // of those that wait; zero: none does
	Bytes      int64
	Segments   int
	Writable   bool
	LastError  string        // of the disk, also when it is over
	Fsync      time.Duration // moving mean
	Corrupt    uint64
	Unrecorded uint64 // acknowledged to nobody, because the log could not take them
}

// StoreVitals are a database's.
type StoreVitals struct {
	Kind     string // embedded ClickHouse 25.1, PostgreSQL …
	Failed   string // why it does not answer; empty when it does
	Answered time.Duration
	Restarts int // of an embedded one
}

// Books are the identity of clicks on this node: received = stored + spooled +
// quarantined. Expired ones were stored until retention let them go.
type Books struct {
	Received, Stored, Expired, Spooled, Quarantined uint64
	Reasons                                         map[string]uint64 // why they are in quarantine
	Failed                                          string            // why it cannot be added up now
}

// Missing is what is received and nowhere; negative where more is found than was
// received.
func (b Books) Missing() int64 {
	return int64(b.Received) - int64(b.Stored+b.Expired+b.Spooled+b.Quarantined)
}

// ReportBooks are the identity of what merchants reported to this node: received =
// accepted + duplicates + conflicts + rejected + waiting to be settled.
type ReportBooks struct {
	Received, Accepted, Duplicate, Conflict, Rejected, Waiting uint64
	Reasons                                                    map[string]uint64 // why they were refused: the codes of those in conflict and rejected
	Failed                                                     string            // why it cannot be added up now
}

// Missing is what is received and nowhere, like that of Books.
func (b ReportBooks) Missing() int64 {
	return int64(b.Received) - int64(b.Accepted+b.Duplicate+b.Conflict+b.Rejected+b.Waiting)
}
