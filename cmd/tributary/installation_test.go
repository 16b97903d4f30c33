package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/schema/database/databasetest"
)

// TestSecretsOfAnInstallationAreTheSameOnEveryNode registers the secrets of several
// nodes with one database.
func TestSecretsOfAnInstallationAreTheSameOnEveryNode(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	first := newSecrets()
	register := func(s *secrets) error { return s.register(t.Context(), db, "secrets.json") }
	for range 2 {
		if err := register(first); err != nil {
			t.Fatal(err)
		}
	}
	var foreign *foreignSecretsError
	if err := register(newSecrets()); !errors.As(err, &foreign) || foreign.what != pepperName {
		t.Errorf("other secrets: %v", err)
	}
	rotated, err := first.rotated(time.Now())
	if err == nil {
		err = register(rotated)
	}
	if err == nil {
		err = register(first) // a node that was not brought the new key yet
	}
	if err != nil {
		t.Error(err)
	}
	if other, err := first.rotated(time.Now()); err != nil {
		t.Error(err)
	} else if err := register(other); !errors.As(err, &foreign) || foreign.what != "click key 2" {
		t.Errorf("another key of the same number: %v", err)
	}
}

// TestNumbersOfClickKeysComeRound rotates for years: a number that comes again, with
// another key, is nobody's but its own.
func TestNumbersOfClickKeysComeRound(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	s, now := newSecrets(), time.Now()
	var before *secrets
	for i := range 300 {
		if err := s.register(t.Context(), db, "secrets.json"); err != nil {
			t.Fatalf("rotation %d: %v", i, err)
		}
		if before != nil { // a node that was not brought the new key yet
			if err := before.register(t.Context(), db, "secrets.json"); err != nil {
				t.Fatalf("rotation %d, a node that is behind: %v", i, err)
			}
		}
		now = now.Add(clickKeyLife / 20)
		next, err := s.rotated(now)
		if err != nil {
			t.Fatal(err)
		}
		before, s = s, next
	}
}

// TestSecretsThatWereMadeLieAsideUntilCompared starts a first time again and again, as
// after a kill.
func TestSecretsThatWereMadeLieAsideUntilCompared(t *testing.T) {
	o := Options{DataDir: t.TempDir(), Database: "postgres://db.example/tributary"}
	start := func() (d *dataDir, print string, made bool) {
		t.Helper()
		d, err := openDataDir(o.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		s, made, err := d.secrets(o)
		if err != nil {
			t.Fatal(err)
		}
		if print, err = s.installationName(); err != nil {
			t.Fatal(err)
		}
		return d, print, made
	}
	d, first, made := start()
	if _, err := os.Stat(o.secretsPath()); !made || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("made %v; in their place before they were compared: %v", made, err)
	}
	d.Close()
	d, second, made := start()
	if !made || second != first { // the first may have noted them
		t.Errorf("after a kill: made %v, the same %v", made, second == first)
	}
	if err := d.keepSecrets(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d, kept, made := start()
	if made || kept != first {
		t.Errorf("once compared: made %v, the same %v", made, kept == first)
	}
	d.Close()

	o.DataDir = t.TempDir()
	d, _, _ = start()
	d.Close()
	if err := newSecrets().write(o.secretsPath()); err != nil { // copied from another node
		t.Fatal(err)
	}
	d, _, made = start()
	if _, err := os.Stat(d.file(madeSecretsFile)); made || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with another node's: made %v, left aside: %v", made, err)
	}
}

// TestAPreparedClickKeyVerifiesBeforeItSigns follows the two steps of a rotation of
// several nodes: at no time does one sign what another cannot read.
func TestAPreparedClickKeyVerifiesBeforeItSigns(t *testing.T) {
	now := time.Now()
	before := newSecrets()
	prepared, err := before.prepared(now)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := prepared.prepared(now); err != nil || len(again.ClickKeys.Keys) != 2 || *again.ClickKeys.Next != *prepared.ClickKeys.Next {
		t.Errorf("prepared twice: %+v, %v", again.ClickKeys, err)
	}
	after, err := prepared.rotated(now)
	if err != nil {
		t.Fatal(err)
	}
	for signer, reader := range map[*secrets]*secrets{before: prepared, prepared: before, after: prepared} {
		if string(reader.ClickKeys.Keys[signer.ClickKeys.Current]) != string(signer.ClickKeys.Keys[signer.ClickKeys.Current]) {
			t.Errorf("key %d of one node is not known to another", signer.ClickKeys.Current)
		}
	}
	if after.ClickKeys.Current != *prepared.ClickKeys.Next || after.ClickKeys.Next != nil {
		t.Errorf("after the rotation: %+v", after.ClickKeys)
	}
	path := filepath.Join(t.TempDir(), secretsFile)
	if err := prepared.write(path); err != nil {
		t.Fatal(err)
	}
	if read, err := readSecrets(path); err != nil || read.ClickKeys.Next == nil || *read.ClickKeys.Next != *prepared.ClickKeys.Next {
		t.Errorf("read again: %+v, %v", read, err)
	}
}

// TestABackupHoldsSecretsThatLieElsewhere: what is restored is served by itself.
func TestABackupHoldsSecretsThatLieElsewhere(t *testing.T) {
	shared, data, restored := filepath.Join(t.TempDir(), "shared.json"), t.TempDir(), filepath.Join(t.TempDir(), "restored")
	tributary(t, exitOK, "key", "make-secrets", shared)
	o := testOptions(t, data)
	o.Secrets = shared
	a := startTestApp(t, o)
	file := filepath.Join(t.TempDir(), "served.tar")
	<-a.migrated
	tributary(t, exitOK, "backup", file, "--data", data, "--secrets", shared)
	tributary(t, exitOK, "restore", file, "--data", restored)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(shared)
	if err != nil {
		t.Fatal(err)
	}
	tributary(t, exitOK, "backup", file+".stopped", "--data", data, "--secrets", shared)
	tributary(t, exitOK, "restore", file+".stopped", "--data", restored+".stopped")
	for _, dir := range []string{restored, restored + ".stopped"} {
		if got, err := os.ReadFile(filepath.Join(dir, secretsFile)); err != nil || string(got) != string(want) {
			t.Errorf("%s has other secrets (%v)", dir, err)
		}
	}
	o = testOptions(t, restored)
	startTestApp(t, o)
}

func TestMakeSecretsReplacesNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared.json")
	tributary(t, exitOK, "key", "make-secrets", path)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, errs := tributary(t, exitFailed, "key", "make-secrets", path); !strings.Contains(errs, "secrets are never replaced") {
		t.Errorf("it says %s", errs)
	}
	printed, _ := tributary(t, exitOK, "key", "make-secrets", "-")
	if err := os.WriteFile(path, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecrets(path); err != nil {
		t.Error(err)
	}
	said, _ := tributary(t, exitOK, "key", "rotate-clicks", "--prepare", "--secrets", path)
	if !strings.Contains(said, "click key 2 verifies and does not sign yet") {
		t.Errorf("it says %s", said)
	}
	said, _ = tributary(t, exitOK, "key", "rotate-clicks", "--secrets", path)
	if !strings.Contains(said, "click ids are signed with key 2; 1 older keys") {
		t.Errorf("it says %s", said)
	}
}
