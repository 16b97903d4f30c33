package database

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Embedded, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func take(ctx context.Context, tx *Tx) (n int64, err error) {
	return n, tx.Row(ctx, "number.take", 1, "link").Scan(&n)
}

func last(t *testing.T, db *DB) (n int64) {
	t.Helper()
	ok(t, db.Row(context.Background(), "number.last", "link").Scan(&n))
	return n
}

func TestSettingsOfSQLite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a dir? 100%#")
	ok(t, os.Mkdir(dir, 0o700))
	db := open(t, dir)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		ok(t, db.writer.QueryRow("PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if _, err := db.reader.Exec("DELETE FROM counters"); err == nil {
		t.Error("a reader can write")
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the database has mode %v", info.Mode())
	}
}

func TestBadDataSource(t *testing.T) {
	t.Parallel()
	for dsn, dir := range map[string]string{"mysql://x": t.TempDir(), Embedded: filepath.Join(t.TempDir(), "missing")} {
		if _, err := Open(t.Context(), dsn, dir); err == nil {
			t.Errorf("%s in %s was opened", dsn, dir)
		}
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	broken := errors.New("broken")
	hooks := 0
	write := func(result error) error {
		return db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			tx.OnCommit(func() { hooks++ })
			_, err := take(ctx, tx)
			return errors.Join(err, result)
		})
	}
	ok(t, write(nil))
	if err := write(broken); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, _ = take(ctx, tx)
			panic("broken")
		})
	}()
	ok(t, write(nil))
	if n := last(t, db); n != 2 || hooks != 2 {
		t.Errorf("number %d, hooks %d; want 2 and 2", n, hooks)
	}
	ok(t, db.Close())
	if n := last(t, open(t, dir)); n != 2 {
		t.Errorf("number %d after reopening, want 2", n)
	}
}

func TestNestedWrites(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	broken := errors.New("broken")
	var hooks []string
	ok(t, db.Write(t.Context(), func(ctx context.Context, _ *Tx) error {
		part := func(name string, result error) error {
			return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
				tx.OnCommit(func() { hooks = append(hooks, name) })
				_, err := take(ctx, tx)
				return errors.Join(err, result)
			})
		}
		ok(t, part("first", nil))
		if err := part("undone", broken); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		ok(t, part("second", nil))
		if len(hooks) != 0 {
			t.Error("a hook ran before the commit")
		}
		var seen int64
		ok(t, db.Row(ctx, "number.last", "link").Scan(&seen))
		if seen != 2 {
			t.Errorf("inside it reads %d, want 2", seen)
		}
		if outside := last(t, db); outside != 0 {
			t.Errorf("outside it reads %d, want 0", outside)
		}
		return db.View(ctx, func(ctx context.Context, tx *Tx) error {
			return tx.Row(ctx, "number.last", "link").Scan(&seen)
		})
	}))
	if strings.Join(hooks, " ") != "first second" {
		t.Errorf("hooks %q", hooks)
	}
	err := db.View(t.Context(), func(ctx context.Context, _ *Tx) error {
		return db.Write(ctx, func(context.Context, *Tx) error { return nil })
	})
	if err == nil {
		t.Error("a write inside a view was let through")
	}
}

func TestViewIsOneSnapshot(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	ok(t, db.View(t.Context(), func(ctx context.Context, tx *Tx) error {
		for range 2 {
			var n int64
			ok(t, tx.Row(ctx, "number.last", "link").Scan(&n))
			if n != 0 {
				t.Errorf("reads %d, want 0", n)
			}
			ok(t, db.Write(context.Background(), func(ctx context.Context, tx *Tx) error {
				_, err := take(ctx, tx)
				return err
			}))
		}
		return nil
	}))
}

func TestWritersQueue(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	other, err := Open(t.Context(), Embedded, filepath.Dir(dbPath(t, db))) // as another process would
	ok(t, err)
	defer other.Close()
	var writers sync.WaitGroup
	errs := make(chan error, 80)
	for i := range 8 {
		writers.Go(func() {
			for range 10 {
				errs <- []*DB{db, other}[i%2].Write(context.Background(), func(ctx context.Context, tx *Tx) error {
					_, err := take(ctx, tx)
					return err
				})
			}
		})
	}
	writers.Wait()
	close(errs)
	for err := range errs {
		ok(t, err)
	}
	if n := last(t, db); n != 80 {
		t.Errorf("number %d, want 80", n)
	}
}

