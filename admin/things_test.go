package admin

import (
	"fmt"
	"strings"
	"testing"

	"tributary/catalog"
)

func TestThingsLiveAndAreArchived(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	for _, c := range []struct{ path, id, patch, field, want string }{
		{"/v1/advertisers", w.advertiser, `{"name":"Acme 2"}`, "name", "Acme 2"},
		{"/v1/creators", w.creator, `{"name":"Mali 2","email":null}`, "name", "Mali 2"},
		{"/v1/campaigns", w.campaign, `{"title":"Summer"}`, "title", "Summer"},
		{"/v1/tasks", w.task, `{"title":"A video"}`, "title", "A video"},
		{"/v1/links", w.link, `{"label":"bio"}`, "label", "bio"},
		{"/v1/terms-templates", w.template, `{"name":"Better"}`, "name", "Better"},
	} {
		one := c.path + "/" + c.id
		if got := b.send(b.root, "GET", one, "").want(200).text("id"); got != c.id {
			t.Errorf("%s reads %s", one, got)
		}
		for _, mediaType := range []string{"application/merge-patch+json", "application/json; charset=utf-8"} {
			if got := b.send(b.root, "PATCH", one, c.patch, "Content-Type", mediaType).want(200).text(c.field); got != c.want {
				t.Errorf("%s: %s %q", one, c.field, got)
			}
		}
		if got := b.send(b.root, "GET", one, "").want(200).text(c.field); got != c.want {
			t.Errorf("%s: %s reads %q", one, c.field, got)
		}
		if !strings.Contains(string(b.send(b.root, "GET", c.path, "").want(200).body), c.id) {
			t.Errorf("%s does not list %s", c.path, c.id)
		}
	}
	if r := b.send(b.root, "GET", "/v1/creators/"+w.creator, "").object(); r["email"] != nil || r["country"] != "TH" {
		t.Errorf("null did not remove, or absence did: %v", r)
	}
	for _, one := range []string{"/v1/links/" + w.link, "/v1/tasks/" + w.task, "/v1/campaigns/" + w.campaign, "/v1/creators/" + w.creator,
		"/v1/advertisers/" + w.advertiser, "/v1/terms-templates/" + w.template, "/v1/keys/" + w.key} {
		if r := b.send(b.root, "DELETE", one, "").want(204); len(r.body) != 0 {
			t.Errorf("%s answered %s", one, r.body)
		}
		list := one[:strings.LastIndexByte(one, '/')]
		if strings.Contains(string(b.send(b.root, "GET", list, "").want(200).body), `"id":"`+one[len(list)+1:]) {
			t.Errorf("%s still lists it", list)
		}
	}
}

func TestMakingSaysWhere(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	r := b.send(b.root, "POST", "/v1/tasks/"+w.task+"/links", `{"slug":"Spring-sale","sub1":"a"}`).want(201)
	location := r.header.Get("Location")
	if location != "/v1/links/"+r.text("id") || r.text("url") != "https://t.example/Spring-sale" {
		t.Errorf("Location %s: %s", location, r.body)
	}
	b.send(b.root, "GET", location, "").want(200)
	b.send(b.root, "POST", "/v1/tasks/"+w.task+"/links", `{"slug":"spring-SALE"}`).problem(409, "slug_taken")
	creator := b.make("/v1/creators", `{"name":"New"}`)
	joined := b.send(b.root, "POST", "/v1/campaigns/"+w.campaign+"/creators", `{"creator_id":"`+creator+`","tier":"low"}`).want(201)
	if got := b.send(b.root, "GET", joined.header.Get("Location"), "").want(200).text("tier"); got != "low" {
		t.Errorf("tier %q", got)
	}
	key := b.send(b.root, "POST", "/v1/keys", `{"role":"admin","name":"second"}`).want(201)
	if !strings.HasPrefix(key.text("key"), "trb_") {
		t.Errorf("key %s", key.body)
	}
	b.send(key.text("key"), "GET", "/v1/keys", "").want(200)
	if read := b.send(b.root, "GET", key.header.Get("Location"), "").want(200); read.object()["key"] != nil {
		t.Errorf("the secret is shown again: %s", read.body)
	}
	b.send(b.root, "DELETE", key.header.Get("Location"), "").want(204)
	b.send(key.text("key"), "GET", "/v1/keys", "").problem(401, catalog.CodeUnauthorized)
}

