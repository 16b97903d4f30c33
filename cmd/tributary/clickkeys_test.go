package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tributary/attribution"
)

// TestNoClickIDFailsWithinItsWindow rotates keys at random moments: whatever was
// minted verifies for as long as the longest window that terms may have, under the
// link and the time it was minted for.
func TestNoClickIDFailsWithinItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const day = 24 * time.Hour
		now := time.UnixMilli(1_800_000_000_000)
		s, ring := newSecrets(), &attribution.ClickKeyring{}
		var minted []attribution.ClickToken
		var ids []string
		for range rapid.IntRange(1, 40).Draw(t, "moments") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(90*day)).Draw(t, "later")))
			if rapid.Bool().Draw(t, "rotate") {
				next, err := s.rotated(now)
				if err != nil {
					t.Fatal(err)
				}
				if next.ClickKeys.Current == s.ClickKeys.Current {
					t.Fatal("a rotation kept the key")
				}
				s = next
			}
			fresh, err := s.clickKeyring()
			if err != nil {
				t.Fatal(err)
			}
			ring.Replace(fresh)
			token := attribution.ClickToken{AtMs: now.UnixMilli(), Link: uint64(len(ids) + 1)}
			var m attribution.ClickMinter
			ids, minted = append(ids, string(m.Append(nil, ring, token, uint64(len(ids))))), append(minted, token)
			for i, id := range ids {
				opened, err := ring.OpenClickID(id)
				if age := now.Sub(time.UnixMilli(minted[i].AtMs)); age <= attribution.MaxClickWindowDays*day && (err != nil || opened != minted[i]) {
					t.Fatalf("a click id of %v ago: %v, %+v", age, err, opened)
				}
			}
		}
	})
}

func TestOldClickKeysGoAndAreCounted(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	s := newSecrets()
	for i := range 255 {
		next, err := s.rotated(now)
		if err != nil {
			t.Fatalf("rotation %d: %v", i+1, err)
		}
		s = next
		now = now.Add(time.Hour)
	}
	if _, err := s.rotated(now); err == nil || !strings.Contains(err.Error(), "all 256 click keys are in use") || !strings.Contains(err.Error(), "2029-03-25") {
		t.Errorf("the 257th key: %v", err)
	}
	next, err := s.rotated(now.Add(clickKeyLife))
	if err != nil || len(next.ClickKeys.Keys) != 2 {
		t.Errorf("%d keys are left of 256 long after, want the new one and the last (%v)", len(next.ClickKeys.Keys), err)
	}
}

// rotationChildVariable has the test binary rotate the keys of a directory until
// it is killed.
const rotationChildVariable = "TRIBUTARY_TEST_ROTATE"

// rotateUntilKilled is what that process does.
func rotateUntilKilled(dir string) {
	for at := time.Now(); ; at = at.Add(clickKeyLife / 100) {
		if _, err := changeClickKeys(filepath.Join(dir, secretsFile), func(s *secrets) (*secrets, error) { return s.rotated(at) }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
		fmt.Println("rotated")
	}
}

// TestKilledRotationsLoseNoSecret kills a process that rotates without a pause.
// After each kill the file is whole, and what was the newest complete rotation
// before it still verifies.
func TestKilledRotationsLoseNoSecret(t *testing.T) {
	dir := t.TempDir()
	first := newSecrets()
	if err := first.write(filepath.Join(dir, secretsFile)); err != nil {
		t.Fatal(err)
	}
	known := first
	for i := range 12 {
		var out lockedBuffer
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), rotationChildVariable+"="+dir)
		child.Stdout, child.Stderr = &out, &out
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if strings.Count(out.String(), "rotated") <= i {
				return fmt.Errorf("it has not rotated: %s", out.String())
			}
			return nil
		})
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait() // it was killed
		now, err := readSecrets(filepath.Join(dir, secretsFile))
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		if !bytes.Equal(now.KeyPepper, first.KeyPepper) {
			t.Fatal("the pepper changed")
		}
		if kept := now.ClickKeys.Keys[known.ClickKeys.Current]; kept == nil {
			t.Fatalf("kill %d lost the key that was current before", i)
		}
		if info, err := os.Stat(filepath.Join(dir, secretsFile)); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		known = now
	}
}

// TestRotationsAtOnceAreDoneOneAfterTheOther has several operators rotate at once:
// no key of theirs is lost.
func TestRotationsAtOnceAreDoneOneAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	if err := newSecrets().write(filepath.Join(dir, secretsFile)); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := changeClickKeys(filepath.Join(dir, secretsFile), func(s *secrets) (*secrets, error) { return s.rotated(time.Now()) }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s, err := readSecrets(filepath.Join(dir, secretsFile)); err != nil || len(s.ClickKeys.Keys) != 11 || s.ClickKeys.Current != 11 {
		t.Errorf("%+v, %v; want 11 keys, the last one current", s.ClickKeys.Retired, err)
	}
}

// TestRotationWhileShoppersClick rotates twice under a running server, which takes
// each key up by itself. A click from before either still earns.
func TestRotationWhileShoppersClick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startTestApp(t, testOptions(t, dir))
	link := a.makeLink()
	clicks := []string{clickIDOf(t, a.clicked(link, phone))}
	for want := byte(2); want <= 3; want++ {
		var out bytes.Buffer
		if code := run(terminal{Args: []string{"key", "rotate-clicks", "--data", dir}, Out: &out, Err: &out}); code != exitOK || !strings.Contains(out.String(), fmt.Sprintf("signed with key %d", want)) {
			t.Fatalf("exit code %d: %s", code, &out)
		}
		eventually(t, func() error {
			if now := a.clickKeys.Current(); now != want {
				return fmt.Errorf("ids are minted under key %d, want %d", now, want)
			}
			return nil
		})
		clicks = append(clicks, clickIDOf(t, a.clicked(link, phone)))
	}
	for i, id := range clicks {
		if answer := a.sold(link["advertiser_id"].(string), map[string]any{"event": "sale", "order_id": fmt.Sprint("r", i), "amount": "10", "currency": "USD", "click_id": id}); answer["attributed"] != true {
			t.Errorf("the click minted under key %d: %v", i+1, answer)
		}
	}
}

// sold reports a conversion with the admin's key, and returns what became of it.
func (a *testApp) sold(advertiserID string, fields map[string]any) (result map[string]any) {
	a.t.Helper()
	eventually(a.t, func() error {
		status, answer := a.send("http://"+a.trackerListener.Addr().String()+"/t/conversions?wait=5s&advertiser_id="+advertiserID, a.key, fields)
		var decoded struct{ Results []map[string]any }
		if err := json.Unmarshal(answer, &decoded); err != nil || status != http.StatusOK || len(decoded.Results) != 1 {
			return fmt.Errorf("a conversion is answered %d: %s", status, answer)
		}
		result = decoded.Results[0]
		return nil
	})
	return result
}

// clickIDOf is the click id in the address a shopper was sent to.
func clickIDOf(t *testing.T, location string) string {
	t.Helper()
	address, err := url.Parse(location)
	if err != nil || address.Query().Get("tcid") == "" {
		t.Fatalf("%q has no click id (%v)", location, err)
	}
	return address.Query().Get("tcid")
}
