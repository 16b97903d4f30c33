package schematest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/engine"
)

// childVariable makes a test binary run the engine instead of its tests.
const childVariable = "TRIBUTARY_SCHEMATEST_ENGINE"

// shared is the test binary's engine. It outlives the test that starts it,
// which is why it is the one variable of this kind: only Main sees the end.
var shared struct {
	sync.Mutex
	engine *engine.Engine
	dir    string
}

// Main runs the tests, or the engine when the process is its child, and exits.
func Main(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(engine.RunChild(os.Args[1:]))
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := shared.engine.Stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(shared.dir)
}

// Start returns a client of a fresh database with all migrations applied. The
// database is dropped when the test ends.
func Start(t testing.TB) driver.Conn {
	t.Helper()
	conn := Empty(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := schema.MigrateClickHouse(ctx, conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Empty returns a client of a fresh database without tables.
func Empty(t testing.TB) driver.Conn {
	t.Helper()
	if os.Getenv(clusterVariable) != "" {
		return EmptyCluster(t)
	}
	return open(t, Engine(t), fresh(t))
}

// fresh makes a database that is dropped when the test ends.
func fresh(t testing.TB) (database string) {
	t.Helper()
	e := Engine(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := e.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	admin := open(t, e, "")
	database = "test_" + strings.ToLower(rand.Text())
	if err := admin.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		if err := admin.Exec(ctx, "DROP DATABASE "+database+" SYNC"); err != nil {
			t.Error(err)
		}
	})
	return database
}

// Engine returns the test binary's engine, starting it for the first caller.
// Tests that stop or kill an engine start one of their own, with Options.
func Engine(t testing.TB) *engine.Engine {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.engine != nil {
		return shared.engine
	}
	dir, err := os.MkdirTemp("", "schematest-")
	if err != nil {
		t.Fatal(err)
	}
	options := Options(t, dir)
	options.Config = remoteServers
	e, err := engine.Start(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	shared.engine, shared.dir = e, dir
	return e
}

// Dir is where the test binary's engine stores.
func Dir(t testing.TB) string {
	t.Helper()
	Engine(t)
	shared.Lock()
	defer shared.Unlock()
	return shared.dir
}

// Options are those of an engine in dir whose child is the test binary.
func Options(t testing.TB, dir string) engine.Options {
	t.Helper()
	return engine.Options{
		Dir:     dir,
		Library: library(t),
		Command: []string{os.Args[0]},
		Env:     []string{childVariable + "=1"},
	}
}

// library finds the engine's library from the package under test upwards.
func library(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	path, err := engine.SearchLibrary(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, e *engine.Engine, database string) driver.Conn {
	t.Helper()
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
