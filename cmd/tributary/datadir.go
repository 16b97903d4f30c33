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
	d := &dataDir{path: path, lock: lock}
	if d.fresh, err = isFresh(path); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// isFresh reports whether nothing is stored in a directory, which need not exist.
func isFresh(path string) (bool, error) {
	for _, name := range []string{secretsFile, spoolDir, enginePath, databaseFile} {
		if _, err := os.Lstat(filepath.Join(path, name)); err == nil {
			return false, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("look into the data directory: %w", err)
		}
	}
	return true, nil
}

// mustHoldData refuses a directory that no Tributary has stored anything in, before
// a verb makes it.
func mustHoldData(path string) error {
	fresh, err := isFresh(path)
	if err == nil && fresh {
		err = fmt.Errorf("there is no Tributary in %s: name its directory with --data", path)
	}
	return err
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
type inUseError struct {
	path, process string
	machine       string // empty: this one, or not known
}

func (e *inUseError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by process %s: stop that one first, or name another directory with --data", e.path, e.process)
}

// takeLock locks the file and writes this process's number into it, or says
// whose it is. The kernel lets go when the process ends, however it does.
func takeLock(lock *os.File, path string) error {
	err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner := make([]byte, 300)
		n, _ := lock.ReadAt(owner, 0)
		process, machine, _ := strings.Cut(strings.TrimSpace(string(owner[:n])), " ")
		if machine == machineName() {
			machine = ""
		}
		if machine != "" { // a disk that machines share
			process += " on " + machine
		}
		return &inUseError{path, process, machine}
	}
	if err != nil {
		return fmt.Errorf("lock the data directory %s: %w; it must be on a local file system", path, err)
	}
	if err := lock.Truncate(0); err != nil {
		return unwritable(path, err)
	}
	if _, err := lock.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), machineName()), 0); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// machineName names this machine for people; empty where it has no name.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
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
