package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Embedded is the data source name that means SQLite in the data directory.
const Embedded = "embedded"

// FileName is the SQLite database's file in the data directory.
const FileName = "tributary.db"

const (
	sqliteReaders   = 4
	postgresConns   = 16
	postgresConnAge = 30 * time.Minute
)

// A DB is an open database, migrated to this build's schema. It is safe for
// concurrent use.
type DB struct {
	writer, reader *sql.DB
	writeTurn      chan struct{} // holds a token while somebody writes; nil: writers need not queue
	queries        *querySet
	writes, reads  map[string]*sql.Stmt // prepared queries; nil: the driver keeps its own
	dialect        dialect
}

// A dialect is what differs between the two databases.
type dialect int

const (
	sqlite dialect = iota
	postgres
)

// Open opens the database and migrates it. dsn is "embedded" for SQLite in dir,
// or a PostgreSQL URL (postgres://…) or key=value string.
func Open(ctx context.Context, dsn, dir string) (*DB, error) {
	queries, err := loadQueries(queryFiles)
	if err != nil {
		return nil, err
	}
	db := &DB{queries: queries}
	switch {
	case dsn == Embedded || dsn == "":
		err = db.openSQLite(dir)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"), strings.Contains(dsn, "host="):
		err = db.openPostgres(dsn)
	default:
		err = errors.New(`database: the data source must be "embedded" or a PostgreSQL URL such as postgres://user:password@host/name`)
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, migrationFiles); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close closes the database. Transactions under way end first.
func (db *DB) Close() error {
	if db.reader == db.writer {
		return db.writer.Close()
	}
	return errors.Join(db.reader.Close(), db.writer.Close())
}

func (db *DB) openSQLite(dir string) error {
	path := filepath.Join(dir, FileName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite itself would let others read it
	if err != nil {
		return fmt.Errorf("database: opening %s: %w", path, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("database: opening %s: %w", path, err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"cache_size(-32768)", "temp_store(MEMORY)", "wal_autocheckpoint(2000)", "journal_size_limit(67108864)",
	}}
	if db.writer, err = openSQLitePool(path, pragmas, "_txlock=immediate", 1); err != nil {
		return err
	}
	pragmas.Add("_pragma", "query_only(1)")
	if db.reader, err = openSQLitePool(path, pragmas, "_txlock=deferred", sqliteReaders); err != nil {
		return errors.Join(err, db.writer.Close())
	}
	db.dialect, db.writeTurn = sqlite, make(chan struct{}, 1)
	return nil
}

func openSQLitePool(path string, pragmas url.Values, lock string, conns int) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	source := (&url.URL{Scheme: "file", Path: absolute, RawQuery: pragmas.Encode() + "&" + lock}).String()
	pool, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, fmt.Errorf("database: opening %s: %w", path, err)
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}

func (db *DB) openPostgres(dsn string) error {
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		return fmt.Errorf("database: reading the PostgreSQL data source: %w", err)
	}
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxLifetime(postgresConnAge)
	db.writer, db.reader, db.dialect = pool, pool, postgres
	return nil
}

// prepare compiles every query, so that a broken one stops the start and not a
// request. pgx keeps prepared statements itself.
func (db *DB) prepare(ctx context.Context) (err error) {
	if db.dialect != sqlite {
		return nil
	}
	if db.writes, err = prepareAll(ctx, db.writer, db.queries); err != nil {
		return err
	}
	db.reads, err = prepareAll(ctx, db.reader, db.queries)
	return err
}

func prepareAll(ctx context.Context, pool *sql.DB, queries *querySet) (map[string]*sql.Stmt, error) {
	prepared := make(map[string]*sql.Stmt, len(queries.fixed))
	for name, text := range queries.fixed {
		statement, err := pool.PrepareContext(ctx, positional(text))
		if err != nil {
			return nil, fmt.Errorf("database: preparing query %s: %w", name, err)
		}
		prepared[name] = statement
	}
	return prepared, nil
}

var numberedParameter = regexp.MustCompile(`\$[0-9]+`)

// positional writes a query whose parameters come once each and in order with ?
// for them: SQLite's driver finds each numbered one by trying all.
func positional(text string) string {
	for i, parameter := range numberedParameter.FindAllString(text, -1) {
		if parameter != "$"+strconv.Itoa(i+1) {
			return text
		}
	}
	return numberedParameter.ReplaceAllString(text, "?")
}
