package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// creatorOfDemo is the creator of the demo data that the walk goes as.
const creatorOfDemo = "mali"

func TestCreatorInBrowser(t *testing.T) {
	t.Parallel()
	a := startDemo(t)
	var creator, foreign string
	for _, found := range a.all("/v1/creators", nil) {
		if strings.HasPrefix(strings.ToLower(found["name"].(string)), creatorOfDemo) {
			creator = found["id"].(string)
		}
	}
	joined := a.campaignTitled(demoCampaignTitle)
	var own string
	for _, task := range a.all("/v1/tasks", url.Values{"campaign_id": {joined["id"].(string)}}) {
		if task["creator_id"] == creator {
			own = task["id"].(string)
		} else {
			foreign = task["id"].(string)
		}
	}
	soon := time.Now().AddDate(0, 1, 0).UTC()
	offer := func(title string, fields map[string]any) string {
		campaign := map[string]any{
			"advertiser_id": joined["advertiser_id"], "title": title, "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://example.com/",
			"starts_at": time.Now().Add(-time.Hour).UTC(), "ends_at": soon, "hashtags": []string{"#a", "#b", "#c"},
			"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
		}
		for name, value := range fields {
			campaign[name] = value
		}
		id := a.make("/v1/campaigns", campaign)
		a.call(http.MethodPost, "/v1/campaigns/"+id+"/approve", nil, http.StatusOK)
		return id
	}
	applied := offer("Autumn walk", map[string]any{"approval": "manual"})
	shown := offer("Show it first", map[string]any{"track_posts": true, "require_draft": true})
	a.call(http.MethodPost, "/v1/campaigns/"+shown+"/creators", map[string]any{"creator_id": creator}, http.StatusCreated)
	drafted := a.make("/v1/tasks", map[string]any{"campaign_id": shown, "creator_id": creator, "platform": "tiktok", "title": "Sunrise story", "fee": "90.00"})
	key := a.keyFor(map[string]any{"role": "creator", "creator_id": creator})
	walkDashboard(t, a, key, "creator.mjs", map[string]any{
		"open":   map[string]any{"id": applied, "verb": "Apply", "done": "You have applied", "out": "Withdraw", "leave": "Withdraw"},
		"joined": map[string]any{"title": demoCampaignTitle}, "drafted": drafted, "task": own, "foreign": foreign,
		"stamp": "walk", "day": time.Now().AddDate(0, 0, -3).Format(time.DateOnly),
	})
}

func TestOperatorInBrowser(t *testing.T) {
	t.Parallel()
	a := startDemo(t)
	advertiser := a.campaignTitled(demoCampaignTitle)["advertiser_id"].(string)
	for _, amount := range []string{"10.00", "20.00"} { // the second one conflicts
		a.report(advertiser, map[string]any{"event": "sale", "order_id": "told-twice", "amount": amount, "currency": "USD"})
	}
	if err := a.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	link := a.all("/v1/links", nil)[0]
	walkDashboard(t, a, adminKeyOfTests, "operator.mjs", map[string]any{
		"link": "http://" + a.trackerListener.Addr().String() + "/" + link["slug"].(string), "conflict": "told-twice", "stamp": "walk",
	})
}
