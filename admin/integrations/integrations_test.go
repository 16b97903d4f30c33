package integrations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/admin"
	"tributary/admin/events"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

var operator = catalog.Scope{Role: catalog.RoleAdmin}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// A shop reports by every way, on a real catalog, ledger and database.
type shop struct {
	*testing.T
	ctx                                        context.Context
	money                                      *ledger.Ledger
	pump                                       *events.Pump
	nowMs                                      atomic.Int64
	reports                                    uint64
	url, advertiser, rootKey, ownKey, otherKey string
}

func newShop(t *testing.T) *shop {
	s := &shop{T: t, ctx: context.Background()}
	s.nowMs.Store(time.Date(2027, 1, 10, 9, 30, 0, 0, time.UTC).UnixMilli())
	now := func() time.Time { return time.UnixMilli(s.nowMs.Load()) }
	db := must(database.Open(s.ctx, databasetest.Any(t), t.TempDir()))(t)
	t.Cleanup(func() { _ = db.Close() })
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	s.money = ledger.New(db, ledger.Options{ClickKeys: keys, Now: now})
	things := catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: []byte("pepper"), Now: now})
	service := New(Options{DB: db, Things: things, Now: now, Log: slog.New(slog.DiscardHandler)})
	s.pump = events.New(events.Options{DB: db, Ledger: s.money, Things: things, Sinks: []events.Sink{service}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	server := httptest.NewServer(admin.New(admin.Options{Catalog: things, Logger: slog.New(slog.DiscardHandler), Version: "test", Routes: []admin.Routes{service.Routes}}))
	t.Cleanup(server.Close)
	s.url = server.URL
	advertiser := func(name string) string {
		return must(things.CreateAdvertiser(s.ctx, operator, catalog.AdvertiserFields{Name: name, Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}}))(t).ID
	}
	key := func(fields catalog.KeyFields) string {
		_, secret, err := things.CreateKey(s.ctx, operator, fields)
		return must(secret, err)(t)
	}
	s.advertiser = advertiser("Acme")
	creator := must(things.CreateCreator(s.ctx, operator, catalog.CreatorFields{Name: "Mali"}))(t).ID
	campaign := must(things.CreateCampaign(s.ctx, operator, catalog.CampaignFields{
		AdvertiserID: s.advertiser, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/",
		StartsAt: attribution.InstantOf(now().Add(-day)), EndsAt: attribution.InstantOf(now().Add(90 * day)),
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
	}))(t).ID
	must(things.ApproveCampaign(s.ctx, operator, campaign))(t)
	must(things.AddCreator(s.ctx, operator, campaign, catalog.ParticipationFields{CreatorID: creator}))(t)
	task := must(things.CreateTask(s.ctx, operator, catalog.TaskFields{CampaignID: campaign, CreatorID: creator, Platform: "tiktok"}))(t).ID
	must(things.CreateCode(s.ctx, operator, task, catalog.CodeFields{Code: "MALI"}))(t)
	s.rootKey, s.ownKey = key(catalog.KeyFields{Role: catalog.RoleAdmin}), key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: s.advertiser})
	s.otherKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: advertiser("Other")})
	return s
}

// report settles n reports of a source.
func (s *shop) report(n int, source, code, currency string) {
	s.Helper()
	for range n {
		s.reports++
		r := &attribution.Report{Kind: attribution.ReportConversion, AdvertiserID: s.advertiser, Source: source, Signed: true, ReceivedAt: attribution.Instant(s.nowMs.Load()),
			Fields: attribution.ReportFields{Event: "sale", OrderID: fmt.Sprint("o", s.reports), Amount: "10", Currency: currency, Code: code}}
		if currency == "" {
			r.Rejected = &attribution.Rejection{Code: "missing_field", Reason: "currency is required"}
		}
		must(s.money.Settle(s.ctx, ledger.Batch{Log: "log", Through: s.reports, Reports: []*attribution.Report{r}}))(s)
	}
	for more := true; more; {
		more = must(s.pump.Pass(s.ctx))(s)
	}
}

