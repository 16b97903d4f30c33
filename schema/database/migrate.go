package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration is one file of migrations, named NUMBER_what.sql. What only one of
// the databases understands, such as triggers, stands beside it in
// NUMBER_what.sqlite.sql and NUMBER_what.postgres.sql and is run behind it.
type migration struct {
	number   int
	name     string
	text     string
	checksum string
}

const createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)`

func loadMigrations(files fs.FS, d dialect) ([]migration, error) {
	paths, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(file string) bool { return strings.Count(path.Base(file), ".") > 1 })
	slices.Sort(paths)
	var all []migration
	for i, file := range paths {
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		own, err := fs.ReadFile(files, strings.TrimSuffix(file, "sql")+d.name()+".sql")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("database: %w", err)
		}
		content = append(content, own...)
		name := path.Base(file)
		digits, _, _ := strings.Cut(name, "_")
		number, err := strconv.Atoi(digits)
		if err != nil || number != i+1 {
			return nil, fmt.Errorf("database: migration %s must be number %04d", name, i+1)
		}
		sum := sha256.Sum256(content)
		all = append(all, migration{number, name, string(content), hex.EncodeToString(sum[:])})
	}
	return all, nil
}

// migrate brings the schema forward. It refuses a database whose recorded
// migrations differ from this build's, or that a newer build has moved on. A
// schema that is this build's already is only read: that needs no right to make
// tables.
func (db *DB) migrate(ctx context.Context, files fs.FS) error {
	migrations, err := loadMigrations(files, db.dialect)
	if err != nil {
		return err
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		switch checksum, is := applied[m.number]; {
		case !is:
			err = db.apply(ctx, m)
		case checksum != m.checksum:
			err = errChanged
		}
		if err != nil {
			return fmt.Errorf("database: migration %s: %w", m.name, err)
		}
	}
	for number := range applied {
		if number > len(migrations) {
			return fmt.Errorf("database: the schema is at version %d and this build knows %d: run the newer build", number, len(migrations))
		}
	}
	return nil
}

var errChanged = errors.New("was changed after it was applied here: restore the file and add a new migration instead")

// applied are the checksums of the migrations that were applied, by number.
func (db *DB) applied(ctx context.Context) (map[int]string, error) {
	const list = "SELECT number, checksum FROM schema_migrations"
	rows, err := db.migrator.QueryContext(ctx, list)
	if err != nil && noTable(err) {
		if err = db.createMigrations(ctx); err == nil {
			rows, err = db.migrator.QueryContext(ctx, list)
		}
	}
	if errors.Is(err, ErrUnavailable) {
		return nil, err // who reads it has enough to read
	}
	if err != nil {
		return nil, fmt.Errorf("database: reading which migrations were applied: %w", err)
	}
	defer rows.Close()
	applied := map[int]string{}
	for rows.Next() {
		var number int
		var checksum string
		if err := rows.Scan(&number, &checksum); err != nil {
			return nil, fmt.Errorf("database: reading which migrations were applied: %w", err)
		}
		applied[number] = checksum
	}
	return applied, rows.Err()
}

func noTable(err error) bool {
	state, answered := stateOf(err)
	return answered && state == stateUndefinedTable || strings.Contains(err.Error(), "no such table")
}

// migrationLock is what nodes that start at once queue for. In PostgreSQL even
// CREATE TABLE IF NOT EXISTS fails when another makes the table at that moment.
const migrationLock = 7_243_151_961

// createMigrations makes the table of what was applied.
func (db *DB) createMigrations(ctx context.Context) error {
	return db.alone(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.sql.ExecContext(ctx, createMigrations)
		return err
	})
}

// alone runs do as a transaction of the migrator's, while no other node migrates.
func (db *DB) alone(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	_, err := db.run(ctx, db.migrator, nil, &Tx{db: db, writable: true}, func(ctx context.Context, tx *Tx) error {
		if db.dialect == postgres {
			if _, err := tx.sql.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
				return err
			}
		}
		return do(ctx, tx)
	})
	return err
}

// apply runs one migration unless another node has applied it meanwhile.
func (db *DB) apply(ctx context.Context, m migration) error {
	return db.alone(ctx, func(ctx context.Context, tx *Tx) error {
		var checksum string
		err := tx.sql.QueryRowContext(ctx, "SELECT checksum FROM schema_migrations WHERE number = $1", m.number).Scan(&checksum)
		if err == nil && checksum != m.checksum {
			return errChanged
		}
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err := tx.sql.ExecContext(ctx, db.dialect.schema(m.text)); err != nil {
			return err
		}
		_, err = tx.sql.ExecContext(ctx, "INSERT INTO schema_migrations (number, name, checksum, applied_at_ms) VALUES ($1, $2, $3, $4)",
			m.number, m.name, m.checksum, time.Now().UnixMilli())
		return err
	})
}

// name is what files of one database only have in their names.
func (d dialect) name() string {
	if d == sqlite {
		return "sqlite"
	}
	return "postgres"
}

var textColumn = regexp.MustCompile(`\bTEXT\b`)

// schema adapts a migration. SQLite keeps a table in the order of its primary key
// only when that is spelled INTEGER. PostgreSQL compares text by the rules of a
// language unless it is told otherwise: ids, click ids and slugs sort by their
// bytes, whatever the database was made for.
func (d dialect) schema(text string) string {
	if d == sqlite {
		return strings.ReplaceAll(text, "BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
	}
	return textColumn.ReplaceAllString(text, `TEXT COLLATE "C"`)
}