func dbPath(t *testing.T, db *DB) (path string) {
	t.Helper()
	var number int
	var name string
	ok(t, db.reader.QueryRow("PRAGMA database_list").Scan(&number, &name, &path))
	return path
}

func TestWaitingToWriteEndsWithTheContext(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	ok(t, db.Write(t.Context(), func(context.Context, *Tx) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		err := db.Write(ctx, func(context.Context, *Tx) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		return nil
	}))
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	first := file("CREATE TABLE extra (n BIGINT PRIMARY KEY, t TEXT)")
	migrate := func(files fstest.MapFS) error {
		db := open(t, t.TempDir())
		_, err := db.writer.Exec("DELETE FROM schema_migrations") // the tables stay, other files are applied
		ok(t, err)
		ok(t, db.migrate(t.Context(), fstest.MapFS{"migrations/0001_first.sql": first}))
		return db.migrate(t.Context(), files)
	}
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string // part of the error; empty: none
	}{
		"again":    {fstest.MapFS{"migrations/0001_first.sql": first}, ""},
		"one more": {fstest.MapFS{"migrations/0001_first.sql": first, "migrations/0002_second.sql": file("ALTER TABLE extra ADD COLUMN more TEXT; DROP TABLE audit_log")}, ""},
		"changed":  {fstest.MapFS{"migrations/0001_first.sql": file("CREATE TABLE other (n BIGINT)")}, "was changed"},
		"older":    {fstest.MapFS{}, "run the newer build"},
		"gap":      {fstest.MapFS{"migrations/0001_first.sql": first, "migrations/0003_third.sql": file("")}, "must be number 0002"},
		"broken":   {fstest.MapFS{"migrations/0001_first.sql": first, "migrations/0002_second.sql": file("CREATE TABLE half (n BIGINT); NONSENSE")}, "0002_second.sql"},
	} {
		t.Run(name, func(t *testing.T) {
			err := migrate(c.files)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestPositional(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"INSERT INTO a VALUES ($1, $2)":    "INSERT INTO a VALUES (?, ?)",
		"UPDATE a SET b = $2 WHERE c = $1": "UPDATE a SET b = $2 WHERE c = $1",
		"UPDATE a SET b = $1, c = $1":      "UPDATE a SET b = $1, c = $1",
		"SELECT 1":                         "SELECT 1",
	} {
		if got := positional(text); got != want {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestBrokenMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	err := db.apply(t.Context(), migration{number: 9000, name: "x", text: "CREATE TABLE half (n BIGINT); NONSENSE"})
	if err == nil {
		t.Fatal("nonsense was applied")
	}
	var n int
	ok(t, db.reader.QueryRow("SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'").Scan(&n))
	if n != 0 {
		t.Error("half of a migration stayed")
	}
}

// TestEveryQuery runs the plan of each query on SQLite; TestEveryQueryOfPostgres
// does on the other.
func TestEveryQuery(t *testing.T) {
	t.Parallel()
	open(t, t.TempDir()).TryEveryQuery(t)
}

// TryEveryQuery prepares the fixed queries and tries filtered ones with nothing,
// everything, and each parameter given.
func (db *DB) TryEveryQuery(t *testing.T) {
	t.Helper()
	for name, text := range db.queries.fixed {
		statement, err := db.reader.PrepareContext(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ok(t, statement.Close())
	}
	for name, lines := range db.queries.filter {
		all := Given{}
		for _, line := range lines {
			for _, parameter := range line.parameters {
				all[parameter[1:]] = "1"
			}
		}
		trials := []Given{{"limit": "1"}, all}
		for parameter, value := range all {
			trials = append(trials, Given{"limit": "1", parameter: value})
		}
		for _, given := range trials {
			rows, err := db.Filter(t.Context(), name, given)
			if err != nil {
				t.Errorf("%v given: %v", given, err)
				continue
			}
			ok(t, rows.Close())
			ok(t, rows.Err())
		}
	}
}

// TestNarrowIndexes holds SQLite to the index each list is meant to use.
func TestNarrowIndexes(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	for _, c := range []struct {
		query string
		given Given
		index string
	}{
		{"link.list", Given{"task_id": "x", "also_advertiser_id": "x", "also_creator_id": "x"}, "links_task"},
		{"link.list", Given{"label": "x", "also_campaign_id": "x"}, "links_label"},
		{"link.list", Given{"slug": "x", "advertiser_id": "x"}, "links_slug"},
		{"link.list", Given{"creator_id": "x", "also_campaign_id": "x", "before": 5}, "links_creator"},
		{"link.list", Given{"campaign_id": "x", "also_advertiser_id": "x"}, "links_campaign"},
		{"link.list", Given{"advertiser_id": "x", "platform": "x"}, "links_advertiser"},
		{"task.list", Given{"creator_id": "x", "also_campaign_id": "x", "before": "x"}, "tasks_creator"},
		{"task.list", Given{"campaign_id": "x", "also_advertiser_id": "x", "status": "x"}, "tasks_campaign"},
		{"audit.list", Given{"scope_advertiser": "x"}, "audit_log_advertiser"},
		{"campaign.list", Given{"advertiser_id": "x"}, "campaigns_advertiser"},
		{"ledger.fraud_signal_list", Given{"advertiser_id": "x", "rule": "x", "before": 5}, "fraud_signals_advertiser"},
		{"ledger.fraud_signal_list", Given{"creator_id": "x", "also_advertiser_id": "x"}, "fraud_signals_creator"},
		{"ledger.fraud_signal_list", Given{"action_id": "x", "also_advertiser_id": "x"}, "fraud_signals_action"},
		{"ledger.fraud_signal_list", Given{"conversion_id": "x", "also_creator_id": "x"}, "fraud_signals_conversion"},
	} {
		c.given["limit"] = 10
		text, args := db.queries.filtered(c.query, c.given)
		rows, err := db.reader.Query("EXPLAIN QUERY PLAN "+text, args...)
		ok(t, err)
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			ok(t, rows.Scan(&id, &parent, &unused, &detail))
			plan = append(plan, detail)
		}
		ok(t, rows.Close())
		steps := strings.Join(plan, "; ")
		if !strings.Contains(steps, "INDEX "+c.index+" ") || strings.Contains(steps, "TEMP B-TREE") && c.given["slug"] == nil {
			t.Errorf("%s given %v: %s, want %s and no sorting", c.query, c.given, steps, c.index)
		}
	}
}

// TestEveryQueryIsUsed looks for each query's name in the code.
func TestEveryQueryIsUsed(t *testing.T) {
	t.Parallel()
	set, err := loadQueries(queryFiles)
	ok(t, err)
	quoted := map[string]bool{}
	literal := regexp.MustCompile(`"[a-z_]+\.[a-z_]+"`)
	ok(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		for _, name := range literal.FindAllString(string(code), -1) {
			quoted[strings.Trim(name, `"`)] = true
		}
		return err
	}))
	for name := range set.fixed {
		if !quoted[name] {
			t.Errorf("nothing runs query %s", name)
		}
	}
	for name := range set.filter {
		if !quoted[name] {
			t.Errorf("nothing runs query %s", name)
		}
	}
}

func TestQueryFiles(t *testing.T) {
	t.Parallel()
	set := &querySet{fixed: map[string]string{}, filter: map[string][]filterLine{}}
	ok(t, set.add("-- a remark\n\n-- name: a.fixed\nSELECT $1\n\n-- name: a.list\nSELECT x\nWHERE y > $low\n  AND z = $z OR $low = 1 -- when given\nLIMIT $limit\n"))
	if set.text("a.fixed") != "SELECT $1" {
		t.Errorf("fixed: %q", set.text("a.fixed"))
	}
	for want, given := range map[string]Given{
		"SELECT x\nWHERE y > $1\nLIMIT $2\n":                          {"low": 1, "limit": 2, "z": ""},
		"SELECT x\nWHERE y > $1\n  AND z = $2 OR $1 = 1 \nLIMIT $3\n": {"low": 1, "limit": 2, "z": "z"},
	} {
		text, args := set.filtered("a.list", given)
		if text != want {
			t.Errorf("got %q, want %q", text, want)
		}
		if len(args) != strings.Count(want, "\n")-1 {
			t.Errorf("%d arguments for %q", len(args), want)
		}
	}
	if err := set.add("-- name: a.fixed\nSELECT 2"); err == nil {
		t.Error("a name was taken twice")
	}
	defer func() {
		if recover() == nil {
			t.Error("a query that does not exist was run")
		}
	}()
	set.text("a.missing")
}
