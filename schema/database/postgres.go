package database

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The bounds of talking to PostgreSQL.
const (
	postgresConns   = 16 // of one process; pool_max_conns in the data source says otherwise
	leastConns      = 4
	mostConns       = 1_000
	postgresConnAge = 30 * time.Minute
	connectTimeout  = 5 * time.Second  // connect_timeout in the data source says otherwise
	unansweredFor   = 30 * time.Second // until a connection whose other end is gone counts as lost
	firstTry        = 2 * time.Second  // Open waits for PostgreSQL
	minRetry        = 250 * time.Millisecond
	maxRetry        = 5 * time.Second
)

// poolSize is the parameter of a data source that bounds the connections of this
// process, as pgx's own pool has it.
const poolSize = "pool_max_conns"

// ErrUnavailable is in the chain of errors of a database that cannot be reached or
// has not been migrated yet. [Unavailable] finds what else means the same.
var ErrUnavailable = errors.New("database: PostgreSQL is not available")

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") || strings.Contains(dsn, "host=")
}

// openPostgres makes the pools. Readers have their own, so that whoever holds the
// turn to write and reads beside its transaction never waits for writers that
// wait for it. Nothing connects here.
func (db *DB) openPostgres(dsn string) error {
	config, conns, err := readDSN(dsn)
	if err != nil {
		return err
	}
	pool := func(conns int, gated bool) *sql.DB {
		p := sql.OpenDB(&connector{Connector: stdlib.GetConnector(*config), db: db, gated: gated})
		p.SetMaxOpenConns(conns)
		p.SetMaxIdleConns(conns)
		p.SetConnMaxLifetime(postgresConnAge)
		return p
	}
	writers := conns / 2
	db.writer, db.reader, db.migrator = pool(writers, true), pool(conns-writers, true), pool(1, false)
	db.dialect, db.writeTurn = postgres, make(chan struct{}, writers)
	return nil
}

// whenSilent are what PostgreSQL is asked to do when this process's machine is gone
// without a word: to give up the connection within half a minute, and with it the
// transaction that all other writers wait for. By itself it waits for two hours. A
// data source may say otherwise; an empty value leaves one to the server.
var whenSilent = map[string]string{
	"tcp_keepalives_idle":     "10", // s
	"tcp_keepalives_interval": "5",  // s
	"tcp_keepalives_count":    "4",
	"tcp_user_timeout":        "30000", // ms
}

// readDSN reads a data source and how many connections it allows.
func readDSN(dsn string) (config *pgx.ConnConfig, conns int, err error) {
	if config, err = pgx.ParseConfig(dsn); err != nil {
		return nil, 0, fmt.Errorf("database: reading the PostgreSQL data source: %w", err)
	}
	conns = postgresConns
	if text, given := config.RuntimeParams[poolSize]; given {
		delete(config.RuntimeParams, poolSize)
		if conns, err = strconv.Atoi(text); err != nil || conns < leastConns || conns > mostConns {
			return nil, 0, fmt.Errorf("database: %s in the PostgreSQL data source must be %d to %d", poolSize, leastConns, mostConns)
		}
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "tributary"
	}
	for name, value := range whenSilent {
		if given, isGiven := config.RuntimeParams[name]; !isGiven {
			config.RuntimeParams[name] = value
		} else if given == "" {
			delete(config.RuntimeParams, name)
		}
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	config.DialFunc = dialer().DialContext
	return config, conns, nil
}

// ProbePostgres asks PostgreSQL which version it has and how many migrations were
// applied, and changes nothing.
func ProbePostgres(ctx context.Context, dsn string) (version string, applied int, err error) {
	config, _, err := readDSN(dsn)
	if err != nil {
		return "", 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return "", 0, fmt.Errorf("database: asking for the version of PostgreSQL: %w", err)
	}
	err = conn.QueryRow(ctx, "SELECT COUNT(*) FROM schema_migrations").Scan(&applied)
	if err != nil && noTable(err) {
		err = nil
	}
	if err != nil {
		return version, 0, fmt.Errorf("database: reading which migrations were applied: %w", err)
	}
	return version, applied, nil
}

// dialer finds out that the other end is gone: otherwise a write would wait for a
// quarter of an hour for a machine that has lost its network.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: unansweredFor / 3, Interval: unansweredFor / 6, Count: 4},
		Control:         boundUnanswered,
	}
}

// A connector connects to PostgreSQL. Before the schema is this build's, a gated
// one connects nobody, so that no query meets tables of another.
type connector struct {
	driver.Connector
	db    *DB
	gated bool
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.gated && !c.db.isMigrated() {
		return nil, cmp.Or(c.db.Problem(), ErrUnavailable)
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return conn, err
}

// reach migrates PostgreSQL, now if it answers, else in the background as soon as
// it does. What no waiting mends, such as the schema of a newer build, is an error
// now.
func (db *DB) reach(ctx context.Context) error {
	trial, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	err := db.migrate(trial, migrationFiles)
	if err == nil {
		db.noteMigrated()
		return nil
	}
	if ctx.Err() != nil || !Unavailable(err) && trial.Err() == nil {
		return err
	}
	db.noteProblem(err)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stopTrying = stop
	db.trying.Go(func() { db.keepTrying(background) })
	return nil
}

func (db *DB) keepTrying(ctx context.Context) {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := db.migrate(ctx, migrationFiles)
		if err == nil {
			db.noteMigrated()
			return
		}
		db.noteProblem(err)
	}
}

// args are a query's arguments as the database can take them. PostgreSQL's text
// holds neither NUL nor bytes that are no UTF-8: they are replaced, as a browser
// would. Everything else passes as it is.
func (d dialect) args(args []any) []any {
	if d != postgres {
		return args
	}
	given := args
	for i, arg := range given {
		text, isText := arg.(string)
		if !isText || holds(text) {
			continue
		}
		if &args[0] == &given[0] { // they are the caller's
			args = slices.Clone(given)
		}
		args[i] = storable(text)
	}
	return args
}

// holds reports whether PostgreSQL can store a text as it is.
func holds(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// storable is a text as PostgreSQL can store it.
func storable(text string) string {
	if holds(text) {
		return text
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}
