package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A crowd clicks links over keep-alive connections at a bounded rate, whatever
// happens to the tracker, and keeps the books: a request that was sent was
// answered with a click id, answered otherwise, or never answered.
type crowd struct {
	slugs   []string
	tracker atomic.Pointer[string] // where to connect; nil: nowhere, connections are kept
	leave   context.CancelFunc
	inside  sync.WaitGroup

	mu sync.Mutex
	crowdBooks
}

type crowdBooks struct {
	answered   map[string]string // click id → the verdict its hit must have
	visits     map[string]bool   // link and visitor of every valid click that was answered
	statuses   map[int]int
	farewells  int     // answers that ended their connection
	unanswered []error // of requests that were sent, at least in part
	turnedAway []error // of connections that were not taken
	faults     []error // answers that no shopper may ever get
}

const (
	shoppers        = 6
	shoppingPause   = 12 * time.Millisecond // of each shopper: at most 500 clicks a second in all
	shopperPatience = 30 * time.Second
	visitorsPerLink = 8
)

// gather lets a crowd click the links until it is dispersed.
func gather(t *testing.T, links []map[string]any, seed uint64) *crowd {
	c := &crowd{crowdBooks: crowdBooks{answered: map[string]string{}, visits: map[string]bool{}, statuses: map[int]int{}}}
	for _, link := range links {
		c.slugs = append(c.slugs, link["slug"].(string))
	}
	ctx, leave := context.WithCancel(context.Background())
	c.leave = leave
	for n := range shoppers {
		c.inside.Go(func() { c.shop(ctx, rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	t.Cleanup(func() { c.disperse() })
	return c
}

// goTo tells the crowd where the tracker is now.
func (c *crowd) goTo(client *testApp) {
	address := client.trackerListener.Addr().String()
	c.tracker.Store(&address)
}

// stay keeps the crowd from opening connections, as a load balancer does that
// sees a tracker become unready.
func (c *crowd) stay() { c.tracker.Store(nil) }

// disperse waits for the answers that are under way and closes the books.
func (c *crowd) disperse() crowdBooks {
	c.leave()
	c.inside.Wait()
	return c.crowdBooks
}

// count is the number of clicks answered so far.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answered)
}

// clicking waits for some more clicks to be answered.
func (c *crowd) clicking(t *testing.T, more int) {
	t.Helper()
	before := c.count()
	eventually(t, func() error {
		if answered := c.count() - before; answered < more {
			return fmt.Errorf("%d of %d clicks are answered; the books: %s", answered, more, c)
		}
		return nil
	})
}

func (c *crowd) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crowdBooks.String()
}

func (b *crowdBooks) String() string {
	return fmt.Sprintf("%d answered, statuses %v, %d unanswered, %d turned away, %d faults", len(b.answered), b.statuses, len(b.unanswered), len(b.turnedAway), len(b.faults))
}

// shop clicks until the crowd is dispersed, but never leaves within a click.
func (c *crowd) shop(ctx context.Context, random *rand.Rand) {
	pause := time.NewTicker(shoppingPause)
	defer pause.Stop()
	var s *shopper
	for {
		select {
		case <-ctx.Done():
			s.hangUp()
			return
		case <-pause.C:
		}
		if s.gone() {
			s.hangUp()
			s = nil
		}
		if tracker := c.tracker.Load(); tracker != nil && (s == nil || s.tracker != *tracker) {
			s.hangUp()
			var err error
			if s, err = callAt(*tracker); err != nil {
				c.note(func(b *crowdBooks) { b.turnedAway = append(b.turnedAway, err) })
			}
		}
		if s == nil {
			continue
		}
		if again := c.click(s, c.draw(random)); !again {
			s.hangUp()
			s = nil
		}
	}
}

func (c *crowd) note(entry func(*crowdBooks)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry(&c.crowdBooks)
}

// A hitOfCrowd is one request and what must become of it.
type hitOfCrowd struct {
	method, target, userAgent string
	verdict                   string
	visit                     string // link and visitor
}

// draw makes a hit: mostly people, the same few of them again and again.
func (c *crowd) draw(random *rand.Rand) hitOfCrowd {
	slug, visitor := c.slugs[random.IntN(len(c.slugs))], random.IntN(visitorsPerLink)
	h := hitOfCrowd{
		method: http.MethodGet, target: "/" + slug, verdict: "valid", visit: fmt.Sprint(slug, " ", visitor),
		userAgent: strings.Replace(phone, "18_5", fmt.Sprint("18_", visitor), 1),
	}
	switch random.IntN(10) {
	case 0:
		h.method, h.verdict = http.MethodHead, "probe"
	case 1:
		h.target, h.verdict = h.target+"?_test=1", "test"
	case 2:
		h.userAgent, h.verdict = "curl/8.14.1", "bot"
	}
	return h
}

// click sends one hit and books what came of it. It reports whether the
// connection may be used again.
func (c *crowd) click(s *shopper, h hitOfCrowd) (again bool) {
	response, err := s.ask(h)
	if err != nil {
		c.note(func(b *crowdBooks) { b.unanswered = append(b.unanswered, err) })
		return false
	}
	c.note(func(b *crowdBooks) { b.enter(h, response) })
	return !response.Close
}

func (b *crowdBooks) enter(h hitOfCrowd, response *http.Response) {
	b.statuses[response.StatusCode]++
	if response.Close {
		b.farewells++
	}
	switch response.StatusCode {
	case http.StatusFound:
	case http.StatusServiceUnavailable: // the links are still being loaded
		return
	default:
		b.faults = append(b.faults, fmt.Errorf("a click was answered %s", response.Status))
		return
	}
	location, err := url.Parse(response.Header.Get("Location"))
	if err != nil || location.Query().Get("tcid") == "" {
		b.faults = append(b.faults, fmt.Errorf("a click leads to %q (%v)", response.Header.Get("Location"), err))
		return
	}
	id := location.Query().Get("tcid")
	if _, again := b.answered[id]; again {
		b.faults = append(b.faults, fmt.Errorf("two clicks were given the id %s", id))
	}
	b.answered[id] = h.verdict
	if h.verdict == "valid" {
		b.visits[h.visit] = true
	}
}

// undisturbed fails the test when a shopper noticed anything.
func (b *crowdBooks) undisturbed(t *testing.T) {
	t.Helper()
	wrong := append(append(append([]error(nil), b.faults...), b.unanswered...), b.turnedAway...)
	statuses := maps.Clone(b.statuses)
	if delete(statuses, http.StatusFound); len(statuses) > 0 {
		wrong = append(wrong, fmt.Errorf("answers other than 302: %v", statuses))
	}
	if len(wrong) > 0 {
		t.Errorf("shoppers noticed: %s; for one, %v", b, wrong[0])
	}
}

// A shopper is one connection. Nothing is ever sent again behind the test's
// back, as net/http's client would.
type shopper struct {
	tracker string
	conn    net.Conn
	reader  *bufio.Reader
}

func callAt(tracker string) (*shopper, error) {
	conn, err := net.DialTimeout("tcp", tracker, shopperPatience)
	if err != nil {
		return nil, err
	}
	return &shopper{tracker: tracker, conn: conn, reader: bufio.NewReader(conn)}, nil
}

func (s *shopper) hangUp() {
	if s != nil {
		s.conn.Close()
	}
}

// gone reports whether the tracker has ended the connection: who sends on it all
// the same loses a request by a fault of its own.
func (s *shopper) gone() (gone bool) {
	if s == nil {
		return false
	}
	raw, err := s.conn.(*net.TCPConn).SyscallConn()
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

// ask sends a hit and returns the whole answer to it.
func (s *shopper) ask(h hitOfCrowd) (*http.Response, error) {
	if err := s.conn.SetDeadline(time.Now().Add(shopperPatience)); err != nil {
		return nil, err
	}
	_, sent := fmt.Fprintf(s.conn, "%s %s HTTP/1.1\r\nHost: links.example\r\nUser-Agent: %s\r\n\r\n", h.method, h.target, h.userAgent)
	// The answer may be there although the rest of the request was not taken.
	response, err := s.answer(h.method)
	if err != nil {
		return nil, errors.Join(sent, err)
	}
	return response, nil
}

func (s *shopper) answer(method string) (*http.Response, error) {
	response, err := http.ReadResponse(s.reader, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	return response, nil
}
