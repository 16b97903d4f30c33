package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// faultySystem is the real file system with faults: each function, when set, may fail an operation on a named file.
type faultySystem struct {
	operatingSystem
	write, sync, allocate atomic.Pointer[func(name string) error]
	short                 atomic.Bool   // writes take three bytes at a time
	free                  atomic.Uint64 // of a disk of 1 TiB, when set
}

func (s *faultySystem) Space(dir string) (free, size uint64, err error) {
	if free := s.free.Load(); free > 0 {
		return free, 1 << 40, nil
	}
	return s.operatingSystem.Space(dir)
}

func (s *faultySystem) Open(path string, create bool) (file, error) {
	f, err := s.operatingSystem.Open(path, create)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, system: s, name: filepath.Base(path)}, nil
}

type faultyFile struct {
	file
	system *faultySystem
	name   string
}

func (f *faultyFile) fault(p *atomic.Pointer[func(string) error]) error {
	if fail := p.Load(); fail != nil {
		return (*fail)(f.name)
	}
	return nil
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fault(&f.system.write); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	if f.system.short.Load() && len(p) > 3 {
		return f.file.WriteAt(p[:3], off)
	}
	return f.file.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	if err := f.fault(&f.system.sync); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *faultyFile) Allocate(size int64) error {
	if err := f.fault(&f.system.allocate); err != nil {
		return err
	}
	return f.file.Allocate(size)
}

// failing makes a fault for the segments, prepared ones included, but not for the cursor and such.
func failing(err error) *func(string) error {
	f := func(name string) error {
		if ofSegment(name) {
			return err
		}
		return nil
	}
	return &f
}

// ofSegment: a segment is written through the file it was prepared as.
func ofSegment(name string) bool { return strings.HasSuffix(name, preparedSuffix) }

