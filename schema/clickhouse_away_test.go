package schema_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"tributary/schema"
	"tributary/schema/schematest"
)

// TestClickHouseAway tells what passes by itself from what is wrong with a question.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	here := schematest.Empty(t)
	for _, dsn := range []string{"clickhouse://" + nobody.Addr().String() + "/tributary", "http://" + nobody.Addr().String() + "/tributary"} {
		conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Exec(testContext(t), "SELECT 1"); !schema.ClickHouseAway(err) {
			t.Errorf("nobody answers at %s: %v", dsn, err)
		}
	}
	if err := here.Exec(testContext(t), "SELECT * FROM clicks"); !schema.ClickHouseAway(fmt.Errorf("asking: %w", err)) {
		t.Errorf("before the tables are made: %v", err)
	}
	for _, wrong := range []string{"SELEKT 1", "SELECT unknown FROM numbers(1)", "SELECT throwIf(1)"} {
		if err := here.Exec(testContext(t), wrong); err == nil || schema.ClickHouseAway(err) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if schema.ClickHouseAway(nil) || schema.ClickHouseAway(errors.New("something else")) {
		t.Error("what has nothing to do with ClickHouse is taken for its absence")
	}
}
