package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// small keeps a test's log small; a test changes what it is about.
func small(dir string) Options {
	return Options{Dir: dir, SyncWithin: 5 * time.Millisecond, Shards: 2, RingBytes: 64 << 10,
		SegmentBytes: 64 << 10, MaxBytes: 8 << 20, MaxRecordBytes: 4 << 10}
}

func mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustAppend(t testing.TB, l *Log, shard uint32, record string) {
	t.Helper()
	if err := l.Append(shard, []byte(record)); err != nil {
		t.Fatalf("append %q: %v (%+v)", record, err, l.Stats())
	}
}

// patient is how long tests wait for what must come.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// drain reads n records and checks that the batches join.
func drain(t testing.TB, l *Log, n int) (records []string) {
	t.Helper()
	ctx := patient(t)
	var next uint64
	for len(records) < n {
		b, err := l.Next(ctx, n-len(records), 64<<10)
		if err != nil {
			t.Fatalf("next after %d of %d: %v (%+v)", len(records), n, err, l.Stats())
		}
		if next != 0 && b.First != next {
			t.Fatalf("batch begins at %d, the last one ended before %d", b.First, next)
		}
		if int(b.Last-b.First+1) != len(b.Records)+b.Missing {
			t.Fatalf("batch %d to %d has %d records and %d missing", b.First, b.Last, len(b.Records), b.Missing)
		}
		next = b.Last + 1
		for _, r := range b.Records {
			records = append(records, string(r))
		}
	}
	return records
}

func TestRecordsComeBackInOrderAcrossSegmentsAndLives(t *testing.T) {
	for _, within := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(within.String(), func(t *testing.T) {
			o := small(t.TempDir())
			o.SyncWithin, o.MaxWait = within, 20*time.Second
			const lives, each = 4, 300
			want := 0
			var identity string
			for life := range lives {
				l := mustOpen(t, o)
				if identity == "" {
					identity = l.Identity()
				}
				if l.Identity() != identity {
					t.Fatalf("identity changed to %s", l.Identity())
				}
				for i := range each {
					mustAppend(t, l, 0, fmt.Sprintf("%d/%s", life*each+i, strings.Repeat("x", i*3)))
				}
				for _, r := range drain(t, l, each/2) {
					if !strings.HasPrefix(r, fmt.Sprintf("%d/", want)) {
						t.Fatalf("got %.10s, want %d", r, want)
					}
					want++
				}
				if err := l.Commit(uint64(want)); err != nil {
					t.Fatal(err)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			l := mustOpen(t, o)
			st := l.Stats()
			if st.Appended != lives*each || st.Synced != lives*each || st.Pending != lives*each/2 || st.Corrupt != 0 || st.TornTails != 0 {
				t.Fatalf("stats %+v", st)
			}
			for _, r := range drain(t, l, lives*each/2) {
				if !strings.HasPrefix(r, fmt.Sprintf("%d/", want)) {
					t.Fatalf("got %.10s, want %d", r, want)
				}
				want++
			}
			if err := l.Commit(lives * each); err != nil {
				t.Fatal(err)
			}
			if got := len(l.segments); got != 1 {
				t.Errorf("%d segments left of a log that is done with", got)
			}
			if !l.OldestPending().IsZero() {
				t.Errorf("oldest pending %v of a log that is done with", l.OldestPending())
			}
		})
	}
}

func TestConcurrentAppendsArriveOnceEach(t *testing.T) {
	for _, within := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(within.String(), func(t *testing.T) {
			o := small(t.TempDir())
			o.SyncWithin = within
			o.MaxWait = 20 * time.Second
			l := mustOpen(t, o)
			const producers, each = 16, 200
			var wg sync.WaitGroup
			for p := range producers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range each {
						if err := l.Append(uint32(p), fmt.Appendf(nil, "%d/%d/%s", p, i, strings.Repeat("y", (i*37)%900))); err != nil {
							t.Errorf("append: %v", err)
						}
					}
				}()
			}
			last := map[string]int{}
			for _, r := range drain(t, l, producers*each) {
				var p, i int
				fmt.Sscanf(r, "%d/%d/", &p, &i)
				key := fmt.Sprint(p)
				if i != last[key] {
					t.Fatalf("producer %d: got %d, want %d", p, i, last[key])
				}
				last[key]++
			}
			wg.Wait()
			if st := l.Stats(); st.Unrecorded != 0 || st.Appended != producers*each {
				t.Fatalf("stats %+v", st)
			}
		})
	}
}

