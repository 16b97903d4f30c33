package schema

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// MigrateFiles applies other migrations than the program's, for tests.
func MigrateFiles(ctx context.Context, conn driver.Conn, files map[string]string) error {
	mapFS := fstest.MapFS{}
	for name, text := range files {
		mapFS["m/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	migrations, err := loadMigrations(mapFS, "m")
	if err != nil {
		return err
	}
	return migrateClickHouse(ctx, conn, migrations)
}

func TestLoadMigrationsRefusesBadNames(t *testing.T) {
	for _, name := range []string{"0002_gap.sql", "1_short.sql", "first.sql", "00001_long.sql"} {
		_, err := loadMigrations(fstest.MapFS{"m/" + name: &fstest.MapFile{}}, "m")
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSplitStatements(t *testing.T) {
	got := splitStatements("-- first; really\nCREATE a;\n\nCREATE b\n  (c); \nCREATE d")
	want := []string{"-- first; really\nCREATE a", "CREATE b\n  (c); \nCREATE d"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}
