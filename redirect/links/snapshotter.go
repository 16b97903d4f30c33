package links

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// A snapshotter decides when a snapshot is worth writing and writes it beside
// everything else, one at a time. It belongs to the Follower's goroutine.
type snapshotter struct {
	index   *Index
	dir     string // empty: none are written
	catalog string
	log     *slog.Logger

	ctx     context.Context // ends when what is being written must be given up
	giveUp  context.CancelFunc
	onDisk  int64 // change number of the snapshot on disk, or noSnapshot
	writing chan written
	failed  time.Time // of the last attempt, when it failed
}

// written is the outcome of an attempt.
type written struct {
	change int64
	err    error
}

const (
	noSnapshot = -1

	// A snapshot is written when at least so many changes are not in the one on
	// disk and they are at least 5 % of the links: replaying fewer takes less
	// than a second.
	snapshotMinChanges = 10_000
	snapshotMinPercent = 5

	snapshotRetry = time.Minute

	// What is being written when the Follower stops may take so long: the next
	// start can do with the snapshot before it.
	snapshotStopTimeout = 5 * time.Second
)

func newSnapshotter(x *Index, o FollowerOptions) *snapshotter {
	s := &snapshotter{index: x, dir: o.Dir, catalog: o.Catalog, log: o.Logger, onDisk: noSnapshot}
	s.ctx, s.giveUp = context.WithCancel(context.Background())
	return s
}

// consider begins to write a snapshot if it is time to.
func (s *snapshotter) consider() {
	if s.writing != nil {
		select {
		case w := <-s.writing:
			s.settle(w)
		default:
			return
		}
	}
	stats := s.index.Stats()
	enough := max(snapshotMinChanges, stats.Links*snapshotMinPercent/100)
	fresh := s.onDisk != noSnapshot && stats.Change-s.onDisk < enough
	if s.dir == "" || fresh || !s.failed.IsZero() && time.Since(s.failed) < snapshotRetry {
		return
	}
	s.writing = make(chan written, 1)
	go func() { s.writing <- s.write() }()
}

// stop waits for a snapshot being written, and writes a last one unless the one
// on disk is as good: a start then has next to nothing to replay.
func (s *snapshotter) stop() {
	defer s.giveUp()
	defer time.AfterFunc(snapshotStopTimeout, s.giveUp).Stop()
	if s.writing != nil {
		s.settle(<-s.writing)
	}
	stats := s.index.Stats()
	fresh := s.onDisk != noSnapshot && stats.Change-s.onDisk <= stats.Links/1000
	if s.dir != "" && stats.Ready && !fresh {
		s.settle(s.write())
	}
}

// forget removes the snapshot on disk, which the feed does not lead on from.
func (s *snapshotter) forget() {
	if s.writing != nil {
		s.settle(<-s.writing)
	}
	if s.dir == "" {
		return
	}
	s.onDisk = noSnapshot
	if err := os.Remove(filepath.Join(s.dir, snapshotName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Error("outdated snapshot of links not removed; remove it before the next start", "dir", s.dir, "error", err)
	}
}

func (s *snapshotter) write() written {
	began := time.Now()
	change, err := s.index.writeSnapshot(s.ctx, s.dir, s.catalog)
	if err == nil {
		s.log.Info("snapshot of links written", "change", change, "took", time.Since(began))
	}
	return written{change, err}
}

// settle notes how an attempt ended and logs the first failure of a row.
func (s *snapshotter) settle(w written) {
	s.writing = nil
	if w.err == nil {
		s.onDisk, s.failed = w.change, time.Time{}
		return
	}
	if s.failed.IsZero() && !errors.Is(w.err, errNotNow) && !errors.Is(w.err, context.Canceled) {
		s.log.Error("snapshot of links not written; make room in the data directory, or a restart reads the whole catalog",
			"dir", s.dir, "error", w.err)
	}
	s.failed = time.Now()
}
