package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tributary/schema/database"
)

// A dataDir is the directory one process stores everything in, locked against
// every other.
type dataDir struct {
	path  string
	lock  *os.File
	fresh bool // nothing had been stored in it when it was opened
}

// What the data directory holds.
const (
	lockFile      = "lock"
	secretsFile   = "secrets.json"
	saltsFile     = "visitor-salts.json"
	spoolDir      = "spool"
	quarantineDir = "quarantine"
	enginePath    = "clickhouse"
	linksDir      = "links"
	databaseFile  = database.FileName
)

// openDataDir makes the directory when it is missing, and locks it until Close.
func openDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unwritable(path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unwritable(path, err)
	}
	if err := takeLock(lock, path); err != nil {
		lock.Close()
		return nil, err
	}
	d := &dataDir{path: path, lock: lock, fresh: true}
	for _, name := range []string{secretsFile, spoolDir, enginePath, databaseFile} {
		if _, err := os.Lstat(d.file(name)); err == nil {
			d.fresh = false
		} else if !errors.Is(err, fs.ErrNotExist) {
			d.Close()
			return nil, fmt.Errorf("look into the data directory: %w", err)
		}
	}
	return d, nil
}

// file is the path of something in the directory.
func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// Close gives the directory up. The lock file stays: removing it would let a
// third process lock another file of the same name.
func (d *dataDir) Close() error { return d.lock.Close() }

func unwritable(path string, err error) error {
	return fmt.Errorf("the data directory %s cannot be written: %w; give the user this process runs as the right to, or name another with --data", path, rootCause(err))
}

// An inUseError names the process that has the directory.
type inUseError struct{ path, process string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by process %s: stop that one first, or name another directory with --data", e.path, e.process)
}

// takeLock locks the file and writes this process's number into it, or says
// whose it is. The kernel lets go when the process ends, however it does.
func takeLock(lock *os.File, path string) error {
	err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner := make([]byte, 20)
		n, _ := lock.ReadAt(owner, 0)
		return &inUseError{path, strings.TrimSpace(string(owner[:n]))}
	}
	if err != nil {
		return fmt.Errorf("lock the data directory %s: %w; it must be on a local file system", path, err)
	}
	if err := lock.Truncate(0); err != nil {
		return unwritable(path, err)
	}
	if _, err := lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// replaceFile puts content at path in one step, readable by its owner alone and
// on disk before it returns.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a directory's names durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
