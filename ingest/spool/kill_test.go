package spool

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The child's part of the kill tests: it is this test binary, run again with this variable set to a directory.
const childDir, childSync = "SPOOL_TEST_CHILD_DIR", "SPOOL_TEST_CHILD_SYNC"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendUntilKilled(dir, os.Getenv(childSync) == "disk")
		return
	}
	os.Exit(m.Run())
}

func killOptions(dir string, disk bool) Options {
	o := small(dir)
	o.MaxRecordBytes, o.MaxWait = 2<<10, 20*time.Second
	if disk {
		o.SyncWithin, o.FillAhead = 0, true
	}
	return o
}

// appendUntilKilled appends from several goroutines and names each record on standard output once it is acknowledged.
func appendUntilKilled(dir string, disk bool) {
	l, err := Open(killOptions(dir, disk))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.WriteString("open\n")
	for p := range 8 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d.%d.%d", os.Getpid(), p, i)
				if l.Append(uint32(p), recordOf(id)) != nil {
					continue
				}
				os.Stdout.WriteString(id + "\n")
			}
		}()
	}
	select {}
}

// recordOf makes the record of an id: verifiable, and of a length that varies.
func recordOf(id string) []byte {
	n := 0
	for _, c := range id {
		n = (n*31 + int(c)) % 700
	}
	return []byte(id + " " + strings.Repeat("k", n))
}

func TestKilledProcessesLoseNothing(t *testing.T) {
	for _, mode := range []string{"cache", "disk"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			acked, seen := map[string]bool{}, map[string]bool{}
			random := rand.New(rand.NewPCG(1, 2))
			for kill := range 30 {
				// Every third child is killed around its recovery, before or soon after it could append.
				if kill%3 == 2 {
					runChild(t, dir, mode, -1, time.Duration(random.IntN(12_000))*time.Microsecond, acked)
				} else {
					runChild(t, dir, mode, random.IntN(100), time.Minute, acked)
				}
				if kill%5 == 4 {
					collectAll(t, killOptions(dir, mode == "disk"), seen)
				}
			}
			collectAll(t, killOptions(dir, mode == "disk"), seen)
			for id := range acked {
				if !seen[id] {
					t.Errorf("%s was acknowledged and is lost", id)
				}
			}
			if len(acked) < 100 {
				t.Errorf("only %d records were acknowledged: the test tests nothing", len(acked))
			}
			t.Logf("%d acknowledged, %d stored", len(acked), len(seen))
		})
	}
}

// runChild starts a child and kills it once it has acknowledged so many records, or after a while.
func runChild(t *testing.T, dir, mode string, records int, after time.Duration, acked map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childSync+"="+mode)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(after, func() { cmd.Process.Kill() }).Stop()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is not a whole line may not have been acknowledged
		}
		if line != "open\n" {
			acked[strings.TrimSuffix(line, "\n")] = true
		}
		if records--; records == -1 {
			cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("child: %s", stderr.String())
	}
}

// collectAll reads and commits whatever the log holds; each record must be whole and new.
func collectAll(t *testing.T, o Options, seen map[string]bool) {
	t.Helper()
	l := mustOpen(t, o)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := l.Stats(); st.Corrupt != 0 || st.Appended != st.Synced {
		t.Fatalf("stats %+v", st)
	}
	for l.Committed() < l.Stats().Synced {
		b, err := l.Next(patient(t), 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if b.Missing != 0 {
			t.Fatalf("%d missing from %d to %d", b.Missing, b.First, b.Last)
		}
		for _, r := range b.Records {
			id, _, _ := strings.Cut(string(r), " ")
			if !bytes.Equal(r, recordOf(id)) {
				t.Fatalf("record %q is not what was appended", r)
			}
			if seen[id] {
				t.Fatalf("%s is there twice", id)
			}
			seen[id] = true
		}
		if err := l.Commit(b.Last); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
