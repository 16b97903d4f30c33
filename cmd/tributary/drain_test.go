package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/schema/database/databasetest"
)

// pile makes a data directory with clicks and orders that are not handed on,
// because ClickHouse was away and the process was killed.
func pile(t *testing.T) (dir string, clicks crowdBooks, orders counterBooks) {
	t.Helper()
	dir = t.TempDir()
	life := startServe(t, dir, "--clickhouse", noClickHouse)
	client := life.client()
	links := client.makeKnownLinks(2)
	m := client.makeMerchant("Acme", 1, map[string]any{"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}}})
	crowd, till := gather(t, links, 3), openTill(t, m.ingestKey, 1)
	crowd.goTo(client)
	till.goTo(client)
	counter := openQuietCounter(t, till, m)
	crowd.clicking(t, 300)
	counter.taking(50)
	clicks, orders = crowd.disperse(), counter.close()
	clicks.answered[m.clickIDs[0]] = "valid"
	life.signal(syscall.SIGKILL)
	life.ended()
	return dir, clicks, orders
}

// has requires that every click that was answered is stored once, and none besides.
func (s *store) has(clicks *crowdBooks) {
	s.t.Helper()
	stored := s.verdicts()
	for id, verdict := range clicks.answered {
		if stored[id] != verdict {
			s.t.Fatalf("the click %s is stored as %q, want %s; %d are stored, %d were answered", id, stored[id], verdict, len(stored), len(clicks.answered))
		}
	}
	if extra := len(stored) - len(clicks.answered); extra > len(clicks.unanswered) {
		s.t.Errorf("%d clicks are stored that nobody was answered", extra)
	}
}

// TestDrainIsKilledAndGoesOn kills `tributary drain` on the disk of a node that was
// lost, at random moments: in the end nothing is left there, and nothing is stored twice.
func TestDrainIsKilledAndGoesOn(t *testing.T) {
	t.Parallel()
	dir, clicks, orders := pile(t)
	args := []string{"drain", "--data", dir, "--engine-library", testOptions(t, dir).EngineLibrary}
	const kills = 4
	for range kills {
		child := exec.Command(os.Args[0])
		child.Args = append([]string{"tributary"}, args...)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond) // a moment of its work
		child.Process.Kill()                                             // an error means that it had ended
		child.Wait()
	}
	for range 2 { // the second finds nothing to do
		said, _ := tributary(t, exitOK, args...)
		if !strings.Contains(said, "empty: every click is in ClickHouse") || !strings.Contains(said, "keep this directory: it holds the SQL database and ClickHouse") {
			t.Errorf("it says:\n%s", said)
		}
	}
	life := startServe(t, dir)
	client := life.client()
	settled := map[string]bool{}
	for _, c := range client.all("/v1/conversions", nil) {
		settled[c["order_id"].(string)] = true
	}
	for order := range orders.accepted {
		if !settled[order] {
			t.Errorf("the order %s was accepted and is not settled", order)
		}
	}
	life.stops()
	booksAgree(t, dir)
	openStore(t, dir).has(&clicks)
}

// TestDrainWaitsForWhatIsAway is interrupted while ClickHouse is away, and says what
// is left.
func TestDrainWaitsForWhatIsAway(t *testing.T) {
	dir, clicks, _ := pile(t)
	var out lockedBuffer
	child := exec.Command(os.Args[0])
	child.Args = []string{"tributary", "drain", "--data", dir, "--clickhouse", noClickHouse}
	child.Stderr = &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if !strings.Contains(out.String(), "ClickHouse is not ready") {
			return fmt.Errorf("it says nothing of ClickHouse: %s", out.String())
		}
		return nil
	})
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	child.Wait() // its exit code is looked at
	if want := fmt.Sprintf("interrupted: %d clicks are not in ClickHouse, ", len(clicks.answered)); child.ProcessState.ExitCode() != exitFailed || !strings.Contains(out.String(), want) {
		t.Errorf("exit code %d, want %q:\n%s", child.ProcessState.ExitCode(), want, out.String())
	}
}

