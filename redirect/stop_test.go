package redirect

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestShutdownEndsConnectionsWithAnAnswer stops a tracker that has a connection
// kept alive, one with half a request, and one that never spoke.
func TestShutdownEndsConnectionsWithAnAnswer(t *testing.T) {
	tr := startTracker(t)
	open := func(send string) (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(tr.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
		return conn, bufio.NewReader(conn)
	}
	answered := func(r *bufio.Reader, last bool) {
		t.Helper()
		response, err := http.ReadResponse(r, nil)
		if err != nil || response.StatusCode != http.StatusFound || response.Close != last {
			t.Fatalf("answered %v (%v), want a redirect, the connection's last: %t", response, err, last)
		}
	}
	request := fmt.Sprintf("GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nUser-Agent: %s\r\n\r\n", chrome)
	kept, keptAnswers := open(request)
	answered(keptAnswers, false)
	half, halfAnswers := open(request[:20])
	_, silence := open("")

	ended := make(chan error, 1)
	go func() { ended <- tr.Shutdown(context.Background()) }()
	for tr.Ready() == nil {
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(kept, request); err != nil {
		t.Fatal(err)
	}
	answered(keptAnswers, true)
	if _, err := silence.ReadByte(); err != io.EOF {
		t.Errorf("a connection nobody spoke on ended with %v", err)
	}
	if _, err := io.WriteString(half, request[20:]); err != nil {
		t.Fatal(err)
	}
	answered(halfAnswers, true)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
