package main

import (
	"flag"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	crashKills = flag.Int("crash.kills", defaultKills, "how often the crash test kills")
	crashSeed  = flag.Uint64("crash.seed", 0, "seed of the crash test's moments and victims; 0: another each time")
)

// TestKilledAgainAndAgainEveryAnsweredClickIsStoredOnce kills the process, its
// ClickHouse, or both, at random moments of a life under load, as often as
// -crash.kills says, and then compares click by click.
//
//	go test ./cmd/tributary -run Killed -v -crash.kills 500 -crash.seed 7
func TestKilledAgainAndAgainEveryAnsweredClickIsStoredOnce(t *testing.T) {
	t.Parallel()
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -crash.seed %d", seed)
	c := &crash{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, seed)), killed: map[string]int{}}
	c.watch = watchUnrecorded(t)
	c.start()
	c.attend()
	c.crowd = gather(t, c.client.makeKnownLinks(3), seed)
	c.crowd.goTo(c.client)
	began := time.Now()
	for range *crashKills {
		c.kill(c.moment())
	}
	c.attend()
	c.crowd.clicking(t, 50)
	books := c.crowd.disperse()
	c.client.drained()
	lost := c.watch.total()
	c.life.stops()
	t.Logf("%d kills in %s: %v", *crashKills, time.Since(began).Round(time.Second), c.killed)
	if len(books.answered) < 5**crashKills {
		t.Errorf("only %d clicks were answered: the test tests little", len(books.answered))
	}
	openStore(t, c.dir).keepsPromise(&books, lost)
}

// A crash is a data directory whose process does not live long.
type crash struct {
	t      *testing.T
	dir    string
	random *rand.Rand
	crowd  *crowd
	watch  *unrecordedWatch
	killed map[string]int // by victim and moment

	life    *served
	client  *testApp // nil until the life has said where it listens
	shipped float64  // rows of this life that an earlier kill has seen
}

func (c *crash) start() {
	c.life, c.client, c.shipped = startServe(c.t, c.dir), nil, 0
}

// attend waits until the life serves and sends the crowd there.
func (c *crash) attend() {
	if c.client != nil {
		return
	}
	c.client = c.life.client()
	c.watch.follow(c.client)
	if c.crowd != nil {
		c.crowd.goTo(c.client)
	}
}

// moment waits for a random one: while the life begins, while it serves, or
// while it ships rows. It returns which it was.
func (c *crash) moment() string {
	draw := c.random.IntN(100)
	switch {
	case c.client == nil && draw < 25:
		c.pause(300 * time.Millisecond)
		return "starting"
	case draw < 60:
		c.attend()
		c.crowd.clicking(c.t, 1)
		c.pause(300 * time.Millisecond)
		return "serving"
	default:
		c.attend()
		c.client.shipping(c.shipped)
		c.pause(500 * time.Millisecond)
		return "shipping"
	}
}

func (c *crash) pause(most time.Duration) {
	time.Sleep(time.Duration(c.random.Int64N(int64(most))))
}

// kill kills somebody, and starts the next life when the process was hit.
func (c *crash) kill(moment string) {
	c.t.Helper()
	victim := []string{"process", "process", "ClickHouse", "both"}[c.random.IntN(4)]
	c.killed[victim+" while "+moment]++
	if victim != "process" {
		killEngine(c.t, c.dir)
	}
	if victim == "ClickHouse" {
		if c.client != nil {
			c.shipped = c.client.shipped()
		}
		return
	}
	c.life.signal(syscall.SIGKILL)
	if code := c.life.ended(); code != -1 {
		c.t.Errorf("the process ended by itself, with exit code %d:\n%s", code, c.life.err.String())
	}
	c.start()
}

// An unrecordedWatch reads the count of unrecorded clicks often, because it
// dies with the process.
type unrecordedWatch struct {
	mu     sync.Mutex
	client *testApp
	now    int // of the life that is followed
	past   int // of those before
}

const watchEvery = 200 * time.Millisecond

func watchUnrecorded(t *testing.T) *unrecordedWatch {
	w := &unrecordedWatch{}
	leave, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-leave:
				return
			case <-tick.C:
				w.look()
			}
		}
	}()
	t.Cleanup(func() { close(leave); <-left })
	return w
}

// follow turns to the next life.
func (w *unrecordedWatch) follow(client *testApp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.client, w.now, w.past = client, 0, w.past+w.now
}

// look reads the count; a life that does not answer keeps its last.
func (w *unrecordedWatch) look() {
	w.mu.Lock()
	client := w.client
	w.mu.Unlock()
	if client == nil {
		return
	}
	count, err := client.metric(unrecorded)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && client == w.client {
		w.now = int(count)
	}
}

// total is the count over all lives.
func (w *unrecordedWatch) total() int {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.past + w.now
}
