package ingest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tributary/schema/schematest"
)

// TestALogOlderThanWhatWasShippedFromItIsRefused restores the disk of a node from a
// backup while ClickHouse lives on.
func TestALogOlderThanWhatWasShippedFromItIsRefused(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	check := func() error { return n.shipper().CheckAge(t.Context()) }
	if err := check(); err != nil {
		t.Errorf("a new log: %v", err)
	}
	n.append(clicks(0, 10)...)
	n.live()
	n.close()
	backup := t.TempDir()
	if err := os.CopyFS(filepath.Join(backup, "clicks"), os.DirFS(filepath.Join(n.dir, "clicks"))); err != nil {
		t.Fatal(err)
	}
	n.open()
	n.append(clicks(10, 25)...)
	n.live()
	if err := check(); err != nil {
		t.Errorf("the log that was shipped: %v", err)
	}
	n.close()
	n.dir = backup
	n.open()
	if err := check(); !errors.Is(err, ErrOlderLog) {
		t.Errorf("the restored log: %v", err)
	}
}
