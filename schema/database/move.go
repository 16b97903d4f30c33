package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// notMoved are tables that each database has of its own.
var notMoved = [...]string{"schema_migrations", "leases"}

// Move copies everything in SQLite into PostgreSQL, compares both, and returns how many
// rows there are. It is one transaction: whatever ends it leaves nothing behind, and
// nobody sees a part. The target has this build's schema and nothing else, or is refused.
// Nobody may write to the source.
func Move(ctx context.Context, from, to *DB, progress func(table string, rows int64)) (rows int64, err error) {
	if from.dialect != sqlite || to.dialect != postgres {
		return 0, errors.New("database: what can be moved is SQLite, to PostgreSQL")
	}
	tables, err := movedTables(ctx, from)
	if err != nil {
		return 0, err
	}
	source, err := from.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("database: read SQLite: %w", err)
	}
	defer source.Rollback()
	conn, err := to.writer.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("database: connect to PostgreSQL: %w", err)
	}
	defer conn.Close()
	target, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("database: begin the move: %w", err)
	}
	defer target.Rollback()
	if there, rows, err := refuseFull(ctx, source, target, tables); err != nil || there {
		return rows, err
	}
	for _, t := range tables {
		if _, err := target.ExecContext(ctx, "DELETE FROM "+t.name); err != nil { // what migrations put there
			return 0, fmt.Errorf("database: move %s: %w", t.name, err)
		}
		if err := t.copy(ctx, source, conn, func() { rows++; progress(t.name, rows) }); err != nil {
			return 0, fmt.Errorf("database: move %s: %w", t.name, err)
		}
		here, err := t.sum(ctx, source)
		if err != nil {
			return 0, err
		}
		there, err := t.sum(ctx, target)
		if err != nil {
			return 0, err
		}
		if here != there {
			return 0, fmt.Errorf("database: %s has %d rows where it comes from and %d where it went, or others: nothing was moved", t.name, here.rows, there.rows)
		}
	}
	if err := target.Commit(); err != nil {
		return 0, fmt.Errorf("database: end the move: %w; look whether the target has it before you repeat it", err)
	}
	return rows, nil
}

// A movedTable is a table and its columns.
type movedTable struct {
	name    string
	columns []string
}

// movedTables are SQLite's tables, each behind those it refers to: as they were made.
func movedTables(ctx context.Context, from *DB) ([]movedTable, error) {
	names, err := texts(ctx, from.reader, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid")
	if err != nil {
		return nil, fmt.Errorf("database: list the tables: %w", err)
	}
	var tables []movedTable
	for _, name := range names {
		if slices.Contains(notMoved[:], name) {
			continue
		}
		columns, err := texts(ctx, from.reader, "SELECT name FROM pragma_table_info($1) ORDER BY cid", name)
		if err != nil {
			return nil, fmt.Errorf("database: list the columns of %s: %w", name, err)
		}
		tables = append(tables, movedTable{name, columns})
	}
	return tables, nil
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func texts(ctx context.Context, from querier, query string, args ...any) (all []string, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// refuseFull keeps everybody else out of the target until the transaction ends, and
// refuses one that has more than a new database has; there is true for one that has
// what is moved already, as when a move was killed behind its end.
func refuseFull(ctx context.Context, source, target *sql.Tx, tables []movedTable) (there bool, rows int64, err error) {
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
	}
	if _, err := target.ExecContext(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return false, 0, fmt.Errorf("database: take the target's tables: %w; stop every process that uses it", err)
	}
	dir, err := os.MkdirTemp("", "tributary-empty-")
	if err != nil {
		return false, 0, fmt.Errorf("database: %w", err)
	}
	defer os.RemoveAll(dir)
	empty, err := Open(ctx, Embedded, dir)
	if err != nil {
		return false, 0, err
	}
	defer empty.Close()
	var refused error
	there = true
	for _, t := range tables {
		var sums [3]tableSum
		for i, from := range []querier{target, empty.reader, source} {
			if sums[i], err = t.sum(ctx, from); err != nil {
				return false, 0, err
			}
		}
		found, fresh, moved := sums[0], sums[1], sums[2]
		if found != fresh && refused == nil {
			refused = fmt.Errorf("database: the target holds other data: %d rows of %s; name a new database (CREATE DATABASE)", found.rows, t.name)
		}
		there = there && found == moved
		rows += moved.rows
	}
	if there {
		return true, rows, nil
	}
	return false, 0, refused
}

func (t *movedTable) selecting() string {
	return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name
}

// copy streams the rows of SQLite into the transaction that conn is in.
func (t *movedTable) copy(ctx context.Context, source *sql.Tx, conn *sql.Conn, copied func()) error {
	rows, err := source.QueryContext(ctx, t.selecting())
	if err != nil {
		return err
	}
	defer rows.Close()
	return conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) {
			if !rows.Next() {
				return nil, rows.Err()
			}
			copied()
			return scanRow(rows, len(t.columns))
		}))
		return err
	})
}

// scanRow reads a row of numbers and texts, these as PostgreSQL can hold them: what
// is copied and what is compared are the same.
func scanRow(rows *sql.Rows, columns int) ([]any, error) {
	values, targets := make([]any, columns), make([]any, columns)
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	for i, value := range values {
		if text, isText := value.(string); isText {
			values[i] = storable(text)
		}
	}
	return values, nil
}

// tableSum is what tells the rows of a table from any others, whatever their order.
type tableSum struct {
	rows   int64
	hashes uint64 // of rows, added up
}

func (t *movedTable) sum(ctx context.Context, from querier) (s tableSum, err error) {
	rows, err := from.QueryContext(ctx, t.selecting())
	if err != nil {
		return s, fmt.Errorf("database: add up %s: %w", t.name, err)
	}
	defer rows.Close()
	var text []byte
	for rows.Next() {
		values, err := scanRow(rows, len(t.columns))
		if err != nil {
			return s, fmt.Errorf("database: add up %s: %w", t.name, err)
		}
		text = text[:0]
		for _, value := range values {
			if bytes, isBytes := value.([]byte); isBytes {
				value = string(bytes)
			}
			text = fmt.Appendf(text, "%T %q ", value, fmt.Sprint(value))
		}
		hash := sha256.Sum256(text)
		s.rows++
		s.hashes += binary.BigEndian.Uint64(hash[:])
	}
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("database: add up %s: %w", t.name, err)
	}
	return s, nil
}
