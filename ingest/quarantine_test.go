package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func openQuarantine(t *testing.T, dir string) *Quarantine {
	t.Helper()
	q, err := OpenQuarantine(dir, func() time.Time { return day }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestQuarantineKeepsListsAndReplays(t *testing.T) {
	dir := t.TempDir()
	q := openQuarantine(t, dir)
	var page []QuarantineEntry
	for i := range 2500 {
		reason := ReasonUndecodable
		if i%5 == 0 {
			reason = ReasonRefused
		}
		page = append(page, QuarantineEntry{Source: "clicks", Log: "a", Seq: uint64(i + 1), Reason: reason, Record: bytes.Repeat([]byte{byte(i), 0, '\n'}, 2000)})
		if len(page) == 50 {
			if err := q.Put(page...); err != nil {
				t.Fatal(err)
			}
			page = nil
		}
	}
	files, _ := q.files()
	if len(files) < 2 {
		t.Fatalf("%d files of 20 MB, want several", len(files))
	}
	q.Close()
	q = openQuarantine(t, dir)

	filter := QuarantineFilter{Reason: ReasonRefused, Limit: 300}
	var seqs []uint64
	for pages := 1; ; pages++ {
		entries, next, err := q.List(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seqs = append(seqs, e.Seq)
			if !bytes.Equal(e.Record, bytes.Repeat([]byte{byte(e.Seq - 1), 0, '\n'}, 2000)) || !e.At.Equal(day) {
				t.Fatalf("entry %d is not what was put", e.ID)
			}
		}
		if next == 0 {
			break
		}
		filter.After = next
	}
	if len(seqs) != 500 || seqs[0] != 1 || seqs[499] != 2496 {
		t.Errorf("%d refused entries listed, %v to %v", len(seqs), seqs[0], seqs[len(seqs)-1])
	}

	handed := map[uint64]int{}
	full := errors.New("spool is full")
	put := func(e QuarantineEntry) error {
		if len(handed) == 150 {
			return full
		}
		handed[e.Seq]++
		return nil
	}
	if n, err := q.Replay(t.Context(), QuarantineFilter{Reason: ReasonRefused}, put); n != 150 || !errors.Is(err, full) {
		t.Errorf("replayed %d, %v; want 150 and the error", n, err)
	}
	q.Close()
	q = openQuarantine(t, dir)
	if got := fmt.Sprint(q.Counts()); got != "map[refused:350 undecodable:2000]" {
		t.Errorf("counts %s after 150 were replayed", got)
	}
	n, err := q.Replay(t.Context(), QuarantineFilter{Reason: ReasonRefused}, func(e QuarantineEntry) error { handed[e.Seq]++; return nil })
	if n != 350 || err != nil || len(handed) != 500 {
		t.Errorf("replayed %d more, %v; %d in all", n, err, len(handed))
	}
	for seq, times := range handed {
		if times != 1 {
			t.Errorf("entry of %d was handed back %d times", seq, times)
		}
	}
	if got := q.Counts()[ReasonRefused]; got != 0 {
		t.Errorf("%d refused are left", got)
	}
	entries, _, err := q.List(t.Context(), QuarantineFilter{Reason: ReasonRefused, Replayed: true, Limit: 1})
	if err != nil || len(entries) != 1 || entries[0].ReplayedAt.IsZero() {
		t.Errorf("a replayed entry is not shown as such: %+v, %v", entries, err)
	}
}

func TestQuarantineDropsATornLine(t *testing.T) {
	dir := t.TempDir()
	q := openQuarantine(t, dir)
	for i := range 3 {
		if err := q.Put(QuarantineEntry{Source: "clicks", Seq: uint64(i + 1), Reason: ReasonRefused, Record: []byte("r")}); err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	files, _ := q.files()
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	q = openQuarantine(t, dir)
	if err := q.Put(QuarantineEntry{Source: "clicks", Seq: 4, Reason: ReasonRefused, Record: []byte("r")}); err != nil {
		t.Fatal(err)
	}
	entries, _, err := q.List(t.Context(), QuarantineFilter{})
	if err != nil || len(entries) != 3 || entries[2].Seq != 4 || entries[2].ID != 3 {
		t.Errorf("after a torn line: %+v, %v", entries, err)
	}
}

func TestClaimsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inflight.json")
	open := func(log string, committed uint64) *claims {
		t.Helper()
		c, err := openClaims(path, log, committed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open("a", 0)
	for _, s := range []span{{1, 10}, {11, 20}, {21, 30}} {
		if err := c.add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.cut(span{11, 20}, []span{{11, 15}, {16, 20}}); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(open("a", 10).all()), "[{{11 20} [{11 15} {16 20}]} {{21 30} []}]"; got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
	if got := open("b", 0).all(); len(got) != 0 {
		t.Errorf("claims of another log are kept: %v", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openClaims(path, "a", 0); err == nil {
		t.Error("a damaged file is taken for none")
	}
}
