package schema_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tributary/schema"
	"tributary/schema/engine"
	"tributary/schema/schematest"
)

// TestEngineStartsOnWhatWasFrozen freezes a database, goes on writing, and starts
// another engine on the copy.
func TestEngineStartsOnWhatWasFrozen(t *testing.T) {
	conn := schematest.Start(t)
	fill := func(from, to int) {
		t.Helper()
		if err := conn.Exec(testContext(t), fmt.Sprintf("INSERT INTO clicks (time, node, seq, verdict) SELECT toDateTime64('2027-03-14 12:00:00', 3, 'UTC') + number, 'one', number, 'valid' FROM numbers(%d, %d)", from, to-from)); err != nil {
			t.Fatal(err)
		}
	}
	fill(0, 500)
	fill(500, 1000)
	var database string
	if err := conn.QueryRow(testContext(t), "SELECT currentDatabase()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	frozen, err := schema.FreezeClickHouse(testContext(t), conn, schematest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	fill(1000, 1500)
	if err := conn.Exec(testContext(t), "OPTIMIZE TABLE clicks FINAL"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var size int64
	err = frozen.Files(func(name string, bytes int64, content io.Reader) error {
		size += bytes
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, content)
		return err
	})
	if err != nil || size != frozen.Bytes() {
		t.Fatalf("%d bytes of %d: %v", size, frozen.Bytes(), err)
	}
	if err := frozen.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(schematest.Dir(t), "shadow")); !os.IsNotExist(err) {
		t.Errorf("what was frozen is left: %v", err)
	}
	e, err := engine.Start(testContext(t), schematest.Options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Stop(testContext(t)); err != nil {
			t.Error(err)
		}
	}()
	copied, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var rows, hits uint64
	if err := copied.QueryRow(testContext(t), "SELECT count(), (SELECT sum(hits) FROM clicks_15m) FROM clicks").Scan(&rows, &hits); err != nil || rows != 1000 || hits != 1000 {
		t.Errorf("the copy has %d rows and %d hits: %v", rows, hits, err)
	}
	if err := schema.MigrateClickHouse(testContext(t), copied); err != nil {
		t.Error(err)
	}
}
