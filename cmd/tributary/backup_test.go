package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A fair is a served data directory among shoppers and cashiers, and what both
// know of it.
type fair struct {
	t       *testing.T
	dir     string
	life    *served
	client  *testApp
	crowd   *crowd
	counter *counter
	m       *merchant
}

func openFair(t *testing.T) *fair {
	f := &fair{t: t, dir: t.TempDir()}
	f.life = startServe(t, f.dir)
	f.client = f.life.client()
	f.crowd = gather(t, f.client.makeKnownLinks(3), 7)
	f.m = f.client.makeMerchant("Acme", 1, map[string]any{
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "lock": lockMuchLater},
	})
	f.crowd.goTo(f.client)
	till := openTill(t, f.m.ingestKey, 1)
	till.goTo(f.client)
	f.counter = openQuietCounter(t, till, f.m)
	f.busy()
	return f
}

// openQuietCounter has one cashier: the test is of what is stored, not of how much.
func openQuietCounter(t *testing.T, till *till, m *merchant) *counter {
	c := &counter{t: t, till: till, m: m, counterBooks: counterBooks{posted: map[string]int64{}, accepted: map[string]bool{}}}
	ctx, leave := context.WithCancel(context.Background())
	c.leave = leave
	c.inside.Go(func() { c.work(ctx, 0, rand.New(rand.NewPCG(7, 7))) })
	t.Cleanup(func() { c.close() })
	return c
}

// busy waits for some clicks and orders.
func (f *fair) busy() {
	f.t.Helper()
	f.crowd.clicking(f.t, 100)
	f.counter.taking(20)
}

// A record is what was acknowledged up to a moment, and what may have been sent.
type record struct {
	clicks, orders map[string]bool
	posted         map[string]int64
}

func (f *fair) record() record {
	r := record{clicks: map[string]bool{f.m.clickIDs[0]: true}, orders: map[string]bool{}}
	f.crowd.mu.Lock()
	for id := range f.crowd.answered {
		r.clicks[id] = true
	}
	f.crowd.mu.Unlock()
	f.counter.mu.Lock()
	defer f.counter.mu.Unlock()
	maps.Copy(r.orders, f.counter.accepted)
	r.posted = maps.Clone(f.counter.posted)
	return r
}

// tributary runs a verb in this process and returns what it printed.
func tributary(t *testing.T, want int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := run(terminal{Args: args, Out: &o, Err: &e}); code != want {
		t.Fatalf("%v: exit code %d, want %d:\n%s%s", args, code, want, &o, &e)
	}
	return o.String(), e.String()
}

// holds restores a backup into a new directory, serves it until nothing is left to
// do, and compares it with what was acknowledged before the backup and after it.
func (f *fair) holds(backup string, before, after record) {
	t := f.t
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	tributary(t, exitOK, "restore", backup, "--data", dir)
	for _, name := range []string{secretsFile, databaseFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s is restored as %v: %v", name, info, err)
		}
	}
	life := startServe(t, dir)
	client := life.client()
	client.drained()
	client.settledAll()
	f.ordersHeld(client, before, after)
	f.works(client)
	tributary(t, exitOK, "audit", "--data", dir)
	client.drained()
	life.stops()
	stored := openStore(t, dir).verdicts() // each once
	for id := range before.clicks {
		if stored[id] == "" {
			t.Fatalf("a click that was answered before the backup is not in it; %d are", len(stored))
		}
	}
	others := 0
	for id := range stored {
		if !after.clicks[id] {
			others++
		}
	}
	if most := 1 + shoppers; others > most { // one of works, and those being answered when after was noted
		t.Errorf("%d clicks are stored that nobody was answered by the end of the backup", others)
	}
	t.Logf("%d clicks and %d orders were answered before, %d and %d after; %d clicks are restored", len(before.clicks), len(before.orders), len(after.clicks), len(after.orders), len(stored))
}

func (f *fair) ordersHeld(client *testApp, before, after record) {
	t := f.t
	t.Helper()
	made := map[string]bool{}
	for _, conversion := range client.all("/v1/conversions", url.Values{"advertiser_id": {f.m.advertiser}}) {
		order := conversion["order_id"].(string)
		cents, posted := after.posted[order]
		if made[order] || !posted || conversion["amount"] != dollars(cents) || conversion["attributed"] != true {
			t.Errorf("the order %s (posted %v, %s) is restored as %v", order, posted, dollars(cents), conversion)
		}
		made[order] = true
	}
	for order := range before.orders {
		if !made[order] {
			t.Errorf("the order %s was accepted before the backup and is not in it; %d are", order, len(made))
			return
		}
	}
}

