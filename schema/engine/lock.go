package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockDirectory makes this process the only engine of dir until it ends. It
// waits for the engine of a parent that was killed, which is on its way out,
// but not for ever: another server may be using the directory.
func lockDirectory(dir string, wait time.Duration, stop <-chan struct{}) (*os.File, error) {
	path := filepath.Join(dir, "engine.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the engine's directory: %w", err)
	}
	for deadline := time.Now().Add(wait); ; {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if time.Now().After(deadline) {
			holder, _ := os.ReadFile(path)
			file.Close()
			return nil, &heldError{dir: dir, pid: strings.TrimSpace(string(holder)), wait: wait}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-stop:
			file.Close()
			return nil, ErrStopped
		}
	}
	if err := file.Truncate(0); err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return file, nil
}

// heldError says that another engine has the directory.
type heldError struct {
	dir, pid string
	wait     time.Duration
}

func (e *heldError) Error() string {
	return fmt.Sprintf("%s is held by another engine (process %s) and was not released within %s: stop the other server, or give this one another --data directory", e.dir, e.pid, e.wait)
}

// lockWait is how long Lock waits for an engine whose parent was killed.
const lockWait = 15 * time.Second

// Lock keeps every engine from dir until unlock, for work on its files.
func Lock(ctx context.Context, dir string) (unlock func() error, err error) {
	lock, err := lockDirectory(dir, lockWait, ctx.Done())
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}