func TestCampaignSteps(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	id := b.make("/v1/campaigns", strings.Replace(worldCampaign, "%s", w.advertiser, 1))
	at := func(step, status string) {
		t.Helper()
		if got := b.send(w.advertiserKey, "POST", "/v1/campaigns/"+id+step, "").want(200).text("status"); got != status {
			t.Errorf("%s made it %s, want %s", step, got, status)
		}
	}
	at("/approve", "ongoing")
	at("/pause", "paused")
	at("/resume", "ongoing")
	at("/close", "closed")
	if got := b.send(b.root, "GET", "/v1/campaigns/"+id, "").want(200).text("status"); got != "closed" {
		t.Errorf("reads %s", got)
	}
}

func TestListsArePaged(t *testing.T) {
	b := newBench(t, nil)
	made := map[string]bool{}
	for i := range 5 {
		made[b.make("/v1/creators", fmt.Sprintf(`{"name":"Creator %d"}`, i))] = true
	}
	query := "/v1/creators?limit=2"
	for pages := 0; ; pages++ {
		object := b.send(b.root, "GET", query, "").want(200).object()
		for _, item := range object["items"].([]any) {
			delete(made, item.(map[string]any)["id"].(string))
		}
		cursor, more := object["next_cursor"].(string)
		if !more {
			if len(made) != 0 || pages != 2 {
				t.Errorf("%d missing after %d pages", len(made), pages+1)
			}
			break
		}
		query = "/v1/creators?limit=2&cursor=" + cursor
	}
	if got := string(b.send(b.root, "GET", "/v1/links?limit=1000", "").want(200).body); got != `{"items":[]}`+"\n" {
		t.Errorf("an empty list is %s", got)
	}
	b.send(b.root, "GET", "/v1/creators?q=creator+3", "").want(200)
}

func TestEachRoleSeesItsView(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	agency := b.make("/v1/campaigns", strings.Replace(strings.Replace(worldCampaign, "%s", w.advertiser, 1), `"title"`, `"agency_margin_rate":"0.1","title"`, 1))
	b.send(b.root, "POST", "/v1/campaigns/"+agency+"/approve", "").want(200)
	b.send(b.root, "POST", "/v1/campaigns/"+agency+"/creators", `{"creator_id":"`+w.creator+`"}`).want(201)
	for _, c := range []struct{ name, key, path, sees, hides string }{
		{"admin", b.root, "/v1/campaigns/" + agency, "margin_rate agency_margin_rate budget cost_per contacts terms", ""},
		{"advertiser with agency", w.advertiserKey, "/v1/campaigns/" + agency, "budget cost_per terms", "margin_rate agency_margin_rate"},
		{"advertiser without agency", w.advertiserKey, "/v1/campaigns/" + w.campaign, "margin_rate budget cost_per", "agency_margin_rate"},
		{"creator", w.creatorKey, "/v1/campaigns/" + w.campaign, "terms title", "margin_rate agency_margin_rate budget cost_per contacts"},
		{"admin", b.root, "/v1/creators/" + w.creator, "email payout_details labels socials", ""},
		{"advertiser", w.advertiserKey, "/v1/creators/" + w.creator, "name socials", "email payout_details"},
		{"itself", w.creatorKey, "/v1/creators/" + w.creator, "email payout_details", "labels"},
	} {
		list, _, _ := strings.Cut(c.path[4:], "/")
		id := c.path[strings.LastIndexByte(c.path, '/')+1:]
		views := map[string]map[string]any{"alone": b.send(c.key, "GET", c.path, "").want(200).object()}
		for _, item := range b.send(c.key, "GET", "/v1/"+list, "").want(200).object()["items"].([]any) {
			if item.(map[string]any)["id"] == id {
				views["listed"] = item.(map[string]any)
			}
		}
		if len(views) != 2 {
			t.Errorf("%s does not list %s", c.name, c.path)
		}
		for how, view := range views {
			for _, field := range strings.Fields(c.sees) {
				if view[field] == nil {
					t.Errorf("%s (%s) does not see %s of %s", c.name, how, field, list)
				}
			}
			for _, field := range strings.Fields(c.hides) {
				if view[field] != nil {
					t.Errorf("%s (%s) sees %s of %s: %v", c.name, how, field, list, view[field])
				}
			}
		}
	}
}

