package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves blocks, contiguous or not, then sets the size.
func allocate(f *os.File, size int64) error {
	store := unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: size}
	if err := unix.FcntlFstore(f.Fd(), unix.F_PREALLOCATE, &store); err != nil {
		return writeZeros(f, size)
	}
	return f.Truncate(size)
}

// syncData asks for F_FULLFSYNC, as os does: a plain fsync stops at the drive's cache.
// disk has nothing to hand an fsync to here: it waits in the system call.
type disk struct{}

func openDisk() *disk               { return nil }
func (*disk) Close() error          { return nil }
func (*disk) Sync(f *os.File) error { return f.Sync() }

// touchPages leaves the faults to the stores: there is no call that takes write faults ahead.
func touchPages([]byte) {}
