package spool

import (
	"io"
	"os"
)

// fileSystem is all the package asks of the operating system. Tests put faults and power cuts behind it.
type fileSystem interface {
	MkdirAll(dir string) error
	ReadDir(dir string) ([]string, error)
	// Open opens a file for reading and writing; create makes it when it does not exist.
	Open(path string, create bool) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Space is what a disk has left for this process, and what it holds in all, in bytes.
	Space(dir string) (free, size uint64, err error)
	// Lock takes the directory for this process, or fails with errLocked.
	Lock(path string) (io.Closer, error)
	// Close gives back what the file system itself holds, once all its files are closed.
	Close() error
}

// file is one open file. Sync makes data and size durable; after it failed once its later successes mean nothing.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves real space, so that neither a write nor a store into a mapping can run out of it.
	Allocate(size int64) error
	Sync() error
	// Map maps the first size bytes, shared: a store survives the process the moment it is made.
	Map(size int) (mapping, error)
}

// mapping is a file's shared memory.
type mapping interface {
	Bytes() []byte
	// Touch makes the pages of [from, to) writable now, so that a later store takes no page fault.
	Touch(from, to int)
	Unmap() error
}

// writeFull writes all of p at off, however short the single writes are.
func writeFull(f io.WriterAt, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := f.WriteAt(p, off)
		if n <= 0 && err == nil {
			err = io.ErrShortWrite
		}
		if err != nil && n < len(p) {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readUpTo reads len(p) bytes at off, fewer only at the end of the file.
func readUpTo(f io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// removeAll removes what it can; what is left is found again at the next Open.
func removeAll(fs fileSystem, paths []string) error {
	var first error
	for _, path := range paths {
		if err := fs.Remove(path); err != nil && !os.IsNotExist(err) && first == nil {
			first = err
		}
	}
	return first
}
