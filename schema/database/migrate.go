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
// migrations differ from this build's, or that a newer build has moved on.
func (db *DB) migrate(ctx context.Context, files fs.FS) error {
	migrations, err := loadMigrations(files, db.dialect)
	if err != nil {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, createMigrations); err != nil {
		return fmt.Errorf("database: preparing for migrations: %w", err)
	}
	for _, m := range migrations {
		if err := db.apply(ctx, m); err != nil {
			return fmt.Errorf("database: migration %s: %w", m.name, err)
		}
	}
	var newest int
	if err := db.writer.QueryRowContext(ctx, "SELECT COALESCE(MAX(number), 0) FROM schema_migrations").Scan(&newest); err != nil {
		return fmt.Errorf("database: reading the schema's version: %w", err)
	}
	if newest > len(migrations) {
		return fmt.Errorf("database: the schema is at version %d and this build knows %d: run the newer build", newest, len(migrations))
	}
	return nil
}

// apply runs one migration unless it was applied before. Several nodes may start
// at once: the table's lock lets one through.
func (db *DB) apply(ctx context.Context, m migration) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		if db.dialect == postgres {
			if _, err := tx.sql.ExecContext(ctx, "LOCK TABLE schema_migrations IN EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		var checksum string
		err := tx.sql.QueryRowContext(ctx, "SELECT checksum FROM schema_migrations WHERE number = $1", m.number).Scan(&checksum)
		if err == nil && checksum != m.checksum {
			return errors.New("was changed after it was applied here: restore the file and add a new migration instead")
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

// schema adapts a migration: SQLite keeps a table in the order of its primary
// key only when that is spelled INTEGER.
func (d dialect) schema(text string) string {
	if d == sqlite {
		return strings.ReplaceAll(text, "BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
	}
	return text
}
