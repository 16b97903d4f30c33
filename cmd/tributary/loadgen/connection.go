package loadgen

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxOutstanding bounds the requests of one connection that wait for an answer.
const maxOutstanding = 4096

// A connection is a socket that never blocks. Requests wait on it for their
// answers, oldest first.
type connection struct {
	file        *os.File
	fd          int
	outstanding queue
	unsent      []byte // what the socket did not take yet
	input       []byte // read, and not yet a whole head
	bodyBytes   int    // of the last answer, still to come
	idle        bool   // in the loop's list of those
}

// dial opens a connection.
func dial(address string, timeout time.Duration) (*connection, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File() // a descriptor of its own, out of the runtime's poller
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		file.Close()
		return nil, err
	}
	return &connection{file: file, fd: fd}, nil
}

// send writes a request, or keeps what the socket does not take.
func (c *connection) send(request []byte) error {
	if len(c.unsent) > 0 {
		c.unsent = append(c.unsent, request...)
		return nil
	}
	n, err := unix.Write(c.fd, request)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return err
	}
	c.unsent = append(c.unsent, request[max(n, 0):]...)
	return nil
}

// flush writes what was kept.
func (c *connection) flush() error {
	n, err := unix.Write(c.fd, c.unsent)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return err
	}
	c.unsent = append(c.unsent[:0], c.unsent[max(n, 0):]...)
	return nil
}

// errLost is for a connection that ended, with or without its answers.
var errLost = errors.New("connection lost")

// receive reads what is there and hands on each answer. The buffer is anybody's
// between two calls.
func (c *connection) receive(buffer []byte, answered func(answer)) error {
	n, err := unix.Read(c.fd, buffer)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil || n <= 0:
		return errLost
	}
	data := buffer[:n]
	if len(c.input) > 0 {
		c.input = append(c.input, data...)
		data = c.input
	}
	for len(data) > 0 {
		if c.bodyBytes > 0 {
			skipped := min(c.bodyBytes, len(data))
			c.bodyBytes, data = c.bodyBytes-skipped, data[skipped:]
			continue
		}
		a, headBytes, err := readHead(data)
		if err != nil {
			return err
		}
		if headBytes == 0 {
			break
		}
		if c.outstanding.len() == 0 {
			return errMalformed // nobody asked
		}
		answered(a)
		c.bodyBytes, data = a.bodyBytes, data[headBytes:]
		if a.closes {
			return errLost
		}
	}
	c.input = append(c.input[:0], data...)
	return nil
}

// A queue holds the intended times of requests, since the run's start.
type queue struct {
	times []time.Duration
	first int
}

func (q *queue) len() int { return len(q.times) - q.first }

func (q *queue) push(t time.Duration) {
	if q.first == len(q.times) {
		q.times, q.first = q.times[:0], 0
	}
	q.times = append(q.times, t)
}

func (q *queue) oldest() time.Duration { return q.times[q.first] }

func (q *queue) pop() time.Duration {
	t := q.times[q.first]
	q.first++
	return t
}
