package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// demoCampaignTitle is the campaign of the demo data that the walks go through.
const demoCampaignTitle = "Summer Glow launch"

// program finds a program the test runs, or fails with how to install it.
func program(t *testing.T, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing. Install it: %s", names[0], install)
	return ""
}

// startDemo starts an app with the demo data and waits until reports show it.
func startDemo(t *testing.T) *testApp {
	t.Helper()
	o := testOptions(t, t.TempDir())
	o.Demo = true
	a := startTestApp(t, o)
	eventually(t, func() error {
		if clicks, reports := a.clicks.Stats().Pending, a.reports.Stats().Pending; clicks+reports > 0 {
			return fmt.Errorf("%d clicks and %d reports of the demo are on their way", clicks, reports)
		}
		return a.clickhouse.Ping(context.Background())
	})
	if err := a.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// walkDashboard runs a way through the dashboard in a real browser, signed in with
// a key. See testdata/dashboard/browser.mjs for what every page is held to;
// DASHBOARD_SHOTS=DIR keeps screenshots.
func walkDashboard(t *testing.T, a *testApp, key, way string, data any) {
	t.Helper()
	node := program(t, "'apt-get install nodejs npm' or 'brew install node', and 'make deps'", "node")
	chromium := program(t, "'apt-get install chromium' or 'brew install chromium'", "chromium", "chromium-browser", "google-chrome")
	given, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, node, "testdata/dashboard/"+way, "http://"+a.adminListener.Addr().String(), chromium, key, string(given))
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	t.Logf("\n%s", said.String())
}

// keyFor makes a key as the operator would.
func (a *testApp) keyFor(fields map[string]any) string {
	a.t.Helper()
	secret, _ := a.call(http.MethodPost, "/v1/keys", fields, http.StatusCreated)["key"].(string)
	return secret
}

// campaignTitled finds a campaign of the demo data.
func (a *testApp) campaignTitled(title string) map[string]any {
	a.t.Helper()
	for _, item := range a.call(http.MethodGet, "/v1/campaigns", nil, http.StatusOK)["items"].([]any) {
		if campaign := item.(map[string]any); campaign["title"] == title {
			return campaign
		}
	}
	a.t.Fatalf("the demo data has no campaign %q", title)
	return nil
}

func TestAdvertiserInBrowser(t *testing.T) {
	t.Parallel()
	a := startDemo(t)
	walkDashboard(t, a, a.keyFor(map[string]any{"role": "advertiser", "advertiser_id": a.campaignTitled(demoCampaignTitle)["advertiser_id"]}),
		"advertiser.mjs", map[string]any{"title": demoCampaignTitle})
}

func TestAdvertiserMakesInBrowser(t *testing.T) {
	t.Parallel()
	a := startDemo(t)
	campaign := a.campaignTitled(demoCampaignTitle)
	key := a.keyFor(map[string]any{"role": "advertiser", "advertiser_id": campaign["advertiser_id"]})
	walkDashboard(t, a, key, "advertiser_makes.mjs", map[string]any{"destination": campaign["destination"]})
}
