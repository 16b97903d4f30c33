package engine

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// A merge that runs out of disk leaves an empty part in the place of those it merged,
// whose rows are gone: the library says nothing. So nothing is written that would
// leave less than keepFreeBytes, and nothing is merged while less than
// mergeFreeBytes, or an eighth of a small disk, is free.
const (
	keepFreeBytes  = 64 << 20
	mergeFreeBytes = 256 << 20
	spaceInterval  = 100 * time.Millisecond
)

// roomToMerge says whether a disk has room enough for merges.
func roomToMerge(free, size uint64) bool { return free >= min(mergeFreeBytes, size/8) }

// spareDisk stops merges while the disk is nearly full, until ctx ends. One that runs
// is given up, which loses nothing.
func (s *server) spareDisk(ctx context.Context, interval time.Duration) {
	merging := true
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		var disk unix.Statfs_t
		if err := unix.Statfs(s.rowsDir, &disk); err == nil {
			block := uint64(disk.Bsize)
			if room := roomToMerge(disk.Bavail*block, disk.Blocks*block); room != merging {
				merging = room
				s.allowMerges(room)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *server) allowMerges(room bool) {
	order, said := "SYSTEM STOP MERGES", "the disk is nearly full: nothing is merged until space is free"
	if room {
		order, said = "SYSTEM START MERGES", "there is space again: merging goes on"
	}
	if err := s.root.exec(order, "Null", nil, func([]byte) error { return nil }); err != nil {
		s.log.Error("merges cannot be stopped or started as the disk demands", "error", err)
		return
	}
	s.log.Warn(said)
}
