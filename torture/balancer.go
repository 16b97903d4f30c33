package main

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A balancer joins each connection to a tracker that says it is ready, in turn, as a
// load balancer does that knows nothing of HTTP but a health check. It tries nothing
// twice.
type balancer struct {
	listener net.Listener
	trackers []*server
	leave    context.CancelFunc
	inside   sync.WaitGroup
	turn     atomic.Int64

	mu    sync.Mutex
	ready []string
	open  map[net.Conn]bool
}

const healthEvery = 100 * time.Millisecond

func (t *trial) balance(ctx context.Context, trackers []*server) (*balancer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &balancer{listener: listener, trackers: trackers, open: map[net.Conn]bool{}}
	ctx, b.leave = context.WithCancel(ctx)
	b.inside.Go(func() { b.watch(ctx) })
	b.inside.Go(b.accept)
	t.atEnd(b.close)
	return b, nil
}

func (b *balancer) address() string { return b.listener.Addr().String() }

func (b *balancer) close() error {
	b.leave()
	err := b.listener.Close()
	b.mu.Lock()
	for conn := range b.open {
		conn.Close() // its other end notices
	}
	b.mu.Unlock()
	b.inside.Wait()
	return err
}

func (b *balancer) watch(ctx context.Context) {
	for sleep(ctx, healthEvery) == nil {
		var able []string
		for _, s := range b.trackers {
			if ready(ctx, s.tracker) == nil {
				able = append(able, s.tracker)
			}
		}
		b.mu.Lock()
		b.ready = able
		b.mu.Unlock()
	}
}

// sendsTo reports whether people are sent to a tracker.
func (b *balancer) sendsTo(tracker string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.ready, tracker)
}

func (b *balancer) accept() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.inside.Go(func() { b.join(client) })
	}
}

func (b *balancer) join(client net.Conn) {
	defer client.Close()
	b.mu.Lock()
	able := b.ready
	b.mu.Unlock()
	if len(able) == 0 {
		return
	}
	tracker, err := net.Dial("tcp", able[int(b.turn.Add(1))%len(able)])
	if err != nil {
		return
	}
	defer tracker.Close()
	b.mu.Lock()
	b.open[client], b.open[tracker] = true, true
	b.mu.Unlock()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, tracker}, {tracker, client}} {
		go func() {
			io.Copy(way[0], way[1]) // the end of either is that of both
			ended <- struct{}{}
		}()
	}
	<-ended
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, client)
	delete(b.open, tracker)
}
