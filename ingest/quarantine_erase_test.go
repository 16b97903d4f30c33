package ingest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestQuarantineIsRewritten empties some records in several files: the others, what
// was replayed, the counts and what is put later stay as they were.
func TestQuarantineIsRewritten(t *testing.T) {
	dir := t.TempDir()
	q := openQuarantine(t, dir)
	person := []byte("person")
	for i := range 5 {
		var entries []QuarantineEntry
		for n := range 500 {
			record := bytes.Repeat([]byte{byte(n)}, 4000)
			if n%100 == 7 {
				record = append(record, person...)
			}
			entries = append(entries, QuarantineEntry{Source: "clicks", Log: "a", Seq: uint64(500*i + n + 1), Reason: ReasonRefused, Record: record})
		}
		if err := q.Put(entries...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Replay(t.Context(), QuarantineFilter{IDs: []uint64{1, 2500}}, func(QuarantineEntry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	empty := func(e *QuarantineEntry) bool {
		if !bytes.HasSuffix(e.Record, person) {
			return false
		}
		e.Record = []byte{}
		return true
	}
	if files, _ := q.files(); len(files) < 2 {
		t.Fatalf("%d files, want several", len(files))
	}
	for _, want := range []int{25, 0} {
		if changed, err := q.Rewrite(t.Context(), empty); err != nil || changed != want {
			t.Fatalf("%d records were changed, want %d (%v)", changed, want, err)
		}
	}
	if err := q.Put(QuarantineEntry{Source: "clicks", Reason: ReasonUndecodable, Record: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also once it was closed
		counts := q.Counts()
		if counts[ReasonRefused] != 2498 || counts[ReasonUndecodable] != 1 {
			t.Errorf("counted %v", counts)
		}
		listed, after := 0, uint64(0)
		for {
			entries, next, err := q.List(t.Context(), QuarantineFilter{Replayed: true, After: after})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				listed++
				if e.ID != uint64(listed) || bytes.Contains(e.Record, person) || (e.Seq%100 == 8) != (len(e.Record) == 0) {
					t.Fatalf("entry %d has %d bytes", e.ID, len(e.Record))
				}
			}
			if after = next; next == 0 {
				break
			}
		}
		if listed != 2501 {
			t.Errorf("%d entries are left", listed)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		q = openQuarantine(t, dir)
	}
	files, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	for _, name := range []string{"0.jsonl"} { // a damaged file is said, and stays
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("no JSON\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Rewrite(t.Context(), empty); err == nil {
			t.Error("a damaged file was rewritten")
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != "no JSON\n" {
			t.Error(errors.Join(err, errors.New("the damaged file changed")))
		}
	}
}