// works requires that links, click ids and keys of the time before the backup work
// on a restored server.
func (f *fair) works(client *testApp) {
	t := f.t
	t.Helper()
	client.clicked(map[string]any{"slug": f.crowd.slugs[0]}, phone)
	till := openTill(t, f.m.ingestKey, 1)
	till.goTo(client)
	answers := till.persist(t.Context(), "/t/conversions?wait=5s", []map[string]any{{
		"event": "sale", "order_id": "after-the-restore", "amount": "10.00", "currency": "USD", "click_id": f.m.clickIDs[0],
	}})
	if len(answers) != 1 || len(answers[0].Actions) != 1 || answers[0].Actions[0].Payout != "1.00" {
		t.Errorf("an order by a click of before the restore is answered %+v", answers)
	}
}

// TestBackupAmongShoppersHoldsAllThatWasAcknowledged makes backups of a directory
// that is served, of one whose process was killed and of one that was stopped, and
// restores them.
func TestBackupAmongShoppersHoldsAllThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	f := openFair(t)
	file, into := filepath.Join(t.TempDir(), "served.tar"), t.TempDir()
	before := f.record()
	_, said := tributary(t, exitOK, "backup", file, "--data", f.dir)
	after := f.record()
	if !strings.Contains(said, "served.tar: ") || strings.Contains(said, "NOT IN IT") {
		t.Errorf("it says %q", said)
	}
	if _, err := os.Stat(filepath.Join(f.dir, enginePath, "shadow")); !os.IsNotExist(err) {
		t.Errorf("what was frozen is left: %v", err)
	}
	f.busy()
	f.cutShort()
	keepOne := func() string {
		t.Helper()
		tributary(t, exitOK, "backup", into, "--keep", "1", "--data", f.dir)
		left, err := os.ReadDir(into)
		if err != nil || len(left) != 1 {
			t.Fatalf("%v are left of the backups: %v", left, err)
		}
		return filepath.Join(into, left[0].Name())
	}
	older := filepath.Join(into, backupPrefix+time.Now().UTC().Add(-time.Hour).Format(backupMoment)+backupSuffix)
	if err := os.Rename(keepOne(), older); err != nil { // backups are named for their second
		t.Fatal(err)
	}
	if keepOne() == older {
		t.Error("the older of two backups was kept")
	}
	f.busy()
	f.crowd.stay()
	f.life.signal(syscall.SIGKILL)
	f.life.ended()
	books := f.crowd.disperse()
	if len(books.faults) > 0 || len(books.turnedAway) > 0 || len(books.unanswered) > shoppers {
		t.Errorf("shoppers noticed the backup: %s", &books)
	}
	f.counter.close()
	last := f.record()
	killed := filepath.Join(t.TempDir(), "killed.tar")
	tributary(t, exitOK, "backup", killed, "--data", f.dir)

	f.holds(file, before, after)
	for order := range f.counter.posted { // one that was never answered may be taken
		last.posted[order] = f.counter.posted[order]
	}
	f.holds(killed, last, last)
}

