package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
	testscript.Main(m, map[string]func(){"tributary": main})
}

// TestScripts runs the command line as an operator does: what is typed, what is
// printed, and the exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
