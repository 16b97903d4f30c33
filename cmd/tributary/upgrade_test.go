package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/schema"
	"tributary/schema/database"
	"tributary/schema/engine"
)

// An oldDir is a data directory as the release before the last migrations left it.
type oldDir struct {
	t    *testing.T
	path string
}

const oldAdvertiser = "adv_01JZZZZZZZZZZZZZZZZZZZZZZZ"

// makeOldDir makes a data directory with all but the last migration of SQL and of
// ClickHouse, and with something in it.
func makeOldDir(t *testing.T) *oldDir {
	t.Helper()
	o := &oldDir{t, t.TempDir()}
	dir, err := openDataDir(o.path)
	if err == nil {
		_, _, err = dir.secrets(Options{DataDir: o.path})
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		t.Fatal(err)
	}
	o.sqlite(func(db *sql.DB) error { return oldSQL(db) })
	o.clickHouse(func(exec func(string) error) error { return oldClickHouse(exec) })
	return o
}

// migrationFiles are the names of a directory's migrations, but the last, without
// what only one database has.
func migrationFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if strings.Count(entry.Name(), ".") == 1 {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names[:len(names)-1], nil
}

func (o *oldDir) sqlite(do func(*sql.DB) error) {
	o.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(o.path, database.FileName))
	if err == nil {
		err = errors.Join(do(db), db.Close())
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func oldSQL(db *sql.DB) error {
	const dir = "../../schema/database/migrations"
	names, err := migrationFiles(dir)
	if err != nil {
		return err
	}
	if _, err := db.Exec("CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)"); err != nil {
		return err
	}
	for i, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		own, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(name, "sql")+"sqlite.sql"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		text = append(text, own...)
		sum := sha256.Sum256(text)
		if _, err := db.Exec(strings.ReplaceAll(string(text), "BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := db.Exec("INSERT INTO schema_migrations VALUES ($1, $2, $3, 1)", i+1, name, hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	_, err = db.Exec(`INSERT INTO advertisers (id, fields, public_key, search, created_at_ms, updated_at_ms, changed)
		VALUES ('` + oldAdvertiser + `', '{"name":"Of old","currency":"USD","timezone":"UTC","domains":["shop.example"]}', 'pub_old', 'of old', 1, 1, 1);
		UPDATE counters SET value = 1 WHERE name = 'change'`)
	return err
}

func (o *oldDir) clickHouse(do func(exec func(string) error) error) {
	o.t.Helper()
	e, err := engine.Start(o.t.Context(), engine.Options{Dir: filepath.Join(o.path, enginePath), Library: testOptions(o.t, o.path).EngineLibrary, Command: []string{os.Args[0], engineVerb}})
	if err != nil {
		o.t.Fatal(err)
	}
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e})
	if err == nil {
		err = errors.Join(do(func(statement string) error { return conn.Exec(o.t.Context(), statement) }), conn.Close())
	}
	if err = errors.Join(err, e.Stop(o.t.Context())); err != nil {
		o.t.Fatal(err)
	}
}

func oldClickHouse(exec func(string) error) error {
	const dir = "../../schema/clickhouse/migrations"
	names, err := migrationFiles(dir)
	if err != nil {
		return err
	}
	if err := exec("CREATE TABLE schema_migrations (version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY version"); err != nil {
		return err
	}
	for i, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(string(text)+"\n", ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if err := exec(statement); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		sum := sha256.Sum256(text)
		if err := exec(fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, '%s', '%s', now64(3))", i+1, name, hex.EncodeToString(sum[:]))); err != nil {
			return err
		}
	}
	return exec("INSERT INTO clicks (time, node, seq, click_id, advertiser_id, verdict) SELECT now64(3), 'of old', number + 1, toString(number), '" + oldAdvertiser + "', 'valid' FROM numbers(100)")
}

// TestDirectoryOfThePreviousReleaseIsUpgradedByStarting backs an old directory up,
// starts this program on it, and on the directory restored from the backup.
func TestDirectoryOfThePreviousReleaseIsUpgradedByStarting(t *testing.T) {
	t.Parallel()
	old := makeOldDir(t)
	file, restored := filepath.Join(t.TempDir(), "old.tar"), filepath.Join(t.TempDir(), "restored")
	tributary(t, exitOK, "backup", file, "--data", old.path)
	tributary(t, exitOK, "restore", file, "--data", restored)
	for _, dir := range []string{old.path, restored} {
		a := startTestApp(t, testOptions(t, dir))
		if made := a.call(http.MethodGet, "/v1/advertisers/"+oldAdvertiser, nil, http.StatusOK); made["name"] != "Of old" {
			t.Errorf("the advertiser is %v", made)
		}
		<-a.migrated
		a.clicked(a.makeLink(), phone)
		eventually(t, func() error {
			var clicks, hits uint64
			if err := a.clickhouse.QueryRow(t.Context(), "SELECT count(), (SELECT sum(hits) FROM clicks_15m) FROM clicks").Scan(&clicks, &hits); err != nil || clicks != 101 || hits != 101 {
				return fmt.Errorf("%d clicks are stored, %d summed: %v", clicks, hits, err)
			}
			return nil
		})
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestDirectoryOfANewerReleaseIsRefused starts this program on directories that
// have migrations it does not know.
func TestDirectoryOfANewerReleaseIsRefused(t *testing.T) {
	refused := func(dir *oldDir, why string) {
		t.Helper()
		life := startServe(t, dir.path)
		if code := life.ended(); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		if err := life.logs(why); err != nil {
			t.Error(err)
		}
	}
	o := makeOldDir(t)
	o.sqlite(func(db *sql.DB) error {
		_, err := db.Exec("INSERT INTO schema_migrations VALUES (9999, '9999_later.sql', 'x', 1)")
		return err
	})
	refused(o, "run the newer build")
	o.sqlite(func(db *sql.DB) error {
		_, err := db.Exec("DELETE FROM schema_migrations WHERE number = 9999")
		return err
	})
	o.clickHouse(func(exec func(string) error) error {
		return exec("INSERT INTO schema_migrations VALUES (9999, '9999_later.sql', 'x', now64(3))")
	})
	refused(o, "9999_later.sql, which this program does not know")
}