// TestDrainOfAServingNode has the process that serves stop taking, hand everything
// on, and end, without a shopper noticing but by the connection's end.
func TestDrainOfAServingNode(t *testing.T) {
	dir := t.TempDir()
	life := startServe(t, dir, "--drain-delay", "500ms")
	client := life.client()
	crowd := gather(t, client.makeKnownLinks(2), 5)
	crowd.goTo(client)
	crowd.clicking(t, 100)
	drained := make(chan string)
	go func() {
		var out, errs bytes.Buffer
		code := run(terminal{Args: []string{"drain", "--data", dir, "--engine-library", testOptions(t, dir).EngineLibrary}, Out: &out, Err: &errs})
		drained <- fmt.Sprintf("%d %s%s", code, &out, &errs)
	}()
	eventually(t, func() error { // before anybody is turned away
		answer, err := client.http.Get("http://" + client.trackerListener.Addr().String() + "/readyz")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("it is ready: %s", answer.Status)
		}
		return nil
	})
	crowd.stay()
	if said := <-drained; !strings.HasPrefix(said, "0 empty: every click") {
		t.Errorf("it ends with %s\n%s", said, life.err.String())
	}
	if code := life.ended(); code != exitOK {
		t.Errorf("the process ends with %d:\n%s", code, life.err.String())
	}
	books := crowd.disperse()
	books.undisturbed(t)
	openStore(t, dir).has(&books)
}

// TestDrainOfAnEmptyDiskTellsOtherNodes: a node that died with nothing left holds
// figures back until others know that.
func TestDrainOfAnEmptyDiskTellsOtherNodes(t *testing.T) {
	t.Parallel()
	server, dir := databasetest.NewServer(t), t.TempDir()
	shared := []string{"--database", asURL(server.DSN("postgres"))}
	node := func() string {
		t.Helper()
		said, _ := tributary(t, exitOK, append([]string{"nodes", "list"}, shared...)...)
		return said
	}
	life := startServe(t, dir, shared...)
	life.addresses()
	if said := node(); !strings.Contains(said, "alive") { // before it serves anybody
		t.Errorf("it begins as\n%s", said)
	}
	life.signal(syscall.SIGKILL)
	life.ended()
	server.Kill()
	drain := append([]string{"drain", "--data", dir}, shared...)
	if _, errs := tributary(t, exitFailed, drain...); !strings.Contains(errs, "other nodes could not be told") {
		t.Errorf("without the database it says %s", errs)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	tributary(t, exitOK, drain...)
	if said := node(); !strings.Contains(said, "stopped, empty") {
		t.Errorf("after the drain it is\n%s", said)
	}
}

// TestDrainOfADiskThatNobodyAnswersFor waits for no process that will never answer.
func TestDrainOfADiskThatNobodyAnswersFor(t *testing.T) {
	dir := t.TempDir()
	held, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	var said lockedBuffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	ask := func(path string, giveUp time.Duration) error {
		return drainServed(t.Context(), path, log, giveUp, func(leftover) {})
	}
	if err := ask(dir, 4*drainPoll); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d has not answered for", os.Getpid())) {
		t.Errorf("a process that does not answer: %v", err)
	}
	if !strings.Contains(said.String(), "does not answer; it is waited for") {
		t.Errorf("meanwhile it says %q", said.String())
	}
	if err := held.lock.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := held.lock.WriteAt([]byte("7 elsewhere\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := ask(dir, time.Hour); err == nil || !strings.Contains(err.Error(), "is served by process 7 on elsewhere: run 'tributary drain' there") {
		t.Errorf("another machine's: %v", err)
	}
	unlockable := t.TempDir()
	if err := os.Mkdir(filepath.Join(unlockable, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ask(unlockable, time.Hour); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("a directory that cannot be locked: %v", err)
	}
}

func TestDrainOfNothingIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, errs := tributary(t, exitFailed, "drain", "--data", dir+"/none"); !strings.Contains(errs, "there is no Tributary in") {
		t.Errorf("it says %s", errs)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it made %v (%v)", entries, err)
	}
}