func TestReadRangeReadsAPersistedBatchAgain(t *testing.T) {
	o := small(t.TempDir())
	l := mustOpen(t, o)
	for i := range 500 {
		mustAppend(t, l, 0, fmt.Sprintf("%d %s", i+1, strings.Repeat("z", 500)))
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	first := drain(t, l, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, o)
	b, err := l.ReadRange(patient(t), 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range b.Records {
		if string(r) != first[i] || b.Sequence(i) != uint64(i+1) {
			t.Fatalf("record %d differs", i)
		}
	}
	if b, err = l.Next(patient(t), 1, 1); err != nil || b.First != 11 {
		t.Fatalf("next after the range: %+v, %v", b, err)
	}
	if b, err = l.ReadRange(patient(t), 5, 450); err != nil || len(b.Records) != 446 {
		t.Fatalf("a range over segments: %v", err)
	}
	for i, r := range b.Records {
		if !bytes.HasPrefix(r, fmt.Appendf(nil, "%d ", i+5)) {
			t.Fatalf("record %d is %.10s", i, r)
		}
	}
	if err := l.Commit(450); err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]uint64{{1, 2}, {499, 501}, {0, 1}, {9, 8}} {
		if _, err := l.ReadRange(patient(t), r[0], r[1]); !errors.Is(err, ErrRange) {
			t.Errorf("range %v: %v", r, err)
		}
	}
	if err := l.Commit(501); !errors.Is(err, ErrRange) {
		t.Errorf("commit ahead: %v", err)
	}
	if b, err = l.Next(patient(t), 1, 1); err != nil || b.First != 451 {
		t.Fatalf("next after the commit: %+v, %v", b, err)
	}
}

func TestNextHonoursItsLimitsAndContext(t *testing.T) {
	l := mustOpen(t, small(t.TempDir()))
	for range 3 {
		mustAppend(t, l, 0, strings.Repeat("a", 100))
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ records, bytes, want int }{{1, 1000, 1}, {10, 50, 1}, {10, 200, 1}} {
		b, err := l.Next(patient(t), c.records, c.bytes)
		if err != nil || len(b.Records) != c.want {
			t.Fatalf("%+v: %d records, %v", c, len(b.Records), err)
		}
		b.Release()
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := l.Next(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("next: %v", err)
	}
	if _, err := l.Next(ctx, 0, 1); err == nil {
		t.Fatal("a batch of nothing")
	}
}

func TestClosedLogRefuses(t *testing.T) {
	l := mustOpen(t, small(t.TempDir()))
	blocked := make(chan error)
	go func() {
		_, err := l.Next(context.Background(), 1, 1)
		blocked <- err
	}()
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	_, next := l.Next(context.Background(), 1, 1)
	_, read := l.ReadRange(context.Background(), 1, 1)
	for i, err := range []error{<-blocked, next, l.Append(0, nil), l.Commit(1), l.Sync()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if read == nil || l.Writable() || l.Stats().Unrecorded != 1 {
		t.Errorf("read %v, stats %+v", read, l.Stats())
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, small(dir))
	_, err := Open(small(dir))
	if err == nil || !strings.Contains(err.Error(), "in use by another process: stop it") {
		t.Errorf("second open: %v", err)
	}
	if _, err := Open(Options{Shards: 100, SyncWithin: -1}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("bad options: %v", err)
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.RingBytes = o.MaxRecordBytes },
		func(o *Options) { o.SegmentBytes = 4096 },
		func(o *Options) { o.MaxBytes = o.SegmentBytes },
		func(o *Options) { o.MaxRecordBytes = 2 << 20 },
	} {
		o := small(t.TempDir())
		change(&o)
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(small(file)); err == nil || !strings.Contains(err.Error(), "name a directory") {
		t.Errorf("a file for a directory: %v", err)
	}
}

func TestTooLargeIsRefusedAndCounted(t *testing.T) {
	l := mustOpen(t, small(t.TempDir()))
	mustAppend(t, l, 7, strings.Repeat("m", 4<<10))
	mustAppend(t, l, 7, "")
	if err := l.Append(0, make([]byte, 4<<10+1)); !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrUnrecorded) {
		t.Fatal(err)
	}
	if got := drain(t, l, 2); len(got[0]) != 4<<10 || got[1] != "" {
		t.Fatalf("got %d and %d bytes", len(got[0]), len(got[1]))
	}
	if l.Stats().Unrecorded != 1 {
		t.Fatalf("%+v", l.Stats())
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	for within, allowed := range map[time.Duration]float64{0: allocationsAwaited, 20 * time.Millisecond: 0} {
		o := Options{Dir: t.TempDir(), SyncWithin: within, SegmentBytes: 4 << 20, Shards: 1, MaxWait: 20 * time.Second}
		l := mustOpen(t, o)
		record := make([]byte, 600)
		mustAppend(t, l, 0, string(record))
		if n := testing.AllocsPerRun(500, func() {
			if err := l.Append(0, record); err != nil {
				t.Error(err)
			}
		}); n > allowed {
			t.Errorf("SyncWithin %v: %v allocations", within, n)
		}
	}
}

func TestGroupCommitOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	o := Options{Dir: t.TempDir(), SegmentBytes: 4 << 20, Shards: 1, MaxWait: 20 * time.Second}
	l := mustOpen(t, o)
	const producers, each = 64, 40
	var wg sync.WaitGroup
	record := make([]byte, 600)
	for range producers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				if err := l.Append(0, record); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	st := l.Stats()
	if per := st.Synced / st.Fsyncs; st.Synced != producers*each || per < producers/4 {
		t.Fatalf("%d records per commit of %d that wait: %+v", per, producers, st)
	}
}

func TestOldestPendingIsALowerBound(t *testing.T) {
	l := mustOpen(t, small(t.TempDir()))
	for i := range 20 {
		if !l.OldestPending().IsZero() {
			t.Fatal("pending before the append")
		}
		before := time.Now()
		mustAppend(t, l, uint32(i), "x")
		appended := time.Now()
		oldest := l.OldestPending()
		if oldest.IsZero() || oldest.After(appended) || before.Sub(oldest) > 5*time.Second {
			t.Fatalf("appended between %v and %v, oldest pending %v", before, appended, oldest)
		}
		drain(t, l, 1)
		if oldest = l.OldestPending(); oldest.IsZero() || oldest.After(appended) {
			t.Fatalf("appended at %v, read, oldest pending %v", appended, oldest)
		}
		if err := l.Commit(uint64(i + 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendAll(t *testing.T) {
	o := small(t.TempDir())
	o.SyncWithin, o.MaxWait, o.Shards = 0, 10*time.Second, 1
	l := mustOpen(t, o)
	var records [][]byte
	var want []string
	for i := range 300 { // many times the ring
		record := fmt.Sprintf("%04d%s", i, strings.Repeat("x", 1000))
		records, want = append(records, []byte(record)), append(want, record)
	}
	if err := l.AppendAll(0, records); err != nil {
		t.Fatal(err)
	}
	if stats := l.Stats(); stats.Fsyncs > uint64(len(records))/4 {
		t.Errorf("%d fsyncs for %d records in one call", stats.Fsyncs, len(records))
	}
	for i, record := range drain(t, l, len(records)) {
		if record != want[i] {
			t.Fatalf("record %d is %.10q", i, record)
		}
	}
	if err := l.AppendAll(0, nil); err != nil {
		t.Error(err)
	}
	if err := l.AppendAll(0, [][]byte{[]byte("small"), make([]byte, o.MaxRecordBytes+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if stats := l.Stats(); stats.Unrecorded != 2 || stats.Appended != 300 {
		t.Errorf("%+v", stats)
	}
}
