package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/fleet/redistest"
)

// A database is a catalog in memory, which may be down or go back.
type database struct {
	mu     sync.Mutex
	things map[string]attribution.RouteChange
	last   int64
	down   bool
	failed int // looks while it was down
}

func newDatabase() *database { return &database{things: map[string]attribution.RouteChange{}} }

var errDown = errors.New("connection refused")

func (d *database) LastChange(context.Context) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		d.failed++
		return 0, errDown
	}
	return d.last, nil
}

// looksFailed is how many looks there were while it was down.
func (d *database) looksFailed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// kindOf orders changes as Routes does.
func kindOf(c attribution.RouteChange) int {
	switch {
	case c.Advertiser != nil:
		return 0
	case c.Campaign != nil:
		return 1
	}
	return 2
}

func nameOf(c attribution.RouteChange) string {
	switch kindOf(c) {
	case 0:
		return c.Advertiser.ID
	case 1:
		return c.Campaign.ID
	}
	return c.Link.Identity.LinkID
}

func (d *database) sorted(order func(a, b attribution.RouteChange) int) []attribution.RouteChange {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []attribution.RouteChange
	for _, c := range d.things {
		all = append(all, c)
	}
	slices.SortFunc(all, order)
	return all
}

func byNumber(a, b attribution.RouteChange) int { return cmp.Compare(a.Number, b.Number) }

func (d *database) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	through, err := d.LastChange(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range d.sorted(func(a, b attribution.RouteChange) int {
		return cmp.Or(kindOf(a)-kindOf(b), byNumber(a, b))
	}) {
		if c.Link != nil && c.Link.Deleted {
			continue
		}
		if err := yield(c); err != nil {
			return 0, err
		}
	}
	return through, nil
}

func (d *database) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	if _, err := d.LastChange(ctx); err != nil {
		return nil, err
	}
	all := d.sorted(byNumber)
	from := slices.IndexFunc(all, func(c attribution.RouteChange) bool { return c.Number > after })
	if from < 0 {
		return nil, nil
	}
	return all[from:min(len(all), from+limit)], nil
}

func (d *database) add(c attribution.RouteChange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last += 2 // numbers have gaps
	c.Number = d.last
	d.things[nameOf(c)] = c
}

func (d *database) link(n uint64, slug string) *attribution.LinkRoute {
	l := linkRoute(n, slug)
	d.add(attribution.RouteChange{Link: l})
	return l
}

func (d *database) kill(n uint64, slug string) {
	l := linkRoute(n, slug)
	l.Deleted = true
	d.add(attribution.RouteChange{Link: l})
}

func (d *database) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// a backup of the database, and what restores it.
func (d *database) backup() (restore func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, things := d.last, map[string]attribution.RouteChange{}
	for name, c := range d.things {
		things[name] = c
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.last, d.things = last, things
	}
}

func testID(prefix string, n uint64) string {
	return attribution.MakeID(prefix, 1_700_000_000_000+int64(n), [10]byte{byte(n), byte(n >> 8), byte(n >> 16)})
}

func linkRoute(n uint64, slug string) *attribution.LinkRoute {
	return &attribution.LinkRoute{
		Identity: attribution.LinkIdentity{
			Number: n, LinkID: testID(attribution.PrefixLink, n), TaskID: testID(attribution.PrefixTask, n), CampaignID: testID(attribution.PrefixCampaign, 1),
			CreatorID: testID(attribution.PrefixCreator, 1), AdvertiserID: testID(attribution.PrefixAdvertiser, 1), Platform: "tiktok", Currency: "USD",
		},
		Slug: slug,
	}
}

// newFilledDatabase has an advertiser, a campaign and so many links, "link0" on.
func newFilledDatabase(links int) *database {
	d := newDatabase()
	d.add(attribution.RouteChange{Advertiser: &attribution.AdvertiserRoute{ID: testID(attribution.PrefixAdvertiser, 1), Domains: []string{"shop.example"}}})
	d.add(attribution.RouteChange{Campaign: &attribution.CampaignRoute{ID: testID(attribution.PrefixCampaign, 1), Destination: "https://shop.example/"}})
	for n := range links {
		d.link(uint64(n), fmt.Sprint("link", n))
	}
	return d
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openClient(t testing.TB, urls ...string) *Client {
	t.Helper()
	c, err := Open(Options{Addresses: urls, Installation: "test", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func connect(t testing.TB, urls ...string) *Client {
	t.Helper()
	c := openClient(t, urls...)
	redistest.Eventually(t, "the client is connected", c.Connected)
	return c
}

// run runs something until the test ends, or until stop is called.
func run(t testing.TB, do func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); do(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func startPublisher(t testing.TB, c *Client, d Database) (stop func()) {
	t.Helper()
	return run(t, NewPublisher(PublisherOptions{Client: c, Database: d, Poll: testPoll, Log: quiet()}).Run)
}

const testPoll = 20 * time.Millisecond

// A tracker follows a feed into a map of slugs, as simply as can be.
type tracker struct {
	feed *Feed

	mu    sync.Mutex
	links map[string]attribution.RouteChange
	at    int64
	loads int
	looks int
	err   error
}

func startTracker(t testing.TB, c *Client) *tracker {
	t.Helper()
	tr := &tracker{feed: NewFeed(c, FeedOptions{})}
	run(t, tr.feed.Run)
	run(t, func(ctx context.Context) {
		for loaded := false; ctx.Err() == nil; {
			err := tr.look(ctx, &loaded)
			tr.mu.Lock()
			tr.err = err
			tr.looks++
			tr.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-tr.feed.Changed():
			case <-time.After(testPoll):
			}
		}
	})
	return tr
}

func (tr *tracker) look(ctx context.Context, loaded *bool) error {
	if !*loaded {
		fresh := map[string]attribution.RouteChange{}
		through, err := tr.feed.Routes(ctx, func(c attribution.RouteChange) error {
			if c.Link != nil {
				fresh[c.Link.Slug] = c
			}
			return nil
		})
		if err != nil {
			return err
		}
		tr.mu.Lock()
		tr.links, tr.at, *loaded = fresh, through, true
		tr.loads++
		tr.mu.Unlock()
	}
	changes, err := tr.feed.RoutesSince(ctx, tr.at, 100)
	if errors.Is(err, ErrMissed) || errors.Is(err, ErrRestored) {
		*loaded = false
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, c := range changes {
		if c.Link != nil {
			tr.links[c.Link.Slug] = c
			if c.Link.Deleted {
				delete(tr.links, c.Link.Slug)
			}
		}
		tr.at = c.Number
	}
	return err
}

// looksAgain waits until the tracker has looked from beginning to end once more.
func (tr *tracker) looksAgain(t testing.TB) {
	t.Helper()
	looks := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.looks
	}
	seen := looks()
	redistest.Eventually(t, "the tracker looks again", func() bool { return looks() >= seen+2 })
}

func (tr *tracker) has(slug string) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	_, has := tr.links[slug]
	return has
}

// agrees reports whether a tracker has the links the database has, and no other.
func (tr *tracker) agrees(d *database) bool {
	want := map[string]int64{}
	_, _ = d.Routes(context.Background(), func(c attribution.RouteChange) error {
		if c.Link != nil {
			want[c.Link.Slug] = c.Number
		}
		return nil
	})
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(want) != len(tr.links) {
		return false
	}
	for slug, c := range tr.links {
		if want[slug] != c.Number {
			return false
		}
	}
	return true
}

func pause(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) }
