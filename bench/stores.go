package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A store is a server that tributaries share, and the forwarder they reach it by.
type store struct {
	*process
	*forwarder
	dir    string
	url    string // for tributary
	orders *os.File
	direct string // past the forwarder
}

func (s *store) stop() error {
	err := s.forwarder.close()
	if s.orders != nil {
		err = errors.Join(err, s.orders.Close()) // an engine ends with its orders
		<-s.done
		return err
	}
	return errors.Join(err, s.process.stop())
}

// startClickHouse runs the engine that the binary embeds by itself, as `serve` does:
// told what to do by JSON, with a pipe whose end is its own and one for its first word.
func (b *bench) startClickHouse() (*store, error) {
	library, err := filepath.Glob("node_modules/@chdb/lib-*/libchdb.so")
	if err != nil || len(library) == 0 {
		return nil, errors.New("the ClickHouse engine library is missing: make deps")
	}
	library[0], err = filepath.Abs(library[0])
	if err != nil {
		return nil, err
	}
	s := &store{dir: filepath.Join(b.scratch, "clickhouse")}
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o700)); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp("", "bench-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	b.atEnd(func() { os.RemoveAll(private) })
	if s.direct, err = freeAddress(); err != nil {
		return nil, err
	}
	socket := filepath.Join(private, "engine.sock")
	config, err := json.Marshal(map[string]any{
		"dir": s.dir, "socket": socket, "library": library[0], "listen": s.direct,
		"max_memory_bytes": 1 << 30, "max_query_memory_bytes": 384 << 20, "max_threads": 2, "max_queries": 4, "max_body_bytes": 256 << 20,
		"lock_wait_ns": 15 * time.Second, "memory_return_ns": 10 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	if err := s.launchEngine(b, string(config)); err != nil {
		return nil, err
	}
	if s.forwarder, err = forward("unix", socket); err != nil {
		return nil, err
	}
	s.url = "http://" + s.address() + "/tributary?compress=none"
	return s, s.waitFor(context.Background(), 20*time.Second, func() error { return get("http://"+s.direct+"/ping", http.StatusOK) })
}

func (s *store) launchEngine(b *bench, config string) error {
	ordersIn, ordersOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ordersIn.Close()
	reportIn, reportOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reportIn.Close()
	s.process = &process{log: filepath.Join(b.scratch, "clickhouse.log"), done: make(chan error, 1), cmd: exec.Command(b.binary, "engine", "-config", config)}
	output, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer output.Close()
	s.cmd.Env = append(os.Environ(), "TZ=UTC")
	s.cmd.Stderr = output
	s.cmd.ExtraFiles = []*os.File{ordersIn, reportOut}
	err = s.cmd.Start()
	reportOut.Close()
	if err != nil {
		return errors.Join(err, ordersOut.Close())
	}
	s.orders = ordersOut
	b.atEnd(func() { s.cmd.Process.Kill() }) // it ended already when all went well
	go func() { s.done <- s.cmd.Wait() }()
	if line, err := bufio.NewReader(reportIn).ReadString('\n'); err != nil || !strings.Contains(line, `"version"`) {
		return fmt.Errorf("the engine does not start: %s (%v)\n%s", line, err, s.tail())
	}
	return nil
}

// ask returns the number a query of ClickHouse answers.
func (s *store) ask(query string) (float64, error) {
	response, err := http.Post("http://"+s.direct+"/?database=tributary&default_format=TSV", "text/plain", strings.NewReader(query))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(answer.String()), 64)
	if err != nil {
		return 0, fmt.Errorf("%s is answered %q", query, answer.String())
	}
	return n, nil
}

// startPostgres makes a PostgreSQL that keeps what it commits: fsync is on.
func (b *bench) startPostgres(ctx context.Context) (*store, error) {
	s := &store{dir: filepath.Join(b.scratch, "postgres")}
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o700), os.Chmod(b.scratch, 0o755)); err != nil {
		return nil, err
	}
	initdb, err := postgresTool("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := postgresTool("postgres")
	if err != nil {
		return nil, err
	}
	who, err := postgresUser(s.dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, initdb, "-D", s.dir, "-U", "tributary", "--auth", "trust", "-E", "UTF8", "--locale", "C")
	cmd.SysProcAttr, cmd.Dir = who, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.direct, err = freeAddress(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.direct)
	if err != nil {
		return nil, err
	}
	if s.process, err = b.startAs(who, s.dir, "postgres", postgres, "-D", s.dir, "-c", "listen_addresses="+host, "-p", port, "-c", "unix_socket_directories="); err != nil {
		return nil, err
	}
	if s.forwarder, err = forward("tcp", s.direct); err != nil {
		return nil, err
	}
	s.url = "postgres://tributary@" + s.address() + "/postgres?sslmode=disable"
	return s, s.waitFor(ctx, 30*time.Second, s.connects)
}

// postgresTool also looks where Debian keeps versions apart.
func postgresTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is missing: apt-get install postgresql", name)
	}
	return found[len(found)-1], nil
}

// postgresUser is somebody else when this is root, whom PostgreSQL refuses, and who
// the directory then belongs to.
func postgresUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, int(uid), int(gid))
}

// startRedis runs a Redis that keeps nothing on disk.
func (b *bench) startRedis(ctx context.Context) (*store, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is missing: apt-get install redis-server")
	}
	s := &store{}
	if s.direct, err = freeAddress(); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(s.direct)
	if err != nil {
		return nil, err
	}
	if s.process, err = b.startAs(nil, b.scratch, "redis", path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"); err != nil {
		return nil, err
	}
	if s.forwarder, err = forward("tcp", s.direct); err != nil {
		return nil, err
	}
	s.url = "redis://" + s.address()
	return s, s.waitFor(ctx, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", s.direct)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// usedMemory is what Redis says it holds, in bytes.
func (s *store) usedMemory() (float64, error) {
	conn, err := net.Dial("tcp", s.direct)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "INFO memory\r\n"); err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if value, found := strings.CutPrefix(strings.TrimSpace(lines.Text()), "used_memory:"); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.New("the memory that Redis uses is not in its INFO")
}

// connects says whether PostgreSQL takes connections: the answer to a request for
// TLS is one byte.
func (s *store) connects() error {
	conn, err := net.DialTimeout("tcp", s.direct, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// startAs runs a server as another user, with its output in a file.
func (b *bench) startAs(who *syscall.SysProcAttr, dir, label, path string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(b.scratch, label+".log"), done: make(chan error, 1), cmd: exec.Command(path, args...)}
	output, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr, p.cmd.Dir = output, output, who, dir
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", label, err)
	}
	b.atEnd(func() { p.cmd.Process.Kill() }) // it ended already when all went well
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// dirBytes is what the files below a directory take, where they match.
func dirBytes(dir string, count func(name string) bool) (float64, error) {
	total := 0.0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil || entry.IsDir() || !count(entry.Name()) {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += float64(info.Size())
		}
		return nil
	})
	return total, err
}
