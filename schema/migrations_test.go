package schema_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

const (
	firstMigration  = "0001_clicks.sql"
	secondMigration = "0002_next.sql"
)

func TestMigrationsGoForward(t *testing.T) {
	conn := schematest.Empty(t)
	one := "CREATE TABLE IF NOT EXISTS one (a UInt8) ENGINE = MergeTree ORDER BY a;\n"
	two := "CREATE TABLE IF NOT EXISTS two (a UInt8) ENGINE = MergeTree ORDER BY a;\nALTER TABLE one ADD COLUMN IF NOT EXISTS b UInt8;\n"
	migrate := func(files map[string]string) error { return schema.MigrateFiles(testContext(t), conn, files) }

	if err := migrate(map[string]string{firstMigration: one}); err != nil {
		t.Fatal(err)
	}
	// A crash after the first statement of the second: it was not recorded.
	err := migrate(map[string]string{firstMigration: one, secondMigration: strings.SplitAfter(two, ";\n")[0] + "SELECT throwIf(1);\n"})
	if err == nil || !strings.Contains(err.Error(), secondMigration+", statement 2") {
		t.Fatalf("a failing statement: %v", err)
	}
	if err := migrate(map[string]string{firstMigration: one, secondMigration: two}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(testContext(t), "INSERT INTO one (a, b) VALUES (1, 2)"); err != nil {
		t.Error(err)
	}
	err = migrate(map[string]string{firstMigration: one + "-- edited\n", secondMigration: two})
	if err == nil || !strings.Contains(err.Error(), firstMigration+" was changed after it was applied") {
		t.Errorf("an edited migration: %v", err)
	}
	err = migrate(map[string]string{firstMigration: one})
	if err == nil || !strings.Contains(err.Error(), secondMigration) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("an older program: %v", err)
	}
}

func TestMigrationsAtOnce(t *testing.T) {
	conn := schematest.Empty(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := schema.MigrateClickHouse(testContext(t), conn); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if err := schema.MigrateClickHouse(testContext(t), conn); err != nil {
		t.Error(err)
	}
}

func waitRows(t testing.TB, conn driver.Conn, want uint64) {
	t.Helper()
	var got uint64
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := conn.QueryRow(testContext(t), "SELECT count() FROM clicks").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Errorf("%d clicks, want %d", got, want)
}
