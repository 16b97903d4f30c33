package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A store is a server of somebody else's that nodes share: PostgreSQL or Redis.
type store struct {
	t       *trial
	address string
	dir     string
	owner   *syscall.Credential // nil: whoever runs this
	args    []string
	end     syscall.Signal // as a crash
	cmd     *exec.Cmd
}

// newStore makes a store in a private directory; it is not started.
func (t *trial) newStore(program string) (*store, error) {
	dir, err := os.MkdirTemp("", "torture-")
	if err != nil {
		return nil, err
	}
	s := &store{t: t, dir: dir}
	t.atEnd(func() error { return errors.Join(s.kill(), os.RemoveAll(dir)) })
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return nil, err
	}
	if program == "redis-server" {
		// Nothing is kept: whoever comes back has forgotten everything.
		s.args, s.end = []string{program, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"}, syscall.SIGKILL
		return s, nil
	}
	if err := s.giveAway(); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if said, err := s.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb (Debian: apt-get install postgresql): %w\n%s", err, said)
	}
	// Told to quit at once, it recovers from its log at the next start.
	s.args, s.end = []string{program, "-D", data, "-p", port, "-h", "127.0.0.1", "-k", dir}, syscall.SIGQUIT
	return s, nil
}

// giveAway gives the directory to somebody who may run PostgreSQL: root may not.
func (s *store) giveAway() error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, badUID := strconv.ParseUint(who.Uid, 10, 32)
		gid, badGID := strconv.ParseUint(who.Gid, 10, 32)
		if err := errors.Join(badUID, badGID); err != nil {
			return err
		}
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, int(uid), int(gid))
	}
	return errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func (s *store) command(program string, args ...string) *exec.Cmd {
	if _, err := exec.LookPath(program); err != nil { // Debian keeps PostgreSQL's out of the path
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
			program = found[len(found)-1]
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

// start starts the store and waits until it takes connections.
func (s *store) start(ctx context.Context) error {
	s.cmd = s.command(s.args[0], s.args[1:]...)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("start %s: %w", s.args[0], err)
	}
	return within(ctx, time.Minute, func() error {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

// kill ends the store as a crash does.
func (s *store) kill() error {
	if s.cmd == nil {
		return nil
	}
	s.cmd.Process.Signal(s.end) // an error means that it ended already
	s.cmd.Wait()                // killed, as it was meant to be
	s.cmd = nil
	return nil
}
