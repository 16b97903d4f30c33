package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/fleet"
	"tributary/fleet/redistest"
	"tributary/redirect"
	"tributary/redirect/links"
	"tributary/schema/database"
)

// A linkWorld is a catalog whose links travel through Redis, and who looks them up.
type linkWorld struct {
	t      *testing.T
	redis  *redistest.Server
	dir    string
	things *catalog.Catalog // of a node with the role admin
	taskID string
}

func openLinkWorld(t *testing.T) *linkWorld {
	t.Helper()
	w := &linkWorld{t: t, redis: redistest.Start(t), dir: t.TempDir()}
	admin := w.app(Options{Admin: true})
	w.things = admin.things
	w.makeTask()
	return w
}

func (w *linkWorld) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

// app makes as much of a node as knows of links: its own way to the catalog, and
// to Redis.
func (w *linkWorld) app(o Options) *app {
	w.t.Helper()
	o.Redis = []DSN{DSN(w.redis.URL())}
	a := &app{
		options: o, log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), metrics: newMetricBook(), dir: &dataDir{path: w.t.TempDir()},
		secrets: &secrets{KeyPepper: make([]byte, pepperBytes)},
	}
	var err error
	a.db, err = database.Open(w.t.Context(), database.Embedded, w.dir)
	w.must(err)
	w.t.Cleanup(func() { _ = a.db.Close() })
	a.things = catalog.New(a.db, catalog.Options{Pepper: a.secrets.KeyPepper, BaseURL: "http://localhost"})
	w.must(os.MkdirAll(a.dir.file(linksDir), 0o700))
	w.must(a.openFleet(w.t.Context(), appConfig{}))
	w.t.Cleanup(func() { w.must(a.life.stop(time.Minute)) })
	return a
}

func (w *linkWorld) makeTask() {
	w.t.Helper()
	ctx, now := context.Background(), time.Now()
	advertiser, err := w.things.CreateAdvertiser(ctx, operator, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}})
	w.must(err)
	creator, err := w.things.CreateCreator(ctx, operator, catalog.CreatorFields{Name: "Mai", Country: "TH"})
	w.must(err)
	var terms catalog.CampaignFields
	w.must(json.Unmarshal([]byte(`{"terms": {"events": {"sale": {"type": "percent", "rate": "0.10"}}}}`), &terms))
	campaign, err := w.things.CreateCampaign(ctx, operator, catalog.CampaignFields{
		AdvertiserID: advertiser.ID, Title: "Launch", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/",
		StartsAt: attribution.InstantOf(now), EndsAt: attribution.InstantOf(now.AddDate(0, 1, 0)), Terms: terms.Terms,
	})
	w.must(err)
	_, err = w.things.ApproveCampaign(ctx, operator, campaign.ID)
	w.must(err)
	_, err = w.things.AddCreator(ctx, operator, campaign.ID, catalog.ParticipationFields{CreatorID: creator.ID})
	w.must(err)
	task, err := w.things.CreateTask(ctx, operator, catalog.TaskFields{CampaignID: campaign.ID, CreatorID: creator.ID, Platform: "tiktok"})
	w.must(err)
	w.taskID = task.ID
}

func (w *linkWorld) makeLinks(n int) (all []catalog.Link) {
	w.t.Helper()
	for len(all) < n {
		requests := make([]catalog.LinkRequest, min(n-len(all), catalog.MaxBulk))
		for i := range requests {
			requests[i].TaskID = w.taskID
		}
		results, err := w.things.CreateLinks(w.t.Context(), operator, requests)
		w.must(err)
		for _, result := range results {
			all = append(all, *result.Link)
		}
	}
	return all
}

func (w *linkWorld) makeLink() catalog.Link { return w.makeLinks(1)[0] }

// A linkNode is a tracker as far as links go.
type linkNode struct {
	*app
	misses redirect.Misses
}

func (w *linkWorld) node(most int) *linkNode {
	w.t.Helper()
	n := &linkNode{app: w.app(Options{Tracker: true, MaxLinks: most})}
	n.index = links.New(links.Options{Logger: n.log, MaxLinks: most})
	n.misses = n.follow()
	redistest.Eventually(w.t, "the node has the campaigns", func() bool { return n.index.Stats().Ready })
	return n
}

// holds reports whether the node knows a link without asking anybody.
func (n *linkNode) holds(l catalog.Link) bool {
	var e links.Entry
	return n.index.Lookup([]byte(l.Slug), &e)
}

// finds looks a link up as the tracker does.
func (n *linkNode) finds(l catalog.Link) bool {
	return n.holds(l) || n.misses.Ask([]byte(l.Slug)) == links.Found && n.holds(l)
}

// arrives waits until a node knows a link, and says how long that took.
func (n *linkNode) arrives(t *testing.T, what string, l catalog.Link) {
	t.Helper()
	began := time.Now()
	redistest.Eventually(t, what+" arrives", func() bool { return n.holds(l) })
	t.Logf("%s arrived after %v", what, time.Since(began))
}

