package schema_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// movedSource is a ClickHouse with rows in every kind of table: clicks of four months
// and their rollups, entries and their sums, actions with a version too many.
func movedSource(t *testing.T) driver.Conn {
	t.Helper()
	conn := schematest.Start(t)
	for i := range 2 {
		if err := insertClicks(testContext(t), conn, spread(clickBatch(20_000, 20_000*i)), fmt.Sprint("batch ", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		`INSERT INTO entries (number, action_id, seq, at, to_state, advertiser_id, campaign_id, currency, event_time, amount_minor, payout_minor, amount_delta, payout_delta)
			SELECT number + 1, concat('act_', toString(number)), 1, now64(3), 'pending', concat('adv_', toString(number % 3)), 'cmp', 'USD', toDateTime64('2026-11-20 00:00:00', 3, 'UTC'), 100 + number, 10, 100 + number, 10 FROM numbers(5000)`,
		`INSERT INTO actions (id, advertiser_id, conversion_id, credit, campaign_id, event_time, amount_minor, reasons, seq)
			SELECT concat('act_', toString(number)), concat('adv_', toString(number % 3)), 'cnv', '1/2', 'cmp', toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + number % 9000000 * 60, number, ['capped'], 1 FROM numbers(3000)`,
		`INSERT INTO actions (id, advertiser_id, campaign_id, event_time, amount_minor, seq)
			SELECT concat('act_', toString(number)), concat('adv_', toString(number % 3)), 'cmp', toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + number % 9000000 * 60, number, 2 FROM numbers(500)`,
		`INSERT INTO posts (post_id, advertiser_id, version) SELECT toString(number), 'adv_1', number FROM numbers(100)`,
	} {
		if err := conn.Exec(testContext(t), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := schema.SumActions(testContext(t), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// figures are what reports would read of a ClickHouse.
func figures(t *testing.T, conn driver.Conn) string {
	t.Helper()
	var all []string
	for _, query := range []string{
		"SELECT toString((count(), sum(cityHash64(click_id, seq, time)), uniqExact(reasons))) FROM clicks",
		"SELECT toString((sum(hits), sum(unique_clicks), sum(invalid_bot))) FROM clicks_15m",
		"SELECT toString((sum(hits), sum(clicks))) FROM campaign_clicks_15m",
		"SELECT toString((count(), sum(amount_minor), max(whole))) FROM actions FINAL",
		"SELECT toString((sum(actions), sum(amount_minor))) FROM action_sums",
		"SELECT toString((count(), max(number))) FROM entries FINAL",
		"SELECT toString(count()) FROM shared_orders FINAL",
		"SELECT toString((count(), sum(version))) FROM posts FINAL",
	} {
		var text string
		if err := conn.QueryRow(testContext(t), query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

func mustMove(t *testing.T, from, to driver.Conn) {
	t.Helper()
	differences, err := schema.MoveClickHouse(testContext(t), from, to, func(schema.Moved) {})
	if err != nil || len(differences) > 0 {
		t.Fatalf("%v\n%v", err, differences)
	}
}

// A move that is ended anywhere, and again, moves every row once, rollups as they are;
// the target goes on where the source was.
func TestMoveEndedAnywhere(t *testing.T) {
	from, to := movedSource(t), schematest.Empty(t)
	ended := 0
	for range 6 {
		ctx, cancel := context.WithCancel(testContext(t))
		time.AfterFunc(time.Duration(rand.Int64N(int64(700*time.Millisecond))), cancel)
		if _, err := schema.MoveClickHouse(ctx, from, to, func(schema.Moved) {}); err == nil {
			break
		}
		ended++
		cancel()
		if err := schema.MigrateClickHouse(testContext(t), to); err == nil {
			var begun uint64
			if err := to.QueryRow(testContext(t), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'moving_in'").Scan(&begun); err != nil || begun > 0 {
				t.Fatalf("a program was let into half a move: %v", err)
			}
		}
	}
	t.Logf("ended %d times", ended)
	if ended > 0 {
		mustMove(t, from, to)
	}
	if want, got := figures(t, from), figures(t, to); got != want {
		t.Errorf("source:\n%s\ntarget:\n%s", want, got)
	}
	if err := schema.MigrateClickHouse(testContext(t), to); err != nil {
		t.Error(err)
	}
	if err := schema.SumActions(testContext(t), to); err != nil {
		t.Error(err)
	}
	for _, conn := range []driver.Conn{from, to} { // the views are there again
		if err := insertClicks(testContext(t), conn, clickBatch(100, 500_000), "afterwards"); err != nil {
			t.Fatal(err)
		}
	}
	if want, got := figures(t, from), figures(t, to); got != want {
		t.Errorf("afterwards, source:\n%s\ntarget:\n%s", want, got)
	}
	mustMove(t, from, to) // it is there
}

// The target may be a cluster, and what it has be moved back.
func TestMoveToAClusterAndBack(t *testing.T) {
	from := movedSource(t)
	back := schematest.Empty(t)
	cluster := schematest.EmptyCluster(t)
	mustMove(t, from, cluster)
	if want, got := figures(t, from), figures(t, cluster); got != want {
		t.Errorf("source:\n%s\ncluster:\n%s", want, got)
	}
	mustMove(t, cluster, back)
	if want, got := figures(t, from), figures(t, back); got != want {
		t.Errorf("source:\n%s\nback:\n%s", want, got)
	}
}

func TestMoveRefusesAndTells(t *testing.T) {
	from, other, to := movedSource(t), schematest.Start(t), schematest.Empty(t)
	if _, err := schema.MoveClickHouse(testContext(t), other, from, func(schema.Moved) {}); err == nil || !strings.Contains(err.Error(), "holds other data") {
		t.Errorf("a target in use: %v", err)
	}
	stop, cancel := context.WithCancel(testContext(t))
	if _, err := schema.MoveClickHouse(stop, from, to, func(schema.Moved) { cancel() }); err == nil {
		t.Fatal("not ended")
	}
	if _, err := schema.MoveClickHouse(testContext(t), other, to, func(schema.Moved) {}); err == nil || !strings.Contains(err.Error(), "another ClickHouse is being moved") {
		t.Errorf("somebody else's target: %v", err)
	}
	spoiled := false
	differences, err := schema.MoveClickHouse(testContext(t), from, to, func(m schema.Moved) {
		if m.Table == "posts" && !spoiled {
			spoiled = true
			if err := to.Exec(testContext(t), "INSERT INTO entries (number, advertiser_id) SELECT 99999, 'adv_9'"); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || len(differences) != 1 || !strings.Contains(differences[0].String(), "entries, partition all, advertiser adv_9: nothing where it comes from, (1,") {
		t.Errorf("a row too many: %v %v", err, differences)
	}
	nobody, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: "clickhouse://u:s3cret@127.0.0.1:1/db"})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	if _, err := schema.MoveClickHouse(testContext(t), from, nobody, func(schema.Moved) {}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nobody answers: %v", err)
	}
}
