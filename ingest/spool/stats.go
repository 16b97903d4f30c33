package spool

import "time"

// Stats is a snapshot of a log. Appended, Synced and Committed are sequence numbers, so they count records over all
// the log's lives: Appended >= Synced >= Committed.
type Stats struct {
	Appended  uint64 // taken out of kill -9's reach; those still in rings have no number yet but are counted
	Synced    uint64 // on disk, readable
	Committed uint64
	Pending   uint64 // appended, not committed

	DiskBytes  int64 // segments with their preallocated space, and rings
	Unrecorded int64 // Append returned ErrUnrecorded since Open, less those that landed after all
	Corrupt    uint64
	TornTails  uint64 // ends of segments dropped at Open: never synced, cut off by a crash

	Writable  bool
	LastError error // the last failure of the disk, also when it is over

	Fsyncs       uint64
	FsyncLatency time.Duration // exponentially weighted mean
	FsyncMax     time.Duration
}

// Stats costs a few short locks; it may be called at any time, also after Close.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stats{
		Appended: l.base - l.lost, Synced: l.synced.seq, Committed: l.committed.Load(),
		DiskBytes: l.diskBytes(), Unrecorded: l.unrecorded.Load(), Corrupt: l.corrupt.Load(), TornTails: l.torn,
		Writable: l.writable(), LastError: l.lastError,
		Fsyncs: l.fsyncs.count, FsyncLatency: l.fsyncs.mean, FsyncMax: l.fsyncs.max,
	}
	for _, s := range l.shards {
		s.mu.Lock()
		st.Appended += s.appended
		s.mu.Unlock()
	}
	st.Pending = st.Appended - min(st.Appended, st.Committed)
	return st
}

// OldestPending is a lower bound, some ms off at most while records flow, of when the oldest record that is not
// committed was appended; the zero Time when there is none. What a caller did before Append it does not know of.
func (l *Log) OldestPending() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.committed.Load() + 1
	if l.written.seq >= next {
		return time.UnixMilli(l.times.at(next, l.boundMS)).UTC()
	}
	for _, s := range l.shards {
		if s.published.Load() != l.written.drained[s.number] {
			return time.UnixMilli(max(l.boundMS, l.parkedAt.Load())).UTC()
		}
	}
	return time.Time{}
}
