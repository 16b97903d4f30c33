package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tributary/attribution"
	"tributary/fleet/redistest"
)

// onBoth runs a test on a single server and on a Cluster.
func onBoth(t *testing.T, test func(t *testing.T, urls []string, flush func())) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		test(t, []string{s.URL()}, func() { s.Do("FLUSHALL") })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t, false)
		test(t, c.URLs(), func() {
			for _, s := range c.Masters {
				s.Do("FLUSHALL")
			}
		})
	})
}

func TestEntriesReadBackAsWritten(t *testing.T) {
	text := rapid.StringN(0, 20, 60)
	rapid.Check(t, func(t *rapid.T) {
		l := linkRoute(rapid.Uint64().Draw(t, "number"), text.Draw(t, "slug"))
		l.Vanity, l.Disabled, l.Deleted = rapid.Bool().Draw(t, "vanity"), rapid.Bool().Draw(t, "disabled"), rapid.Bool().Draw(t, "deleted")
		l.Destination = text.Draw(t, "destination")
		l.ExpiresAtMs, l.MaxClicks = rapid.Int64Min(0).Draw(t, "expiry"), rapid.Int64Min(0).Draw(t, "most")
		l.Sub[rapid.IntRange(0, 4).Draw(t, "sub")] = text.Draw(t, "sub text")
		if rapid.Bool().Draw(t, "rules") {
			l.Rules = []attribution.DestinationRule{{When: attribution.RuleWhen{Countries: []string{"TH"}}, Destination: text.Draw(t, "to")}}
			l.Split = []attribution.SplitArm{{Destination: "https://shop.example/", Weight: 3}}
		}
		for _, c := range []attribution.RouteChange{
			{Number: 7, Link: l},
			{Number: 8, Campaign: &attribution.CampaignRoute{ID: text.Draw(t, "id"), State: attribution.CampaignState{Paused: true, EndsAtMs: 5}}},
			{Number: 9, Advertiser: &attribution.AdvertiserRoute{ID: "adv_1", Domains: []string{"a.example"}, PublicKey: "pk"}},
		} {
			entry, concerns := appendEntry(nil, &c)
			back, err := readNumbered(fmt.Sprint(c.Number, " ", string(entry)))
			if err != nil || !concerns || fmt.Sprintf("%+v%+v%+v", back.Link, back.Campaign, back.Advertiser) != fmt.Sprintf("%+v%+v%+v", c.Link, c.Campaign, c.Advertiser) || back.Number != c.Number {
				t.Fatalf("%+v became %+v: %v", c, back, err)
			}
			for cut := range len(entry) {
				_, _ = readEntry(1, entry[:cut]) // must not panic
			}
		}
	})
}

func FuzzReadEntry(f *testing.F) {
	entry, _ := appendEntry(nil, &attribution.RouteChange{Link: linkRoute(1, "slug")})
	f.Add(entry)
	f.Fuzz(func(t *testing.T, entry []byte) { _, _ = readEntry(1, entry) })
}

func TestLinksReachEveryNode(t *testing.T) {
	onBoth(t, func(t *testing.T, urls []string, _ func()) {
		d := newFilledDatabase(300)
		d.kill(5, "link5")
		startPublisher(t, connect(t, urls...), d)
		node, other := startTracker(t, connect(t, urls...)), startTracker(t, connect(t, urls...))
		for _, tr := range []*tracker{node, other} {
			redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
		}
		made := d.link(1000, "Made")
		redistest.Eventually(t, "a new link arrives", func() bool { return node.has("Made") && other.has("Made") })
		made.Disabled = true
		d.add(attribution.RouteChange{Link: made})
		redistest.Eventually(t, "a changed link arrives", func() bool { return node.agrees(d) && other.agrees(d) })

		found, err := node.feed.Find(t.Context(), "made", "link5", "nobody")
		if err != nil || found[0] == nil || !found[0].Link.Disabled || found[1] != nil || found[2] != nil {
			t.Errorf("found %v: %v", found, err)
		}
		d.kill(1000, "Made")
		redistest.Eventually(t, "a killed link goes", func() bool { return !node.has("Made") && !other.has("Made") })
		if found, err := node.feed.Find(t.Context(), "Made"); err != nil || found[0] != nil {
			t.Errorf("a killed link is found: %v, %v", found, err)
		}
		if node.loads != 1 {
			t.Errorf("read everything %d times", node.loads)
		}
	})
}

