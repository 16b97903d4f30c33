package spool

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestCopyHoldsWhatWasAppendedAndNotCommitted copies a log while producers append and a consumer commits, more than
// once, and opens the copies.
func TestCopyHoldsWhatWasAppendedAndNotCommitted(t *testing.T) {
	for _, within := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(fmt.Sprint("sync within ", within), func(t *testing.T) {
			options := Options{Dir: t.TempDir(), SyncWithin: within, Shards: 2, RingBytes: 64 << 10, SegmentBytes: 32 << 10, MaxRecordBytes: 4 << 10, MaxWait: 10 * time.Second}
			l, err := Open(options)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			stop, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			for shard := range uint32(2) {
				running.Go(func() {
					for n := 0; stop.Err() == nil; n++ {
						if err := l.Append(shard, fmt.Appendf(nil, "%d of %d, %0500d", n, shard, n)); err != nil {
							t.Error(err)
							return
						}
						time.Sleep(200 * time.Microsecond)
					}
				})
			}
			running.Go(func() {
				for stop.Err() == nil {
					if batch, err := l.Next(stop, 50, 1<<20); err == nil {
						if err := l.Commit(batch.Last); err != nil {
							t.Error(err)
						}
					}
				}
			})
			for range 5 {
				time.Sleep(30 * time.Millisecond)
				checkCopy(t, l, options)
			}
			cancel()
			running.Wait()
		})
	}
}

// checkCopy copies the log, and compares the copy with what the log said before and after.
func checkCopy(t *testing.T, l *Log, options Options) {
	t.Helper()
	hold := l.Hold()
	committed := l.Committed() // it may have grown since
	appended := l.Stats().Appended
	if err := hold.Cut(); err != nil {
		t.Fatal(err)
	}
	latest := l.Stats().Appended
	time.Sleep(20 * time.Millisecond) // the log goes on
	options.Dir = t.TempDir()
	var bytes int64
	err := hold.Files(func(name string, size int64, content io.Reader) error {
		bytes += size
		f, err := os.Create(filepath.Join(options.Dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		if n, err := io.Copy(f, content); err != nil || n != size {
			return fmt.Errorf("%s has %d bytes, %d were told: %v", name, n, size, err)
		}
		return nil
	})
	if err != nil || bytes != hold.Bytes() {
		t.Fatalf("%d bytes of %d: %v", bytes, hold.Bytes(), err)
	}
	hold.Release()
	hold.Release()
	c, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stats := c.Stats()
	if stats.Committed > committed || stats.Appended < appended || stats.Appended > latest || stats.Corrupt != 0 {
		t.Fatalf("the copy is %+v; the log had committed %d, and appended %d to %d", stats, committed, appended, latest)
	}
	if c.Identity() != l.Identity() {
		t.Error("the copy is another log")
	}
	for next := stats.Committed + 1; next <= stats.Appended; {
		batch, err := c.Next(t.Context(), 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if batch.First != next || batch.Missing != 0 {
			t.Fatalf("the copy goes on with %d and lacks %d, not with %d", batch.First, batch.Missing, next)
		}
		next = batch.Last + 1
	}
	if err := c.Append(0, []byte("of another life")); err != nil {
		t.Fatal(err)
	}
	if err := c.Sync(); err != nil {
		t.Fatal(err)
	}
	if batch, err := c.ReadRange(t.Context(), stats.Appended+1, stats.Appended+1); err != nil || string(batch.Records[0]) != "of another life" {
		t.Errorf("the copy does not go on: %v", err)
	}
}

func TestReleasedLogRemovesWhatWasCommitted(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir(), Shards: 1, RingBytes: 64 << 10, SegmentBytes: 32 << 10, MaxRecordBytes: 4 << 10, MaxWait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hold := l.Hold()
	for range 200 {
		if err := l.Append(0, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Commit(200); err != nil {
		t.Fatal(err)
	}
	segments := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.segments)
	}
	if n := segments(); n < 5 {
		t.Errorf("%d segments are left of a log that is held", n)
	}
	hold.Release()
	if n := segments(); n != 1 {
		t.Errorf("%d segments are left", n)
	}
}
