package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A forwarder stands between a client and a server, counts the bytes of each way,
// and can be away, as a network can.
type forwarder struct {
	listener    net.Listener
	network, to string
	serving     sync.WaitGroup
	there, back atomic.Int64 // bytes to the server, and from it

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// forward listens on loopback for a server's clients.
func forward(network, to string) (*forwarder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{listener: listener, network: network, to: to, conns: map[net.Conn]bool{}}
	f.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			f.serving.Go(func() { f.serve(conn) })
		}
	})
	return f, nil
}

func (f *forwarder) address() string { return f.listener.Addr().String() }

// bytes of both ways together.
func (f *forwarder) bytes() int64 { return f.there.Load() + f.back.Load() }

// serve passes bytes on until one side ends.
func (f *forwarder) serve(client net.Conn) {
	server, err := net.Dial(f.network, f.to)
	if err != nil {
		client.Close()
		return
	}
	if f.keep(client, server) {
		var passing sync.WaitGroup
		passing.Go(func() { f.pass(server, client, &f.there) })
		passing.Go(func() { f.pass(client, server, &f.back) })
		passing.Wait()
	}
	f.mu.Lock()
	delete(f.conns, client)
	delete(f.conns, server)
	f.mu.Unlock()
	client.Close()
	server.Close()
}

func (f *forwarder) pass(to, from net.Conn, count *atomic.Int64) {
	_, _ = io.Copy(io.MultiWriter(to, counter{count}), from) // either end may go at any time
	to.Close()
	from.Close()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// keep notes a pair of connections; false: nothing passes now.
func (f *forwarder) keep(client, server net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.down {
		f.conns[client], f.conns[server] = true, true
	}
	return !f.down
}

// away ends every connection and lets none pass until it is called with false.
func (f *forwarder) away(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down = down; down {
		f.hangUp()
	}
}

// hangUp is called with the lock held.
func (f *forwarder) hangUp() {
	for conn := range f.conns {
		conn.Close() // what passes notices
	}
}

func (f *forwarder) close() error {
	err := f.listener.Close()
	f.away(true)
	f.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
