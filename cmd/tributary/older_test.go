package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/ledger"
)

// TestAStartRefusesSpoolsOlderThanTheDatabase restores the spool of reports from a
// backup while the database lives on: no order is taken into it.
func TestAStartRefusesSpoolsOlderThanTheDatabase(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.ClickHouse = "clickhouse://127.0.0.1:9/tributary" // nobody answers there
	live, backup := filepath.Join(o.DataDir, reportsDir), filepath.Join(t.TempDir(), "backup")
	a := startTestApp(t, o)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(backup, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	a = startTestApp(t, o)
	a.sell(3)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(live); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(live, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	again, err := startApp(t.Context(), o, appConfig{log: slog.New(slog.NewTextHandler(testLog{t}, nil)), out: testLog{t}})
	if err == nil {
		t.Error("it starts")
		_ = again.stop()
	} else if !strings.Contains(err.Error(), "move "+live+" away") {
		t.Errorf("it says: %v", err)
	}
	if err := os.Rename(live, live+".old"); err != nil { // as it says
		t.Fatal(err)
	}
	startTestApp(t, o)
}

// TestAnAuditCopiesBeforeWritersWait has an outbox that was not copied: what is copied
// while writers wait is nothing by then.
func TestAnAuditCopiesBeforeWritersWait(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.ClickHouse = "clickhouse://127.0.0.1:9/tributary"
	down := startTestApp(t, o)
	down.sell(5)
	if err := down.stop(); err != nil {
		t.Fatal(err)
	}
	o.ClickHouse = ""
	c := appConfig{log: slog.New(slog.NewTextHandler(testLog{t}, nil)), out: testLog{t}, engineCommand: []string{os.Args[0], engineVerb}}
	a := newApp(o, c)
	defer func() {
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := a.openBooks(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var found []int64 // messages, by each pass
	pending := a.copy.pending
	a.copy.pending = func() (oldest time.Time) {
		behind, err := a.money.OutboxBehind(t.Context())
		if err != nil {
			t.Error(err)
		}
		found = append(found, behind[ledger.ReaderClickHouse])
		return pending()
	}
	audit, err := a.Audit(t.Context())
	if err != nil || !audit.Agree {
		t.Fatalf("%v, %v", audit.Differences, err)
	}
	if len(found) < 2 || found[0] < 5 || found[len(found)-1] != 0 {
		t.Errorf("the passes found %d messages", found)
	}
}
