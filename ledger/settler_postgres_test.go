package ledger

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/schema/database/databasetest"
)

// A stumblingShop is one on a PostgreSQL whose table of conversions refuses inserts.
type stumblingShop struct {
	*shop
	raw *sql.DB
	log bytes.Buffer
}

// newStumblingShop refuses the first inserts with a SQLSTATE, and the one behind them
// with another.
func newStumblingShop(t *testing.T, first int, state, then string) *stumblingShop {
	t.Helper()
	dsn := databasetest.DSN(t)
	s := &stumblingShop{shop: newShopOn(newWorldOn(t, databasetest.OpenDSN(t, dsn), "2027-01-10T09:00:00Z"), "")}
	s.Ledger.log = slog.New(slog.NewTextHandler(&s.log, nil))
	s.raw = must(sql.Open("pgx", dsn))(t)
	t.Cleanup(func() { // the database is for other tests then
		_, err := s.raw.Exec("DROP FUNCTION stumble CASCADE; DROP SEQUENCE inserts")
		ok(t, errors.Join(err, s.raw.Close()))
	})
	for _, statement := range []string{
		"CREATE SEQUENCE inserts",
		fmt.Sprintf(`CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n bigint := nextval('inserts'); BEGIN
			IF n <= %d THEN RAISE EXCEPTION 'stumbled' USING ERRCODE = '%s'; END IF;
			IF n = %d AND '%s' <> '' THEN RAISE EXCEPTION 'stumbled' USING ERRCODE = '%s'; END IF;
			RETURN NEW; END $$`, first, state, first+1, then, then),
		"CREATE TRIGGER stumble BEFORE INSERT ON conversions FOR EACH ROW EXECUTE FUNCTION stumble()",
	} {
		_ = must(s.raw.Exec(statement))(t)
	}
	return s
}

func (s *stumblingShop) order(id string) *attribution.Report {
	return s.report(`{"event":"sale","order_id":"` + id + `","amount":"120.00","currency":"USD","click_id":"` + s.click(s.link, attribution.Valid) + `"}`)
}

// TestWhatPostgreSQLUndoesIsNotTheReports has a write undone for another's sake where
// reports are settled one by one: it is tried again, and nobody hears of quarantine.
func TestWhatPostgreSQLUndoesIsNotTheReports(t *testing.T) {
	t.Parallel()
	s := newStumblingShop(t, 1, "40P01", "")
	results := must(s.settleSingly(s.ctx, Batch{"undone", 1, []*attribution.Report{s.order("o1")}}))(t)
	equal(t, "status", results[0].Status, Accepted)
	equal(t, "said", s.log.String(), "")
}

// TestAnAbsentDatabaseIsNoFailedTry has the database be full for more tries than a
// batch has, and then stumble once: the reports are still settled as one.
func TestAnAbsentDatabaseIsNoFailedTry(t *testing.T) {
	t.Parallel()
	s := newStumblingShop(t, maxTries+2, "53100", "P0001")
	first, second := s.order("o1"), s.order("o2")
	log := &brokenLog{records: [][]byte{must(attribution.AppendReport(nil, first))(t), must(attribution.AppendReport(nil, second))(t)}}
	settler := s.settler(log)
	results := settler.Wait(soon(t), []string{first.ReceiptID, second.ReceiptID})
	equal(t, "settled", len(results), 2)
	equal(t, "status", results[0].Status+" "+results[1].Status, Accepted+" "+Accepted)
}

// TestACommitThatLandsLateIsSeen lets an earlier try of a batch commit while the next
// one, report by report, waits for its turn: the batch is settled once.
func TestACommitThatLandsLateIsSeen(t *testing.T) {
	t.Parallel()
	s := newStumblingShop(t, 0, "P0001", "")
	late := must(s.raw.Begin())(t)
	defer late.Rollback()
	_ = must(late.Exec("UPDATE counters SET value = value WHERE name = 'change'"))(t)
	_ = must(late.Exec("INSERT INTO settled (log, through, at_ms) VALUES ('late', 1, 0)"))(t)
	type answer struct {
		results []Settled
		err     error
	}
	answered := make(chan answer, 1)
	batch := Batch{"late", 1, []*attribution.Report{s.order("o1")}}
	go func() {
		results, err := s.settleSingly(s.ctx, batch)
		answered <- answer{results, err}
	}()
	for ctx := soon(t); ; time.Sleep(time.Millisecond) {
		var waiting int
		ok(t, ctx.Err())
		ok(t, s.raw.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting))
		if waiting > 0 {
			break
		}
	}
	ok(t, late.Commit())
	got := <-answered
	ok(t, got.err)
	equal(t, "settled again", len(got.results), 0)
	equal(t, "actions", len(s.actions("o1")), 0)
}
