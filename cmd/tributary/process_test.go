package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A served process is `tributary serve` as an operator starts it.
type served struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err lockedBuffer
	done     chan struct{} // closed when it ended
}

// lockedBuffer is written by the process's pipes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func startServe(t *testing.T, dir string, flags ...string) *served {
	t.Helper()
	library := testOptions(t, dir).EngineLibrary
	s := &served{t: t, done: make(chan struct{})}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Args = append([]string{"tributary", "serve", "--data", dir, "--tracker-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--engine-library", library}, flags...)
	s.cmd.Env = append(os.Environ(), adminKeyVariable+"="+adminKeyOfTests)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.err
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		s.cmd.Wait() // the exit code is read from ProcessState
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill() // an error means that it ended already
		<-s.done
	})
	return s
}

var (
	trackerAddress = regexp.MustCompile(`served on (\S+)`)
	adminAddress   = regexp.MustCompile(`http://(\S+)/docs`)
)

// client talks to the process once it has said where it listens.
func (s *served) client() *testApp {
	s.t.Helper()
	var tracker, admin []string
	eventually(s.t, func() error {
		text := s.out.String()
		tracker, admin = trackerAddress.FindStringSubmatch(text), adminAddress.FindStringSubmatch(text)
		if tracker == nil || admin == nil {
			return fmt.Errorf("it has not started:\n%s\n%s", text, s.err.String())
		}
		return nil
	})
	client := &testApp{app: &app{trackerListener: elsewhere(tracker[1]), adminListener: elsewhere(admin[1])}, t: s.t, key: adminKeyOfTests}
	client.http = http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.t.Cleanup(client.http.CloseIdleConnections)
	return client
}

// elsewhere is the listener of another process: an address and nothing else.
type elsewhere string

func (e elsewhere) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (e elsewhere) Close() error              { return nil }
func (e elsewhere) Addr() net.Addr            { return e }
func (e elsewhere) Network() string           { return "tcp" }
func (e elsewhere) String() string            { return string(e) }

// ended waits for the end and returns the exit code.
func (s *served) ended() int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-ctx.Done():
		s.t.Fatalf("it did not end:\n%s", s.err.String())
		return -1
	}
}

func (s *served) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

func (s *served) logs(text string) error {
	if !strings.Contains(s.err.String(), text) {
		return fmt.Errorf("%q is not logged:\n%s", text, s.err.String())
	}
	return nil
}

func TestTermStopsInGoodOrder(t *testing.T) {
	s := startServe(t, t.TempDir())
	client := s.client()
	client.clicked(client.makeLink(), phone)
	s.signal(syscall.SIGTERM)
	if code := s.ended(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, s.err.String())
	}
}

func TestEveryAnsweredClickSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	client := s.client()
	link := client.makeLink()
	client.clicked(link, phone)
	const more = 50
	for range more {
		client.click(link, phone)
	}
	s.signal(syscall.SIGKILL)
	s.ended()
	startServe(t, dir).client().reported(map[string]float64{"hits": more + 1, "clicks": more + 1, "unique_clicks": 1})
}

func TestSecondProcessIsRefusedAndToldWhoHasTheDirectory(t *testing.T) {
	dir := t.TempDir()
	first := startServe(t, dir)
	first.client()
	second := startServe(t, dir)
	if code := second.ended(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if err := second.logs(fmt.Sprintf("is in use by process %d: stop that one first", first.cmd.Process.Pid)); err != nil {
		t.Error(err)
	}
}

func TestHangupReloadsSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "tributary.yml")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log-level: info\n")
	s := startServe(t, dir, "--config", file)
	s.client()

	write("log-levle: debug\n")
	s.signal(syscall.SIGHUP)
	eventually(t, func() error {
		return errors.Join(s.logs("settings were not reloaded"), s.logs("did you mean log-level?"))
	})
	write("log-level: debug\nmax-links: 0\nclick-fsync: 5ms\n")
	s.signal(syscall.SIGHUP)
	eventually(t, func() error {
		return errors.Join(s.logs("changed=[log-level] rules="), s.logs("need a restart"), s.logs("settings=[click-fsync]"))
	})
}

// TestKeyVerbWorksBesideAServingProcess makes a key, uses it, revokes it.
func TestKeyVerbWorksBesideAServingProcess(t *testing.T) {
	dir := t.TempDir()
	client := startServe(t, dir).client()
	key := func(args ...string) string {
		t.Helper()
		var out, errors bytes.Buffer
		if code := run(terminal{Args: append([]string{"key"}, append(args, "--data", dir)...), Out: &out, Err: &errors}); code != exitOK {
			t.Fatalf("key %v: exit code %d: %s", args, code, &errors)
		}
		return strings.TrimSpace(out.String())
	}
	client.key = key("create", "--name", "spare")
	client.call(http.MethodGet, "/v1/keys", nil, http.StatusOK)
	var id string
	for line := range strings.Lines(key("list")) {
		if strings.Contains(line, "spare") {
			id, _, _ = strings.Cut(line, " ")
		}
	}
	key("revoke", id)
	eventually(t, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+client.adminListener.Addr().String()+"/v1/keys", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+client.key)
		response, err := client.http.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("a revoked key is answered %s", response.Status)
		}
		return nil
	})
}