func (s *shop) ask(key, query string, want int) map[string]map[string]any {
	s.Helper()
	request := must(http.NewRequest(http.MethodGet, s.url+"/v1/integrations"+query, nil))(s)
	request.Header.Set("Authorization", "Bearer "+key)
	response := must(http.DefaultClient.Do(request))(s)
	defer response.Body.Close()
	answer := must(io.ReadAll(response.Body))(s)
	if response.StatusCode != want {
		s.Fatalf("status %d, want %d: %s", response.StatusCode, want, answer)
	}
	var decoded struct{ Items []map[string]any }
	if err := json.Unmarshal(answer, &decoded); err != nil {
		s.Fatal(err)
	}
	items := map[string]map[string]any{}
	for _, item := range decoded.Items {
		items[item["way"].(string)] = item
	}
	return items
}

func TestHealthOfEachWay(t *testing.T) {
	s := newShop(t)
	for way, item := range s.ask(s.ownKey, "", 200) {
		if item["status"] != "unused" || item["message"] != nil || item["last_seen_at"] != nil {
			t.Errorf("%s before anything: %v", way, item)
		}
	}
	s.report(12, attribution.SourcePixel, "MALI", "USD")
	s.report(2, attribution.SourceTag, "", "USD")
	s.report(3, attribution.SourcePostback, "MALI", "EUR")
	s.report(2, attribution.SourceServer, "MALI", "")
	s.report(1, attribution.SourceServer, "MALI", "USD")
	items := s.ask(s.rootKey, "?advertiser_id="+s.advertiser, 200)
	for way, want := range map[string]string{
		"pixel":    "ok 12 [] [] <nil>",
		"tag":      "ok 0 [map[code:no_touch reports:2]] [] <nil>",
		"postback": "unpaid 0 [map[code:currency_mismatch reports:3]] [] 3 postbacks credited nobody in the last day: currency_mismatch: set an fx rate for the day with PUT /v1/fx-rates, and run POST /v1/attribution/replay.",
		"server":   "refusing 1 [] [map[code:missing_field reports:2]] 2 server reports were refused in the last day: missing_field: a required field is missing; every report needs event and order_id, and a currency with an amount.",
		"csv":      "unused 0 [] [] <nil>",
	} {
		item := items[way]
		if got := fmt.Sprint(item["status"], " ", item["accepted_24h"], " ", item["unattributed_24h"], " ", item["quarantined_24h"], " ", item["message"]); got != want {
			t.Errorf("%s:\n got %s\nwant %s", way, got, want)
		}
	}
	if items["pixel"]["last_seen_at"] != "2027-01-10T09:30:00.000Z" || items["server"]["last_refused_at"] == nil || items["pixel"]["last_refused_at"] != nil {
		t.Errorf("seen: %v", items)
	}
	s.nowMs.Add((49 * time.Hour).Milliseconds())
	items = s.ask(s.ownKey, "", 200)
	for way, want := range map[string]string{
		"pixel": "stopped pixel conversions stopped 2 days ago: check that the checkout still sends them.", "tag": "idle <nil>", "server": "idle <nil>", "csv": "unused <nil>",
	} {
		if got := fmt.Sprint(items[way]["status"], " ", items[way]["message"]); got != want {
			t.Errorf("%s after two days: %s", way, got)
		}
	}
	s.nowMs.Add((40 * day).Milliseconds())
	s.report(1, attribution.SourceTag, "MALI", "USD")
	if item := s.ask(s.ownKey, "", 200)["pixel"]; item["status"] != "idle" || item["first_seen_at"] != "2027-01-10T09:30:00.000Z" {
		t.Errorf("after 42 days: %v", item)
	}
	s.ask(s.otherKey, "?advertiser_id="+s.advertiser, 404)
	s.ask(s.rootKey, "", 422)
}
