package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Embedded is the data source name that means SQLite in the data directory.
const Embedded = "embedded"

// FileName is the SQLite database's file in the data directory.
const FileName = "tributary.db"

const sqliteReaders = 4

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	writer, reader *sql.DB
	migrator       *sql.DB       // one connection of its own, also before the schema is this build's
	writeTurn      chan struct{} // holds a token for each write that is under way or waits for the database's own lock
	queries        *querySet
	writes, reads  map[string]*sql.Stmt // prepared queries; nil: the driver keeps its own
	dialect        dialect

	migrated   chan struct{} // closed once the schema is this build's
	stopTrying context.CancelFunc
	trying     sync.WaitGroup

	mu      sync.Mutex
	problem error // why it is not migrated yet
}

// A dialect is what differs between the two databases.
type dialect int

const (
	sqlite dialect = iota
	postgres
)

// Open opens the database. dsn is "embedded" for SQLite in dir, or a PostgreSQL
// URL (postgres://…) or key=value string.
//
// SQLite is migrated to this build's schema. PostgreSQL is too, unless it cannot
// be reached within two seconds: then it is migrated in the background as soon as
// it can, and until then everything fails with an error that is [Unavailable].
// Migrated says when.
func Open(ctx context.Context, dsn, dir string) (*DB, error) {
	queries, err := loadQueries(queryFiles)
	if err != nil {
		return nil, err
	}
	db := &DB{queries: queries, migrated: make(chan struct{}), stopTrying: func() {}}
	start := db.reach
	switch {
	case dsn == Embedded || dsn == "":
		err, start = db.openSQLite(dir), db.migrateSQLite
	case isPostgres(dsn):
		err = db.openPostgres(dsn)
	default:
		err = errors.New(`database: the data source must be "embedded" or a PostgreSQL URL such as postgres://user:password@host/name`)
	}
	if err != nil {
		return nil, err
	}
	if err := start(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Migrated is closed once the database has this build's schema. With SQLite it
// always is.
func (db *DB) Migrated() <-chan struct{} { return db.migrated }

// Shared reports whether other processes may use the database at the same time,
// as nodes of one installation do.
func (db *DB) Shared() bool { return db.dialect == postgres }

// Await waits until the database is migrated. When ctx ends before, the error says
// why it is not.
func (db *DB) Await(ctx context.Context) error {
	select {
	case <-db.migrated:
		return nil
	case <-ctx.Done():
		return cmp.Or(db.Problem(), ctx.Err())
	}
}

// Problem says why the database is not migrated yet; nil once it is. It is
// Unavailable.
func (db *DB) Problem() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.problem
}

func (db *DB) noteProblem(err error) {
	if !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.problem = err
}

func (db *DB) noteMigrated() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.problem = nil
	close(db.migrated)
}

func (db *DB) isMigrated() bool {
	select {
	case <-db.migrated:
		return true
	default:
		return false
	}
}

// Close closes the database. Transactions under way end first.
func (db *DB) Close() error {
	db.stopTrying()
	db.trying.Wait()
	err := errors.Join(db.reader.Close(), db.writer.Close())
	if db.migrator != db.writer {
		err = errors.Join(err, db.migrator.Close())
	}
	return err
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
	db.dialect, db.writeTurn, db.migrator = sqlite, make(chan struct{}, 1), db.writer
	return nil
}

func (db *DB) migrateSQLite(ctx context.Context) error {
	if err := db.migrate(ctx, migrationFiles); err != nil {
		return err
	}
	db.noteMigrated()
	return db.prepare(ctx)
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

// prepare compiles every query, so that a broken one stops the start and not a
// request. It is for SQLite: pgx keeps prepared statements itself.
func (db *DB) prepare(ctx context.Context) (err error) {
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
