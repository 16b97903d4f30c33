package databasetest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tributary/schema/database"
)

// onPostgresVariable has a test binary's tests run on PostgreSQL.
const onPostgresVariable = "TRIBUTARY_TEST_ON_POSTGRESQL"

// OnPostgres reports whether this process's tests run on PostgreSQL.
func OnPostgres() bool { return os.Getenv(onPostgresVariable) != "" }

// Any returns how to open the database that this process's tests run on: SQLite in
// a directory of the test's, or an empty PostgreSQL whose writes are done Twice.
func Any(t testing.TB) (dsn string) {
	t.Helper()
	if !OnPostgres() {
		return database.Embedded
	}
	dsn = DSN(t)
	Twice(t, dsn)
	return dsn
}

// concurrent are names of tests in which several do something at once: those that
// the race detector, which is slow, is to see on both databases.
const concurrent = "AtOnce|TwoProcesses|Concurrent"

// Again runs this binary's tests once more, in a process of their own, on
// PostgreSQL: all but the calling one, or those whose names match.
func Again(t *testing.T, names string) {
	t.Helper()
	if OnPostgres() {
		return
	}
	t.Parallel()
	if raced && names == "" {
		names = concurrent
	}
	verbose := fmt.Sprint("-test.v=", testing.Verbose())
	again := exec.Command(os.Args[0], "-test.skip=^"+t.Name()+"$", "-test.run="+names, verbose, "-test.timeout=8m")
	again.Env = append(os.Environ(), onPostgresVariable+"=1")
	output, err := again.CombinedOutput()
	if err != nil || testing.Verbose() {
		t.Logf("%s", output)
	}
	if err != nil {
		t.Errorf("on PostgreSQL: %v; for one of them: %s=1 go test -run NAME", err, onPostgresVariable)
	}
	if names != concurrent && strings.Contains(string(output), "no tests to run") {
		t.Errorf("no test is called %s", names)
	}
}
