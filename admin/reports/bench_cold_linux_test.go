package reports

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/schema/schematest"
)

// BenchmarkColdReports asks an engine that has just started, of files of which the
// kernel remembers nothing.
func BenchmarkColdReports(b *testing.B) {
	conn := schematest.Start(b)
	store(b, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	for _, c := range []struct {
		name     string
		question Question
	}{
		{"campaigns", Question{GroupBy: []string{"campaign"}}},
		{"platforms", Question{GroupBy: []string{"platform"}}},
		{"days-in-Bangkok", Question{GroupBy: []string{"day"}, TZ: "Asia/Bangkok"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			measure(b, func() { restartCold(b) }, asking(b, reports, c.question))
		})
	}
}

// restartCold kills the engine, has the kernel forget its files and waits for the
// next life.
func restartCold(b *testing.B) {
	b.Helper()
	e := schematest.Engine(b)
	life := e.Restarts()
	if err := unix.Kill(e.PID(), unix.SIGKILL); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for e.Restarts() == life && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	err := filepath.WalkDir(schematest.Dir(b), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err == nil {
		err = e.WaitReady(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}
}
