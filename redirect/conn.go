package redirect

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Timeouts are kept here and not in fasthttp, which would set three deadlines,
// each a runtime timer and a look at the clock, for every request. A connection
// notes on the sweeper's coarse clock when its current step must have ended; once
// a sweepEvery the sweeper closes those that are late.
const sweepEvery = 250 * time.Millisecond

// A sweeper accepts connections and closes the ones that take too long.
type sweeper struct {
	net.Listener
	timeout time.Duration // of one step, overrun by at most twice sweepEvery
	clock   atomic.Int64  // ticks since the listener was opened
	mu      sync.Mutex
	open    map[*timedConn]struct{}
	stopped chan struct{}
	stop    sync.Once
}

func newSweeper(listener net.Listener, timeout time.Duration) *sweeper {
	s := &sweeper{Listener: listener, timeout: timeout, open: map[*timedConn]struct{}{}, stopped: make(chan struct{})}
	go s.sweep()
	return s
}

// Accept returns the next connection, its first step begun.
func (s *sweeper) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &timedConn{Conn: newSocket(conn), sweeper: s}
	c.begin()
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	return c, nil
}

// Close stops accepting. The connections that are open go on, and are swept until
// the last has ended. It may be called again.
func (s *sweeper) Close() (err error) {
	s.stop.Do(func() {
		close(s.stopped)
		err = s.Listener.Close()
	})
	return err
}

func (s *sweeper) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for stopped, closing := s.stopped, false; ; {
		select {
		case <-ticker.C:
			s.closeLate(s.clock.Add(1))
		case <-stopped:
			stopped, closing = nil, true
		}
		if closing && s.idle() {
			return
		}
	}
}

func (s *sweeper) closeLate(now int64) {
	s.hangUp(func(c *timedConn) bool { return c.due.Load() < now })
}

// hangUp closes the connections that are meant.
func (s *sweeper) hangUp(meant func(*timedConn) bool) {
	s.mu.Lock()
	var all []*timedConn
	for c := range s.open {
		if meant(c) {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // its worker finds out by the failed read or write
	}
}

func (s *sweeper) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0
}

// A timedConn goes through its steps in turn: waiting for and reading a request,
// writing the answer. A step has its time as a whole, however many reads or
// writes it takes, so that a client cannot stretch it byte by byte. One goroutine
// reads and writes, as fasthttp's workers do.
type timedConn struct {
	net.Conn
	sweeper  *sweeper
	due      atomic.Int64 // on the sweeper's clock
	heard    atomic.Bool  // the client has sent something, ever
	answered bool
}

func (c *timedConn) begin() {
	c.due.Store(c.sweeper.clock.Load() + int64(c.sweeper.timeout/sweepEvery))
}

func (c *timedConn) Read(p []byte) (int, error) {
	if c.answered {
		c.answered = false
		c.begin()
		// The next request is hardly ever there yet. Whoever is ready goes first, and
		// often spares this read an empty try and a wait in the poller.
		runtime.Gosched()
	}
	n, err := c.Conn.Read(p)
	if n > 0 && !c.heard.Load() {
		c.heard.Store(true)
	}
	return n, err
}

func (c *timedConn) Write(p []byte) (int, error) {
	if !c.answered {
		c.answered = true
		c.begin()
	}
	return c.Conn.Write(p)
}

func (c *timedConn) Close() error {
	c.sweeper.mu.Lock()
	delete(c.sweeper.open, c)
	c.sweeper.mu.Unlock()
	return c.Conn.Close()
}
