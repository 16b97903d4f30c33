package admin

import (
	"strings"
	"testing"

	"tributary/catalog"
)

func TestCreatorJoinsByItself(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	open := strings.NewReplacer("%s", w.advertiser, `"visibility":"invite"`, `"visibility":"open","approval":"manual","eligibility":{"countries":["TH"]}`)
	campaign := b.make("/v1/campaigns", open.Replace(worldCampaign))
	creator := b.make("/v1/creators", `{"name":"New","country":"VN"}`)
	key := b.key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: creator})
	one, joined := "/v1/campaigns/"+campaign, "/v1/campaigns/"+campaign+"/creators"

	b.send(key, "POST", joined, "").problem(404, "not_found") // a draft
	b.send(b.root, "POST", one+"/approve", "").want(200)
	b.send(key, "GET", one, "").problem(404, "not_found")
	refusal := b.send(key, "POST", joined, "").problem(422, catalog.CodeNotEligible)
	if len(refusal.Errors) != 1 || refusal.Errors[0].Location != "creator.country" || refusal.Errors[0].Code != catalog.ConditionCountry {
		t.Errorf("refused for %v", refusal.Errors)
	}
	b.send(key, "PATCH", "/v1/creators/"+creator, `{"country":"TH"}`).want(200)
	if seen := b.send(key, "GET", one, "").want(200).object(); seen["participation"] != nil || seen["cost_per"] != nil || seen["budget"] != nil {
		t.Errorf("a creator sees %v", seen)
	}
	for range 2 {
		if got := b.send(key, "POST", joined, "").want(201).text("status"); got != "applied" {
			t.Errorf("the status is %s", got)
		}
	}
	if items := b.send(key, "GET", "/v1/campaigns?participation=applied", "").want(200).object()["items"].([]any); len(items) != 1 ||
		items[0].(map[string]any)["participation"] != "applied" {
		t.Errorf("the creator's campaigns are %v", items)
	}
	waiting := b.send(w.advertiserKey, "GET", joined+"?status=applied", "").want(200).object()["items"].([]any)
	if len(waiting) != 1 || waiting[0].(map[string]any)["creator_id"] != creator {
		t.Errorf("waiting are %v", waiting)
	}
	b.send(w.advertiserKey, "PATCH", joined+"/"+creator, `{"status":"rejected","reason":"Too few posts"}`).want(200)
	if got := b.send(key, "GET", joined+"/"+creator, "").want(200).text("reason"); got != "Too few posts" {
		t.Errorf("the reason is %q", got)
	}
	b.send(key, "POST", joined, "").problem(409, catalog.CodeRejected)
	b.send(w.advertiserKey, "PATCH", joined+"/"+creator, `{"status":"joined"}`).want(200)
	b.send(key, "PATCH", joined+"/"+creator, `{"status":"unavailable"}`).want(200)
	b.send(key, "GET", one, "").problem(404, "not_found")
}

func TestDraftComesBeforeThePost(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	b.send(b.root, "PATCH", "/v1/campaigns/"+w.campaign, `{"require_draft":true}`).want(200)
	posts, drafts := "/v1/tasks/"+w.task+"/posts", "/v1/tasks/"+w.task+"/drafts"
	post := `{"url":"https://www.tiktok.com/@mali/video/2"}`
	b.send(w.creatorKey, "POST", posts, post).problem(409, catalog.CodeDraftRequired)
	b.send(w.creatorKey, "POST", drafts, `{"text":"Another"}`).problem(409, catalog.CodeDraftWaiting)
	b.send(w.advertiserKey, "POST", "/v1/drafts/"+w.draft+"/return", `{"reason":""}`).problem(422, "validation")
	b.send(w.advertiserKey, "POST", "/v1/drafts/"+w.draft+"/return", `{"reason":"Name the product"}`).want(200)
	b.send(w.advertiserKey, "POST", "/v1/drafts/"+w.draft+"/approve", "").problem(409, catalog.CodeDraftDecided)
	made := b.send(w.creatorKey, "POST", drafts, `{"text":"Another"}`).want(201)
	if got := b.send(w.advertiserKey, "POST", made.header.Get("Location")+"/approve", "").want(200).text("status"); got != "approved" {
		t.Errorf("the draft is %s", got)
	}
	id := b.send(w.creatorKey, "POST", posts, post).want(201).text("id")
	listed := b.send(w.creatorKey, "GET", drafts, "").want(200).object()["items"].([]any)
	if len(listed) != 2 || listed[0].(map[string]any)["post_id"] != id {
		t.Errorf("the drafts are %v", listed)
	}
}

func TestMe(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	for key, want := range map[string]string{b.root: "admin ", w.advertiserKey: "advertiser Acme", w.creatorKey: "creator Mali", w.ingestKey: "ingest Acme"} {
		if me := b.send(key, "GET", "/v1/me", "").want(200); me.text("role")+" "+me.text("name") != want {
			t.Errorf("%s: %s", want, me.body)
		}
	}
}
