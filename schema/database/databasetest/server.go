package databasetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/schema/database"
)

// A Server is a PostgreSQL server of the tests' own, on a unix socket in its
// directory. It does not wait for the disk.
type Server struct {
	dir   string
	owner *syscall.Credential // nil: this process's
	ended chan error          // of the process; nil: there is none
	pid   int
}

// missing is what to do where there is no PostgreSQL.
const missing = "PostgreSQL is needed for this test: run 'make test-deps' (Debian: apt-get install postgresql)"

// NewServer starts a server for one test, that may stop and start it again.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// DSN is how to open one of the server's databases, such as "postgres".
func (s *Server) DSN(name string) string {
	return fmt.Sprintf("host=%s port=5432 user=postgres dbname=%s sslmode=disable", s.dir, name)
}

// Close ends the server and removes what it stored.
func (s *Server) Close() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

func start() (s *Server, err error) {
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	s = &Server{dir: dir}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.giveAway(); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
		"--locale-provider=icu", "--icu-locale=en-US", "--no-sync", "--no-instructions")
	if output, err := initdb.CombinedOutput(); errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New(missing)
	} else if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return s, s.Start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// giveAway gives the directory to somebody who may run PostgreSQL: root may not.
func (s *Server) giveAway() error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, uid, gid)
	}
	return errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if err != nil { // Debian keeps them out of the path
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
			path = found[len(found)-1]
		} else {
			path = name
		}
	}
	c := exec.Command(path, args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return c
}

// Start starts the server on what it stored, and waits until it answers.
func (s *Server) Start() error {
	c := s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "max_wal_size=4GB",
		"-c", "deadlock_timeout=100ms", "-c", "logging_collector=off")
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	neverOrphaned(c.SysProcAttr)
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the server dies with the thread that started it, and that with the process
		err := c.Start()
		started <- err
		if err == nil {
			ended <- c.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.pid, s.ended = c.Process.Pid, ended
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := execute(s.DSN("postgres"), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			s.ended = nil
			return fmt.Errorf("PostgreSQL ended at once:\n%s", log.String())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// Stop ends the server as an operator would who is in a hurry: transactions are
// undone, and what was committed stays.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill ends the server as a power cut would.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.ended == nil {
		return
	}
	_ = syscall.Kill(s.pid, sig)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-s.pid, syscall.SIGKILL)
		<-s.ended
	}
	s.ended = nil
}

// CreateDatabase makes an empty database and returns how to open it.
func (s *Server) CreateDatabase(t testing.TB, name string) string {
	t.Helper()
	if err := s.exec("postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.DSN(name)
}

func (s *Server) exec(name, text string) error { return execute(s.DSN(name), text) }

// migrate makes a database of the current schema, and keeps what it begins with.
func (s *Server) migrate(name string) error {
	if err := s.exec("postgres", "CREATE DATABASE "+name+" STRATEGY FILE_COPY"); err != nil {
		return err
	}
	db, err := database.Open(context.Background(), s.DSN(name), "")
	if err != nil {
		return err
	}
	if err := errors.Join(db.Await(context.Background()), db.Close()); err != nil {
		return err
	}
	return s.exec(name, keeping)
}

// keeping keeps the rows that migrations made.
const keeping = `
CREATE SCHEMA seed;
DO $$
DECLARE
  name TEXT;
  rows BIGINT;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' LOOP
    EXECUTE format('SELECT COUNT(*) FROM public.%I', name) INTO rows;
    IF rows > 0 THEN
      EXECUTE format('CREATE TABLE seed.%I AS TABLE public.%I', name, name);
    END IF;
  END LOOP;
END
$$;`
