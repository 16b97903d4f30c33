package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func rehearsalOptions(t *testing.T) Options {
	t.Helper()
	o := testOptions(t, t.TempDir())
	o.Sandbox, o.ClickHouse = true, "clickhouse://127.0.0.1:9/tributary" // nothing here is about figures
	return o
}

func TestRehearsalsHaveDataDirectoriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, databaseFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rehearsed := t.TempDir()
	if err := os.WriteFile(filepath.Join(rehearsed, sandboxFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir       string
		rehearsal bool
		refusal   string
	}{
		{t.TempDir(), true, ""},
		{t.TempDir(), false, ""},
		{rehearsed, true, ""},
		{used, false, ""},
		{used, true, "has been used without --sandbox"},
		{rehearsed, false, "is a rehearsal's: start with --sandbox"},
	} {
		dir, err := openDataDir(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		err = dir.checkRehearsal(c.rehearsal)
		if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
			t.Errorf("%+v: %v", c, err)
		}
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRehearsalIsMarkedAndKeepsItsTimeOverARestart(t *testing.T) {
	t.Parallel()
	o := rehearsalOptions(t)
	a := startTestApp(t, o)
	if clock := a.call(http.MethodGet, "/v1/sandbox/clock", nil, http.StatusOK); clock["stands"] != false {
		t.Errorf("before it was set the clock is %v", clock)
	}
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": "2027-01-10T09:00:00Z"}, http.StatusOK)
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": "2027-01-10T08:59:59Z"}, http.StatusUnprocessableEntity)
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": "36h"}, http.StatusOK)
	for _, address := range []string{"http://" + a.adminListener.Addr().String() + "/healthz", "http://" + a.trackerListener.Addr().String() + "/nowhere"} {
		response, err := a.http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.Header.Get("X-Tributary-Sandbox") != "true" {
			t.Errorf("%s is not marked", address)
		}
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	a = startTestApp(t, o)
	if clock := a.call(http.MethodGet, "/v1/sandbox/clock", nil, http.StatusOK); clock["now"] != "2027-01-11T21:00:00.000Z" || clock["stands"] != true {
		t.Errorf("after a restart the clock is %v", clock)
	}
}

// TestClockWaitsForConversionsAndLivesThrough sends conversions that nobody waits
// for and moves the clock at once: they are settled at the old time, and locked
// and payable when the answer comes.
func TestClockWaitsForConversionsAndLivesThrough(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, rehearsalOptions(t))
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": time.Now().UTC().Format(time.RFC3339)}, http.StatusOK)
	link := a.makeLink()
	click := a.call(http.MethodPost, "/v1/sandbox/click", map[string]any{"link_id": link["id"]}, http.StatusCreated)
	advertiser := link["advertiser_id"].(string)
	const orders = 20
	for i := range orders {
		a.report(advertiser, map[string]any{"event": "sale", "order_id": fmt.Sprint("o", i), "amount": "100.00", "currency": "USD", "click_id": click["click_id"]})
	}
	clock := a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": "24h"}, http.StatusOK)
	items := a.call(http.MethodGet, "/v1/actions?limit=1000", nil, http.StatusOK)["items"].([]any)
	if len(items) != orders {
		t.Fatalf("when the clock had moved %d of %d orders were settled", len(items), orders)
	}
	for _, item := range items {
		action := item.(map[string]any)
		if action["state"] != "payable" || action["created_at"] == clock["now"] || action["received_at"] != action["created_at"] {
			t.Fatalf("an action is %v", action)
		}
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, rehearsalOptions(t))
	link := a.makeLink()
	click := a.call(http.MethodPost, "/v1/sandbox/click", map[string]any{"link_id": link["id"]}, http.StatusCreated)
	if location := click["location"].(string); !strings.HasPrefix(location, "https://shop.example/p/1") {
		t.Errorf("the sample leads to %s", location)
	}
	sale := map[string]any{"advertiser_id": link["advertiser_id"], "event": "sale", "order_id": "o1", "amount": "80.00", "currency": "USD", "click_id": click["click_id"]}
	settled := a.call(http.MethodPost, "/v1/sandbox/conversion", sale, http.StatusCreated)
	if settled["status"] != "accepted" || settled["attributed"] != true || len(settled["actions"].([]any)) != 1 {
		t.Errorf("the sample is settled as %v", settled)
	}
	if again := a.call(http.MethodPost, "/v1/sandbox/conversion", sale, http.StatusCreated); again["status"] != "duplicate" {
		t.Errorf("the same sample again is settled as %v", again)
	}
	sale["amount"] = "1.001"
	a.call(http.MethodPost, "/v1/sandbox/conversion", sale, http.StatusUnprocessableEntity)
	sale["advertiser_id"] = "adv_00000000000000000000000000"
	a.call(http.MethodPost, "/v1/sandbox/conversion", sale, http.StatusNotFound)
}

// TestARehearsalAlwaysKnowsHowFarReportsReach asks before anything is stored: at
// the start, after the clock was set back, with a click that waits for ClickHouse,
// and after a restart.
func TestARehearsalAlwaysKnowsHowFarReportsReach(t *testing.T) {
	o := rehearsalOptions(t)
	a := startTestApp(t, o)
	reach := func(a *testApp) time.Time {
		return reportFreshness{a.freshness(), a.copy}.DataThrough(a.reportTime())
	}
	if age := time.Since(reach(a)); age > time.Minute {
		t.Errorf("at the start reports reach to %s", reach(a))
	}
	past := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": past}, http.StatusOK)
	if got := reach(a); !got.Equal(past) {
		t.Errorf("with a clock that was set back they reach to %s", got)
	}
	advertiser := a.make("/v1/advertisers", map[string]any{"name": "Acme", "currency": "USD", "timezone": "UTC", "domains": []string{"shop.example"}})
	campaign := a.make("/v1/campaigns", map[string]any{
		"advertiser_id": advertiser, "title": "Spring", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/",
		"starts_at": past, "ends_at": past.AddDate(0, 1, 0), "terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.1"}}},
	})
	a.call(http.MethodPost, "/v1/campaigns/"+campaign+"/approve", nil, http.StatusOK)
	creator := a.make("/v1/creators", map[string]any{"name": "Mali"})
	a.call(http.MethodPost, "/v1/campaigns/"+campaign+"/creators", map[string]any{"creator_id": creator}, http.StatusCreated)
	task := a.make("/v1/tasks", map[string]any{"campaign_id": campaign, "creator_id": creator, "platform": "tiktok"})
	link := a.call(http.MethodPost, "/v1/tasks/"+task+"/links", map[string]any{}, http.StatusCreated)
	a.clicked(link, phone)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	again := startTestApp(t, o)
	if got := reach(again); !got.Equal(past) {
		t.Errorf("after a restart, with a click that is not stored, they reach to %s", got)
	}
}