// Several publishers, each at its own pace, some from an old look at the database.
func TestPublishersNeedNoLeader(t *testing.T) {
	onBoth(t, func(t *testing.T, urls []string, _ func()) {
		d := newFilledDatabase(20)
		for range 3 {
			startPublisher(t, connect(t, urls...), slow{d})
		}
		tr := startTracker(t, connect(t, urls...))
		random := rand.New(rand.NewPCG(1, 2))
		for range 400 {
			n := random.Uint64N(20)
			l := linkRoute(n, fmt.Sprint("link", n))
			l.Destination, l.Deleted = fmt.Sprint("https://shop.example/", random.Uint64()), random.IntN(5) == 0
			d.add(attribution.RouteChange{Link: l})
		}
		redistest.Eventually(t, "the tracker agrees with the database", func() bool { return tr.agrees(d) })
		fresh := startTracker(t, connect(t, urls...))
		redistest.Eventually(t, "the read-model agrees with the database", func() bool { return fresh.agrees(d) })
	})
}

// slow takes its time between a look at the database and the use of it.
type slow struct{ *database }

func (s slow) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	changes, err := s.database.RoutesSince(ctx, after, 1+rand.IntN(limit))
	pause(rand.IntN(20))
	return changes, err
}

func TestAFlushedRedisIsFilledAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, urls []string, flush func()) {
		d := newFilledDatabase(2500)
		startPublisher(t, connect(t, urls...), d)
		tr := startTracker(t, connect(t, urls...))
		redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
		flush()
		d.kill(7, "link7")
		d.link(3000, "later")
		redistest.Eventually(t, "the tracker follows again", func() bool { return tr.agrees(d) })
		fresh := startTracker(t, connect(t, urls...))
		redistest.Eventually(t, "Redis has all links again", func() bool { return fresh.agrees(d) })
	})
}

func TestAShelfThatWasLostIsFilledAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, urls []string, _ func()) {
		d, c := newFilledDatabase(100), connect(t, urls...)
		p := NewPublisher(PublisherOptions{Client: c, Database: d, Poll: testPoll, Log: quiet()})
		run(t, p.Run)
		feed := NewFeed(c, FeedOptions{})
		redistest.Eventually(t, "Redis has all links", func() bool {
			_, err := feed.Routes(t.Context(), func(attribution.RouteChange) error { return nil })
			return err == nil
		})
		all, _ := c.Redis()
		shelf := (&model{c, feed.seen}).shelfOf("link3")
		if err := all.Del(t.Context(), shelf).Err(); err != nil { // as an eviction does
			t.Fatal(err)
		}
		if _, err := feed.Find(t.Context(), "link3"); !errors.Is(err, errIncomplete) {
			t.Errorf("what was lost is taken for unknown: %v", err)
		}
		if _, err := feed.Routes(t.Context(), func(attribution.RouteChange) error { return nil }); !errors.Is(err, errIncomplete) {
			t.Errorf("an incomplete read-model is read: %v", err)
		}
		redistest.Eventually(t, "the link is back", func() bool {
			found, err := feed.Find(t.Context(), "link3")
			return err == nil && found[0] != nil
		})
	})
}

// A batch over many shelves fails where any of the Cluster's servers took nothing, and
// is taken by one that lost the script.
func TestAWriteToManyShelvesIsWholeOrFails(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, false)
	c := connect(t, cluster.URLs()...)
	m := &model{c, "generation"}
	var slugs []string
	batch := func(number int64) (changes []attribution.RouteChange) {
		slugs = nil
		for n := range uint64(300) {
			l := linkRoute(n, fmt.Sprint("link", n))
			l.MaxClicks = number
			changes, slugs = append(changes, attribution.RouteChange{Number: number, Link: l}), append(slugs, l.Slug)
		}
		return changes
	}
	wantAll := func(number int64) {
		t.Helper()
		found, err := m.find(t.Context(), slugs)
		if err != nil {
			t.Fatal(err)
		}
		for i, change := range found {
			if change == nil || change.Number != number {
				t.Fatalf("%s is %+v, want change %d", slugs[i], change, number)
			}
		}
	}
	for number := range int64(4) {
		if number > 0 {
			cluster.Masters[number-1].Do("SCRIPT", "FLUSH")
		}
		if err := m.write(t.Context(), batch(number)); err != nil {
			t.Fatal(err)
		}
		wantAll(number)
	}

	refusing := cluster.Masters[1]
	refusing.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	if err := m.write(t.Context(), batch(10)); err == nil {
		t.Error("a server that refuses writes is not noticed")
	}
	refusing.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	if err := m.write(t.Context(), batch(10)); err != nil {
		t.Fatal(err)
	}
	wantAll(10)

	cluster.Masters[2].Kill()
	if err := m.write(t.Context(), batch(11)); err == nil {
		t.Error("a server that is away is not noticed")
	}
}

