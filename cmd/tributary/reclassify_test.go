package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/redirect/verdict"
)

// sniffer is on no list but the one that names it.
const sniffer = "ShopSniffer/2.0 (Android 14; Pixel 8)"

// TestABotThatWasPaidIsJudgedAgain credits a sale to a click that later rules call a
// bot's: the verb shows the difference, applies it, and re-attribution takes the money back.
func TestABotThatWasPaidIsJudgedAgain(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.Crawlers = filepath.Join(t.TempDir(), "crawlers.json")
	naming := func(patterns string) {
		t.Helper()
		if err := os.WriteFile(o.Crawlers, []byte(`[{"pattern":"OtherCrawler"}`+patterns+`]`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	naming("")
	a := startTestApp(t, o)
	link := a.makeLink()
	advertiser := link["advertiser_id"].(string)
	bot := clickIDOf(t, a.clicked(link, sniffer))
	person := clickIDOf(t, a.clicked(link, phone))
	a.reported(map[string]float64{"hits": 2, "clicks": 2, "unique_clicks": 2})
	paid := a.sold(advertiser, map[string]any{"event": "sale", "order_id": "o1", "amount": "100", "currency": "USD", "click_id": bot})
	if paid["attributed"] != true {
		t.Fatalf("the sale is %v", paid)
	}

	naming(`,{"pattern":"ShopSniffer"}`)
	rules, err := verdict.Load(o.Crawlers)
	if err != nil {
		t.Fatal(err)
	}
	before := a.judging.Swap(rules) // as SIGHUP does
	if before.Version() == rules.Version() {
		t.Error("another list has the same version")
	}
	a.tracker.SetRules(rules)
	verb := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(terminal{Args: append([]string{"reclassify", "--data", o.DataDir, "--crawlers", o.Crawlers, "--engine-library", o.EngineLibrary}, args...), Out: &out, Err: &errs}); code != want {
			t.Fatalf("exit code %d:\n%s%s", code, &out, &errs)
		}
		return out.String() + errs.String()
	}
	eventually(t, func() error {
		if said := verb(exitOK); !strings.Contains(said, "valid → bot: 1\n") || !strings.Contains(said, "dry run") {
			return fmt.Errorf("the dry run says:\n%s", said)
		}
		return nil
	})
	a.reported(map[string]float64{"clicks": 2, "unique_clicks": 2, "invalid_bot": 0})
	if said := verb(exitOK, "--apply"); !strings.Contains(said, "valid clicks 2 → 1, unique 2 → 1\n") || !strings.Contains(said, "reason crawler: 0 → 1\n") {
		t.Errorf("applied, it says:\n%s", said)
	}
	a.reported(map[string]float64{"hits": 2, "clicks": 1, "unique_clicks": 1, "invalid_bot": 1})
	if shown := a.call(http.MethodGet, "/v1/clicks/"+bot, nil, http.StatusOK); shown["verdict"] != "bot" || shown["unique"] != false || shown["rules_version"] != float64(rules.Version()) {
		t.Errorf("the click is shown as %v", shown)
	}
	if said := verb(exitFailed, "--from", "yesterday"); !strings.Contains(said, "2027-01-31") {
		t.Errorf("a bad time is answered:\n%s", said)
	}

	replay := map[string]any{"advertiser_id": advertiser, "from": time.Now().Add(-time.Hour).UTC(), "to": time.Now().Add(time.Hour).UTC()}
	if found := a.call(http.MethodPost, "/v1/attribution/replay", replay, http.StatusOK); found["changed"] != float64(1) || !strings.Contains(fmt.Sprint(found["creators"]), "payout_change:-10.00") {
		t.Errorf("the replay finds %v", found)
	}
	replay["dry_run"] = false
	a.call(http.MethodPost, "/v1/attribution/replay", replay, http.StatusOK)
	worth := 0.0
	for _, action := range a.call(http.MethodGet, "/v1/actions?order_id=o1", nil, http.StatusOK)["items"].([]any) {
		if action := action.(map[string]any); action["state"] != "reversed" {
			var payout float64
			if _, err := fmt.Sscan(action["payout"].(string), &payout); err != nil {
				t.Fatal(err)
			}
			worth += payout
		}
	}
	if worth != 0 {
		t.Errorf("the bot's sale is still worth %v", worth)
	}
	if next := a.sold(advertiser, map[string]any{"event": "sale", "order_id": "o2", "amount": "100", "currency": "USD", "click_id": bot}); next["attributed"] != false {
		t.Errorf("a sale to come of the bot's click is %v", next)
	}
	if next := a.sold(advertiser, map[string]any{"event": "sale", "order_id": "o3", "amount": "100", "currency": "USD", "click_id": person}); next["attributed"] != true {
		t.Errorf("a person's sale is %v", next)
	}
	if log := fmt.Sprint(a.call(http.MethodGet, "/v1/audit-log?verb=reclassify", nil, http.StatusOK)["items"]); strings.Count(log, "thing_id:rcl_") != 1 {
		t.Errorf("the audit log has %s", log)
	}
	if runs := a.call(http.MethodGet, "/v1/reclassifications", nil, http.StatusOK)["items"].([]any); len(runs) < 2 || runs[0].(map[string]any)["dry_run"] != false {
		t.Errorf("runs: %v", runs)
	}

	if err := a.stop(); err != nil { // nobody serves the directory: the verb opens it
		t.Fatal(err)
	}
	naming("")
	if said := verb(exitOK, "--apply", "--advertiser", advertiser); !strings.Contains(said, "bot → valid: 1\n") || !strings.Contains(said, "valid clicks 1 → 2, unique 1 → 2\n") {
		t.Errorf("on a stopped directory it says:\n%s", said)
	}
}
