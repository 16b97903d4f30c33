package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
)

// routes reads the whole feed.
func routes(w *world) (all []attribution.RouteChange, through int64) {
	w.t.Helper()
	through, err := w.Routes(w.ctx, func(change attribution.RouteChange) error {
		all = append(all, change)
		return nil
	})
	ok(w.t, err)
	return all, through
}

func through(w *world) int64 {
	_, number := routes(w)
	return number
}

func testFeed(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(false)
	post := must(w.CreatePost(w.ctx, admin, w.task.ID, PostFields{URL: "https://www.tiktok.com/@mali/video/1"}))(t)
	expiry := w.clock.at() + 5000
	made := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{
		Slug: "Spring", PostID: post.ID, Destination: "https://shop.example/a?b=c%20d#e", Sub1: "a b", Sub5: "z", ExpiresAt: &expiry, MaxClicks: 7,
		Rules: []attribution.DestinationRule{{When: attribution.RuleWhen{Devices: []string{"phone"}}, Destination: "https://shop.example/m"}},
		Split: []attribution.SplitArm{{Destination: "https://shop.example/s", Weight: 3}},
	}))(t)
	plain := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	must(w.ApproveCampaign(w.ctx, admin, w.campaign.ID))(t)
	all, number := routes(w)
	equal(t, "routes", len(all), 4)
	equal(t, "advertiser", asJSON(t, all[0].Advertiser), asJSON(t, attribution.AdvertiserRoute{
		ID: w.advertiser.ID, Domains: []string{"shop.example"}, ClickParam: "tcid", PublicKey: w.advertiser.PublicKey}))
	equal(t, "campaign", asJSON(t, all[1].Campaign), asJSON(t, attribution.CampaignRoute{
		ID: w.campaign.ID, AdvertiserID: w.advertiser.ID, Destination: "https://shop.example/p/1",
		State: attribution.CampaignState{Approved: true, StartsAtMs: int64(w.campaign.StartsAt), EndsAtMs: int64(w.campaign.EndsAt)}}))
	identity := attribution.LinkIdentity{Number: made.Number, LinkID: made.ID, TaskID: w.task.ID, PostID: made.PostID, CampaignID: w.campaign.ID,
		CreatorID: w.creator.ID, AdvertiserID: w.advertiser.ID, Platform: "tiktok", Currency: w.campaign.Currency}
	equal(t, "link", asJSON(t, all[2].Link), asJSON(t, attribution.LinkRoute{
		Identity: identity, Slug: "Spring", Vanity: true, Destination: made.Destination, Sub: [5]string{"a b", "", "", "", "z"},
		Rules: made.Rules, Split: made.Split, ExpiresAtMs: int64(expiry), MaxClicks: 7}))
	identity.Number, identity.LinkID, identity.PostID = plain.Number, plain.ID, ""
	equal(t, "plain link", asJSON(t, all[3].Link), asJSON(t, attribution.LinkRoute{Identity: identity, Slug: plain.Slug}))

	equal(t, "nothing since", len(must(w.RoutesSince(w.ctx, number, 10))(t)), 0)
	equal(t, "through the last", number, slices.MaxFunc(all, func(a, b attribution.RouteChange) int { return int(a.Number - b.Number) }).Number)
	_, _, err := w.CreateKey(w.ctx, w.asAdvertiser(), KeyFields{Role: RoleIngest})
	ok(t, err)
	equal(t, "what trackers do not follow is not counted", through(w), number)
	must(w.PatchLink(w.ctx, admin, plain.ID, patchOf(`{"disabled":true}`)))(t)
	must(w.PatchAdvertiser(w.ctx, admin, w.advertiser.ID, patchOf(`{"click_param":"cid"}`)))(t)
	must(w.PauseCampaign(w.ctx, admin, w.campaign.ID))(t)
	ok(t, w.DeleteLink(w.ctx, admin, made.ID))
	since := must(w.RoutesSince(w.ctx, number, 10))(t)
	equal(t, "changes", len(since), 4)
	equal(t, "disabled", since[0].Link.Disabled, true)
	equal(t, "click_param", since[1].Advertiser.ClickParam, "cid")
	equal(t, "paused", since[2].Campaign.State.Paused, true)
	equal(t, "deleted", since[3].Link.Deleted, true)
	for i, change := range must(w.RoutesSince(w.ctx, number, 2))(t) {
		equal(t, "first two", change.Number, since[i].Number)
	}
	whole, _ := routes(w)
	equal(t, "routes without the deleted", len(whole), 3)
	stop := errors.New("stop")
	if _, err := w.Routes(w.ctx, func(attribution.RouteChange) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("want yield's error, got %v", err)
	}
}

