package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFirstStartMakesSecretsForTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	dir, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if !dir.fresh {
		t.Error("a new directory is not fresh")
	}
	made, _, err := dir.secrets(Options{DataDir: path})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"": fs.ModeDir | 0o700, secretsFile: 0o600, lockFile: 0o600} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%q has mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}

	dir, err = openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	kept, _, err := dir.secrets(Options{DataDir: path})
	if err != nil || dir.fresh || !reflect.DeepEqual(kept, made) {
		t.Errorf("the second start has other secrets (%v)", err)
	}
}

func TestDataWithoutItsSecretsIsRefused(t *testing.T) {
	for _, name := range []string{spoolDir, enginePath, databaseFile} {
		path := t.TempDir()
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		dir, err := openDataDir(path)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if _, _, err := dir.secrets(Options{DataDir: path}); err == nil || !strings.Contains(err.Error(), "holds data but not its secrets: restore") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedSecretsAreRefused(t *testing.T) {
	for _, content := range []string{"", "{}", "not json", `{"click_keys":{"current":1,"keys":{"1":"c2hvcnQ="}}}`} {
		path := t.TempDir()
		if err := os.WriteFile(filepath.Join(path, secretsFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		dir, err := openDataDir(path)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if _, _, err := dir.secrets(Options{DataDir: path}); err == nil || !strings.Contains(err.Error(), "damaged: restore the file from your backup") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestDataDirBelongsToOneProcess(t *testing.T) {
	path := t.TempDir()
	dir, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openDataDir(path)
	if want := fmt.Sprintf("in use by process %d", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	if dir, err = openDataDir(path); err != nil {
		t.Fatalf("a directory that was given up cannot be taken: %v", err)
	}
	dir.Close()
}

func TestDataDirThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if _, err := openDataDir(path); err == nil || !strings.Contains(err.Error(), "or name another with --data") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestStopRunsStepsLastInFirstOutOnce(t *testing.T) {
	var l lifecycle
	var order []string
	for _, name := range []string{"store", "spool", "listener"} {
		l.onClose(name, func() error { order = append(order, name); return nil })
	}
	l.onClose("broken", func() error { return errors.New("it broke") })
	for range 2 {
		if err := l.stop(time.Second); err == nil || err.Error() != "stop broken: it broke" {
			t.Errorf("got %v", err)
		}
	}
	if want := []string{"listener", "spool", "store"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestOneHungStepDoesNotKeepTheOthersFromStopping(t *testing.T) {
	var l lifecycle
	closed := false
	l.onClose("spool", func() error { closed = true; return nil })
	hung := make(chan struct{})
	defer close(hung)
	l.onStop("listener", func(context.Context) error { <-hung; return nil })
	err := l.stop(time.Millisecond)
	if !closed || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed %v, error %v", closed, err)
	}
}
