package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The length and load of diskFull.
const (
	smallDisk             = "size=768m,mode=0700"
	fullShort, fullLong   = 3 * time.Second, 2 * time.Minute
	fullRateShort         = 2_500.0
	fullRateLong          = 3_000.0
	fullShoppers          = 8
	timesFullLong         = 5
	recovery              = 10 * time.Second // at most, without a restart
	ballastFile           = "ballast"
	fullPatience          = time.Minute // until the server has noticed
	ballastEvery          = 20 * time.Millisecond
	clicksAfterRecovery   = 100
	ordersAfterRecovery   = 10
	unrecordedBeforeSpace = 100
)

// diskFull gives the server a small disk of its own, fills it, and frees it again.
// All the while shoppers are redirected; orders are answered 503.
func diskFull(ctx context.Context, t *trial) error {
	s, err := t.newServer("data", nil)
	if err != nil {
		return err
	}
	if err := s.onSmallDisk(); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	w, err := s.populate(ctx)
	if err != nil {
		return err
	}
	rate := fullRateLong
	if t.short {
		rate = fullRateShort
	}
	crowd, counter := t.gather(ctx, w, fullShoppers, rate), t.open(ctx, w)
	for range t.count(1, timesFullLong) {
		if err := counter.taking(ctx, ordersAfterRecovery); err != nil {
			return err
		}
		if err := filledUp(ctx, t, s, crowd, counter); err != nil {
			return err
		}
		t.result.Cycles++
	}
	crowd.disperse()
	counter.close()
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	if err := t.reckon(ctx, w); err != nil {
		return err
	}
	return t.countsExactly(w)
}

// filledUp fills the disk, keeps it full for a while, and frees it.
func filledUp(ctx context.Context, t *trial, s *server, crowd *crowd, counter *counter) error {
	ballast := filepath.Join(s.inside(), ballastFile)
	full, free := context.WithCancel(ctx)
	var filling sync.WaitGroup
	filling.Go(func() { keepFull(full, ballast) })
	defer func() { free(); filling.Wait() }()

	// What is preallocated has to be filled first.
	crowd.heavy.Store(true)
	counter.heavy.Store(true)
	before, refused := s.unrecorded(), counter.unavailable.Load()
	err := within(ctx, fullPatience, func() error {
		switch {
		case s.unrecorded()-before < unrecordedBeforeSpace:
			return fmt.Errorf("the disk is full, and %d clicks are counted unrecorded", s.unrecorded()-before)
		case counter.unavailable.Load() == refused:
			return errors.New("the disk is full, and no order is answered 503")
		}
		return nil
	})
	if err != nil {
		return err
	}
	crowd.heavy.Store(false)
	counter.heavy.Store(false)
	if err := ready(ctx, s.tracker); err == nil {
		t.wrong("a tracker that can write nothing says it is ready")
	}
	if err := sleep(ctx, t.lasting(fullShort, fullLong)); err != nil {
		return err
	}
	free()
	filling.Wait()
	if err := os.Remove(ballast); err != nil {
		return err
	}
	return recovered(ctx, t, s, crowd, counter)
}

// recovered waits until clicks are recorded and orders are taken again.
func recovered(ctx context.Context, t *trial, s *server, crowd *crowd, counter *counter) error {
	began := time.Now()
	err := within(ctx, 3*recovery, func() error {
		if err := ready(ctx, s.tracker); err != nil {
			return err
		}
		before := s.unrecorded()
		if err := crowd.clicking(ctx, clicksAfterRecovery/4); err != nil {
			return err
		}
		if more := s.unrecorded() - before; more > 0 {
			return fmt.Errorf("there is space, and %d clicks more are unrecorded", more)
		}
		return counter.taking(ctx, ordersAfterRecovery)
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	t.note("once there was space it recovered within %.1f s", took.Seconds())
	if took > recovery {
		t.wrong("it took %.1f s to recover", took.Seconds())
	}
	return crowd.clicking(ctx, clicksAfterRecovery)
}

// countsExactly: what the product called unrecorded is what is not there, to the
// click.
func (t *trial) countsExactly(w *world) error {
	rows, err := w.server.numbers("SELECT uniqExact(sub1) FROM clicks WHERE toInt64OrNull(sub1) IS NOT NULL")
	if err != nil {
		return err
	}
	_, acknowledged := w.clicks.counts()
	if unrecorded := w.server.unrecorded(); acknowledged-rows[0] != unrecorded {
		t.wrong("%d clicks were acknowledged, %d are there, %d are counted unrecorded", acknowledged, rows[0], unrecorded)
	}
	return nil
}

// keepFull takes whatever space there is, no faster than a busy disk fills, until it
// is told to stop.
func keepFull(ctx context.Context, path string) {
	ballast, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // the disk is full already
	}
	defer ballast.Close()
	large, small := make([]byte, 4<<20), make([]byte, 4<<10)
	for sleep(ctx, ballastEvery) == nil {
		if _, err := ballast.Write(large); err == nil {
			continue
		}
		for _, err := ballast.Write(small); err == nil && ctx.Err() == nil; _, err = ballast.Write(small) {
		}
	}
}

// onSmallDisk puts the data directory on a disk of its own: a tmpfs that this user
// mounts, or that the server mounts in a name space of its own.
func (s *server) onSmallDisk() error {
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return err
	}
	if mounted, err := exec.Command("mount", "-t", "tmpfs", "-o", smallDisk, "tmpfs", s.data).CombinedOutput(); err == nil {
		s.t.atEnd(func() error { return errors.Join(s.end(), syscall.Unmount(s.data, 0)) })
		return nil
	} else if said, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "-o", smallDisk, "tmpfs", s.data).CombinedOutput(); err != nil {
		return fmt.Errorf("this experiment needs a small disk and may mount none: run it as root (in a container: with --cap-add SYS_ADMIN), or allow user name spaces (sysctl kernel.unprivileged_userns_clone=1; in a container: --security-opt seccomp=unconfined)\n%s%s", mounted, said)
	}
	s.within = []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"`, "sh", smallDisk, s.data}
	return nil
}
