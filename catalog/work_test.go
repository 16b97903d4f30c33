package catalog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
)

// testTaskStates tries every change of a task's state as everybody.
func testTaskStates(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	all := []string{TaskOpen, TaskSubmitted, TaskApproved, TaskRejected, TaskCancelled}
	judged := "open>submitted open>approved open>rejected open>cancelled submitted>open submitted>approved submitted>rejected submitted>cancelled " +
		"approved>open rejected>open cancelled>open"
	for role, c := range map[string]struct {
		scope Scope
		want  string
	}{
		"creator": {w.asCreator(), "open>submitted"}, "advertiser": {w.asAdvertiser(), judged}, "admin": {admin, judged},
	} {
		var got []string
		for _, from := range all {
			for _, to := range all {
				if from == to {
					continue
				}
				task := must(w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok", Status: from}))(t)
				now, err := w.PatchTask(w.ctx, c.scope, task.ID, patchOf(`{"status":%q}`, to))
				if problem, is := attribution.AsProblem(err); is && problem.Code != CodeTaskState && problem.Code != attribution.CodeForbidden {
					t.Errorf("%s: %v", role, err)
				} else if err == nil {
					equal(t, "status", now.Status, to)
					got = append(got, from+">"+to)
				}
			}
		}
		equal(t, role, strings.Join(got, " "), c.want)
	}
	rejected := must(w.PatchTask(w.ctx, w.asAdvertiser(), w.task.ID, patchOf(`{"status":"rejected","reason":"wrong product"}`)))(t)
	equal(t, "reason", rejected.Reason, "wrong product")
	equal(t, "of an open one", must(w.PatchTask(w.ctx, w.asAdvertiser(), w.task.ID, patchOf(`{"status":"open"}`)))(t).Reason, "")
}

func testPostsOfATask(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	post := func(scope Scope) (Post, error) {
		return w.CreatePost(w.ctx, scope, w.task.ID, PostFields{URL: "https://m.tiktok.com/v/1"})
	}
	_, err := post(w.asCreator())
	refused(t, err, CodePostsDisabled)
	w.takePosts(false)
	first := must(post(w.asCreator()))(t)
	_, err = post(admin)
	refused(t, err, CodeOnePostPerTask)
	must(w.PatchPost(w.ctx, admin, first.ID, patchOf(`{"status":"ineffective"}`)))(t)
	second := must(post(w.asCreator()))(t)
	_, err = w.PatchPost(w.ctx, admin, first.ID, patchOf(`{"status":"effective"}`))
	refused(t, err, CodeOnePostPerTask)
	ok(t, w.ArchivePost(w.ctx, w.asCreator(), second.ID))
	must(w.PatchPost(w.ctx, admin, first.ID, patchOf(`{"status":"effective"}`)))(t)
	w.takePosts(true)
	must(post(w.asCreator()))(t)
	must(w.PatchTask(w.ctx, admin, w.task.ID, patchOf(`{"status":"cancelled"}`)))(t)
	_, err = post(admin)
	refused(t, err, attribution.CodeConflict)
}

func TestPostAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		platform, url string
		looksWrong    bool
	}{
		{"tiktok", "https://www.tiktok.com/@mali/video/1", false},
		{"tiktok", "https://VM.TikTok.com/x", false},
		{"tiktok", "https://tiktok.com.evil.example/x", true},
		{"tiktok", "https://nottiktok.com/x", true},
		{"youtube", "https://youtu.be/x", false},
		{"x", "https://twitter.com/mali/status/1", false},
		{"instagram", "https://www.tiktok.com/@mali/video/1", true},
		{"blog", "https://anything.example/", false},
		{"line", "https://anything.example/", false},
	} {
		if remark := urlRemark(c.platform, c.url); (remark != "") != c.looksWrong {
			t.Errorf("%s at %s: %q", c.platform, c.url, remark)
		}
	}
}

