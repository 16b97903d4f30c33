package spool

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk calls fsync without a thread of ours waiting in it. A thread that blocks in a system call keeps its P until the
// runtime notices, and then others are started and stopped around it: on one core that costs more than the fsync. Here
// the kernel works on it (asynchronous I/O, io_submit(2) with IOCB_CMD_FDSYNC, Linux 4.18) and the goroutine waits in
// the poller, as for a socket.
type disk struct {
	free chan *kernelQueue
}

// kernelQueue takes one fsync at a time.
type kernelQueue struct {
	context uintptr  // aio_context_t
	done    *os.File // an eventfd: readable when the fsync is over
	doneFD  uint32   // of done; asking it would take it out of the poller

	count      [8]byte
	blocks     [1]*controlBlock
	completion completion
}

// diskQueues is how many fsyncs may be under way at once. Who finds none free waits in the system call.
const diskQueues = 2

// openDisk returns nil where the kernel does not take fsyncs (an old one, a sandbox): Sync then waits in the system call.
func openDisk() *disk {
	d := &disk{free: make(chan *kernelQueue, diskQueues)}
	for range diskQueues {
		q, err := newKernelQueue()
		if err != nil {
			_ = d.Close()
			return nil
		}
		d.free <- q
	}
	return d
}

func newKernelQueue() (*kernelQueue, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	q := &kernelQueue{done: os.NewFile(uintptr(fd), "eventfd"), doneFD: uint32(fd), blocks: [1]*controlBlock{new(controlBlock)}}
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&q.context)), 0); errno != 0 {
		q.done.Close()
		return nil, errno
	}
	return q, nil
}

// Close gives the kernel's queues back. Nothing may be under way.
func (d *disk) Close() error {
	if d == nil {
		return nil
	}
	var errs []error
	for range len(d.free) {
		q := <-d.free
		if _, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, q.context, 0, 0); errno != 0 {
			errs = append(errs, fmt.Errorf("io_destroy: %w", errno))
		}
		errs = append(errs, q.done.Close())
	}
	return errors.Join(errs...)
}

// Sync makes a file's data durable.
func (d *disk) Sync(f *os.File) error {
	if d == nil {
		return waitForSync(f)
	}
	select {
	case q := <-d.free:
		defer func() { d.free <- q }()
		if err := q.submit(f); err != nil {
			return waitForSync(f) // the file system does not know how
		}
		return q.wait()
	default:
		return waitForSync(f)
	}
}

// controlBlock is struct iocb of linux/aio_abi.h.
type controlBlock struct {
	_         uint64    // aio_data
	_         [2]uint32 // aio_key, aio_rw_flags: in this order or the other
	operation uint16
	_         uint16 // aio_reqprio
	fd        uint32
	_         [4]uint64 // aio_buf, aio_nbytes, aio_offset, reserved
	flags     uint32
	eventfd   uint32
}

const (
	operationDataSync = 3 // IOCB_CMD_FDSYNC
	flagEventfd       = 1 // IOCB_FLAG_RESFD
)

func (q *kernelQueue) submit(f *os.File) error {
	*q.blocks[0] = controlBlock{operation: operationDataSync, fd: uint32(f.Fd()), flags: flagEventfd, eventfd: q.doneFD}
	_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, q.context, uintptr(len(q.blocks)), uintptr(unsafe.Pointer(&q.blocks)))
	if errno != 0 {
		return errno
	}
	return nil
}

// completion is struct io_event.
type completion struct {
	_      [2]uint64 // data, obj
	result int64
	_      int64 // res2
}

// wait returns what the fsync returned.
func (q *kernelQueue) wait() error {
	if _, err := q.done.Read(q.count[:]); err != nil {
		return fmt.Errorf("wait for an fsync: %w", err)
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, q.context, 1, 1, uintptr(unsafe.Pointer(&q.completion)), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return fmt.Errorf("io_getevents: %w", errno)
		case n != 1:
			return errors.New("io_getevents: no completion")
		case q.completion.result < 0:
			return syscall.Errno(-q.completion.result)
		default:
			return nil
		}
	}
}