func TestADatabaseThatWentBackIsFollowed(t *testing.T) {
	onBoth(t, func(t *testing.T, urls []string, _ func()) {
		d := newFilledDatabase(50)
		restore := d.backup()
		startPublisher(t, connect(t, urls...), d)
		tr := startTracker(t, connect(t, urls...))
		d.link(60, "lost")
		d.kill(3, "link3")
		redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
		restore()
		redistest.Eventually(t, "the tracker went back, too", func() bool { return tr.agrees(d) })
		d.link(70, "after")
		redistest.Eventually(t, "and goes on", func() bool { return tr.agrees(d) })
	})
}

func TestANodeThatWasAwayForLongReadsEverything(t *testing.T) {
	s := redistest.Start(t)
	c, d := connect(t, s.URL()), newFilledDatabase(10)
	run(t, NewPublisher(PublisherOptions{Client: c, Database: d, Poll: testPoll, Log: quiet(), keep: 20}).Run)
	feed := NewFeed(c, FeedOptions{})
	var through int64
	redistest.Eventually(t, "Redis has all links", func() (done bool) {
		var err error
		through, err = feed.Routes(t.Context(), func(attribution.RouteChange) error { return nil })
		return err == nil
	})
	if _, err := feed.RoutesSince(t.Context(), through, 10); err != nil {
		t.Error(err)
	}
	for n := range uint64(100) {
		d.link(100+n, fmt.Sprint("new", n))
	}
	last, _ := d.LastChange(t.Context())
	redistest.Eventually(t, "all is published", func() bool { st, _ := c.state(t.Context()); return st.last == last })
	if _, err := feed.RoutesSince(t.Context(), through, 10); !errors.Is(err, ErrMissed) {
		t.Errorf("what the stream no longer has: %v", err)
	}
	changes, err := feed.RoutesSince(t.Context(), last-20, 100)
	if err != nil || len(changes) != 10 {
		t.Errorf("%d changes, %v", len(changes), err)
	}
	if _, err := feed.RoutesSince(t.Context(), last+1, 100); !errors.Is(err, ErrBehind) {
		t.Errorf("what was not published yet: %v", err)
	}
}

func TestRedisThatRestartsEmpty(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	d := newFilledDatabase(100)
	startPublisher(t, connect(t, s.URL()), d)
	c := connect(t, s.URL())
	tr := startTracker(t, c)
	redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
	s.Kill()
	d.kill(4, "link4")
	tr.looksAgain(t)
	if !tr.has("link9") {
		t.Error("links are gone with Redis")
	}
	d.setDown(true)
	s.Restart()
	redistest.Eventually(t, "Redis is back", c.Connected)
	failed := d.looksFailed()
	redistest.Eventually(t, "somebody tries to fill it", func() bool { return d.looksFailed() > failed })
	tr.looksAgain(t)
	if !tr.has("link9") {
		t.Error("links are gone though nobody could write them again")
	}
	d.setDown(false)
	redistest.Eventually(t, "the tracker follows again", func() bool { return tr.agrees(d) })
}

