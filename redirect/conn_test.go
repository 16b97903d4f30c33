package redirect

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// startSwept serves pages with a short timeout and returns its address.
func startSwept(t *testing.T, timeout time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") }, CloseOnShutdown: true}
	served := make(chan error, 1)
	go func() { served <- server.Serve(newSweeper(listener, timeout, maxConnections, new(atomic.Uint64))) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// closedAfter reads until the server closes the connection and returns how long
// that took.
func closedAfter(t *testing.T, conn net.Conn, began time.Time) time.Duration {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("the connection was not closed within 20 s")
		}
	}
	return time.Since(began)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	const timeout = time.Second
	address := startSwept(t, timeout)
	for name, send := range map[string]func(net.Conn){
		"silent from the start":   func(net.Conn) {},
		"silent after a request":  func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: t\r\n\r\n") },
		"half a request":          func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHo") },
		"a header byte at a time": func(c net.Conn) { drip(c, "GET / HTTP/1.1\r\nX: ") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			began := time.Now()
			go send(conn)
			if took := closedAfter(t, conn, began); took < timeout*3/4-2*sweepEvery {
				t.Errorf("closed after %v, before its time of %v", took, timeout)
			}
		})
	}
}

// drip sends text and then single bytes until the connection is closed.
func drip(conn net.Conn, text string) {
	for _, err := io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, "x") {
		time.Sleep(50 * time.Millisecond)
	}
}

func TestBusyConnectionsLiveOn(t *testing.T) {
	const timeout = time.Second
	address := startSwept(t, timeout)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 512)
	for began := time.Now(); time.Since(began) < 3*timeout; time.Sleep(100 * time.Millisecond) {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: t\r\n\r\n"); err != nil {
			t.Fatalf("a busy connection was closed after %v: %v", time.Since(began), err)
		}
		if _, err := conn.Read(answer); err != nil {
			t.Fatalf("a busy connection was closed after %v: %v", time.Since(began), err)
		}
	}
}

// A poorListener has no file for a connection, now and then.
type poorListener struct {
	net.Listener
	failures []error
}

func (l *poorListener) Accept() (net.Conn, error) {
	if len(l.failures) > 0 {
		err := l.failures[0]
		l.failures = l.failures[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestAcceptingOutlastsAKernelWithoutFiles(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failure := func(errno syscall.Errno) error {
		return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
	}
	poor := &poorListener{listener, []error{failure(syscall.EMFILE), failure(syscall.ENFILE), failure(syscall.ECONNABORTED), failure(syscall.ENOBUFS)}}
	s := newSweeper(poor, time.Second, maxConnections, new(atomic.Uint64))
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := s.Accept()
	if err != nil {
		t.Fatalf("accepting ended: %v", err)
	}
	if err := errors.Join(conn.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting on a closed listener: %v", err)
	}
}
