package spool

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Log is one durable log. Append may be called by any number of goroutines, Next and ReadRange by one at a time.
//
// Locks, in the order they may be taken: syncing, mu, a shard's mu, a shard's gate.mu.
type Log struct {
	opt   Options
	fs    fileSystem
	meta  *meta
	lock  io.Closer
	log   *slog.Logger
	now   func() time.Time
	start time.Time

	shards []*shard // the first opt.Shards take records, the others only drain what an earlier life left

	// parked is set while the flusher waits without a timer; an Append that finds it set wakes it.
	parked   atomic.Bool
	parkedAt atomic.Int64 // wall ms of the first Append since it parked, 0 before
	wake     chan struct{}
	nap      time.Duration // of the flusher between two passes: each costs system calls, and nobody waits for them
	urgent   atomic.Bool   // skip the nap: room is short or somebody waits

	waiters  sync.Pool    // of *waiter
	awaiting atomic.Int64 // producers who wait for the disk
	enough   atomic.Int64 // so many are worth an fsync: who completes them wakes the flusher; 0: it does not wait
	crowd    int          // how many the last fsync found waiting, those it woke included; under syncing

	mu        sync.Mutex
	segments  []*segment    // oldest first
	active    *segment      // the last of segments while it is written, else nil
	overruled []string      // segments to remove once the name of the one that overrules them is durable
	prepared  *segment      // preallocated, without a name
	noRoom    error         // of the last try to prepare one
	written   place         // reached by write()
	synced    place         // reached by fsync
	suspect   *segment      // the active one, when a write or an fsync of it failed
	dirtyAt   time.Duration // when the oldest unsynced written record was appended, since start; 0: none
	boundMS   int64         // no record still in a ring was appended before
	times     times
	progress  *slotFile
	lastError error
	failing   bool
	maxEpoch  uint64
	base      uint64 // Appended is base plus what each shard took, minus lost
	lost      uint64
	torn      uint64
	fsyncs    fsyncStats

	syncing  diskLock // held for one fsync of a segment
	syncNow  atomic.Bool
	failures atomic.Int32 // fsyncs that failed in a row
	hint     [8 + 8*maxShards]byte

	commitMu  sync.Mutex // serialises Commit
	holds     int        // copies under way, which need the segments; under commitMu
	cursor    *slotFile
	committed atomic.Uint64

	unrecorded atomic.Int64
	corrupt    atomic.Uint64

	reader   reader
	readable chan struct{} // a hint that more may be readable; for the one consumer

	chunk        chunk       // the flusher's
	timer        *time.Timer // the flusher's
	preparations int         // the preparer's
	closing      atomic.Bool
	ctx          context.Context // ends the background goroutines
	stop         context.CancelFunc
	dirty        chan struct{} // wakes the syncer
	prepare      chan struct{} // wakes the preparer
	ready        chan struct{} // tells the flusher that a prepared segment is there
	waiting      chan struct{} // wakes the watchdog
	done         sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// place is how far the log has got: the last sequence, where its frame ends, and up to where each ring is drained.
type place struct {
	seq     uint64
	segment *segment
	off     int64
	drained [maxShards]uint64
}

func (l *Log) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// hurry makes the flusher run now.
func (l *Log) hurry() {
	l.urgent.Store(true)
	l.signal(l.wake)
}

// fail remembers a failed disk operation until one succeeds, and says so once.
func (l *Log) fail(what string, err error) {
	l.mu.Lock()
	first := !l.failing
	l.failing, l.lastError = true, err
	l.mu.Unlock()
	if first {
		l.log.Error("spool cannot write: records stay in its rings until they are full; free space on the disk or replace it",
			"dir", l.opt.Dir, "doing", what, "error", err)
	}
}

func (l *Log) recovered() {
	l.mu.Lock()
	was := l.failing
	l.failing = false
	l.mu.Unlock()
	if was {
		l.log.Info("spool writes again", "dir", l.opt.Dir)
	}
}

// Identity names the log, for ever and in hexadecimal: with a sequence number it names a record.
func (l *Log) Identity() string { return hex.EncodeToString(l.meta.Identity[:]) }

// Writable tells whether the log takes records now: it is open and the last thing asked of the disk worked.
func (l *Log) Writable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writable()
}

func (l *Log) writable() bool {
	return !l.closing.Load() && !l.failing && (l.noRoom == nil || l.active != nil)
}

// Committed is the last sequence number the consumer is done with.
func (l *Log) Committed() uint64 { return l.committed.Load() }

// syncAtMost bounds how long Sync and Close wait for a disk that does not answer.
const syncAtMost = 5 * time.Second

// Sync returns once every record appended before it is on disk, or with the error that prevents it, after 5 s at most.
func (l *Log) Sync() error {
	if l.closing.Load() {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(l.ctx, syncAtMost)
	defer cancel()
	return l.syncAll(ctx)
}

// syncAll waits until all that is in the rings now is synced, until the disk refuses, or until ctx ends.
func (l *Log) syncAll(ctx context.Context) error {
	targets := make([]uint64, len(l.shards))
	for i, s := range l.shards {
		targets[i] = s.published.Load()
	}
	for i, s := range l.shards {
		for {
			changed := s.gate.change()
			if s.gate.durable.Load() >= targets[i] {
				break
			}
			l.hurry()
			l.syncNow.Store(true)
			l.signal(l.dirty)
			select {
			case <-changed:
			case <-ctx.Done():
				return l.unsyncedError(ctx.Err())
			case <-time.After(10 * time.Millisecond):
				l.mu.Lock()
				failing := l.failing
				l.mu.Unlock()
				if failing {
					return l.unsyncedError(nil)
				}
			}
		}
	}
	return nil
}

func (l *Log) unsyncedError(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastError != nil && l.failing {
		err = l.lastError
	}
	return fmt.Errorf("spool: not all records are on disk, the rest stays in the rings: %w", err)
}

// Close refuses further records, waits for the disk (5 s at most) and lets go of the directory. What the disk did not
// take stays in the rings for the next Open; the error says so. When the disk hangs, Close gives up after 10 s and the
// directory stays locked until the process ends. Closing again returns the same.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Log) close() error {
	l.closing.Store(true)
	for _, s := range l.shards {
		s.close()
	}
	ctx, cancel := context.WithTimeout(l.ctx, syncAtMost)
	err := l.syncAll(ctx)
	cancel()
	l.stop()
	l.hurry()
	l.signal(l.readable)
	for _, s := range l.shards {
		s.gate.close()
	}
	finished := make(chan struct{})
	go func() { l.done.Wait(); close(finished) }()
	select {
	case <-finished:
		return errors.Join(err, l.releaseFiles())
	case <-time.After(syncAtMost):
		return errors.Join(err, fmt.Errorf("spool: the disk under %s does not answer: what it has not taken stays in the rings", l.opt.Dir))
	}
}

// releaseFiles closes whatever is open; background goroutines and producers are gone.
func (l *Log) releaseFiles() error {
	var errs []error
	for _, s := range l.shards {
		s.mu.Lock()
		s.mu.Unlock() //lint:ignore SA2001 a producer that was copying when the shard closed is done now
		errs = append(errs, s.ring.close())
	}
	l.mu.Lock()
	segments := l.segments
	if l.prepared != nil {
		segments = append(segments, l.prepared)
	}
	for _, s := range segments {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	l.mu.Unlock()
	l.reader.close()
	for _, s := range []*slotFile{l.cursor, l.progress} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	errs = append(errs, l.lock.Close(), l.fs.Close())
	return errors.Join(errs...)
}
