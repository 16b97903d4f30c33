package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A crowd clicks links over keep-alive connections at a steady rate, whatever
// happens to the tracker. Each click carries its number in the journal as sub1.
type crowd struct {
	journal *journal
	tracker string
	slugs   []string
	leave   context.CancelFunc
	inside  sync.WaitGroup

	heavy      atomic.Bool  // clicks are long, to fill a disk
	unanswered atomic.Int64 // requests sent, at least in part, without a complete answer
	turnedAway atomic.Int64 // connections not taken
	otherwise  atomic.Int64 // complete answers that are no redirect

	mu    sync.Mutex
	times []uint32 // µs from when a click was due to its answer, since the last look
}

const (
	shopperPatience = 10 * time.Second
	browser         = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	// lateAnswer: the tracker gives up on a record after 100 ms. A click answered
	// sooner than this was taken.
	lateAnswer = 90 * time.Millisecond
)

// heavyQuery is forwarded to the shop, and so part of a click's record.
var heavyQuery = "&pad=" + strings.Repeat("x", 6_000)

// gather lets shoppers click until the crowd is dispersed.
func (t *trial) gather(ctx context.Context, w *world, shoppers int, perSecond float64) *crowd {
	c := &crowd{journal: w.clicks, tracker: w.server.tracker, slugs: w.slugs}
	ctx, c.leave = context.WithCancel(ctx)
	every := time.Duration(float64(shoppers) / perSecond * float64(time.Second))
	for n := range shoppers {
		c.inside.Go(func() { c.shop(ctx, n, every) })
	}
	t.atEnd(func() error { c.disperse(); return nil })
	return c
}

// disperse waits for the answers that are under way.
func (c *crowd) disperse() {
	c.leave()
	c.inside.Wait()
}

// shop clicks at its own times until the crowd is dispersed, but never leaves
// within a click.
func (c *crowd) shop(ctx context.Context, place int, every time.Duration) {
	s := &shopper{}
	defer s.hangUp()
	due := time.Now().Add(time.Duration(place) * time.Millisecond)
	for turn := place; sleep(ctx, time.Until(due)) == nil; turn++ {
		if !s.connect(c.tracker) {
			c.turnedAway.Add(1)
			due = time.Now().Add(max(every, 20*time.Millisecond))
			continue
		}
		c.click(s, c.slugs[turn%len(c.slugs)], due)
		if due = due.Add(every); time.Since(due) > time.Second { // after a pause nobody catches up
			due = time.Now()
		}
	}
}

func (c *crowd) click(s *shopper, slug string, due time.Time) {
	n := c.journal.send()
	sent := time.Now()
	query := ""
	if c.heavy.Load() {
		query = heavyQuery
	}
	id, err := s.ask(slug, n, query)
	took := time.Since(sent)
	switch {
	case errors.Is(err, errNoRedirect):
		c.otherwise.Add(1)
	case err != nil:
		c.unanswered.Add(1)
		s.hangUp()
	default:
		c.journal.acknowledge(n, id, took >= lateAnswer)
		c.mu.Lock()
		c.times = append(c.times, uint32(time.Since(due).Microseconds()))
		c.mu.Unlock()
	}
}

// p99 is of the answers since the last look.
func (c *crowd) p99() time.Duration {
	c.mu.Lock()
	times := c.times
	c.times = nil
	c.mu.Unlock()
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return time.Duration(times[len(times)*99/100]) * time.Microsecond
}

// clicking waits for some more clicks to be answered.
func (c *crowd) clicking(ctx context.Context, more int) error {
	_, before := c.journal.counts()
	return within(ctx, time.Minute, func() error {
		if _, now := c.journal.counts(); now-before < more {
			return fmt.Errorf("%d of %d clicks were answered", now-before, more)
		}
		return nil
	})
}

// A shopper is one connection. Nothing is ever sent again behind the journal's
// back, as net/http's client would.
type shopper struct {
	conn   *net.TCPConn
	reader *bufio.Reader
}

// connect makes sure that there is a connection the tracker has not ended: who
// sends on one that was loses a request by a fault of its own.
func (s *shopper) connect(tracker string) bool {
	if s.conn != nil && !s.gone() {
		return true
	}
	s.hangUp()
	conn, err := net.DialTimeout("tcp", tracker, shopperPatience)
	if err != nil {
		return false
	}
	s.conn = conn.(*net.TCPConn)
	s.reader = bufio.NewReaderSize(s.conn, 16<<10)
	return true
}

func (s *shopper) gone() (gone bool) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return true
	}
	peeked := raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		return true
	})
	return gone || peeked != nil
}

func (s *shopper) hangUp() {
	if s.conn != nil {
		s.conn.Close() // whatever was on it is lost or answered
		s.conn = nil
	}
}

// errNoRedirect is a complete answer other than 302.
var errNoRedirect = errors.New("the answer is no redirect")

// ask clicks and returns the click id of the complete answer.
func (s *shopper) ask(slug string, n int, query string) (id string, err error) {
	if err := s.conn.SetDeadline(time.Now().Add(shopperPatience)); err != nil {
		return "", err
	}
	request := fmt.Appendf(nil, "GET /%s?sub1=%d%s HTTP/1.1\r\nHost: links.example\r\nUser-Agent: %s\r\n\r\n", slug, n, query, browser)
	_, sent := s.conn.Write(request)
	// The answer may be there although the rest of the request was not taken.
	id, err = s.answer()
	if err != nil && !errors.Is(err, errNoRedirect) {
		return "", errors.Join(sent, err)
	}
	return id, err
}

func (s *shopper) answer() (id string, err error) {
	status, length := "", 0
	for first := true; ; first = false {
		line, err := s.reader.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case first:
			_, after, _ := bytes.Cut(line, []byte(" "))
			status = string(after[:min(3, len(after))])
		case bytes.EqualFold(name, []byte("Location")):
			_, after, _ := bytes.Cut(value, []byte("tcid="))
			if end := bytes.IndexAny(after, "&#"); end >= 0 {
				after = after[:end]
			}
			id = string(after)
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", err
			}
		}
	}
	if _, err := s.reader.Discard(length); err != nil {
		return "", err
	}
	if status != "302" || id == "" {
		return "", errNoRedirect
	}
	return id, nil
}
