package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/schema/database/databasetest"
)

var onPostgres = databasetest.OnPostgres()

// TestOnPostgreSQL runs this package's tests once more, on a PostgreSQL that undoes
// each write and has it tried again.
func TestOnPostgreSQL(t *testing.T) { databasetest.Again(t, "") }

// TestPostgreSQLDiesWhileSettling kills the server again and again under two
// settlers of the same orders: in the end every report was settled once, and a
// commit whose answer was lost counts once.
func TestPostgreSQLDiesWhileSettling(t *testing.T) {
	if onPostgres {
		return // the other process does it
	}
	t.Parallel()
	server := databasetest.NewServer(t)
	db := databasetest.OpenDSN(t, server.DSN("postgres"))
	s := newShopOn(newWorldOn(t, db, "2027-01-10T09:00:00Z"), `{"budget":{"amount":"1000.00"}}`)
	click := s.click(s.link, attribution.Valid)
	const orders, reports = 600, 900
	other := New(databasetest.OpenDSN(t, server.DSN("postgres")), Options{ClickKeys: s.keys, Now: func() time.Time { return time.UnixMilli(s.nowMs.Load()) }})
	logs := []spoolLog{openSpool(t, t.TempDir()), openSpool(t, t.TempDir())}
	for _, log := range logs {
		var all []*attribution.Report
		for i := range reports {
			all = append(all, s.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":"10.00","currency":"USD","click_id":%q}`, i%orders, click)))
		}
		for part := range slices.Chunk(all, 200) {
			ok(t, log.take(part...))
		}
	}
	for i, l := range []*Ledger{s.Ledger, other} {
		settler := NewSettler(l, logs[i], SettlerOptions{MaxBatch: 11, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- settler.Run(ctx) }()
		t.Cleanup(func() { stop(); ok(t, <-ended) })
	}
	settled := func() (least uint64) {
		least = reports
		for _, log := range logs {
			position, err := s.Position(s.ctx, log.Identity())
			if err != nil {
				return 0 // it is away
			}
			least = min(least, position)
		}
		return least
	}
	deadline := time.Now().Add(2 * time.Minute)
	for kills := uint64(0); settled() < reports; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("settled up to %d of %d after %d kills", settled(), reports, kills)
		}
		if kills < 4 && settled() >= 150*(kills+1) {
			kills++
			server.Kill()
			ok(t, server.Start())
		}
	}
	raw := must(sql.Open("pgx", server.DSN("postgres")))(t)
	defer raw.Close()
	for query, want := range map[string]int{
		"SELECT COUNT(*) FROM conversions":                                                   orders,
		"SELECT COUNT(*) FROM actions":                                                       orders,
		"SELECT COUNT(*) FROM entries":                                                       orders,
		"SELECT COUNT(*) FROM outbox WHERE kind = 'conversion'":                              orders,
		"SELECT COUNT(*) FROM quarantine":                                                    0,
		"SELECT committed_minor FROM campaigns":                                              149 * orders, // ten times 1.00 costs 1.49…
		"SELECT CAST(SUM(reports) AS BIGINT) FROM report_tallies":                            2 * reports,
		"SELECT CAST(SUM(reports) AS BIGINT) FROM report_tallies WHERE outcome = 'accepted'": orders,
	} {
		var got int
		ok(t, raw.QueryRow(query).Scan(&got))
		equal(t, query, got, want)
	}
}
