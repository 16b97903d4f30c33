package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A clickhouse is a ClickHouse that is no child of the server: the engine that the
// binary embeds, run by itself, with a proxy before it that the server takes for
// ClickHouse.
type clickhouse struct {
	t       *trial
	dir     string
	socket  string
	readers string // loopback HTTP, past the proxy
	proxy   *proxy

	cmd    *exec.Cmd
	orders *os.File
}

// newClickHouse starts one.
func (t *trial) newClickHouse(ctx context.Context) (*clickhouse, error) {
	private, err := os.MkdirTemp("", "torture-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	t.atEnd(func() error { return os.RemoveAll(private) })
	c := &clickhouse{t: t, dir: filepath.Join(t.dir, "clickhouse"), socket: filepath.Join(private, "engine.sock")}
	if c.readers, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	if c.proxy, err = newProxy(c.socket, t.random.Uint64()); err != nil {
		return nil, err
	}
	t.atEnd(c.proxy.close)
	t.atEnd(c.kill)
	return c, c.start(ctx)
}

// dsn is where the server finds it. The engine takes bodies as they are.
func (c *clickhouse) dsn() string { return "http://" + c.proxy.address() + "/tributary?compress=none" }

// start runs the engine by the binary's hidden verb, as `serve` does: told what to
// do by JSON, with a pipe whose end is its own and one for its first word.
func (c *clickhouse) start(ctx context.Context) error {
	config, err := json.Marshal(map[string]any{
		"dir": c.dir, "socket": c.socket, "library": c.t.library, "listen": c.readers,
		"max_memory_bytes": 1 << 30, "max_query_memory_bytes": 384 << 20, "max_threads": 2, "max_queries": 4, "max_body_bytes": 256 << 20,
		"lock_wait_ns": 15 * time.Second, "memory_return_ns": 10 * time.Second,
	})
	if err != nil {
		return err
	}
	ordersIn, ordersOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ordersIn.Close()
	reportIn, reportOut, err := os.Pipe()
	if err != nil {
		return errors.Join(err, ordersOut.Close())
	}
	defer reportIn.Close()
	output, err := os.OpenFile(filepath.Join(c.t.dir, "clickhouse.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, ordersOut.Close(), reportOut.Close())
	}
	defer output.Close()
	c.cmd = exec.Command(c.t.binary, "engine", "-config", string(config))
	c.cmd.Env = append(os.Environ(), "TZ=UTC")
	c.cmd.Stderr = output
	c.cmd.ExtraFiles = []*os.File{ordersIn, reportOut}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.orders = ordersOut
	err = c.cmd.Start()
	reportOut.Close()
	if err != nil {
		c.cmd = nil
		return errors.Join(err, ordersOut.Close())
	}
	line, err := bufio.NewReader(reportIn).ReadString('\n')
	if err != nil || !strings.Contains(line, `"version"`) {
		return fmt.Errorf("the engine does not start: %s (%v)", line, err)
	}
	return within(ctx, 20*time.Second, func() error {
		request, err := http.NewRequest(http.MethodGet, "http://"+c.readers+"/ping", nil)
		if err != nil {
			return err
		}
		_, _, err = answerTo(request)
		return err
	})
}

// kill ends the engine as a crash does.
func (c *clickhouse) kill() error {
	if c.cmd == nil {
		return nil
	}
	c.cmd.Process.Kill() // an error means that it ended already
	c.cmd.Wait()         // killed, as it was meant to be
	c.cmd = nil
	return c.orders.Close()
}
