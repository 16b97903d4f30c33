package schema_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// insertEntries writes the lives of actions, one after the other: made at 1000, one
// time in two adjusted by -100 and locked.
func insertEntries(t *testing.T, conn driver.Conn, from, to int) {
	t.Helper()
	ctx := clickhouse.Context(testContext(t), clickhouse.WithSettings(schema.InsertSettings(fmt.Sprint(t.Name(), from))))
	if err := conn.Exec(ctx, fmt.Sprintf(`INSERT INTO entries (number, action_id, seq, from_state, to_state, advertiser_id, campaign_id, currency, event_time,
		orders_nano, amount_delta, amount_minor)
	SELECT number, toString(intDiv(number, 3)), number %% 3 + 1, ['', 'pending', 'pending'][number %% 3 + 1], ['pending', 'pending', 'locked'][number %% 3 + 1],
		'adv_1', 'cmp_1', 'USD', toDateTime64('2027-01-01 00:00:00', 3, 'UTC') + toIntervalMinute(intDiv(number, 3)), 1000000000,
		[1000, -100, 0][number %% 3 + 1], [1000, 900, 900][number %% 3 + 1]
	FROM numbers(%d, %d)`, from, to-from)); err != nil {
		t.Fatal(err)
	}
}

func summed(t *testing.T, conn driver.Conn, state string) (actions, amount int64) {
	t.Helper()
	if err := conn.QueryRow(testContext(t), "SELECT sum(actions), sum(amount_minor) FROM action_sums WHERE state = ?", state).Scan(&actions, &amount); err != nil {
		t.Fatal(err)
	}
	return actions, amount
}

func TestActionsAreSummedOnce(t *testing.T) {
	conn := schematest.Start(t)
	if err := schema.SumActions(testContext(t), conn); err != nil {
		t.Fatalf("of no entries: %v", err)
	}
	const actions = 1_000
	for from := 3; from < 3*actions; from += 300 { // numbers start above 0
		insertEntries(t, conn, from, min(from+300, 3*actions))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := schema.SumActions(testContext(t), conn); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n, amount := summed(t, conn, "pending"); n != 0 || amount != 0 {
		t.Errorf("%d are pending with %d, want none", n, amount)
	}
	if n, amount := summed(t, conn, "locked"); n != actions-1 || amount != 900*(actions-1) {
		t.Errorf("%d are locked with %d, want %d with %d", n, amount, actions-1, 900*(actions-1))
	}
	if position, _ := summed(t, conn, "position"); position != 3*actions-1 {
		t.Errorf("the position is %d, want %d", position, 3*actions-1)
	}
	if err := conn.Exec(testContext(t), "OPTIMIZE TABLE action_sums FINAL"); err != nil {
		t.Fatal(err)
	}
	var rows uint64
	if err := conn.QueryRow(testContext(t), "SELECT count() FROM action_sums").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if want := uint64((actions-1)/15 + 2); rows > want { // the locked of each quarter of an hour, and the position
		t.Errorf("%d rows are left, want at most %d", rows, want)
	}
}

// However much there is to add up, a step is one part: whole, or not there.
func TestAStepOfSummingIsOnePart(t *testing.T) {
	conn := schematest.Start(t)
	insertEntries(t, conn, 3, 150_000)
	if err := conn.Exec(testContext(t), "SYSTEM STOP MERGES action_sums"); err != nil {
		t.Fatal(err)
	}
	if err := schema.SumActions(testContext(t), conn); err != nil {
		t.Fatal(err)
	}
	var parts uint64
	if err := conn.QueryRow(testContext(t), "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'action_sums'").Scan(&parts); err != nil {
		t.Fatal(err)
	}
	if parts != 1 {
		t.Errorf("%d parts, want 1", parts)
	}
}