// cutShort lets a backup be killed that nobody reads, while it is under way: the
// process that serves gives up the stores and can make another.
func (f *fair) cutShort() {
	f.t.Helper()
	verb := exec.Command(os.Args[0])
	verb.Args = []string{"tributary", "backup", "-", "--data", f.dir}
	out, err := verb.StdoutPipe()
	if err == nil {
		err = verb.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	if _, said := tributary(f.t, exitFailed, "backup", filepath.Join(f.t.TempDir(), "second.tar"), "--data", f.dir); !strings.Contains(said, "another backup is under way") {
		f.t.Errorf("a second backup at once: %s", said)
	}
	if err := verb.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	if err := verb.Wait(); err == nil {
		f.t.Error("a killed backup ended well")
	}
	eventually(f.t, func() error {
		if _, err := os.Stat(filepath.Join(f.dir, enginePath, "shadow")); !os.IsNotExist(err) {
			return fmt.Errorf("what was frozen is left: %v", err)
		}
		return f.life.logs("a backup was not finished")
	})
}

// TestDamagedBackupIsNotRestored cuts a backup off and changes it.
func TestDamagedBackupIsNotRestored(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "whole.tar")
	life := startServe(t, dir)
	client := life.client()
	client.clicked(client.makeLink(), phone)
	client.call(http.MethodGet, "/v1/keys", nil, http.StatusOK)
	life.stops()
	tributary(t, exitOK, "backup", file, "--data", dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(whole, []byte(saltsFile)) {
		t.Error("it remembers the salts of visitors")
	}
	if said, _ := tributary(t, exitOK, "restore", "--dry-run", file); !strings.Contains(said, "whole.tar: whole: ") {
		t.Errorf("the dry run says %q", said)
	}
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, content := range map[string][]byte{"cut off": whole[:len(whole)*2/3], "without its end": whole[:len(whole)-4096], "changed": changed, "empty": nil} {
		path, into := filepath.Join(t.TempDir(), "damaged.tar"), filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, said := tributary(t, exitFailed, "restore", path, "--data", into); !strings.Contains(said, "damaged or cut short") {
			t.Errorf("%s: %s", name, said)
		}
		if left, err := os.ReadDir(into); err != nil || len(left) != 1 || left[0].Name() != lockFile {
			t.Errorf("%s: %v is left in the data directory: %v", name, left, err)
		}
	}
	if _, said := tributary(t, exitFailed, "restore", file, "--data", dir); !strings.Contains(said, "is not empty") {
		t.Errorf("into a directory in use: %s", said)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var errs bytes.Buffer
	if code := run(terminal{Args: []string{"backup", "-", "--data", dir}, Out: full, Err: &errs}); code != exitFailed || !strings.Contains(errs.String(), "make room") {
		t.Errorf("on a full disk: exit code %d: %s", code, &errs)
	}
}

// TestRestoreThatWasCutShortIsBegunAgain leaves a directory as a kill between two
// steps of a restore would.
func TestRestoreThatWasCutShortIsBegunAgain(t *testing.T) {
	dir, file, into := t.TempDir(), filepath.Join(t.TempDir(), "b.tar"), t.TempDir()
	life := startServe(t, dir)
	life.client()
	life.stops()
	tributary(t, exitOK, "backup", file, "--data", dir)
	for _, path := range []string{restoringDir + "/spool/log", "conversions/log", databaseFile} {
		path = filepath.Join(into, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cut := startServe(t, into)
	if code := cut.ended(); code != exitFailed {
		t.Errorf("it is served: exit code %d", code)
	}
	if err := cut.logs("run 'tributary restore' again"); err != nil {
		t.Error(err)
	}
	tributary(t, exitOK, "restore", file, "--data", into)
	again := startServe(t, into)
	again.client()
	again.stops()
	booksAgree(t, into)
}

// TestWhatIsNotFinishedHasNoNameOfABackup opens targets and gives them up.
func TestWhatIsNotFinishedHasNoNameOfABackup(t *testing.T) {
	dir := t.TempDir()
	half, err := openTarget(dir, terminal{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := openTarget(dir, terminal{}, time.Now()); err == nil || !strings.Contains(err.Error(), "another backup is being written") {
		t.Errorf("a second one at once: %v", err)
	}
	if found, err := backupsIn(dir); err != nil || len(found) != 0 {
		t.Errorf("half a backup is found: %v, %v", found, err)
	}
	half.file.Close() // as a kill does
	again, err := openTarget(dir, terminal{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.finish(); err != nil {
		t.Fatal(err)
	}
	if found, err := backupsIn(dir); err != nil || len(found) != 1 {
		t.Errorf("found %v: %v", found, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v: %v", left, err)
	}
}

// TestBackupSaysWhatItDoesNotHold makes one of a directory whose clicks are in a
// ClickHouse of the operator's, under a path that is too long for a socket's.
func TestBackupSaysWhatItDoesNotHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 25))
	file := filepath.Join(t.TempDir(), "b.tar")
	life := startServe(t, dir, "--clickhouse", noClickHouse)
	life.client()
	eventually(t, func() error {
		conn, err := dialControl(t.Context(), dir)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	life.stops()
	if _, said := tributary(t, exitOK, "backup", file, "--data", dir); !strings.Contains(said, "NOT IN IT  clicks and reports") || !strings.Contains(said, "NOT IN IT  backups of several stores") {
		t.Errorf("it says %q", said)
	}
	if said, _ := tributary(t, exitOK, "restore", "--dry-run", file); !strings.Contains(said, "NOT IN IT  clicks and reports") {
		t.Errorf("the dry run says %q", said)
	}
	if _, err := os.Lstat(filepath.Join(dir, controlDir)); !os.IsNotExist(err) {
		t.Errorf("the control socket is left: %v", err)
	}
}
