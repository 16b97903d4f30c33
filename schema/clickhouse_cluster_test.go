package schema

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var writeGolden = flag.Bool("golden.write", false, "write testdata/cluster.golden.sql anew")

// TestMigrationsOnACluster shows what a cluster runs, for review.
func TestMigrationsOnACluster(t *testing.T) {
	migrations, err := loadMigrations(clickhouseFiles, clickhouseMigrationDir)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	write := func(statement string) {
		statements, err := cluster{"main"}.statements(statement)
		if err != nil {
			t.Error(err)
		}
		for _, s := range statements {
			got.WriteString(s + ";\n\n")
		}
	}
	write(migrationTable)
	for _, m := range migrations {
		for _, statement := range m.statements {
			write(statement)
		}
	}
	for _, name := range []string{"erase_clicks", "erase_conversions", "reclassify_rows"} {
		write(ClickHouseQuery(name))
	}
	for _, statement := range []string{
		"ALTER TABLE clicks MODIFY TTL toDateTime(time) + toIntervalMonth(25)", "ALTER TABLE clicks REMOVE TTL", "TRUNCATE TABLE click_changes",
		"ALTER TABLE clicks DROP PARTITION ID '202611'", "ALTER TABLE action_sums DROP PARTITION ID 'all'", "OPTIMIZE TABLE clicks FINAL",
		"ALTER TABLE clicks ADD COLUMN IF NOT EXISTS colour String", "DROP TABLE IF EXISTS moving_in SYNC", "DROP VIEW IF EXISTS clicks_15m_mv",
		"INSERT INTO clicks (click_id) SELECT 'c'", "SELECT count() FROM clicks",
	} {
		write(statement)
	}
	const file = "testdata/cluster.golden.sql"
	if *writeGolden {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got.String() != string(want) {
		t.Errorf("%s is not what a cluster runs (%v): look at the difference and write it anew with -golden.write", file, err)
	}
}

func TestClusterRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, statement := range []string{
		"CREATE TABLE a (b UInt8) ENGINE = Memory", "CREATE TABLE IF NOT EXISTS a (b UInt8) ENGINE = Memory", "RENAME TABLE a TO b",
		"-- comment\nDELETE FROM clicks WHERE 1", "CREATE VIEW v AS SELECT 1", "drop table clicks",
	} {
		if got, err := (cluster{"main"}).statements(statement); err == nil {
			t.Errorf("%s: %q", statement, got)
		}
	}
}
