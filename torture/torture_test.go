package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var tortureSeed = flag.Uint64("torture.seed", 0, "seed of the experiments' draws; 0: another each time")

// TestShortBattery runs every experiment that whoever may run tests may run, in its
// short form, against a binary built for it. That of the full disk is left to
// `make torture`; ingest/spool and schema/engine test their parts of it. That of
// several nodes is too; cmd/tributary's tests of a fleet are its short form.
//
//	go test ./torture -v -run ShortBattery/kill -torture.seed 7
func TestShortBattery(t *testing.T) {
	b := &battery{short: true, seed: *tortureSeed, scratch: t.TempDir(), binary: filepath.Join(t.TempDir(), "tributary"), log: t.Output()}
	if b.seed == 0 {
		b.seed = rand.Uint64()
	}
	t.Logf("repeat with -torture.seed %d", b.seed)
	var err error
	if b.library, err = findLibrary(""); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("go", "build", "-o", b.binary, "tributary/cmd/tributary").CombinedOutput(); err != nil {
		t.Fatalf("build tributary: %v\n%s", err, said)
	}
	for _, e := range experiments {
		if e.mounts || e.elsewhere {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			r := b.try(t.Context(), e)
			for _, wrong := range r.Wrong {
				t.Error(wrong)
			}
			if !r.Held {
				tellLogs(t, filepath.Join(b.scratch, e.name))
			}
			if r.Cycles == 0 || r.Acknowledged == 0 {
				t.Errorf("%d cycles, %d events acknowledged: it proves nothing", r.Cycles, r.Acknowledged)
			}
		})
	}
}

// tellLogs keeps the ends of what servers logged, which goes with the directory.
func tellLogs(t *testing.T, dir string) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s\n%s", log, content[max(0, len(content)-16<<10):])
	}
}

// TestExperimentsAreChosenByName: one that does not exist is refused with those
// that do.
func TestExperimentsAreChosenByName(t *testing.T) {
	chosen, err := choose("full,kill")
	if err != nil || len(chosen) != 2 || chosen[0].name != "full" || chosen[1].name != "kill" {
		t.Errorf("full,kill are %v (%v)", chosen, err)
	}
	if _, err := choose("kill,explode"); err == nil {
		t.Error("an experiment that does not exist is chosen")
	}
}
