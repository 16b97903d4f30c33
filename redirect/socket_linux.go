//go:build linux && !race

package redirect

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// A socket reads and writes a TCP connection by recv and send. Nearly all of a
// redirect's time is spent in these two calls. net.Conn takes them as read and
// write, which pass through the kernel's file layer first, and tells the scheduler
// of each, which is for calls that may block: these never do.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	receive func(fd uintptr) (done bool)
	send    func(fd uintptr) (done bool)

	input, output transfer
}

// A transfer is one Read or Write under way.
type transfer struct {
	data  []byte
	count int
	errno syscall.Errno
}

func newSocket(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	s := &socket{Conn: conn, raw: raw}
	s.receive = func(fd uintptr) bool { return s.input.once(syscall.SYS_RECVFROM, fd, 0) }
	s.send = func(fd uintptr) bool {
		for s.output.once(syscall.SYS_SENDTO, fd, syscall.MSG_NOSIGNAL) {
			if s.output.errno != 0 || len(s.output.data) == 0 {
				return true
			}
		}
		return false
	}
	return s
}

// once makes one call; it is not done when the socket is not ready.
func (t *transfer) once(call, fd, flags uintptr) (done bool) {
	for {
		n, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.data))), uintptr(len(t.data)), flags, 0, 0)
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		case 0:
			t.count += int(n)
			t.data = t.data[n:]
		}
		t.errno = errno
		return true
	}
}

// finish ends a transfer and returns what it did.
func (t *transfer) finish(err error) (int, error) {
	count, errno := t.count, t.errno
	*t = transfer{}
	if err == nil && errno != 0 {
		err = errno
	}
	return count, err
}

func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.input.data = p
	n, err := s.input.finish(s.raw.Read(s.receive))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	s.output.data = p
	return s.output.finish(s.raw.Write(s.send))
}
