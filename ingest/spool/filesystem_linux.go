package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves blocks. A file system without fallocate (NFS, some FUSE) gets zeros written.
func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return writeZeros(f, size)
		default:
			return err
		}
	}
}

func waitForSync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// madvPopulateWrite (Linux 5.14) takes the write faults of a range inside one system call. A fault taken by a plain
// store would hold its P for as long as the file system makes it wait; a system call gives the P away.
const madvPopulateWrite = 23

// touchPages is best effort: on an older kernel the first store of each page takes the fault instead.
func touchPages(b []byte) { _ = unix.Madvise(b, madvPopulateWrite) }
