package redirect

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// sockets makes a connection: the socket under test and its client.
func sockets(t *testing.T) (server net.Conn, client *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server, client = newSocket(accepted), dialled.(*net.TCPConn)
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

func TestSocketCarriesMoreThanItsBuffersHold(t *testing.T) {
	server, client := sockets(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	go func() {
		defer client.CloseWrite()
		if _, err := io.Copy(client, io.LimitReader(client, int64(len(sent)))); err != nil {
			t.Error(err)
		}
	}()
	go func() {
		if n, err := server.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d of %d: %v", n, len(sent), err)
		}
	}()
	back, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(back, sent) {
		t.Errorf("%d of %d bytes came back: %v", len(back), len(sent), err)
	}
}

func TestSocketSaysThatItsClientIsGone(t *testing.T) {
	server, client := sockets(t)
	if err := client.SetLinger(0); err != nil { // closing resets the connection
		t.Fatal(err)
	}
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

func TestClosingASocketEndsItsRead(t *testing.T) {
	server, _ := sockets(t)
	time.AfterFunc(10*time.Millisecond, func() { server.Close() })
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}
