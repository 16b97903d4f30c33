package database_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func take(ctx context.Context, tx *database.Tx, name string) (n int64, err error) {
	return n, tx.Row(ctx, "number.take", 1, name).Scan(&n)
}

func last(t *testing.T, db *database.DB, name string) (n int64) {
	t.Helper()
	ok(t, db.Row(t.Context(), "number.last", name).Scan(&n))
	return n
}

func write(db *database.DB, do func(ctx context.Context, tx *database.Tx) error) error {
	return db.Write(context.Background(), do)
}

// TestPostgresIsBegunByMany lets nodes that start at once migrate an empty database.
func TestPostgresIsBegunByMany(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	dsn := server.CreateDatabase(t, "fresh")
	var nodes sync.WaitGroup
	for range 4 {
		nodes.Go(func() {
			db, err := database.Open(context.Background(), dsn, "")
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := db.Await(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	databasetest.Exec(t, dsn, "INSERT INTO schema_migrations VALUES (9999, 'later', '', 0)")
	if db, err := database.Open(t.Context(), dsn, ""); err == nil {
		t.Error("the schema of a newer build was opened")
		_ = db.Close()
	}
}

// TestPostgresAway opens a database that is not there yet, and loses it later.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	dsn := server.DSN("postgres")
	server.Stop()
	db, err := database.Open(t.Context(), dsn, "")
	ok(t, err)
	defer db.Close()
	select {
	case <-db.Migrated():
		t.Error("it is migrated without a server")
	default:
	}
	var n int64
	for what, err := range map[string]error{
		"a read":   db.Row(t.Context(), "number.last", "link").Scan(&n),
		"a write":  write(db, func(context.Context, *database.Tx) error { return nil }),
		"a view":   db.View(t.Context(), func(context.Context, *database.Tx) error { return nil }),
		"awaiting": func() error { ctx, cancel := context.WithCancel(t.Context()); cancel(); return db.Await(ctx) }(),
		"problem":  db.Problem(),
	} {
		if !database.Unavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ok(t, server.Start())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ok(t, db.Await(ctx))
	ok(t, db.Problem())
	for round := range 2 {
		ok(t, write(db, func(ctx context.Context, tx *database.Tx) error { _, err := take(ctx, tx, "link"); return err }))
		err := write(db, func(ctx context.Context, tx *database.Tx) error {
			if _, err := take(ctx, tx, "link"); err != nil {
				return err
			}
			if round == 0 {
				server.Stop()
			} else {
				server.Kill()
			}
			_, err := take(ctx, tx, "link")
			return err
		})
		if !database.Unavailable(err) {
			t.Errorf("the server went away in a write: %v", err)
		}
		if err := db.Row(t.Context(), "number.last", "link").Scan(&n); !database.Unavailable(err) {
			t.Errorf("the server is away: %v", err)
		}
		ok(t, server.Start())
		if n := last(t, db, "link"); n != int64(round+1) {
			t.Errorf("number %d after the server came back, want %d", n, round+1)
		}
	}
}

// TestPostgresUndoes sees writes tried again that PostgreSQL undid.
func TestPostgresUndoes(t *testing.T) {
	t.Parallel()
	dsn := databasetest.DSN(t)
	databasetest.Twice(t, dsn)
	db := databasetest.OpenDSN(t, dsn)
	for i := range int64(5) {
		tries, hooks := 0, 0
		ok(t, write(db, func(ctx context.Context, tx *database.Tx) error {
			tries++
			tx.OnCommit(func() { hooks++ })
			_, err := take(ctx, tx, "link")
			return err
		}))
		if n := last(t, db, "link"); tries != 2 || hooks != 1 || n != i+1 {
			t.Errorf("%d tries, %d hooks, number %d; want 2, 1 and %d", tries, hooks, n, i+1)
		}
	}
}

// TestDeadlock has two writers wait for each other, in parts of their
// transactions whose failure is hidden from the whole.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	var both sync.WaitGroup
	var met sync.WaitGroup
	met.Add(2)
	for _, names := range [][2]string{{"link", "change"}, {"change", "link"}} {
		both.Go(func() {
			first := true
			err := write(db, func(ctx context.Context, tx *database.Tx) error {
				if _, err := take(ctx, tx, names[0]); err != nil {
					return err
				}
				if first {
					first = false
					met.Done()
					met.Wait()
				}
				_ = db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
					_, err := take(ctx, tx, names[1])
					return err
				})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if link, change := last(t, db, "link"), last(t, db, "change"); link != 2 || change != 2 {
		t.Errorf("numbers %d and %d, want 2 and 2", link, change)
	}
}

// TestReadersBesideWriters lets whoever has the turn to write read beside its
// transaction, while more wait for the turn than there are connections.
func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	var writers sync.WaitGroup
	for range 40 {
		writers.Go(func() {
			if err := write(db, func(ctx context.Context, tx *database.Tx) error {
				if _, err := take(ctx, tx, "link"); err != nil {
					return err
				}
				var n int64
				return db.Row(context.Background(), "number.last", "link").Scan(&n)
			}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if n := last(t, db, "link"); n != 40 {
		t.Errorf("number %d, want 40", n)
	}
}

// TestStrangeText writes what PostgreSQL's text cannot hold.
func TestStrangeText(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	const strange = "a\x00b\xffc☃"
	ok(t, write(db, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "ledger.tell", 1, strange, "plain")
		return err
	}))
	rows, err := db.Rows(t.Context(), "outbox.read", 0, 10)
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		var n int64
		var kind, payload string
		ok(t, rows.Scan(&n, &kind, &payload))
		if kind != "a\uFFFDb\uFFFDc☃" || payload != "plain" {
			t.Errorf("%q, %q", kind, payload)
		}
	}
	ok(t, rows.Err())
}

// TestPoolSize bounds what one process takes of a server.
func TestPoolSize(t *testing.T) {
	t.Parallel()
	dsn := databasetest.DSN(t)
	for size, good := range map[string]bool{"4": true, "1": false, "many": false} {
		db, err := database.Open(t.Context(), dsn+" pool_max_conns="+size, "")
		if (err == nil) != good {
			t.Errorf("%s: %v", size, err)
		}
		if err == nil {
			ok(t, db.Close())
		}
	}
}

// TestLease has two nodes want a lease: one holds it at a time, and the other
// follows when it is given up and when the holder dies.
func TestLease(t *testing.T) {
	t.Parallel()
	dsn := databasetest.DSN(t)
	node := func(name string) (*database.Lease, context.CancelFunc, func()) {
		db := databasetest.OpenDSN(t, dsn)
		lease := db.Lease("schedule", name)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			lease.Run(ctx, func(err error) { t.Log(name, err) })
		}()
		stop := func() { cancel(); <-ended }
		t.Cleanup(stop)
		return lease, stop, func() { _ = db.Close() }
	}
	held := func(what string, lease, other *database.Lease) {
		t.Helper()
		for began := time.Now(); !lease.Held(); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatal(what)
			}
		}
		if other.Held() {
			t.Errorf("%s: both hold it", what)
		}
	}
	one, stopOne, _ := node("one")
	for !one.Held() {
		time.Sleep(10 * time.Millisecond)
	}
	two, _, dieTwo := node("two")
	held("the first keeps it", one, two)
	stopOne()
	held("it was given up", two, one)
	three, _, _ := node("three")
	dieTwo() // it can neither renew nor give it up
	held("its holder died", three, two)
}

// TestLeaseOfOneProcess is held without a word to the database.
func TestLeaseOfOneProcess(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	ok(t, err)
	defer db.Close()
	lease := db.Lease("schedule", "me")
	lease.Run(t.Context(), func(err error) { t.Error(err) })
	var holder string
	var term, beat int64
	ok(t, db.Row(t.Context(), "lease.look", "schedule").Scan(&holder, &term, &beat))
	if !lease.Held() || term != 0 || db.Shared() {
		t.Errorf("held %v, term %d, shared %v", lease.Held(), term, db.Shared())
	}
	ok(t, db.Await(t.Context()))
	if database.Unavailable(errors.New("x")) || database.Unavailable(nil) || database.Unavailable(context.Canceled) {
		t.Error("what says nothing of the database")
	}
}

// TestEveryQueryOfPostgres tries what SQLite can do on PostgreSQL.
func TestEveryQueryOfPostgres(t *testing.T) {
	t.Parallel()
	databasetest.Open(t).TryEveryQuery(t)
}

// TestProbe changes nothing.
func TestProbe(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	for range 2 {
		version, applied, err := database.ProbePostgres(t.Context(), server.DSN("postgres")+" pool_max_conns=4")
		if ok(t, err); version == "" || applied != 0 {
			t.Errorf("version %q, %d migrations", version, applied)
		}
	}
	server.Stop()
	if _, _, err := database.ProbePostgres(t.Context(), server.DSN("postgres")); !database.Unavailable(err) {
		t.Errorf("it is away: %v", err)
	}
}

// TestFewerRights opens a database that is migrated as a role that cannot change
// tables, nor entries of the ledger.
func TestFewerRights(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	owner := server.DSN("postgres")
	db := databasetest.OpenDSN(t, owner)
	ok(t, db.Await(t.Context()))
	databasetest.Exec(t, owner, `CREATE ROLE node LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO node;
REVOKE UPDATE, DELETE ON entries FROM node`)
	node := databasetest.OpenDSN(t, owner+" user=node")
	ok(t, node.Await(t.Context()))
	ok(t, write(node, func(ctx context.Context, tx *database.Tx) error { _, err := take(ctx, tx, "link"); return err }))
}