func openFaulty(t *testing.T, o Options) (*Log, *faultySystem) {
	t.Helper()
	fs := &faultySystem{}
	l, err := open(o, fs, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, fs
}

func TestFullDiskKeepsThenRefusesThenRecovers(t *testing.T) {
	for _, what := range []string{"allocate", "write"} {
		t.Run(what, func(t *testing.T) {
			o := small(t.TempDir())
			o.MaxWait = 20 * time.Millisecond
			l, fs := openFaulty(t, o)
			mustAppend(t, l, 0, "before")
			drain(t, l, 1)
			fault := &fs.write
			if what == "allocate" {
				fault = &fs.allocate
			}
			fault.Store(failing(unix.ENOSPC))
			taken, refused := 0, 0
			for i := 0; refused < 100; i++ {
				switch err := l.Append(uint32(i), fmt.Appendf(nil, "%06d%s", i, strings.Repeat("d", 1000))); {
				case err == nil:
					taken++
				case errors.Is(err, ErrUnrecorded):
					refused++
				default:
					t.Fatal(err)
				}
			}
			if st := l.Stats(); st.Writable || st.LastError == nil || st.Unrecorded != int64(refused) || st.Pending != uint64(taken)+1 {
				t.Fatalf("taken %d, refused %d, stats %+v", taken, refused, st)
			}
			fault.Store(nil)
			if got := drain(t, l, taken); len(got) != taken {
				t.Fatalf("%d of %d", len(got), taken)
			}
			eventually(t, "writable", l.Writable)
			eventually(t, "room again", func() bool { return l.Append(0, []byte("after")) == nil })
		})
	}
}

func TestLeavesRoomForWhatDrainsIt(t *testing.T) {
	o := small(t.TempDir())
	o.MaxWait, o.KeepFreeBytes = 20*time.Millisecond, 1<<30
	l, fs := openFaulty(t, o)
	record := []byte(strings.Repeat("d", 1000))
	taken := 0
	fs.free.Store(1<<30 + uint64(l.opt.SegmentBytes) - 1)
	eventually(t, "refuses", func() bool {
		for l.Append(0, record) == nil {
			taken++
		}
		return !l.Writable() && strings.Contains(fmt.Sprint(l.Stats().LastError), "are left for what drains the log")
	})
	fs.free.Add(1)
	eventually(t, "takes records again", func() bool { return l.Append(0, record) == nil })
	if got := drain(t, l, taken+1); len(got) != taken+1 {
		t.Fatalf("%d of %d", len(got), taken+1)
	}
}

func TestFullDiskAtOpenKeepsTheRings(t *testing.T) {
	o := small(t.TempDir())
	mustOpen(t, o).Close() // the rings exist
	l, fs := openFaulty(t, o)
	fs.write.Store(failing(unix.ENOSPC))
	fs.allocate.Store(failing(unix.ENOSPC))
	for i := range 20 {
		mustAppend(t, l, uint32(i), fmt.Sprint(i))
	}
	if err := l.Close(); err == nil {
		t.Fatal("close did not say that records stay in the rings")
	}
	l = mustOpen(t, o)
	if got := drain(t, l, 20); len(got) != 20 || l.Stats().Appended != 20 {
		t.Fatalf("got %v", got)
	}
}

func TestMaxBytesIsAFullDisk(t *testing.T) {
	o := small(t.TempDir())
	o.MaxWait = 5 * time.Millisecond
	o.MaxBytes = 512 << 10
	l := mustOpen(t, o)
	taken := 0
	record := []byte(strings.Repeat("m", 1000))
	eventually(t, "full", func() bool {
		for l.Append(uint32(taken), record) == nil {
			taken++
		}
		return l.Stats().LastError != nil
	})
	if st := l.Stats(); st.DiskBytes > o.MaxBytes || !strings.Contains(fmt.Sprint(st.LastError), "at most 524288") {
		t.Fatalf("stats %+v", st)
	}
	ctx := patient(t)
	for read := 0; read < taken; {
		b, err := l.Next(ctx, 50, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		read += len(b.Records)
		if err := l.Commit(b.Last); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "room again", func() bool { return l.Append(0, []byte("after")) == nil })
}

func TestFailedFsyncIsNeverBelieved(t *testing.T) {
	for _, within := range []time.Duration{0, time.Millisecond} {
		for _, what := range []string{"sync", "write"} {
			t.Run(fmt.Sprint(within, " ", what), func(t *testing.T) {
				o := small(t.TempDir())
				o.SyncWithin, o.MaxWait = within, 20*time.Second
				l, fs := openFaulty(t, o)
				var bad sync.Map // segments that failed once: nothing may be synced in them again
				var count, again atomic.Int32
				fail := func(name string) error {
					if !ofSegment(name) {
						return nil
					}
					if _, failed := bad.Load(name); failed {
						again.Add(1)
					}
					if count.Add(1)%5 == 0 {
						bad.Store(name, true)
						return unix.EIO
					}
					return nil
				}
				if what == "sync" {
					fs.sync.Store(&fail)
				} else {
					fs.write.Store(&fail)
				}
				const producers, each = 4, 150
				var wg sync.WaitGroup
				for p := range producers {
					wg.Add(1)
					go func() {
						defer wg.Done()
						for i := range each {
							if err := l.Append(uint32(p), fmt.Appendf(nil, "%d %d %s", p, i, strings.Repeat("f", 700))); err != nil {
								t.Errorf("append: %v", err)
							}
							if i%20 == 0 {
								time.Sleep(time.Millisecond)
							}
						}
					}()
				}
				next := make([]int, producers)
				for _, r := range drain(t, l, producers*each) {
					var p, i int
					fmt.Sscanf(r, "%d %d", &p, &i)
					if i != next[p] {
						t.Fatalf("producer %d: got %d, want %d", p, i, next[p])
					}
					next[p]++
				}
				wg.Wait()
				if what == "sync" && again.Load() > 0 {
					t.Errorf("%d fsyncs of a segment that had failed", again.Load())
				}
				fs.sync.Store(nil)
				fs.write.Store(nil)
				if st := l.Stats(); st.Corrupt != 0 || st.Appended != producers*each || st.Unrecorded != 0 {
					t.Errorf("stats %+v", st)
				}
			})
		}
	}
}

func TestLateSyncCorrectsUnrecorded(t *testing.T) {
	o := small(t.TempDir())
	o.SyncWithin, o.MaxWait = 0, 20*time.Millisecond
	l, fs := openFaulty(t, o)
	release := make(chan struct{})
	hang := func(name string) error {
		if ofSegment(name) {
			<-release
		}
		return nil
	}
	fs.sync.Store(&hang)
	began := time.Now()
	for range 3 {
		if err := l.Append(0, []byte("late")); !errors.Is(err, ErrUnrecorded) {
			t.Fatal(err)
		}
	}
	if waited := time.Since(began); waited > 10*time.Second {
		t.Errorf("waited %v", waited)
	}
	if n := l.Stats().Unrecorded; n != 3 {
		t.Fatalf("%d unrecorded", n)
	}
	close(release)
	eventually(t, "corrected", func() bool { return l.Stats().Unrecorded == 0 })
	if got := drain(t, l, 3); got[2] != "late" {
		t.Fatal(got)
	}
}

func TestShortWritesAreCompleted(t *testing.T) {
	l, fs := openFaulty(t, small(t.TempDir()))
	fs.short.Store(true)
	for i := range 50 {
		mustAppend(t, l, 0, fmt.Sprint("short ", i))
	}
	for i, r := range drain(t, l, 50) {
		if r != fmt.Sprint("short ", i) {
			t.Fatalf("record %d is %q", i, r)
		}
	}
}

func TestFailedCursorIsNotCommitted(t *testing.T) {
	o := small(t.TempDir())
	l, fs := openFaulty(t, o)
	mustAppend(t, l, 0, "one")
	drain(t, l, 1)
	fail := func(name string) error {
		if name == cursorName {
			return unix.EIO
		}
		return nil
	}
	fs.sync.Store(&fail)
	if err := l.Commit(1); !errors.Is(err, unix.EIO) || l.Committed() != 0 {
		t.Fatalf("commit: %v, committed %d", err, l.Committed())
	}
	fs.sync.Store(nil)
	if err := l.Commit(1); err != nil || l.Committed() != 1 {
		t.Fatalf("commit: %v, committed %d", err, l.Committed())
	}
}

func TestUnwritableDirectoryIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	fs := &deniedSystem{}
	if _, err := open(small(dir), fs, time.Now); err == nil || !strings.Contains(err.Error(), "give this user the right") {
		t.Fatal(err)
	}
}

// deniedSystem stands for a directory of somebody else's: root, who may run the tests, is denied nothing.
type deniedSystem struct{ operatingSystem }

func (deniedSystem) Lock(path string) (io.Closer, error) {
	return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
}

func TestRecordsThatLeftTheRingSurviveAFailedFsync(t *testing.T) {
	o := small(t.TempDir())
	o.Shards, o.SegmentBytes, o.MaxWait = 1, 1<<20, 20*time.Second
	l, fs := openFaulty(t, o)
	mustAppend(t, l, 0, "0 ")
	drain(t, l, 1)
	release := make(chan struct{})
	var failed atomic.Bool
	failOnce := func(name string) error {
		if ofSegment(name) && failed.CompareAndSwap(false, true) {
			<-release
			return unix.EIO
		}
		return nil
	}
	fs.sync.Store(&failOnce)
	const records = 300 // several times the ring
	for i := range records {
		mustAppend(t, l, 0, fmt.Sprint(i+1, " ", strings.Repeat("s", 900)))
	}
	if st := l.Stats(); st.Synced != 1 {
		t.Fatalf("stats %+v", st)
	}
	close(release)
	for i, r := range drain(t, l, records) {
		if !strings.HasPrefix(r, fmt.Sprint(i+1, " ")) {
			t.Fatalf("record %d is %.10q", i+1, r)
		}
	}
	if st := l.Stats(); st.Corrupt != 0 || st.Synced != records+1 || st.Appended != records+1 {
		t.Fatalf("stats %+v", st)
	}
}

// A power cut takes what was not synced from either file: as long as the segment or the ring has a record it is there,
// once.
func TestUnsyncedRecordsAreInTheRingAndInTheSegment(t *testing.T) {
	o := small(t.TempDir())
	o.SyncWithin = time.Hour
	l := mustOpen(t, o)
	const records = 20
	for i := range records {
		mustAppend(t, l, uint32(i), fmt.Sprint(i))
	}
	eventually(t, "written", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.written.seq == records
	})
	for _, c := range []struct {
		name string
		lose func(dir string)
	}{
		{"nothing", func(string) {}},
		{"the segment's frames", func(dir string) { truncateSegments(t, dir, segmentHeaderBytes) }},
		{"half the frames", func(dir string) { truncateSegments(t, dir, segmentHeaderBytes+markBytes+10*frameBytes(2)) }},
		{"the segment", func(dir string) { truncateSegments(t, dir, 0) }},
		{"the rings", func(dir string) {
			for i := range o.Shards {
				if err := os.WriteFile(filepath.Join(dir, ringName(i)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := o
			dir := o.Dir
			o.Dir, o.SyncWithin = t.TempDir(), time.Millisecond
			copyDir(t, dir, o.Dir)
			c.lose(o.Dir)
			l := mustOpen(t, o)
			seen := map[string]bool{}
			for _, r := range drain(t, l, records) {
				seen[r] = true
			}
			if st := l.Stats(); len(seen) != records || st.Appended != records || st.Corrupt != 0 {
				t.Fatalf("%d records, stats %+v", len(seen), st)
			}
		})
	}
}

func truncateSegments(t *testing.T, dir string, size int) {
	t.Helper()
	segments, _ := filepath.Glob(dir + "/*" + segmentSuffix)
	for _, s := range segments {
		if err := os.Truncate(s, int64(size)); err != nil {
			t.Fatal(err)
		}
	}
}

// The fsync that is under way when a write fails makes records readable: they must keep their numbers.
func TestWriteFailsDuringAnFsyncThatSucceeds(t *testing.T) {
	o := small(t.TempDir())
	o.Shards = 1
	l, fs := openFaulty(t, o)
	syncing, release := make(chan struct{}), make(chan struct{})
	var syncs atomic.Int32
	var failed atomic.Bool
	var active string // not the one that is being prepared meanwhile
	hold := func(name string) error {
		if name == active && syncs.Add(1) == 2 { // the first is of its header
			close(syncing)
			<-release
		}
		return nil
	}
	eventually(t, "prepared", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.prepared != nil {
			active = filepath.Base(l.prepared.path)
		}
		return active != ""
	})
	fs.sync.Store(&hold)
	mustAppend(t, l, 0, "one")
	<-syncing
	failOnce := func(name string) error {
		if name == active && failed.CompareAndSwap(false, true) {
			return unix.EIO
		}
		return nil
	}
	fs.write.Store(&failOnce)
	mustAppend(t, l, 0, "two")
	eventually(t, "suspect", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.suspect != nil
	})
	close(release)
	if got := drain(t, l, 2); got[0] != "one" || got[1] != "two" {
		t.Fatal(got)
	}
	if st := l.Stats(); st.Corrupt != 0 || st.Appended != 2 {
		t.Fatalf("stats %+v", st)
	}
}
