package main

import (
	"bufio"
	"net"
	"testing"
)

func TestForwarderCountsWhatPassesAndCanBeAway(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				line, _ := bufio.NewReader(conn).ReadString('\n')
				_, _ = conn.Write([]byte(line + line)) // the test sees what came
				conn.Close()
			}()
		}
	}()
	f, err := forward("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		conn, err := net.Dial("tcp", f.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("hello\n")) // while it is away this may fail or not
		answer, _ := bufio.NewReader(conn).ReadString('\n')
		return answer
	}
	if got := ask(); got != "hello\n" {
		t.Fatalf("through the forwarder comes %q", got)
	}
	f.away(true)
	if got := ask(); got != "" {
		t.Errorf("while it is away comes %q", got)
	}
	f.away(false)
	if got := ask(); got != "hello\n" {
		t.Errorf("once it is back comes %q", got)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if there, back := f.there.Load(), f.back.Load(); there != 12 || back < 12 || back > 24 {
		t.Errorf("%d bytes were counted on the way there and %d back", there, back)
	}
}
