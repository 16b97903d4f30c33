package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Server is one redis-server. It keeps nothing on disk unless told to.
type Server struct {
	Address string // host and port

	t       testing.TB
	dir     string
	options []string
	leash   io.Closer     // closing it kills the server
	gone    chan struct{} // closed when the server is no more
}

// patience is how long a test waits for a server to do what it was told, on a
// machine that has other things to do.
const patience = time.Minute

// Start starts a server, with options as its command line has them.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	port := freePort(t)
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t: t, dir: t.TempDir(),
		options: append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", "2"}, options...),
	}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// StartReplica starts a server that copies what another has.
func StartReplica(t testing.TB, of *Server, options ...string) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(of.Address)
	s := Start(t, append([]string{"--replicaof", host, port, "--repl-diskless-sync-delay", "0"}, options...)...)
	Eventually(t, "the replica is linked", func() bool { return strings.Contains(s.Do("INFO", "replication"), "master_link_status:up") })
	return s
}

// URL is the server's address as a client takes it.
func (s *Server) URL() string { return "redis://" + s.Address }

// leashed runs a server that dies with whoever holds the other end of its
// standard input, also when that is killed.
const leashed = `"$@" & server=$!; cat >/dev/null; kill -9 $server; wait $server`

// Restart starts the server again at its address, with what it has on disk,
// after killing it where it runs.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("redis-server is missing; install it: make test-deps, or apt-get install redis-server, or brew install redis")
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	command := exec.Command("sh", append([]string{"-c", leashed, "sh", binary, "--dir", s.dir, "--daemonize", "no"}, s.options...)...)
	command.Stdout, command.Stderr = log, log
	leash, err := command.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.leash, s.gone = leash, make(chan struct{})
	go func(gone chan struct{}) {
		_ = command.Wait() // it was killed
		_ = log.Close()
		close(gone)
	}(s.gone)
	Eventually(s.t, "redis-server answers at "+s.Address, func() bool {
		answer, err := s.Try("PING")
		return err == nil && answer == "PONG"
	})
}

// Kill ends the server at once, as a crash would. It may have ended before.
func (s *Server) Kill() {
	if s.leash == nil {
		return
	}
	_ = s.leash.Close()
	<-s.gone
	s.leash = nil
}

// Do sends a command and returns the answer as text: of a list, an element on
// each line.
func (s *Server) Do(command ...string) string {
	s.t.Helper()
	answer, err := s.Try(command...)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return answer
}

// Try is Do for what may fail.
func (s *Server) Try(command ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(conn))
}

// readAnswer reads a value of Redis's protocol, version 2.
func readAnswer(from *bufio.Reader) (string, error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty answer")
	}
	rest := line[1:]
	switch line[0] {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	count, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("answer %q", line)
	}
	if line[0] == '$' {
		text := make([]byte, max(count, 0)+2)
		if count < 0 {
			return "", nil
		}
		_, err := io.ReadFull(from, text)
		return string(text[:count]), err
	}
	var elements []string
	for range count {
		element, err := readAnswer(from)
		if err != nil {
			return "", err
		}
		elements = append(elements, element)
	}
	return strings.Join(elements, "\n"), nil
}

// Eventually waits until something holds, and fails the test when it does not
// come to.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