func testFollowers(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	one, two := w.Changed(), w.Changed()
	noticed := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	equal(t, "quiet", noticed(one), false)
	must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	equal(t, "first follower", noticed(one), true)
	equal(t, "coalesced", noticed(one), false)
	equal(t, "second follower", noticed(two), true)
	_, err := w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "a b"})
	refused(t, err, attribution.CodeValidation)
	must(w.PatchTask(w.ctx, admin, w.task.ID, patchOf(`{"title":"x"}`)))(t)
	equal(t, "what trackers need not know", noticed(one), false)
	_, _, _, err = w.Idempotent(w.ctx, admin, "k", "h", func(ctx context.Context) (int, []byte, error) {
		must(w.CreateLink(ctx, admin, w.task.ID, LinkFields{}))(t)
		equal(t, "not before the commit", noticed(one), false)
		return 201, nil, nil
	})
	ok(t, err)
	equal(t, "after the commit", noticed(one), true)
}

// testParallelWriters has several writers make links, some of the same vanity
// slug, while a follower reads: it must see every number in order and miss none.
func testParallelWriters(t *testing.T, open factory) {
	const writers, rounds = 6, 15
	w := newWorld(t, open(t))
	after := through(w)
	var writing sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	errs := make(chan error, writers*rounds*3)
	for writer := range writers {
		writing.Go(func() {
			for round := range rounds {
				_, err := w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: fmt.Sprintf("%s%d", []string{"vanity", "Vanity"}[writer%2], round)})
				if problem, is := attribution.AsProblem(err); is && problem.Code == attribution.CodeSlugTaken {
					mu.Lock()
					taken++
					mu.Unlock()
				} else {
					errs <- err
				}
				_, err = w.CreateLinks(w.ctx, admin, []LinkRequest{{TaskID: w.task.ID}, {TaskID: w.task.ID}})
				errs <- err
				_, err = w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"title":"by %d in %d"}`, writer, round))
				errs <- err
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	seen, last := map[uint64]bool{}, after
	for finished := false; ; {
		changes := must(w.RoutesSince(w.ctx, last, 50))(t)
		for _, change := range changes {
			if change.Number <= last {
				t.Fatalf("change %d after %d", change.Number, last)
			}
			last = change.Number
			if change.Link != nil {
				seen[change.Link.Identity.Number] = true
			}
		}
		if finished && len(changes) == 0 {
			break
		}
		select {
		case <-done:
			finished = true
		case <-time.After(time.Millisecond):
		}
	}
	close(errs)
	for err := range errs {
		ok(t, err)
	}
	equal(t, "vanity slugs taken", taken, (writers-1)*rounds)
	equal(t, "links the follower saw", len(seen), rounds+writers*rounds*2)
	all, _ := routes(w)
	slugs := map[string]bool{}
	for _, change := range all[2:] {
		slugs[strings.ToLower(change.Link.Slug)] = true
	}
	equal(t, "different slugs", len(slugs), len(seen))
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openIn(t, dir)
	w := newWorld(t, db)
	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	number := through(w)
	ok(t, db.Close())

	again, _ := newCatalog(openIn(t, dir))
	equal(t, "link", asJSON(t, must(again.Link(w.ctx, admin, link.ID))(t)), asJSON(t, link))
	next := must(again.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	equal(t, "link numbers go on", next.Number, link.Number+1)
	since := must(again.RoutesSince(w.ctx, number, 10))(t)
	equal(t, "change numbers go on", len(since), 1)
}