// A replica that had not heard of the last changes takes over.
func TestReplicaThatIsBehindTakesOver(t *testing.T) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		master := redistest.Start(t)
		replica := redistest.StartReplica(t, master)
		d := newFilledDatabase(50)
		stop := startPublisher(t, connect(t, master.URL()), d)
		redistest.Eventually(t, "the replica has everything", func() bool { return strings.Contains(replica.Do("HGETALL", "trb:{test}:links"), "filled") })
		replica.Do("REPLICAOF", "NO", "ONE") // from now on it hears nothing
		d.kill(1, "link1")
		d.link(60, "unheard")
		tr := startTracker(t, connect(t, master.URL()))
		redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
		stop()
		master.Kill()
		startPublisher(t, connect(t, replica.URL()), d) // where a name now leads
		fresh := startTracker(t, connect(t, replica.URL()))
		redistest.Eventually(t, "a node has all links", func() bool { return fresh.agrees(d) })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, true)
		d := newFilledDatabase(200)
		startPublisher(t, connect(t, cluster.URLs()...), d)
		tr := startTracker(t, connect(t, cluster.URLs()...))
		redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
		cluster.FailOver(cluster.MasterOf("trb:{test}:links"))
		d.kill(1, "link1")
		d.link(300, "later")
		redistest.Eventually(t, "the tracker follows on", func() bool { return tr.agrees(d) })
		fresh := startTracker(t, openClient(t, cluster.URLs()...))
		redistest.Eventually(t, "a fresh node reads everything", func() bool { return fresh.agrees(d) })
	})
}

func TestNothingWaitsForARedisThatIsAway(t *testing.T) {
	s := redistest.Start(t)
	c := connect(t, s.URL())
	d := newFilledDatabase(3)
	startPublisher(t, c, d)
	feed := NewFeed(c, FeedOptions{})
	redistest.Eventually(t, "Redis has all links", func() bool {
		_, err := feed.Routes(t.Context(), func(attribution.RouteChange) error { return nil })
		return err == nil
	})
	s.Kill()
	redistest.Eventually(t, "calls fail", func() bool { _, err := feed.Find(t.Context(), "link1"); return err != nil })
	refused := 0
	var group sync.WaitGroup
	var mu sync.Mutex
	for range 8 {
		group.Go(func() {
			for range 100 {
				if _, err := feed.Find(t.Context(), "link1"); errors.Is(err, ErrAway) {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if refused < 700 {
		t.Errorf("%d of 800 calls failed at once", refused)
	}
	redistest.Eventually(t, "that is noticed", func() bool { return !c.Connected() })
	s.Restart()
	redistest.Eventually(t, "and that it is back", func() bool { return c.Connected() })
}

func TestOpenAsksNothing(t *testing.T) {
	c := openClient(t, "redis://127.0.0.1:1")
	if _, err := c.Redis(); !errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
	for _, wrong := range [][]string{{}, {"http://x"}, {"redis://:hunter2@host/x/y"}, {"redis://:hunter2@ho st"}} {
		_, err := Open(Options{Addresses: wrong, Installation: "test", Log: quiet()})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

func TestOneAddressOfAClusterIsEnough(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, false)
	c := connect(t, cluster.Masters[1].URL())
	d := newFilledDatabase(50)
	startPublisher(t, c, d)
	tr := startTracker(t, c)
	redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
}

// leastPrivilege is what docs/operations.md says a user needs.
var leastPrivilege = []string{"~trb:*", "-@all", "+@read", "+@write", "+@scripting", "-@dangerous", "+multi", "+exec", "+ping", "+hello", "+info", "+cluster|slots", "+cluster|shards"}

func TestAUserOfLeastPrivilegeIsEnough(t *testing.T) {
	single, cluster := redistest.Start(t), redistest.StartCluster(t, false)
	for name, servers := range map[string][]*redistest.Server{"single": {single}, "cluster": cluster.Masters} {
		t.Run(name, func(t *testing.T) {
			for _, s := range servers {
				s.Do(append([]string{"ACL", "SETUSER", "tributary", "on", ">secret"}, leastPrivilege...)...)
			}
			c := connect(t, "redis://tributary:secret@"+servers[0].Address)
			d := newFilledDatabase(20)
			startPublisher(t, c, d)
			tr := startTracker(t, c)
			redistest.Eventually(t, "the tracker has all links", func() bool { return tr.agrees(d) })
			d.kill(3, "link3")
			redistest.Eventually(t, "the tracker follows", func() bool { return tr.agrees(d) })
			if found, err := tr.feed.Find(t.Context(), "link4", "link3"); err != nil || found[0] == nil || found[1] != nil {
				t.Errorf("found %v: %v", found, err)
			}
			if h, err := Examine(t.Context(), []string{"redis://tributary:secret@" + servers[0].Address}); err != nil || h.Version == "" {
				t.Errorf("examined %+v: %v", h, err)
			}
		})
	}
}
