package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// enginePID is the process of the embedded ClickHouse of a data directory, 0
// while there is none. The lock tells a process that works there from the
// number of one that is gone.
func enginePID(t *testing.T, dir string) int {
	t.Helper()
	lock, err := os.Open(filepath.Join(dir, enginePath, "engine.lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0
	}
	text := make([]byte, 20)
	n, _ := lock.Read(text)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return 0 // it has the lock and has not said so yet
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid { // an engine leads its group
		return 0
	}
	return pid
}

// killEngine kills the embedded ClickHouse, waiting for one to kill.
func killEngine(t *testing.T, dir string) {
	t.Helper()
	eventually(t, func() error {
		pid := enginePID(t, dir)
		if pid == 0 {
			return fmt.Errorf("no ClickHouse works in %s", dir)
		}
		killProcess(t, pid)
		return nil
	})
}

// killProcess kills a process that may have ended meanwhile.
func killProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestShoppersDoNotNoticeAnAbsentClickHouse keeps ClickHouse down under load,
// in two ways, and compares click by click once it is back.
func TestShoppersDoNotNoticeAnAbsentClickHouse(t *testing.T) {
	t.Parallel()
	const absence = 3 * time.Second
	for name, keepDown := range map[string]func(t *testing.T, dir, library string) (comeBack func()){
		"its library is gone": func(t *testing.T, dir, library string) func() {
			away := library + ".away"
			rename(t, library, away)
			killEngine(t, dir)
			time.Sleep(absence)
			return func() { rename(t, away, library) }
		},
		"it is killed whenever it starts": func(t *testing.T, dir, _ string) func() {
			for began := time.Now(); time.Since(began) < absence; time.Sleep(5 * time.Millisecond) {
				if pid := enginePID(t, dir); pid != 0 {
					killProcess(t, pid)
				}
			}
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, library := t.TempDir(), filepath.Join(t.TempDir(), "libchdb")
			if err := os.Symlink(testOptions(t, dir).EngineLibrary, library); err != nil {
				t.Fatal(err)
			}
			s := startServe(t, dir, "--engine-library", library)
			client := s.client()
			crowd := gather(t, client.makeKnownLinks(2), 1)
			crowd.goTo(client)
			client.shipping(0)

			comeBack := keepDown(t, dir, library)
			client.call(http.MethodGet, "/healthz", nil, http.StatusOK)
			client.call(http.MethodGet, "/readyz", nil, http.StatusOK)
			waiting, err := client.metric(spoolRecords)
			if err != nil || waiting == 0 {
				t.Fatalf("%v clicks wait in the spool (%v): ClickHouse was not away", waiting, err)
			}
			before := client.shipped()
			crowd.clicking(t, 50)
			comeBack()
			client.shipping(before)
			crowd.clicking(t, 50)

			books := crowd.disperse()
			books.undisturbed(t)
			client.drained()
			lost, err := client.metric(unrecorded)
			if err != nil {
				t.Fatal(err)
			}
			s.stops()
			t.Logf("%v clicks were waiting in the spool", waiting)
			openStore(t, dir).keepsPromise(&books, int(lost))
		})
	}
}
