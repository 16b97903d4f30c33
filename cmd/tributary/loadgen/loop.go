package loadgen

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The kinds of errors.
const (
	errorConnect = "connect"
	errorTimeout = "timeout"
	errorLost    = "connection lost"
	errorAnswer  = "malformed answer"
	errorBacklog = "backlog" // every connection had maxOutstanding
)

const (
	sweepEvery    = 100 * time.Millisecond // for answers that do not come
	redialAfter   = 50 * time.Millisecond
	progressEvery = time.Second
	readBytes     = 64 << 10
	sendAtMost    = 64 // before answers are looked for again
)

// A loop sends each request when it is due and reads the answers, all in one
// thread: a goroutine for every connection would wait for its turn, and measure
// that. A request goes to a connection without another one while there is such.
type loop struct {
	*plan
	open    []*connection
	sockets []unix.PollFd // of open, in its order
	idle    []*connection // used in turn; those with idle false were lost meanwhile
	turn    int           // of the next connection when none is idle
	dialled chan *connection
	dialing int
	buffer  []byte
	swept   time.Duration
	told    time.Duration
	result  tally
}

// A tally is what a loop counted.
type tally struct {
	due, sent  uint64
	latency    histogram
	lag        histogram // of sending behind the intended time: the generator's own slowness
	statuses   map[int]uint64
	errors     map[string]uint64
	lastAnswer time.Duration
}

// newLoop opens the connections. Those that cannot be made are tried again while
// it runs.
func newLoop(p *plan) *loop {
	l := &loop{
		plan: p, buffer: make([]byte, readBytes), dialled: make(chan *connection, p.Connections),
		result: tally{statuses: map[int]uint64{}, errors: map[string]uint64{}},
	}
	for len(l.open) < p.Connections {
		c, err := dial(p.address, p.Timeout)
		if err != nil {
			break
		}
		l.add(c)
	}
	for range p.Connections - len(l.open) {
		l.dial()
	}
	return l
}

func (l *loop) add(c *connection) {
	l.open = append(l.open, c)
	l.sockets = append(l.sockets, unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN})
	l.rest(c)
}

func (l *loop) rest(c *connection) {
	if !c.idle {
		c.idle = true
		l.idle = append(l.idle, c)
	}
}

func (l *loop) now() time.Duration { return time.Since(l.start) }

// run sends until all that is due was sent and answered, or failed.
func (l *loop) run(ctx context.Context, progress func(time.Duration, uint64)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.close()
	sharpen()
	for sending := true; ; {
		if sending {
			sending = l.sendDue() && ctx.Err() == nil
		} else if l.answeredAll() {
			return nil
		}
		if err := l.await(sending); err != nil {
			return err
		}
		l.takeDialled()
		l.sweep(progress)
	}
}

// sendDue sends what is due, and reports whether more will be.
func (l *loop) sendDue() bool {
	for range sendAtMost {
		due := l.due(l.result.due)
		if due >= l.Duration {
			return false
		}
		now := l.now()
		if due > now {
			return true
		}
		request := l.requests[l.result.due%uint64(len(l.requests))]
		l.result.due++
		c, problem := l.choose()
		if c == nil {
			l.result.errors[problem]++
			continue
		}
		c.outstanding.push(due)
		l.result.lag.record(now - due)
		l.result.sent++
		if err := c.send(request); err != nil {
			l.lose(c, errorLost)
		}
	}
	return true
}

// choose finds a connection for the next request, or says why there is none.
func (l *loop) choose() (c *connection, problem string) {
	for len(l.idle) > 0 {
		c, l.idle = l.idle[0], l.idle[1:]
		if c.idle {
			c.idle = false
			return c, ""
		}
	}
	if len(l.open) == 0 {
		return nil, errorConnect
	}
	l.turn = (l.turn + 1) % len(l.open)
	if c := l.open[l.turn]; c.outstanding.len() < maxOutstanding {
		return c, ""
	}
	return nil, errorBacklog
}

// await waits for answers until the next request is due, and reads them.
func (l *loop) await(sending bool) error {
	wake := l.swept + sweepEvery
	if sending {
		wake = min(wake, l.due(l.result.due))
	}
	for i, c := range l.open {
		l.sockets[i].Events = unix.POLLIN
		if len(c.unsent) > 0 {
			l.sockets[i].Events |= unix.POLLOUT
		}
	}
	if err := wait(l.sockets, wake-l.now()); err != nil {
		return fmt.Errorf("wait for answers: %w", err)
	}
	for i := len(l.open) - 1; i >= 0; i-- { // losing one moves the last into its place
		if events := l.sockets[i].Revents; events != 0 {
			l.serve(l.open[i], events)
		}
	}
	return nil
}

// serve does what a connection is ready for.
func (l *loop) serve(c *connection, events int16) {
	if events&unix.POLLOUT != 0 {
		if err := c.flush(); err != nil {
			l.lose(c, errorLost)
			return
		}
	}
	if events&^unix.POLLOUT == 0 {
		return
	}
	err := c.receive(l.buffer, func(a answer) {
		l.result.lastAnswer = l.now()
		l.result.latency.record(l.result.lastAnswer - c.outstanding.pop())
		l.result.statuses[a.status]++
	})
	switch {
	case errors.Is(err, errMalformed):
		l.lose(c, errorAnswer)
	case err != nil:
		l.lose(c, errorLost)
	case c.outstanding.len() == 0:
		l.rest(c)
	}
}

// lose closes a connection, counts what waits on it under one error, and has
// another one opened.
func (l *loop) lose(c *connection, problem string) {
	l.result.errors[problem] += uint64(c.outstanding.len())
	for i := range l.open {
		if l.open[i] == c {
			last := len(l.open) - 1
			l.open[i], l.sockets[i] = l.open[last], l.sockets[last]
			l.open, l.sockets = l.open[:last], l.sockets[:last]
			break
		}
	}
	c.idle = false
	c.file.Close()
	l.dial()
}

// dial has a connection opened while the loop goes on.
func (l *loop) dial() {
	l.dialing++
	go func() {
		c, err := dial(l.address, l.Timeout)
		if err != nil {
			time.Sleep(redialAfter)
		}
		l.dialled <- c
	}()
}

// takeDialled takes in connections that were opened meanwhile.
func (l *loop) takeDialled() {
	for l.dialing > 0 {
		select {
		case c := <-l.dialled:
			l.dialing--
			if c == nil {
				l.dial()
				return
			}
			l.add(c)
		default:
			return
		}
	}
}

// sweep gives up on answers that are overdue, and tells how far the run is.
func (l *loop) sweep(progress func(time.Duration, uint64)) {
	now := l.now()
	if now-l.swept < sweepEvery {
		return
	}
	l.swept = now
	for i := len(l.open) - 1; i >= 0; i-- {
		if c := l.open[i]; c.outstanding.len() > 0 && now-c.outstanding.oldest() > l.Timeout {
			l.lose(c, errorTimeout)
		}
	}
	if progress != nil && now-l.told >= progressEvery {
		l.told = now
		progress(now, l.result.sent)
	}
}

func (l *loop) answeredAll() bool {
	for _, c := range l.open {
		if c.outstanding.len() > 0 {
			return false
		}
	}
	return true
}

func (l *loop) close() {
	for _, c := range l.open {
		c.file.Close()
	}
}
