package redirect

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Timeouts are kept here and not in fasthttp, which would set three deadlines,
// each a runtime timer and a look at the clock, for every request. A connection
// notes on the sweeper's coarse clock when its current step must have ended; once
// a sweepEvery the sweeper closes those that are late.
const sweepEvery = 250 * time.Millisecond

// A sweeper accepts connections and closes the ones that take too long. There are
// never more than limit: one too many crowds out another that has waited long.
type sweeper struct {
	net.Listener
	timeout time.Duration // of one step at most, overrun by at most twice sweepEvery
	limit   int
	crowded *atomic.Uint64 // counts connections that were crowded out
	clock   atomic.Int64   // whole sweepEvery since the listener was opened
	mu      sync.Mutex
	open    map[*timedConn]struct{}
	number  uint64 // of the connection accepted last
	stopped chan struct{}
	stop    sync.Once
}

func newSweeper(listener net.Listener, timeout time.Duration, limit int, crowded *atomic.Uint64) *sweeper {
	s := &sweeper{Listener: listener, timeout: timeout, limit: limit, crowded: crowded, open: map[*timedConn]struct{}{}, stopped: make(chan struct{})}
	go s.sweep()
	return s
}

// Accept returns the next connection, its first step begun. It outlasts a kernel
// that has no file or memory for one now: fasthttp would stop serving.
func (s *sweeper) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err == nil {
			return s.admit(conn), nil
		}
		if !isPassing(err) {
			return nil, err
		}
		s.crowdOut()
		time.Sleep(acceptPause)
	}
}

// acceptPause is how long to wait before a connection is accepted that the kernel
// could not give.
const acceptPause = 10 * time.Millisecond

// isPassing reports an error of accept that a later one need not have.
func isPassing(err error) bool {
	for _, passing := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPERM} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

func (s *sweeper) admit(conn net.Conn) net.Conn {
	c := &timedConn{Conn: newSocket(conn), sweeper: s}
	c.begin()
	s.mu.Lock()
	s.number++
	c.number = s.number
	s.open[c] = struct{}{}
	full := len(s.open) > s.limit
	s.mu.Unlock()
	if full {
		s.crowdOut()
	}
	return c
}

// crowdSample is how many connections are looked at for the one to crowd out.
const crowdSample = 16

// crowdOut closes the connection that has been in its step longest of a few, as the
// map happens to show them. Who came to hold connections open has waited long, and
// a shopper has not.
func (s *sweeper) crowdOut() {
	var oldest *timedConn
	seen := 0
	s.mu.Lock()
	for c := range s.open {
		if oldest == nil || c.waitsLonger(oldest) {
			oldest = c
		}
		if seen++; seen == crowdSample {
			break
		}
	}
	s.mu.Unlock()
	if oldest != nil {
		s.crowded.Add(1)
		_ = oldest.Close() // its worker finds out by the failed read or write
	}
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
	opened := time.Now()
	for stopped, closing := s.stopped, false; ; {
		select {
		case <-ticker.C:
			now := int64(time.Since(opened) / sweepEvery) // a round that closes thousands takes longer than a tick
			s.clock.Store(now)
			s.closeLate(now)
		case <-stopped:
			stopped, closing = nil, true
		}
		if closing && s.idle() {
			return
		}
	}
}

// closeLate closes those whose time is over. Connections that were opened at once
// do not end at once: each has up to a quarter less than the timeout, by its number,
// so that thousands that say nothing leave time for those who do.
func (s *sweeper) closeLate(now int64) {
	spread := uint64(s.timeout/sweepEvery/4) + 1
	s.hangUp(func(c *timedConn) bool { return c.due.Load()-int64(c.number%spread) < now })
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
	number   uint64       // in the order of acceptance
	due      atomic.Int64 // on the sweeper's clock
	heard    atomic.Bool  // the client has sent something, ever
	answered bool
}

func (c *timedConn) begin() {
	c.due.Store(c.sweeper.clock.Load() + int64(c.sweeper.timeout/sweepEvery))
}

// waitsLonger reports whether c has been in its step longer than other. Where the
// coarse clock cannot tell, who never said anything has, then who came first.
func (c *timedConn) waitsLonger(other *timedConn) bool {
	if a, b := c.due.Load(), other.due.Load(); a != b {
		return a < b
	}
	if a, b := c.heard.Load(), other.heard.Load(); a != b {
		return b
	}
	return c.number < other.number
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
	if err == io.EOF && c.heard.Load() {
		// To fasthttp a body would be whole that a bare EOF cuts short. Between requests
		// it is all the same.
		err = io.ErrUnexpectedEOF
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
