package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tributary/schema/database/databasetest"
)

// TestMain makes this test binary every process the tests need: the tests, a
// tributary of a script, and the embedded ClickHouse of either.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engineVerb {
		os.Exit(runEngine(os.Args[2:]))
	}
	if dir := os.Getenv(rotationChildVariable); dir != "" {
		rotateUntilKilled(dir)
	}
	testscript.Main(stopsServers{m}, map[string]func(){"tributary": main})
}

// stopsServers ends the servers that tests share.
type stopsServers struct{ *testing.M }

// Run implements testscript.TestingM.
func (s stopsServers) Run() int {
	defer databasetest.Stop()
	return s.M.Run()
}

// TestScripts runs the command line as an operator does: what is typed, what is
// printed, and the exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
