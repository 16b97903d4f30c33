package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Reader runs named queries: a [DB] on its own, a [Tx] inside a transaction.
// A name that does not exist is a mistake in the program and panics.
type Reader interface {
	Row(ctx context.Context, name string, args ...any) *sql.Row
	Rows(ctx context.Context, name string, args ...any) (*sql.Rows, error)
	Filter(ctx context.Context, name string, given Given) (*sql.Rows, error)
}

// A Tx is a transaction under way. It belongs to the function it was given to.
type Tx struct {
	db        *DB
	sql       *sql.Tx
	prepared  map[string]*sql.Stmt
	own       map[string]*sql.Stmt // those of prepared that ran, as they are in this transaction
	writable  bool
	depth     int   // of savepoints
	doomed    error // the database has undone a part, and with it the whole must go
	committed []func()
}

// txKey finds the transaction of a database in a context.
type txKey struct{ db *DB }

func (db *DB) joined(ctx context.Context) *Tx {
	tx, _ := ctx.Value(txKey{db}).(*Tx)
	return tx
}

// maxTries is how often a write is begun that PostgreSQL undoes for the sake of
// another: after a deadlock one of both goes through.
const maxTries = 6

// Write runs do in a write transaction and commits it, or rolls everything back
// when do fails. Inside another Write it is a part of that one: when do fails,
// only the part is undone. A write that has begun is not cut short by ctx.
//
// Where several nodes write, PostgreSQL may undo a transaction for another's sake
// (a deadlock, a serialization failure). Then do runs again, from its beginning:
// what it leaves behind outside of the database must be set anew, not added to.
// When the connection is lost while committing, it is not known whether the write
// was committed; the error is Unavailable, and nothing is tried again here.
func (db *DB) Write(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	if outer := db.joined(ctx); outer != nil {
		return outer.nested(ctx, do)
	}
	if db.writeTurn != nil {
		select {
		case db.writeTurn <- struct{}{}:
			defer func() { <-db.writeTurn }()
		case <-ctx.Done():
			return fmt.Errorf("database: waiting to write: %w", ctx.Err())
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("database: before writing: %w", err)
	}
	for try := 1; ; try++ {
		tx, err := db.run(context.WithoutCancel(ctx), db.writer, nil, &Tx{db: db, prepared: db.writes, writable: true}, do)
		if Undone(err) && try < maxTries {
			time.Sleep(rand.N(time.Duration(try) * 5 * time.Millisecond)) // so that both do not meet again
			continue
		}
		if err != nil {
			return err
		}
		for _, hook := range tx.committed {
			hook()
		}
		return nil
	}
}

// View runs do on one snapshot of the database. Inside a Write it sees what was
// written so far.
func (db *DB) View(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	if outer := db.joined(ctx); outer != nil {
		return do(ctx, outer)
	}
	options := &sql.TxOptions{ReadOnly: true}
	if db.dialect == postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	_, err := db.run(ctx, db.reader, options, &Tx{db: db, prepared: db.reads}, do)
	return err
}

func (db *DB) run(ctx context.Context, pool *sql.DB, options *sql.TxOptions, tx *Tx, do func(context.Context, *Tx) error) (_ *Tx, err error) {
	if tx.sql, err = pool.BeginTx(ctx, options); err != nil {
		return nil, fmt.Errorf("database: beginning a transaction: %w", err)
	}
	done := false
	defer func() {
		if !done { // do failed or panicked
			if undo := tx.sql.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) && err != nil {
				err = errors.Join(err, undo)
			}
		}
	}()
	if err := cmp.Or(do(context.WithValue(ctx, txKey{db}, tx), tx), tx.doomed); err != nil {
		return nil, err
	}
	done = true
	if err := tx.sql.Commit(); err != nil {
		return nil, fmt.Errorf("database: committing: %w", err)
	}
	return tx, nil
}

// nested runs do behind a savepoint of the transaction.
func (tx *Tx) nested(ctx context.Context, do func(context.Context, *Tx) error) error {
	if !tx.writable {
		return errors.New("database: a write inside a view")
	}
	tx.depth++
	defer func() { tx.depth-- }()
	savepoint := fmt.Sprintf("part_%d", tx.depth)
	hooks := len(tx.committed)
	if _, err := tx.sql.ExecContext(ctx, "SAVEPOINT "+savepoint); err != nil {
		return fmt.Errorf("database: savepoint: %w", err)
	}
	if err := do(ctx, tx); err != nil {
		tx.committed = tx.committed[:hooks]
		if Undone(err) {
			tx.doomed = err
		}
		if _, undo := tx.sql.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+savepoint); undo != nil {
			return errors.Join(err, undo)
		}
		return err
	}
	if _, err := tx.sql.ExecContext(ctx, "RELEASE SAVEPOINT "+savepoint); err != nil {
		return fmt.Errorf("database: releasing a savepoint: %w", err)
	}
	return nil
}

