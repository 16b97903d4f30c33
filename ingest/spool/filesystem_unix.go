package spool

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var errLocked = errors.New("locked by another process")

const pageBytes = 4096

// operatingSystem is the real fileSystem.
type operatingSystem struct{ disk *disk }

func (operatingSystem) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func (operatingSystem) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (s operatingSystem) Open(path string, create bool) (file, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{f, s.disk}, nil
}

func (operatingSystem) Rename(from, to string) error { return os.Rename(from, to) }
func (operatingSystem) Remove(path string) error     { return os.Remove(path) }

func (operatingSystem) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (operatingSystem) Space(dir string) (free, size uint64, err error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return disk.Bavail * uint64(disk.Bsize), disk.Blocks * uint64(disk.Bsize), nil
}

func (operatingSystem) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("flock %s: %w", path, err)
	}
	return f, nil
}

func (s operatingSystem) Close() error { return s.disk.Close() }

type osFile struct {
	*os.File
	disk *disk
}

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Allocate(size int64) error { return allocate(f.File, size) }
func (f *osFile) Sync() error               { return f.disk.Sync(f.File) }

func (f *osFile) Map(size int) (mapping, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return osMapping(b), nil
}

type osMapping []byte

func (m osMapping) Bytes() []byte { return m }

func (m osMapping) Touch(from, to int) {
	from &^= pageBytes - 1
	to = min((to+pageBytes-1)&^(pageBytes-1), len(m))
	if from < to {
		touchPages(m[from:to])
	}
}

func (m osMapping) Unmap() error { return unix.Munmap(m) }

// writeZeros gives a file real blocks where the file system cannot reserve them.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if err := writeFull(f, zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}
