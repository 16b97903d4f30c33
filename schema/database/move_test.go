package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// fillSQLite gives a new SQLite database some rows of tables that refer to each other,
// by raw statements.
func fillSQLite(t *testing.T, dir string, creators int) {
	t.Helper()
	raw, err := sql.Open("sqlite", dir+"/"+database.FileName)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for i := range creators {
		if err := fillRow(raw, "creators", i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.Exec("INSERT INTO outbox (number, kind, payload) VALUES (1, CAST(x'610062ff63' AS TEXT), '{}')"); err != nil { // PostgreSQL holds no such text
		t.Fatal(err)
	}
	if _, err := raw.Exec("UPDATE counters SET value = 4711 WHERE name = 'link'"); err != nil {
		t.Fatal(err)
	}
}

// fillRow inserts a row with some value in every column.
func fillRow(raw *sql.DB, table string, i int) error {
	rows, err := raw.Query("SELECT name, type FROM pragma_table_info($1)", table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names, values []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return err
		}
		value := fmt.Sprint(i)
		if kind == "TEXT" {
			value = fmt.Sprintf("'%s %d — ''quoted'' ไทย'", name, i)
		}
		names, values = append(names, name), append(values, value)
	}
	rows.Close()
	_, err = raw.Exec("INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")")
	return err
}

func openMove(t *testing.T, creators int) (from, to *database.DB) {
	t.Helper()
	dir := t.TempDir()
	first, err := database.Open(t.Context(), database.Embedded, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	fillSQLite(t, dir, creators)
	if from, err = database.Open(t.Context(), database.Embedded, dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	if to, err = database.Open(t.Context(), databasetest.DSN(t), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	return from, to
}

func lastLink(t *testing.T, db *database.DB) (n int64) {
	t.Helper()
	if err := db.Row(t.Context(), "number.last", "link").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// What SQLite has is in PostgreSQL, and a second time is refused.
func TestMoveToPostgreSQL(t *testing.T) {
	from, to := openMove(t, 1000)
	rows, err := database.Move(t.Context(), from, to, func(string, int64) {})
	if err != nil || rows < 1000 {
		t.Fatalf("%d rows: %v", rows, err)
	}
	if got := lastLink(t, to); got != 4711 {
		t.Errorf("counter %d", got)
	}
	if again, err := database.Move(t.Context(), from, to, func(string, int64) {}); err != nil || again != rows {
		t.Errorf("a second move: %d rows, %v", again, err)
	}
	other, _ := openMove(t, 10)
	if _, err := database.Move(t.Context(), other, to, func(string, int64) {}); err == nil || !strings.Contains(err.Error(), "holds other data") {
		t.Errorf("another move: %v", err)
	}
}

// Cut short, it leaves nothing, and can be repeated.
func TestMoveCutShort(t *testing.T) {
	from, to := openMove(t, 1000)
	for _, after := range []int64{1, 100, 900} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := database.Move(ctx, from, to, func(_ string, rows int64) {
			if rows == after {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Fatalf("after %d rows: not cut short", after)
		}
		if got := lastLink(t, to); got != 0 {
			t.Fatalf("after %d rows: counter %d", after, got)
		}
	}
	if _, err := database.Move(t.Context(), from, to, func(string, int64) {}); err != nil {
		t.Fatal(err)
	}
}

func TestMoveRefuses(t *testing.T) {
	from, to := openMove(t, 0)
	if _, err := database.Move(t.Context(), to, from, func(string, int64) {}); err == nil || !strings.Contains(err.Error(), "SQLite, to PostgreSQL") {
		t.Errorf("the wrong way round: %v", err)
	}
}