func TestWritesAreSeenAsReadsAre(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	made := b.send(w.advertiserKey, "POST", "/v1/campaigns", strings.Replace(worldCampaign, `"advertiser_id":"%s",`, "", 1)).want(201)
	if made.text("advertiser_id") != w.advertiser || made.object()["agency_margin_rate"] != nil {
		t.Errorf("made %s", made.body)
	}
	for _, path := range []string{"/v1/campaigns/" + w.campaign + "/pause", "/v1/campaigns/" + w.campaign + "/resume"} {
		if r := b.send(w.advertiserKey, "POST", path, "").want(200); r.object()["agency_margin_rate"] != nil {
			t.Errorf("%s shows %s", path, r.body)
		}
	}
	if r := b.send(w.creatorKey, "PATCH", "/v1/creators/"+w.creator, `{"gender":"f"}`).want(200); r.object()["labels"] != nil {
		t.Errorf("patched %s", r.body)
	}
}

func TestRolesWriteOnlyTheirFields(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	for _, c := range []struct{ name, key, path, body string }{
		{"advertiser's margin", w.advertiserKey, "/v1/campaigns/" + w.campaign, `{"margin_rate":"0"}`},
		{"advertiser's agency margin", w.advertiserKey, "/v1/campaigns/" + w.campaign, `{"agency_margin_rate":"0"}`},
		{"creator's labels", w.creatorKey, "/v1/creators/" + w.creator, `{"labels":["vip"]}`},
		{"creator's fee", w.creatorKey, "/v1/tasks/" + w.task, `{"fee":"1000"}`},
		{"creator's approval", w.creatorKey, "/v1/tasks/" + w.task, `{"status":"approved"}`},
	} {
		if r := b.send(c.key, "PATCH", c.path, c.body); r.status != 403 && r.status != 422 {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
	}
	withMargin := strings.Replace(strings.Replace(worldCampaign, "%s", w.advertiser, 1), `"title"`, `"margin_rate":"0","title"`, 1)
	if r := b.send(w.advertiserKey, "POST", "/v1/campaigns", withMargin); r.status != 403 && r.status != 422 {
		t.Errorf("a new campaign's margin: %d %s", r.status, r.body)
	}
	b.send(w.creatorKey, "PATCH", "/v1/tasks/"+w.task, `{"status":"submitted"}`).want(200)
}

func TestBulkHasAResultForEach(t *testing.T) {
	b := newBench(t, nil)
	w, other := b.world(), b.world()
	body := fmt.Sprintf(`{"items":[{"task_id":%q,"label":"a"},{"task_id":%q},{"task_id":%q,"destination":"ftp://x"},{"task_id":%q,"slug":"mine"}]}`,
		w.task, other.task, w.task, w.task)
	results := b.send(w.creatorKey, "POST", "/v1/links/bulk", body).want(200).object()["results"].([]any)
	var statuses []string
	for _, result := range results {
		statuses = append(statuses, result.(map[string]any)["status"].(string))
	}
	if got := strings.Join(statuses, " "); got != "created rejected rejected created" {
		t.Errorf("statuses %s: %v", got, results)
	}
	foreign := results[1].(map[string]any)["problem"].(map[string]any)
	if foreign["code"] != "not_found" {
		t.Errorf("another's task: %v", foreign)
	}
}

func TestAuditLogNamesTheKey(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	b.send(w.advertiserKey, "PATCH", "/v1/campaigns/"+w.campaign, `{"title":"Summer"}`).want(200)
	items := b.send(w.advertiserKey, "GET", "/v1/audit-log?thing=campaign&verb=update", "").want(200).object()["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["key_id"] == "" || items[0].(map[string]any)["thing_id"] != w.campaign {
		t.Errorf("audit log %v", items)
	}
	b.send(b.root, "GET", "/v1/audit-log?from=yesterday", "").problem(422, "validation")
	empty := b.send(b.root, "GET", "/v1/audit-log?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z", "").want(200)
	if string(empty.body) != `{"items":[]}`+"\n" {
		t.Errorf("2001 had %s", empty.body)
	}
}
