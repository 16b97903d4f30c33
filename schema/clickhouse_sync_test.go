package schema_test

import (
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// Rows that the replica which is read does not have yet are moved with the others.
func TestMoveWaitsForReplicas(t *testing.T) {
	var from driver.Conn
	var here, there []string // tables that were waited for
	from = schematest.Replicas(t, func(table string) {
		if table == "clicks_local" && !slices.Contains(here, table) {
			if err := insertClicks(testContext(t), from, spread(clickBatch(2000, 0)), "late"); err != nil {
				t.Error(err)
			}
		}
		here = append(here, table)
	})
	if err := schema.MigrateClickHouse(testContext(t), from); err != nil {
		t.Fatal(err)
	}
	to := schematest.Replicas(t, func(table string) { there = append(there, table) })
	mustMove(t, from, to)
	for _, conn := range []driver.Conn{from, to} {
		var clicks, summed uint64
		if err := conn.QueryRow(testContext(t), "SELECT count(), (SELECT sum(hits) FROM clicks_15m) FROM clicks").Scan(&clicks, &summed); err != nil || clicks != 2000 || summed != 2000 {
			t.Errorf("%d clicks, %d in the sums: %v", clicks, summed, err)
		}
	}
	for _, table := range []string{"clicks_local", "clicks_15m_local", "campaign_clicks_15m_local", "actions_local", "entries", "action_sums"} {
		if !slices.Contains(here, table) || !slices.Contains(there, table) {
			t.Errorf("nobody waits for %s: %v, %v", table, here, there)
		}
	}
}

// Where nothing is replicated, nobody lacks anything.
func TestNoReplicaIsBehind(t *testing.T) {
	for _, conn := range []driver.Conn{schematest.EmptyCluster(t), schematest.Empty(t)} {
		if behind, err := schema.ReplicasBehind(testContext(t), conn); err != nil || behind > 0 {
			t.Errorf("%d tables are behind: %v", behind, err)
		}
	}
}
