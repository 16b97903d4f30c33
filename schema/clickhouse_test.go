package schema_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tributary/schema"
	"tributary/schema/engine"
	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestOpenClickHouseRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		options schema.ClickHouseOptions
		want    string
	}{
		"nothing":     {schema.ClickHouseOptions{}, "no DSN"},
		"both":        {schema.ClickHouseOptions{DSN: "clickhouse://h", Engine: new(engine.Engine)}, "not both"},
		"no address":  {schema.ClickHouseOptions{DSN: "clickhouse://user:s3cret@host:port/db"}, "cannot be read"},
		"odd setting": {schema.ClickHouseOptions{DSN: "clickhouse://user:s3cret@host/db?dial_timeout=soon"}, "dial_timeout is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := schema.OpenClickHouse(test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// A server that is down is no error of opening it.
func TestOpenClickHouseDoesNotConnect(t *testing.T) {
	for _, dsn := range []string{"clickhouse://u:p@127.0.0.1:1/db", "tcp://127.0.0.1:1", "http://127.0.0.1:1/db", "https://127.0.0.1:1"} {
		conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: dsn})
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if err := conn.Ping(testContext(t)); err == nil {
			t.Errorf("%s: somebody answered", dsn)
		}
		conn.Close()
	}
}

func TestMigratingAgainChangesNothing(t *testing.T) {
	conn := schematest.Start(t)
	state := func() (tables string) {
		err := conn.QueryRow(testContext(t), "SELECT toString(groupArray((name, uuid, total_rows))) FROM (SELECT * FROM system.tables WHERE database = currentDatabase() ORDER BY name)").Scan(&tables)
		if err != nil {
			t.Fatal(err)
		}
		return tables
	}
	before := state()
	if err := schema.MigrateClickHouse(testContext(t), conn); err != nil {
		t.Fatal(err)
	}
	if after := state(); after != before {
		t.Errorf("tables changed:\n%s\n%s", before, after)
	}
}

func TestTablesHaveTheColumnsOfTests(t *testing.T) {
	conn := schematest.Start(t)
	var columns []string
	err := conn.QueryRow(testContext(t), "SELECT groupArray(name) FROM (SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'clicks' ORDER BY position)").Scan(&columns)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(columns, clickColumns) {
		t.Errorf("clicks has columns %v", columns)
	}
}

func TestRetention(t *testing.T) {
	conn := schematest.Start(t)
	batch := clickBatch(100, 0)
	times := batch[1].([]time.Time)
	for i := range times {
		times[i] = time.Now().UTC().Truncate(time.Millisecond)
		if i%4 == 0 {
			times[i] = times[i].AddDate(-1, 0, 0)
		}
	}
	if err := insertClicks(testContext(t), conn, batch, "old-and-new"); err != nil {
		t.Fatal(err)
	}
	ttl := func() (definition string) {
		err := conn.QueryRow(testContext(t), "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = '"+schema.StoredTable(conn, "clicks")+"'").Scan(&definition)
		if err != nil {
			t.Fatal(err)
		}
		return definition
	}
	for _, months := range []int{25, 25, 3, 0, 0} {
		if err := schema.ApplyRetention(testContext(t), conn, months); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(ttl(), fmt.Sprintf("toIntervalMonth(%d)", months)), months > 0; got != want {
			t.Errorf("%d months: %s", months, ttl())
		}
		if months == 3 {
			waitRows(t, conn, 75)
		}
	}
	if err := schema.ApplyRetention(testContext(t), conn, -1); err == nil {
		t.Error("-1 months passed")
	}
}

func TestQueryNames(t *testing.T) {
	names := schema.ClickHouseQueryNames()
	if len(names) == 0 {
		t.Fatal("no queries")
	}
	for _, name := range names {
		if text := schema.ClickHouseQuery(name); text == "" || strings.HasSuffix(text, ";") {
			t.Errorf("%s: %q", name, text)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown name did not panic")
		}
	}()
	schema.ClickHouseQuery("no_such_query")
}
