package spool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchLog is a log with production's sizes whose records are committed as they come.
func benchLog(b *testing.B, within time.Duration) *Log {
	l := mustOpen(b, Options{Dir: b.TempDir(), SyncWithin: within})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			batch, err := l.Next(ctx, 50_000, 32<<20)
			if err != nil {
				return
			}
			if err := l.Commit(batch.Last); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
	return l
}

// BenchmarkAppend is paced by the disk once the rings are full: -benchtime 20000x shows the cost of one Append.
func BenchmarkAppend(b *testing.B) {
	l := benchLog(b, 20*time.Millisecond)
	record := make([]byte, 600)
	var shard atomic.Uint32
	b.SetBytes(600)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		mine := shard.Add(1)
		for pb.Next() {
			if err := l.Append(mine, record); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkAppendAwaited(b *testing.B) {
	for _, producers := range []int{64, 256} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			l := benchLog(b, 0)
			record := make([]byte, 600)
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			latencies := make([][]time.Duration, producers)
			b.ResetTimer()
			for p := range producers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for left.Add(-1) >= 0 {
						began := time.Now()
						_ = l.Append(uint32(p), record) // what the disk was too slow for is reported
						latencies[p] = append(latencies[p], time.Since(began))
					}
				}()
			}
			wg.Wait()
			b.StopTimer()
			st := l.Stats()
			b.ReportMetric(float64(st.Synced)/float64(max(st.Fsyncs, 1)), "records/fsync")
			b.ReportMetric(float64(st.FsyncMax.Milliseconds()), "fsync-max-ms")
			b.ReportMetric(float64(st.Unrecorded), "refused")
			reportLatencies(b, slices.Concat(latencies...))
		})
	}
}

func BenchmarkNext(b *testing.B) {
	l := mustOpen(b, Options{Dir: b.TempDir(), SyncWithin: 20 * time.Millisecond, MaxWait: 20 * time.Second})
	record := make([]byte, 600)
	const stored = 200_000
	for range stored {
		if err := l.Append(0, record); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(600)
	b.ReportAllocs()
	b.ResetTimer()
	for read := 0; read < b.N; {
		if l.reader.next > stored {
			l.reader.next = 1
		}
		batch, err := l.Next(context.Background(), 50_000, 32<<20)
		if err != nil {
			b.Fatal(err)
		}
		read += len(batch.Records)
	}
}

// BenchmarkAppendBesideABusyDisk paces one Append every 20 µs while another goroutine writes and syncs 100 MB/s to the
// same disk, and reports what single Appends took.
func BenchmarkAppendBesideABusyDisk(b *testing.B) {
	l := benchLog(b, 20*time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	var noise sync.WaitGroup
	noise.Add(1)
	go func() {
		defer noise.Done()
		writeAndSync(b, ctx, filepath.Join(b.TempDir(), "noise"))
	}()
	record := make([]byte, 600)
	latencies := make([]time.Duration, b.N)
	next := time.Now()
	b.ResetTimer()
	for i := range b.N {
		for next = next.Add(20 * time.Microsecond); time.Until(next) > 0; {
		}
		began := time.Now()
		_ = l.Append(uint32(i), record)
		latencies[i] = time.Since(began)
	}
	b.StopTimer()
	cancel()
	noise.Wait()
	reportLatencies(b, latencies)
	b.ReportMetric(float64(l.Stats().FsyncMax.Milliseconds()), "fsync-max-ms")
	b.ReportMetric(float64(l.Stats().Unrecorded), "refused")
}

func writeAndSync(b *testing.B, ctx context.Context, path string) {
	f, err := os.Create(path)
	if err != nil {
		b.Error(err)
		return
	}
	defer f.Close()
	block := make([]byte, 10<<20)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := f.WriteAt(block, int64(i%20)*int64(len(block))); err != nil {
			b.Error(err)
			return
		}
		_ = f.Sync()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func reportLatencies(b *testing.B, all []time.Duration) {
	slices.Sort(all)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50-µs", 0.5}, {"p99-µs", 0.99}, {"p99.9-µs", 0.999}, {"max-µs", 1}} {
		i := min(int(q.at*float64(len(all))), len(all)-1)
		b.ReportMetric(float64(all[i].Nanoseconds())/1000, q.name)
	}
}
