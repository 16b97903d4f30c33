package spool

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestDiskSyncsFilesOfManyAtOnce(t *testing.T) {
	d := openDisk()
	defer d.Close()
	var all sync.WaitGroup
	for i := range 8 {
		f, err := os.Create(filepath.Join(t.TempDir(), string(rune('a'+i))))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all.Go(func() {
			for range 20 {
				if _, err := f.Write([]byte("record")); err != nil {
					t.Error(err)
				}
				if err := d.Sync(f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestDiskSaysWhenAFileCannotBeSynced(t *testing.T) {
	d := openDisk()
	defer d.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := d.Sync(null); err == nil {
		t.Error("no error for a device that has nothing to sync")
	}
	gone, err := os.Create(filepath.Join(t.TempDir(), "gone"))
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	if err := d.Sync(gone); err == nil {
		t.Error("no error for a closed file")
	}
}