func TestLinksTravelWhateverIsAway(t *testing.T) {
	t.Parallel()
	w := openLinkWorld(t)
	before := w.makeLink()
	both, lonely := w.node(0), w.node(0)
	both.arrives(t, "an old link", before)
	made := w.makeLink()
	both.arrives(t, "a new link", made)
	w.must(w.things.DeleteLink(t.Context(), operator, made.ID))
	redistest.Eventually(t, "a killed link goes", func() bool { return !both.holds(made) && !lonely.holds(made) })

	w.must(lonely.db.Close()) // its database is away from here on
	byRedis := w.makeLink()
	lonely.arrives(t, "a link, without the database,", byRedis)
	w.redis.Kill()
	byDatabase := w.makeLink()
	both.arrives(t, "a link, without Redis,", byDatabase)
	w.must(w.things.DeleteLink(t.Context(), operator, before.ID))
	redistest.Eventually(t, "a link is killed without Redis", func() bool { return !both.holds(before) })
	if !lonely.holds(byRedis) || !lonely.holds(before) || lonely.finds(byDatabase) {
		t.Error("alone, a node does not serve what it had")
	}
	w.redis.Restart() // empty
	lonely.arrives(t, "a link, once Redis is back,", byDatabase)
	redistest.Eventually(t, "what was killed meanwhile goes", func() bool { return !lonely.holds(before) })
	if !lonely.holds(byRedis) {
		t.Error("a link went with Redis")
	}
}

// Redis that is read but takes no writes, as when it is full or its disk is: links
// are killed all the same.
func TestLinksAreKilledThoughRedisTakesNothing(t *testing.T) {
	t.Parallel()
	w := openLinkWorld(t)
	all, few := w.node(0), w.node(minMaxLinks)
	l := w.makeLink()
	all.arrives(t, "a link", l)
	redistest.Eventually(t, "the link is found", func() bool { return few.finds(l) })
	w.redis.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	w.must(w.things.DeleteLink(t.Context(), operator, l.ID))
	redistest.Eventually(t, "the link goes", func() bool { return !all.holds(l) && !few.holds(l) })
	if few.finds(l) {
		t.Error("a killed link came back from Redis")
	}
	w.redis.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	made := w.makeLink()
	redistest.Eventually(t, "links are found again", func() bool { return few.finds(made) })
	if few.finds(l) {
		t.Error("a killed link came back once Redis takes writes again")
	}
}

// Numbers that other things took are no changes of links: after a flush followers
// have missed nothing, and a node that comes is as far as those that are there.
func TestOtherChangesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := openLinkWorld(t)
	n := w.node(0)
	l := w.makeLink()
	n.arrives(t, "a link", l)
	_, _, err := w.things.CreateKey(t.Context(), operator, catalog.KeyFields{Role: catalog.RoleAdmin, Name: "other"})
	w.must(err)
	w.redis.Do("FLUSHALL")
	feed := fleet.NewFeed(n.fleet, fleet.FeedOptions{})
	redistest.Eventually(t, "Redis is filled again", func() bool {
		through, err := feed.Routes(t.Context(), func(attribution.RouteChange) error { return nil })
		return err == nil && through > 0
	})
	if _, err := feed.RoutesSince(t.Context(), n.index.Stats().Change, 1); err != nil {
		t.Errorf("who has everything is told: %v", err)
	}
	if fresh := w.node(0); fresh.index.Stats().Change != n.index.Stats().Change {
		t.Errorf("a fresh node is at %d, one that followed at %d", fresh.index.Stats().Change, n.index.Stats().Change)
	}
}

// A change that only a tracker can publish has to be known to all in 5 s: what the
// followers need is left of them.
func TestTrackersPublishInTime(t *testing.T) {
	const followersNeed = 3 * time.Second
	if trackerPublishes+followersNeed > 5*time.Second {
		t.Errorf("trackers publish every %v", trackerPublishes)
	}
}

func TestANodeHoldsOnlyLinksInUse(t *testing.T) {
	t.Parallel()
	w := openLinkWorld(t)
	all := w.makeLinks(3 * minMaxLinks)
	n := w.node(minMaxLinks)
	redistest.Eventually(t, "Redis has the links", func() bool { return n.finds(all[0]) })
	for _, l := range all {
		redistest.Eventually(t, "the link is found", func() bool { return n.finds(l) })
	}
	if held := n.index.Stats().Links; held > minMaxLinks || held < minMaxLinks/2 {
		t.Errorf("the node holds %d links", held)
	}
	if nobody := (catalog.Link{LinkFields: catalog.LinkFields{Slug: "nobody00"}}); n.finds(nobody) {
		t.Error("a link that is not there is found")
	}
	killed := all[len(all)-1]
	w.must(w.things.DeleteLink(t.Context(), operator, killed.ID))
	redistest.Eventually(t, "the killed link goes", func() bool { return !n.finds(killed) })
	hot := all[len(all)-2]
	w.redis.Kill()
	if !n.holds(hot) || n.misses.Ask([]byte("whose000")) != links.Unsure {
		t.Error("without Redis a node does not serve what it has, or is sure of what it has not")
	}
	w.redis.Restart()
	made := w.makeLink()
	redistest.Eventually(t, "links are found again", func() bool { return n.finds(made) && n.finds(all[5]) })
}
