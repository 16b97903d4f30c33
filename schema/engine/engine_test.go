package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// roleVariable makes this test binary play another process.
const roleVariable = "ENGINE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "engine":
		os.Exit(RunChild(os.Args[1:]))
	case "parent":
		playParent()
	default:
		os.Exit(m.Run())
	}
}

// playParent is a process that runs an engine until it is killed.
func playParent() {
	signal.Ignore(syscall.SIGTERM)
	e, err := Start(context.Background(), testOptions(os.Args[1]))
	if err == nil {
		err = e.WaitReady(context.Background())
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(e.PID())
	select {}
}

// library is where 'make deps' puts the engine, seen from this package.
func library() string {
	dir, _ := filepath.Abs("../..")
	path, err := SearchLibrary(dir, dir)
	if err != nil {
		panic(err)
	}
	return path
}

func testOptions(dir string) Options {
	return Options{
		Dir: dir, Library: library(), Command: []string{os.Args[0]}, Env: []string{roleVariable + "=engine"},
		MinBackoff: 10 * time.Millisecond,
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start runs an engine for the test and waits until it answers.
func start(t testing.TB, options Options) *Engine {
	t.Helper()
	e, err := Start(testContext(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(context.WithoutCancel(testContext(t))); err != nil {
			t.Error(err)
		}
	})
	if err := e.WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return e
}

func connect(t testing.TB, e *Engine) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"localhost:1"}, MaxOpenConns: 8,
		DialContext: func(ctx context.Context, _ string) (net.Conn, error) { return e.Dial(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func mustExec(t testing.TB, conn driver.Conn, query string, args ...any) {
	t.Helper()
	if err := conn.Exec(testContext(t), query, args...); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(query), err)
	}
}

func count(t testing.TB, conn driver.Conn, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(testContext(t), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
