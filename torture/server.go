package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// adminKey is the platform admin key of every server the battery starts.
const adminKey = "trb_torture0123456789abcdef0123456789abcdef"

// A server is a data directory with `tributary serve` on it, life after life at the
// same addresses.
type server struct {
	t       *trial
	data    string
	tracker string
	admin   string
	readers string // ClickHouse's, for reading: loopback HTTP
	flags   []string
	within  []string // a command that runs the command it is given; nil: none

	log  string
	life *life
	watch
}

// A life is one process from its start to its end.
type life struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
}

// newServer is a server that was not started yet. With clickhouse the embedded one
// is not used.
func (t *trial) newServer(name string, clickhouse *clickhouse, flags ...string) (*server, error) {
	s := &server{t: t, data: filepath.Join(t.dir, name), log: filepath.Join(t.dir, name+".log"), flags: flags}
	for _, address := range []*string{&s.tracker, &s.admin, &s.readers} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if clickhouse == nil {
		s.flags = append(s.flags, "--clickhouse-listen", s.readers)
	} else {
		s.readers = clickhouse.readers
		s.flags = append(s.flags, "--clickhouse", clickhouse.dsn())
	}
	t.atEnd(s.end)
	return s, nil
}

// start begins the next life and does not wait for it to serve.
func (s *server) start() error {
	s.forget()
	output, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	s.life, err = s.begin(output)
	return err
}

// begin starts a process on the directory, which may be one too many.
func (s *server) begin(output *os.File) (*life, error) {
	args := append(append([]string{}, s.within...), s.t.binary, "serve", "--data", s.data, "--tracker-addr", s.tracker,
		"--admin-addr", s.admin, "--engine-library", s.t.library, "--base-url", "http://"+s.tracker)
	args = append(args, s.flags...)
	l := &life{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	l.cmd.Dir = s.t.dir
	l.cmd.Stdout, l.cmd.Stderr = output, output
	l.cmd.Env = append(os.Environ(), "TRIBUTARY_ADMIN_KEY="+adminKey)
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start tributary: %w", err)
	}
	go func() {
		defer close(l.done)
		l.cmd.Wait() // how it ended is read from ProcessState
	}()
	return l, nil
}

// serving waits until the server is ready on both listeners.
func (s *server) serving(ctx context.Context) error {
	err := within(ctx, time.Minute, func() error {
		select {
		case <-s.life.done:
			return errors.New("the process ended")
		default:
		}
		for _, address := range []string{s.tracker, s.admin} {
			if err := ready(ctx, address); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		said := s.tail()
		s.life.cmd.Process.Signal(syscall.SIGQUIT) // its log then has what it was doing; an error: it ended
		return fmt.Errorf("tributary does not serve: %w\n%s", err, said)
	}
	s.follow(s.admin)
	return nil
}

// run starts the next life and waits until it serves.
func (s *server) run(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return s.serving(ctx)
}

// kill ends the life as the kernel does when memory is short.
func (s *server) kill() error {
	s.look()
	if err := s.life.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.life.done
	if state, _ := s.life.cmd.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() {
		return fmt.Errorf("the process ended by itself, with exit code %d:\n%s", state.ExitStatus(), s.tail())
	}
	return nil
}

// stop ends the life in good order.
func (s *server) stop() error {
	const patience = time.Minute
	if err := s.life.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.life.done:
	case <-time.After(patience):
		return fmt.Errorf("it did not stop within %s:\n%s", patience, s.tail())
	}
	if code := s.life.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("it stopped with exit code %d:\n%s", code, s.tail())
	}
	return nil
}

// end makes sure that nothing is left of it.
func (s *server) end() error {
	s.forget()
	if s.life == nil {
		return nil
	}
	s.life.cmd.Process.Kill() // an error means that it ended already
	<-s.life.done
	return nil
}

func (s *server) pid() int { return s.life.cmd.Process.Pid }

// inside is the path of a file of the data directory as this process sees it, also
// when the server has a file system of its own.
func (s *server) inside() string {
	if s.within == nil {
		return s.data
	}
	return fmt.Sprintf("/proc/%d/root%s", s.pid(), s.data)
}

func (s *server) tail() string {
	content, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// enginePID is the process of the embedded ClickHouse, 0 while there is none. The
// lock tells a process that works there from the number of one that is gone.
func (s *server) enginePID() int {
	lock, err := os.Open(filepath.Join(s.data, "clickhouse", "engine.lock"))
	if err != nil {
		return 0
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
func (s *server) killEngine(ctx context.Context) error {
	return within(ctx, time.Minute, func() error {
		pid := s.enginePID()
		if pid == 0 {
			return errors.New("no ClickHouse works in the directory")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	})
}

// residentBytes is the memory of the process itself, without its ClickHouse.
func (s *server) residentBytes() (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid()))
	if err != nil {
		return 0, fmt.Errorf("memory is read from Linux's /proc: %w", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(content))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// freeAddress is a loopback address nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// A watch reads the count of unrecorded clicks often, because it dies with the
// process.
type watch struct {
	mu    sync.Mutex
	admin string // of the life that is followed; empty: none
	now   int    // its count
	past  int    // of lives before
	leave chan struct{}
	left  chan struct{}
}

const watchEvery = 200 * time.Millisecond

func (w *watch) follow(admin string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leave != nil {
		return
	}
	w.admin, w.leave, w.left = admin, make(chan struct{}), make(chan struct{})
	go w.keepLooking(w.leave, w.left)
}

func (w *watch) keepLooking(leave, left chan struct{}) {
	defer close(left)
	for {
		select {
		case <-leave:
			return
		case <-time.After(watchEvery):
			w.look()
		}
	}
}

// look reads the count; a life that does not answer keeps its last.
func (w *watch) look() {
	w.mu.Lock()
	admin := w.admin
	w.mu.Unlock()
	if admin == "" {
		return
	}
	count, err := metric(admin, "tributary_clicks_unrecorded_total")
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && admin == w.admin {
		w.now = int(count)
	}
}

// forget stops following a life and keeps its count.
func (w *watch) forget() {
	w.mu.Lock()
	leave, left := w.leave, w.left
	w.admin, w.leave, w.now, w.past = "", nil, 0, w.past+w.now
	w.mu.Unlock()
	if leave != nil {
		close(leave)
		<-left
	}
}

// unrecorded is the count over all lives.
func (w *watch) unrecorded() int {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.past + w.now
}
