package databasetest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"tributary/schema/database"
)

// shared is the test binary's server. It outlives the test that starts it, which
// is why it is the one variable of this kind.
var shared struct {
	sync.Mutex
	server *Server
	made   int      // databases
	free   []string // of them, as they were made
}

// Main runs the tests and exits.
func Main(m *testing.M) {
	code := m.Run()
	Stop()
	os.Exit(code)
}

// Stop ends the server, if there is one.
func Stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Close()
		shared.server, shared.free = nil, nil
	}
}

// DSN returns how to open a database of the current schema with nothing in it,
// this test's until it ends.
func DSN(t testing.TB) string {
	t.Helper()
	name, err := borrow()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := giveBack(name); err != nil {
			t.Error(err)
		}
	})
	return shared.server.DSN(name)
}

// borrow finds a database that no test uses, or makes one: that takes longer than
// emptying it.
func borrow() (name string, err error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		if shared.server, err = start(); err != nil {
			return "", err
		}
	}
	if last := len(shared.free) - 1; last >= 0 {
		name, shared.free = shared.free[last], shared.free[:last]
		return name, nil
	}
	shared.made++
	name = fmt.Sprintf("test_%d", shared.made)
	return name, shared.server.migrate(name)
}

func giveBack(name string) error {
	if err := shared.server.exec(name, emptying); err != nil {
		return err
	}
	shared.Lock()
	defer shared.Unlock()
	shared.free = append(shared.free, name)
	return nil
}

// emptying puts a database back to what the migrations made of it.
const emptying = `
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica; -- entries refuse to go, and rows their order
DO $$
DECLARE name TEXT;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' LOOP
    EXECUTE format('DELETE FROM %I', name);
  END LOOP;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'seed' LOOP
    EXECUTE format('INSERT INTO public.%I SELECT * FROM seed.%I', name, name);
  END LOOP;
END
$$;
DROP SEQUENCE IF EXISTS undone;
DROP TRIGGER IF EXISTS undo_first ON counters;`

// Open opens a new database of the current schema; it is closed when the test ends.
func Open(t testing.TB) *database.DB {
	t.Helper()
	return OpenDSN(t, DSN(t))
}

// patience is for a machine that does much else.
const patience = 2 * time.Minute

// OpenDSN opens a database as another process would; it is closed when the test ends.
func OpenDSN(t testing.TB, dsn string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := db.Await(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// Exec runs SQL beside the product's own queries.
func Exec(t testing.TB, dsn, text string) {
	t.Helper()
	if err := execute(dsn, text); err != nil {
		t.Fatal(err)
	}
}

func execute(dsn, text string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

// Twice has PostgreSQL undo every transaction that takes a number, as it does for
// the sake of another, when it commits for the first time: whatever is written
// after that was written by the second try. A test that passes shows that its
// writes can be repeated. Writers take turns, so that first and second tries alternate.
func Twice(t testing.TB, dsn string) {
	t.Helper()
	Exec(t, dsn, `
CREATE SEQUENCE undone;
CREATE OR REPLACE FUNCTION undo_first() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  me BIGINT := txid_current() * 2; -- odd: this transaction's first try was undone, and it may commit
  last BIGINT := (SELECT last_value FROM undone);
BEGIN
  IF last = me + 1 THEN
    RETURN NULL;
  ELSIF last % 2 = 0 THEN
    PERFORM setval('undone', me + 1);
    RETURN NULL;
  END IF;
  PERFORM setval('undone', me);
  RAISE EXCEPTION 'undone for the sake of a test' USING ERRCODE = '40001';
END
$$;
CREATE CONSTRAINT TRIGGER undo_first AFTER UPDATE ON counters DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION undo_first();`)
}

// Once ends what Twice began.
func Once(t testing.TB, dsn string) {
	t.Helper()
	Exec(t, dsn, "DROP TRIGGER IF EXISTS undo_first ON counters")
}
