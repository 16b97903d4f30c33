package main

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/schema/database/databasetest"
)

// TestEverythingMovesToServers runs a shop on one machine, moves what it stored to a
// ClickHouse and a PostgreSQL of the operator's, killed on the way and started again,
// and goes on there: the books agree, and no figure is another.
func TestEverythingMovesToServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := testOptions(t, dir)
	client := startTestApp(t, o)
	link := client.makeLink()
	for range 50 {
		client.clicked(link, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15")
	}
	client.sellBy(link, 20)
	client.caughtUp()
	before := client.figures(link)
	stop := func() {
		t.Helper()
		if err := client.stop(); err != nil {
			t.Fatal(err)
		}
	}
	stop()

	_, clickhouse := serveEngine(t)
	postgres := asURL(databasetest.NewServer(t).DSN("postgres"))
	verb := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(terminal{Args: append(args, "--data", dir, "--engine-library", o.EngineLibrary), Out: &out, Err: &errs}); code != want {
			t.Fatalf("%s: exit code %d:\n%s%s", args[0], code, &out, &errs)
		}
		return out.String() + errs.String()
	}
	if said := verb(exitFailed, "migrate", "--to", "clickhouse://ann:hunter2@127.0.0.1:1/x"); !strings.Contains(said, "nothing was moved") || strings.Contains(said, "hunter2") {
		t.Errorf("a ClickHouse that does not answer: %s", said)
	}
	if said := verb(exitFailed, "migrate", "--to", "postgres://ann:hunter2@127.0.0.1:1/x"); !strings.Contains(said, "nothing was moved") || strings.Contains(said, "hunter2") {
		t.Errorf("a PostgreSQL that does not answer: %s", said)
	}
	for _, to := range []string{clickhouse, postgres} {
		for range 2 {
			killAfter(t, time.Duration(rand.Int64N(int64(2*time.Second))), "migrate", "--to", to, "--data", dir, "--engine-library", o.EngineLibrary)
		}
	}
	for to, setting := range map[string]string{clickhouse: "--clickhouse with", postgres: "--database with"} {
		said := verb(exitOK, "migrate", "--to", to)
		if !strings.Contains(said, "equal to what") || !strings.Contains(said, setting) {
			t.Errorf("it says: %s", said)
		}
		if said := verb(exitOK, "migrate", "--to", to); !strings.Contains(said, "equal to what") {
			t.Errorf("a second time: %s", said)
		}
	}
	for _, left := range []string{enginePath, databaseFile} {
		if err := os.Rename(filepath.Join(dir, left), filepath.Join(t.TempDir(), left)); err != nil {
			t.Fatal(err)
		}
	}
	if said := verb(exitOK, "audit", "--clickhouse", clickhouse, "--database", postgres); !strings.Contains(said, "the books agree") {
		t.Errorf("the audit says: %s", said)
	}

	o.ClickHouse, o.Database = DSN(clickhouse), DSN(postgres)
	client = startTestApp(t, o)
	client.same(before, client.figures(link))
	client.clicked(link, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15")
	advertiser := client.call(http.MethodGet, "/v1/campaigns/"+link["campaign_id"].(string), nil, http.StatusOK)["advertiser_id"].(string)
	client.sold(advertiser, map[string]any{"event": "sale", "order_id": "after the move", "amount": "5.00", "currency": "USD"})
	client.caughtUp()
	stop()
	if said := verb(exitOK, "audit", "--clickhouse", clickhouse, "--database", postgres); !strings.Contains(said, "the books agree") {
		t.Errorf("afterwards the audit says: %s", said)
	}
}

// killAfter runs a verb in a process and kills it after a time, unless it has ended.
func killAfter(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Args = append([]string{"tributary"}, args...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { command.Process.Kill() })
	defer timer.Stop()
	command.Wait()
}
