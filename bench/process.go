package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The cores servers and generators are pinned to.
const (
	serverCore    = "0"
	generatorCore = "1"
	allCores      = ""
)

// findTool also looks where Debian puts servers, which is not in every PATH.
func findTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

// pinned is a command on one core, or on all.
func pinned(ctx context.Context, core, name string, args ...string) (*exec.Cmd, error) {
	path, err := findTool(name)
	if err != nil {
		return nil, err
	}
	if core != allCores {
		args = append([]string{"-c", core, path}, args...)
		path = "taskset"
	}
	return exec.CommandContext(ctx, path, args...), nil
}

// A process is a server the bench started.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

// start runs a server with its output in a file, until stop.
func (b *bench) start(ctx context.Context, core, label, name string, env []string, args ...string) (*process, error) {
	cmd, err := pinned(ctx, core, name, args...)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: filepath.Join(b.scratch, label+".log"), done: make(chan error, 1)}
	output, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = b.scratch
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", label, err)
	}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// stop ends the process in good order, or by force after 20 s.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(20 * time.Second):
		return errors.Join(p.cmd.Process.Kill(), errors.New("it did not stop within 20 s"))
	}
}

// waitFor polls until check succeeds; it gives up when the process ended or the
// time is over, with the end of its log.
func (p *process) waitFor(ctx context.Context, limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case ended := <-p.done:
			return fmt.Errorf("%s ended: %v\n%s", p.cmd.Path, ended, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w after %s\n%s", err, limit, p.tail())
		}
	}
}

func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// residentBytes is the memory of a process and of its children.
func residentBytes(pid int) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(content))[1], 10, 64)
	if err != nil {
		return 0, err
	}
	total := pages * int64(os.Getpagesize())
	children, err := childrenOf(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children {
		below, err := residentBytes(child)
		if err != nil {
			return 0, err
		}
		total += below
	}
	return total, nil
}

// childrenOf names the living children of a process.
func childrenOf(pid int) (children []int, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // a child belongs to the thread that forked it
	if err != nil {
		return nil, err
	}
	for _, list := range threads {
		content, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(content)) {
			id, err := strconv.Atoi(child)
			if err != nil {
				return nil, err
			}
			children = append(children, id)
		}
	}
	return children, nil
}

// cpuTime is what a process has used of its cores so far, in its own code and in
// the kernel's on its behalf.
func cpuTime(pid int) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, behindName, _ := bytes.Cut(content, []byte(") "))
	fields := strings.Fields(string(behindName))
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ, the same on every Linux
	return time.Duration(ticks) * tick, nil
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

// output runs a generator and returns what it printed.
func output(ctx context.Context, core, name string, args ...string) ([]byte, error) {
	cmd, err := pinned(ctx, core, name, args...)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
