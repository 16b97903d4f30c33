package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// A bench is notifications on a real catalog, ledger and database, with a clock
// that stands still, and a mail server.
type bench struct {
	*testing.T
	ctx                         context.Context
	dir                         string
	db                          *database.DB
	things                      *catalog.Catalog
	money                       *ledger.Ledger
	service                     *Service
	pump                        *events.Pump
	nowMs                       atomic.Int64
	mail                        *mailServer
	url                         string
	advertiser, rootKey, ownKey string
}

func at(t testing.TB, text string) attribution.Instant {
	var i attribution.Instant
	if err := i.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return i
}

func newBench(t *testing.T, parameters string) *bench {
	t.Helper()
	b := &bench{T: t, ctx: context.Background(), dir: t.TempDir()}
	b.set("2027-01-10T09:00:00Z")
	b.db = must(database.Open(b.ctx, databasetest.Any(t), b.dir))(t)
	t.Cleanup(func() { _ = b.db.Close() })
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	b.money = ledger.New(b.db, ledger.Options{ClickKeys: keys, Now: b.now})
	b.things = catalog.New(b.db, catalog.Options{BaseURL: "https://t.example", Pepper: []byte("pepper"), Now: b.now, BudgetChanged: b.money.CampaignBudgetChanged})
	b.mail = startMailServer(t, nil)
	b.service = b.newService("smtp://" + b.mail.address() + "?from=" + "Tributary+%3Cno-reply%40example.com%3E&ca=" + b.mail.ca + parameters)
	b.pump = events.New(events.Options{DB: b.db, Ledger: b.money, Things: b.things, Sinks: []events.Sink{b.service}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	server := httptest.NewServer(admin.New(admin.Options{Catalog: b.things, Logger: slog.New(slog.DiscardHandler), Version: "test", Routes: []admin.Routes{b.service.Routes}}))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.advertiser = must(b.things.CreateAdvertiser(b.ctx, operator, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}}))(t).ID
	b.rootKey, b.ownKey = b.key(catalog.KeyFields{Role: catalog.RoleAdmin}), b.key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: b.advertiser})
	return b
}

func (b *bench) newService(server string) *Service {
	o := Options{DB: b.db, Things: b.things, Today: b.now, Now: b.now, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}
	if server != "" {
		o.Mail = must(ParseServer(server))(b)
	}
	return must(New(o))(b)
}

func (b *bench) now() time.Time { return time.UnixMilli(b.nowMs.Load()) }

func (b *bench) set(now string) { b.nowMs.Store(int64(at(b, now))) }

func (b *bench) advance(d time.Duration) { b.nowMs.Add(d.Milliseconds()) }

func (b *bench) key(fields catalog.KeyFields) string {
	b.Helper()
	_, secret, err := b.things.CreateKey(b.ctx, operator, fields)
	return must(secret, err)(b)
}

func (b *bench) creator(fields catalog.CreatorFields) (id, key string) {
	b.Helper()
	id = must(b.things.CreateCreator(b.ctx, operator, fields))(b).ID
	return id, b.key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: id})
}

func (b *bench) campaign(title, starts string, change func(*catalog.CampaignFields)) string {
	b.Helper()
	fields := catalog.CampaignFields{
		AdvertiserID: b.advertiser, Title: title, Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/", MarginRate: "0",
		StartsAt: at(b, starts), EndsAt: at(b, "2027-06-01T00:00:00Z"), Contacts: catalog.Contacts{Sales: "sales@acme.example", CreatorManagement: "Ann"},
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
	}
	if change != nil {
		change(&fields)
	}
	id := must(b.things.CreateCampaign(b.ctx, operator, fields))(b).ID
	must(b.things.ApproveCampaign(b.ctx, operator, id))(b)
	return id
}

func (b *bench) pumpAll() {
	b.Helper()
	for more := true; more; {
		more = must(b.pump.Pass(b.ctx))(b)
	}
}

// mailAll sends what is due.
func (b *bench) mailAll() {
	b.Helper()
	for more := true; more; {
		more = must(b.service.MailPass(b.ctx))(b)
	}
}

func (b *bench) call(key, method, path string, want int) map[string]any {
	b.Helper()
	request := must(http.NewRequest(method, b.url+path, nil))(b)
	request.Header.Set("Authorization", "Bearer "+key)
	response := must(http.DefaultClient.Do(request))(b)
	defer response.Body.Close()
	answer := must(io.ReadAll(response.Body))(b)
	if response.StatusCode != want {
		b.Fatalf("%s %s: status %d, want %d: %s", method, path, response.StatusCode, want, answer)
	}
	decoded := map[string]any{}
	if err := json.Unmarshal(answer, &decoded); err != nil {
		b.Fatal(err)
	}
	return decoded
}

// titles are those of a key's notifications, oldest first.
func (b *bench) titles(key, query string) string {
	b.Helper()
	items := b.call(key, "GET", "/v1/notifications?limit=1000&"+query, 200)["items"].([]any)
	var titles []string
	for i := range items {
		titles = append(titles, items[len(items)-1-i].(map[string]any)["title"].(string))
	}
	return strings.Join(titles, " | ")
}

func (b *bench) equal(what string, got, want any) {
	b.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("%s: got %v, want %v", what, got, want)
	}
}