// OnCommit runs hook after the outermost transaction has committed, and never
// when it did not.
func (tx *Tx) OnCommit(hook func()) { tx.committed = append(tx.committed, hook) }

// statement is a prepared query as part of the transaction, made once in it; nil
// where the driver keeps its own.
func (tx *Tx) statement(ctx context.Context, name string) *sql.Stmt {
	if own := tx.own[name]; own != nil {
		return own
	}
	shared := tx.prepared[name]
	if shared == nil {
		return nil
	}
	if tx.own == nil {
		tx.own = map[string]*sql.Stmt{}
	}
	tx.own[name] = tx.sql.StmtContext(ctx, shared)
	return tx.own[name]
}

// Exec runs a named query that returns no rows, and says how many it changed.
func (tx *Tx) Exec(ctx context.Context, name string, args ...any) (changed int64, err error) {
	args = tx.db.dialect.args(args)
	var result sql.Result
	if statement := tx.statement(ctx, name); statement != nil {
		result, err = statement.ExecContext(ctx, args...)
	} else {
		result, err = tx.sql.ExecContext(ctx, tx.db.queries.text(name), args...)
	}
	if err != nil {
		return 0, fmt.Errorf("database: query %s: %w", name, err)
	}
	if changed, err = result.RowsAffected(); err != nil {
		return 0, fmt.Errorf("database: query %s: %w", name, err)
	}
	return changed, nil
}

// Row runs a named query of at most one row.
func (tx *Tx) Row(ctx context.Context, name string, args ...any) *sql.Row {
	args = tx.db.dialect.args(args)
	if statement := tx.statement(ctx, name); statement != nil {
		return statement.QueryRowContext(ctx, args...)
	}
	return tx.sql.QueryRowContext(ctx, tx.db.queries.text(name), args...)
}

// Rows runs a named query; the caller closes the rows.
func (tx *Tx) Rows(ctx context.Context, name string, args ...any) (rows *sql.Rows, err error) {
	args = tx.db.dialect.args(args)
	if statement := tx.statement(ctx, name); statement != nil {
		rows, err = statement.QueryContext(ctx, args...)
	} else {
		rows, err = tx.sql.QueryContext(ctx, tx.db.queries.text(name), args...)
	}
	if err != nil {
		return nil, fmt.Errorf("database: query %s: %w", name, err)
	}
	return rows, nil
}

// Filter runs a named query whose conditions depend on what is given.
func (tx *Tx) Filter(ctx context.Context, name string, given Given) (*sql.Rows, error) {
	text, args := tx.db.queries.filtered(name, given)
	rows, err := tx.sql.QueryContext(ctx, text, tx.db.dialect.args(args)...)
	if err != nil {
		return nil, fmt.Errorf("database: query %s: %w", name, err)
	}
	return rows, nil
}

// Row runs a named query of at most one row, inside ctx's transaction if it has one.
func (db *DB) Row(ctx context.Context, name string, args ...any) *sql.Row {
	if tx := db.joined(ctx); tx != nil {
		return tx.Row(ctx, name, args...)
	}
	args = db.dialect.args(args)
	if statement := db.reads[name]; statement != nil {
		return statement.QueryRowContext(ctx, args...)
	}
	return db.reader.QueryRowContext(ctx, db.queries.text(name), args...)
}

// Rows runs a named query, inside ctx's transaction if it has one; the caller
// closes the rows.
func (db *DB) Rows(ctx context.Context, name string, args ...any) (rows *sql.Rows, err error) {
	if tx := db.joined(ctx); tx != nil {
		return tx.Rows(ctx, name, args...)
	}
	args = db.dialect.args(args)
	if statement := db.reads[name]; statement != nil {
		rows, err = statement.QueryContext(ctx, args...)
	} else {
		rows, err = db.reader.QueryContext(ctx, db.queries.text(name), args...)
	}
	if err != nil {
		return nil, fmt.Errorf("database: query %s: %w", name, err)
	}
	return rows, nil
}

// Filter runs a named query whose conditions depend on what is given, inside
// ctx's transaction if it has one; the caller closes the rows.
func (db *DB) Filter(ctx context.Context, name string, given Given) (*sql.Rows, error) {
	if tx := db.joined(ctx); tx != nil {
		return tx.Filter(ctx, name, given)
	}
	text, args := db.queries.filtered(name, given)
	rows, err := db.reader.QueryContext(ctx, text, db.dialect.args(args)...)
	if err != nil {
		return nil, fmt.Errorf("database: query %s: %w", name, err)
	}
	return rows, nil
}
