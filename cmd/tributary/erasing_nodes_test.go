package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tributary/admin/erasures"
	"tributary/attribution"
	"tributary/ingest"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// TestAVisitorIsErasedFromQuarantinesOfOtherNodes: an erasure is done only once every
// node with a quarantine, stopped or not, has looked through its own.
func TestAVisitorIsErasedFromQuarantinesOfOtherNodes(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.Database = DSN(asURL(databasetest.NewServer(t).DSN("postgres")))
	a := startTestApp(t, o)
	<-a.migrated
	link := a.makeLink()
	hers := clickIDOf(t, a.clicked(link, phone))
	a.caughtUp()
	var visitor uint64
	if err := a.clickhouse.QueryRow(t.Context(), "SELECT visitor FROM clicks WHERE click_id = ?", hers).Scan(&visitor); err != nil || visitor == 0 {
		t.Fatalf("visitor %d, %v", visitor, err)
	}
	const elsewhere = "another node"
	if err := a.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "node.beat", elsewhere, "t2", "tracker", time.Now().UnixMilli(), 0, 0, int64(nothingLeft), int64(nothingLeft), 1)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	theirs, err := ingest.OpenQuarantine(t.TempDir(), time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	record := attribution.AppendClick(nil, &attribution.Click{ID: []byte(hers), AtMs: time.Now().UnixMilli(), Visitor: visitor, Network: []byte("203.0.113.0/24"), UserAgent: []byte(phone)})
	if err := theirs.Put(ingest.QuarantineEntry{Source: "clicks", Reason: ingest.ReasonRefused, Record: record}); err != nil {
		t.Fatal(err)
	}

	path := "/v1/erasures/" + a.call(http.MethodPost, "/v1/erasures", map[string]any{"click_id": hers, "dry_run": false}, http.StatusOK)["id"].(string)
	eventually(t, func() error {
		e := a.call(http.MethodGet, path, nil, http.StatusOK)
		if why := fmt.Sprint(e["problem"]); e["state"] != "pending" || !strings.Contains(why, elsewhere) {
			return fmt.Errorf("the erasure is %v: %s", e["state"], why)
		}
		return nil
	})
	beside := erasures.New(erasures.Options{DB: a.db, ClickHouse: a.clickhouse, ClickKeys: a.clickKeys, Quarantine: theirs, Node: elsewhere, Now: a.now, Log: a.log})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); beside.Beside(ctx) }()
	defer func() { cancel(); <-ended }()
	eventually(t, func() error {
		e := a.call(http.MethodGet, path, nil, http.StatusOK)
		if e["state"] != "done" {
			return fmt.Errorf("the erasure is %v: %v", e["state"], e["problem"])
		}
		if found := e["found"].(map[string]any); found["clicks"] != 1.0 || found["quarantined_clicks"] != 1.0 {
			t.Errorf("the erasure found %v", found)
		}
		return nil
	})
	if left, _, err := theirs.List(t.Context(), ingest.QuarantineFilter{}); err != nil || len(left) != 1 || bytes.Contains(left[0].Record, []byte("203.0.113")) {
		t.Errorf("in their quarantine are %v, %v", left, err)
	}
	if found := a.inClickHouse(fmt.Sprint(visitor)); len(found) > 0 {
		t.Errorf("the visitor is still in %v", found)
	}
}