func testDrafts(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(true)
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"require_draft":true}`)))(t)
	post := func() error {
		_, err := w.CreatePost(w.ctx, w.asCreator(), w.task.ID, PostFields{URL: "https://www.tiktok.com/@mali/video/1"})
		return err
	}
	refused(t, post(), CodeDraftRequired)
	_, err := w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{Text: " ", AssetURLs: nil})
	failed(t, err, "body.text")
	_, err = w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{AssetURLs: []string{"", "ftp://x"}})
	failed(t, err, "body.asset_urls[0]", "body.asset_urls[1]")
	_, err = w.CreateDraft(w.ctx, w.asAdvertiser(), w.task.ID, DraftFields{Text: "Hello"})
	refused(t, err, attribution.CodeForbidden)

	first := must(w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{Text: "Hello", AssetURLs: []string{"https://files.example/1.jpg"}}))(t)
	equal(t, "status", first.Status, DraftWaiting)
	equal(t, "stored", asJSON(t, must(w.Draft(w.ctx, w.asAdvertiser(), first.ID))(t)), asJSON(t, first))
	_, err = w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{Text: "Hello again"})
	refused(t, err, CodeDraftWaiting)
	refused(t, post(), CodeDraftRequired)
	_, err = w.ApproveDraft(w.ctx, w.asCreator(), first.ID)
	refused(t, err, attribution.CodeForbidden)
	_, err = w.ReturnDraft(w.ctx, w.asAdvertiser(), first.ID, " ")
	failed(t, err, "body.reason")

	w.clock.advance(time.Minute)
	returned := must(w.ReturnDraft(w.ctx, w.asAdvertiser(), first.ID, "name the product"))(t)
	equal(t, "returned", returned.Status+" "+returned.Reason, "returned name the product")
	equal(t, "decided at", *returned.DecidedAt, w.clock.at())
	equal(t, "again", asJSON(t, must(w.ReturnDraft(w.ctx, w.asAdvertiser(), first.ID, "name the product"))(t)), asJSON(t, returned))
	_, err = w.ApproveDraft(w.ctx, w.asAdvertiser(), first.ID)
	refused(t, err, CodeDraftDecided)
	refused(t, post(), CodeDraftRequired)

	second := must(w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{Text: "Hello, Glow"}))(t)
	must(w.ApproveDraft(w.ctx, w.asAdvertiser(), second.ID))(t)
	ok(t, post())
	used := must(w.Draft(w.ctx, w.asCreator(), second.ID))(t)
	posts := must(w.Posts(w.ctx, admin, PostFilter{TaskID: w.task.ID}, Page{}))(t).Items
	equal(t, "the post it became", used.PostID, posts[0].ID)
	refused(t, post(), CodeDraftRequired) // each post has its own draft
	ok(t, w.ArchivePost(w.ctx, w.asCreator(), used.PostID))
	ok(t, post())

	equal(t, "drafts of the task", len(must(w.Drafts(w.ctx, w.asCreator(), DraftFilter{TaskID: w.task.ID}, Page{}))(t).Items), 2)
	equal(t, "returned ones", len(must(w.Drafts(w.ctx, w.asAdvertiser(), DraftFilter{CampaignID: w.campaign.ID, Status: DraftReturned}, Page{}))(t).Items), 1)
	stranger := newWorld(t, w.db)
	for _, scope := range []Scope{stranger.asAdvertiser(), stranger.asCreator(), {}} {
		_, err := w.Draft(w.ctx, scope, second.ID)
		refused(t, err, attribution.CodeNotFound)
		_, err = w.ApproveDraft(w.ctx, scope, second.ID)
		refused(t, err, attribution.CodeNotFound)
		_, err = w.CreateDraft(w.ctx, scope, w.task.ID, DraftFields{Text: "Mine"})
		refused(t, err, attribution.CodeNotFound)
		equal(t, "a stranger's drafts", len(must(w.Drafts(w.ctx, scope, DraftFilter{}, Page{}))(t).Items), 0)
	}
}

// testParallelDrafts hands in a draft from several places at once, and has it
// approved and returned at once: one of each comes through.
func testParallelDrafts(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(false)
	race := func(calls ...func() error) (through int, codes map[string]int) {
		var group sync.WaitGroup
		var mu sync.Mutex
		codes = map[string]int{}
		for _, call := range calls {
			group.Go(func() {
				err := call()
				mu.Lock()
				defer mu.Unlock()
				if problem, is := attribution.AsProblem(err); is {
					codes[problem.Code]++
				} else if err != nil {
					t.Error(err)
				} else {
					through++
				}
			})
		}
		group.Wait()
		return through, codes
	}
	hand := func() error {
		_, err := w.CreateDraft(w.ctx, w.asCreator(), w.task.ID, DraftFields{Text: "Hello"})
		return err
	}
	through, codes := race(hand, hand, hand, hand)
	equal(t, "handed in", through, 1)
	equal(t, "refused", codes[CodeDraftWaiting], 3)
	draft := must(w.Drafts(w.ctx, admin, DraftFilter{TaskID: w.task.ID}, Page{}))(t).Items[0]
	through, codes = race(
		func() error { return second(w.ApproveDraft(w.ctx, w.asAdvertiser(), draft.ID)) },
		func() error { return second(w.ReturnDraft(w.ctx, admin, draft.ID, "no")) },
	)
	equal(t, "decisions", through, 1)
	equal(t, "late decisions", codes[CodeDraftDecided], 1)
}

func testLinksOfPosts(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(false)
	post := must(w.CreatePost(w.ctx, w.asCreator(), w.task.ID, PostFields{URL: "https://www.tiktok.com/@mali/video/1"}))(t)
	link := must(w.CreateLink(w.ctx, w.asCreator(), w.task.ID, LinkFields{PostID: post.ID}))(t)
	equal(t, "post", must(w.Link(w.ctx, admin, link.ID))(t).PostID, post.ID)
	other := must(w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok"}))(t)
	_, err := w.CreateLink(w.ctx, w.asCreator(), other.ID, LinkFields{PostID: post.ID})
	failed(t, err, "body.post_id")
	moved := must(w.CreateLink(w.ctx, w.asCreator(), other.ID, LinkFields{}))(t)
	_, err = w.PatchLink(w.ctx, admin, moved.ID, patchOf(`{"post_id":%q}`, post.ID))
	failed(t, err, "body.post_id")
	_, err = w.PatchLink(w.ctx, admin, moved.ID, patchOf(`{"post_id":"pst_x"}`))
	failed(t, err, "body.post_id")
	ok(t, w.ArchivePost(w.ctx, admin, post.ID))
	_, err = w.CreateLink(w.ctx, w.asCreator(), w.task.ID, LinkFields{PostID: post.ID})
	failed(t, err, "body.post_id")
	must(w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"label":"kept"}`)))(t) // what the link was made for may be archived
	must(w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"post_id":null}`)))(t)
}

// testAbsent has a creator work on after it was deselected.
func testAbsent(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(false)
	must(w.PatchParticipation(w.ctx, w.asAdvertiser(), w.campaign.ID, w.creator.ID, patchOf(`{"status":"unavailable"}`)))(t)
	for what, call := range map[string]func(Scope) error{
		"link":  func(s Scope) error { return second(w.CreateLink(w.ctx, s, w.task.ID, LinkFields{})) },
		"code":  func(s Scope) error { return second(w.CreateCode(w.ctx, s, w.task.ID, CodeFields{})) },
		"draft": func(s Scope) error { return second(w.CreateDraft(w.ctx, s, w.task.ID, DraftFields{Text: "x"})) },
		"post": func(s Scope) error {
			return second(w.CreatePost(w.ctx, s, w.task.ID, PostFields{URL: "https://www.tiktok.com/@mali/video/1"}))
		},
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, call(w.asCreator()), CodeNotJoined)
			ok(t, call(admin))
		})
	}
}

func testOfferedTo(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	thai := w.offer(func(f *CampaignFields) {
		f.Eligibility.Countries, f.StartsAt, f.Title = []string{"TH"}, instant("2027-01-11T17:00:00Z"), "Thai"
	})
	invite := w.offer(func(f *CampaignFields) {
		f.Visibility, f.StartsAt, f.Title = VisibilityInvite, instant("2027-01-12T16:59:59.999Z"), "Invited"
	})
	w.offer(func(f *CampaignFields) { f.StartsAt = instant("2027-01-12T17:00:00Z") })
	must(w.PauseCampaign(w.ctx, admin, w.offer(func(f *CampaignFields) { f.StartsAt = instant("2027-01-12T00:00:00Z") }).ID))(t)

	starting := must(w.CampaignsStarting(w.ctx, instant("2027-01-11T17:00:00Z"), instant("2027-01-12T17:00:00Z")))(t)
	equal(t, "starting", fmt.Sprint(starting), fmt.Sprint([]StartingCampaign{{thai.ID, thai.StartsAt}, {invite.ID, invite.StartsAt}}))

	var creators []Creator
	var want []string
	for i, c := range []struct{ country, status, sees string }{
		{"TH", "", "Thai"}, {"VN", "", ""}, {"TH", Invited, "Thai Invited"}, {"VN", Invited, "Invited"}, {"TH", Rejected, "Thai"},
		{"VN", Unavailable, ""}, {"VN", Joined, "Invited"},
	} {
		creator, _ := w.newcomer(CreatorFields{Country: c.country})
		if c.status != "" {
			must(w.AddCreator(w.ctx, admin, invite.ID, ParticipationFields{CreatorID: creator.ID, Status: c.status}))(t)
		}
		creators = append(creators, creator)
		want = append(want, fmt.Sprintf("%d %s", i, c.sees))
	}
	slices.Reverse(creators) // in whatever order they come
	sees := map[string][]string{}
	for _, s := range starting {
		campaign, told, err := w.OfferedTo(w.ctx, s.ID, creators)
		ok(t, err)
		equal(t, "as creators see it", campaign.MarginRate, "")
		for _, creator := range told {
			sees[creator.ID] = append(sees[creator.ID], campaign.Title)
		}
	}
	slices.Reverse(creators)
	for i, creator := range creators {
		equal(t, "is told of", fmt.Sprintf("%d %s", i, strings.Join(sees[creator.ID], " ")), want[i])
	}
	must(w.PauseCampaign(w.ctx, admin, invite.ID))(t)
	_, told, err := w.OfferedTo(w.ctx, invite.ID, creators)
	ok(t, err)
	equal(t, "told of a paused one", len(told), 0)
	_, _, err = w.OfferedTo(w.ctx, "cmp_x", creators)
	refused(t, err, attribution.CodeNotFound)
	_, _, err = w.OfferedTo(w.ctx, thai.ID, make([]Creator, MaxLimit+1))
	failed(t, err, "creators")
}

func testMe(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	expiry := w.clock.at() + 1000
	key, _, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleAdvertiser, AdvertiserID: w.advertiser.ID, Name: "office", ExpiresAt: &expiry})
	ok(t, err)
	equal(t, "advertiser", asJSON(t, must(w.Me(w.ctx, Scope{Role: RoleAdvertiser, KeyID: key.ID, AdvertiserID: w.advertiser.ID}))(t)),
		asJSON(t, Me{Role: RoleAdvertiser, KeyID: key.ID, KeyName: "office", Name: "Acme", AdvertiserID: w.advertiser.ID, AdvertiserName: "Acme",
			Currency: "USD", Timezone: "Asia/Bangkok", ExpiresAt: &expiry}))
	equal(t, "creator", asJSON(t, must(w.Me(w.ctx, w.asCreator()))(t)),
		asJSON(t, Me{Role: RoleCreator, KeyID: "key_creator", Name: "Mali", CreatorID: w.creator.ID, CreatorName: "Mali"}))
	equal(t, "the operator", asJSON(t, must(w.Me(w.ctx, Scope{Role: RoleAdmin}))(t)), `{"role":"admin","name":""}`)
}
