package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
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

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// A bench is webhooks on a real catalog, ledger and database, with a clock that
// stands still, and an advertiser with a campaign that pays 10 %.
type bench struct {
	t                                        *testing.T
	dir, dsn                                 string
	db                                       *database.DB
	things                                   *catalog.Catalog
	money                                    *ledger.Ledger
	nowMs                                    atomic.Int64
	service                                  *Service
	pump                                     *events.Pump
	alerts                                   alerts
	url                                      string
	advertiser, campaign, agency             string
	rootKey, ownKey, strangerKey, creatorKey string
	sales                                    uint64
}

var operator = catalog.Scope{Role: catalog.RoleAdmin}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// alerts collects what owners are told.
type alerts struct {
	mu  sync.Mutex
	all []Alert
}

func (a *alerts) WebhookFails(_ context.Context, _ *database.Tx, alert Alert) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, alert)
	return nil
}

func instantOf(t *testing.T, text string) attribution.Instant {
	var at attribution.Instant
	if err := at.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return at
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.nowMs.Store(int64(instantOf(t, "2027-01-10T09:00:00Z")))
	b.dsn = databasetest.Any(t)
	b.db = must(database.Open(t.Context(), b.dsn, b.dir))(t)
	t.Cleanup(func() { _ = b.db.Close() })
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	b.money = ledger.New(b.db, ledger.Options{ClickKeys: keys, Now: b.now})
	b.things = catalog.New(b.db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32), Now: b.now, BudgetChanged: b.money.CampaignBudgetChanged})
	b.service = b.newService(b.db)
	b.pump = events.New(events.Options{DB: b.db, Ledger: b.money, Things: b.things, Sinks: []events.Sink{b.service}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	server := httptest.NewServer(admin.New(admin.Options{Catalog: b.things, Logger: slog.New(slog.DiscardHandler), Version: "test", Routes: []admin.Routes{b.service.Routes}}))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.seed()
	return b
}

func (b *bench) now() time.Time { return time.UnixMilli(b.nowMs.Load()) }

func (b *bench) advance(d time.Duration) { b.nowMs.Add(d.Milliseconds()) }

// newService is webhooks as another process has them.
func (b *bench) newService(db *database.DB) *Service {
	return must(New(Options{DB: db, Things: b.things, Key: bytes.Repeat([]byte{3}, 32), Networks: loopback, Notices: &b.alerts, Now: b.now,
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}))(b.t)
}

func (b *bench) seed() {
	ctx, t := context.Background(), b.t
	key := func(fields catalog.KeyFields) string {
		_, secret, err := b.things.CreateKey(ctx, operator, fields)
		return must(secret, err)(t)
	}
	advertiser := func(name string) string {
		return must(b.things.CreateAdvertiser(ctx, operator, catalog.AdvertiserFields{Name: name, Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}}))(t).ID
	}
	b.advertiser = advertiser("Acme")
	creator := must(b.things.CreateCreator(ctx, operator, catalog.CreatorFields{Name: "Mali"}))(t).ID
	campaign := func(code string, agency attribution.Decimal) string {
		c := must(b.things.CreateCampaign(ctx, operator, catalog.CampaignFields{
			AdvertiserID: b.advertiser, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/", AgencyMarginRate: agency,
			StartsAt: instantOf(t, "2027-01-01T00:00:00Z"), EndsAt: instantOf(t, "2028-01-01T00:00:00Z"), Budget: &catalog.Budget{Amount: "100"},
			Terms: &attribution.Terms{Lock: &attribution.Schedule{Basis: "day", Days: 9}, Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
		}))(t)
		must(b.things.ApproveCampaign(ctx, operator, c.ID))(t)
		must(b.things.AddCreator(ctx, operator, c.ID, catalog.ParticipationFields{CreatorID: creator}))(t)
		task := must(b.things.CreateTask(ctx, operator, catalog.TaskFields{CampaignID: c.ID, CreatorID: creator, Platform: "tiktok"}))(t).ID
		must(b.things.CreateCode(ctx, operator, task, catalog.CodeFields{Code: code}))(t)
		return c.ID
	}
	b.campaign, b.agency = campaign("MALI", ""), campaign("AGENCY", "0.10")
	b.rootKey = key(catalog.KeyFields{Role: catalog.RoleAdmin})
	b.ownKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: b.advertiser})
	b.strangerKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: advertiser("Other")})
	b.creatorKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: creator})
	b.pumpAll()
}

// sell settles a sale by code, and hands on what happened.
func (b *bench) sell(order, amount, code string) {
	b.t.Helper()
	b.sales++
	report := &attribution.Report{Kind: attribution.ReportConversion, AdvertiserID: b.advertiser, Source: attribution.SourceServer, Signed: true,
		ReceivedAt: attribution.Instant(b.nowMs.Load()), Fields: attribution.ReportFields{Event: "sale", OrderID: order, Amount: attribution.Decimal(amount), Currency: "USD", Code: code}}
	must(b.money.Settle(context.Background(), ledger.Batch{Log: "log", Through: b.sales, Reports: []*attribution.Report{report}}))(b.t)
	b.pumpAll()
}

func (b *bench) pumpAll() {
	b.t.Helper()
	for more := true; more; {
		more = must(b.pump.Pass(context.Background()))(b.t)
	}
}

// call asks with a key and wants a status.
func (b *bench) call(key, method, path, body string, want int) map[string]any {
	b.t.Helper()
	request := must(http.NewRequest(method, b.url+path, strings.NewReader(body)))(b.t)
	request.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response := must(http.DefaultClient.Do(request))(b.t)
	defer response.Body.Close()
	answer := must(io.ReadAll(response.Body))(b.t)
	if response.StatusCode != want {
		b.t.Fatalf("%s %s: status %d, want %d: %s", method, path, response.StatusCode, want, answer)
	}
	decoded := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &decoded); err != nil {
			b.t.Fatal(err)
		}
	}
	return decoded
}

// hook makes a webhook and returns its id and secret.
func (b *bench) hook(key, url string, events ...string) (id, secret string) {
	b.t.Helper()
	fields := map[string]any{"url": url}
	if events != nil {
		fields["events"] = events
	}
	body := must(json.Marshal(fields))(b.t)
	made := b.call(key, "POST", "/v1/webhooks", string(body), 201)
	return made["id"].(string), made["secret"].(string)
}

// deliveries is a webhook's log, oldest first.
func (b *bench) deliveries(id string) (all []map[string]any) {
	b.t.Helper()
	items := b.call(b.rootKey, "GET", "/v1/webhooks/"+id+"/deliveries?limit=1000", "", 200)["items"].([]any)
	for i := range items {
		all = append(all, items[len(items)-1-i].(map[string]any))
	}
	return all
}

// A loop is a sender that is moved by hand.
func (b *bench) loop(s *Service) *sender {
	return &sender{Service: s, results: make(chan result, maxUnderWay), underWay: map[string]int{}}
}

// send begins everything that is due and waits until all is answered and written.
func (b *bench) send(l *sender) {
	b.t.Helper()
	for {
		if err := l.pass(b.t.Context(), b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		if l.total == 0 && len(l.kept) == 0 {
			return
		}
		if l.total > 0 {
			l.came(<-l.results)
		}
	}
}

// A receiver is a server that takes webhooks, checks them, and answers as it is
// told.
type receiver struct {
	*httptest.Server
	t      *testing.T
	secret atomic.Value // string; not checked while there is none
	answer atomic.Value // func(w http.ResponseWriter, nth int)
	mu     sync.Mutex
	got    []received
}

type received struct {
	id, signature string
	event         struct {
		ID, Type  string
		Timestamp string
		Data      map[string]any
	}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
	}
	one := received{id: request.Header.Get("webhook-id"), signature: request.Header.Get("webhook-signature")}
	if err := json.Unmarshal(body, &one.event); err != nil || one.event.ID != one.id || request.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("took %s under the id %s, %v", body, one.id, err)
	}
	if secret, _ := r.secret.Load().(string); secret != "" {
		r.verify(secret, one, request.Header.Get("webhook-timestamp"), body)
	}
	r.mu.Lock()
	r.got = append(r.got, one)
	nth := len(r.got)
	r.mu.Unlock()
	if answer, _ := r.answer.Load().(func(http.ResponseWriter, int)); answer != nil {
		answer(w, nth)
	}
}

// verify checks a signature as docs/webhooks.md says.
func (r *receiver) verify(secret string, one received, timestamp string, body []byte) {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		r.t.Error(err)
	}
	want, err := Sign([]string{secret}, one.id, time.Unix(seconds, 0), body)
	if err != nil {
		r.t.Error(err)
	}
	for signature := range strings.FieldsSeq(one.signature) {
		if hmac.Equal([]byte(signature), []byte(want)) {
			return
		}
	}
	r.t.Errorf("the signature %q of %s is not %q", one.signature, one.id, want)
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func (r *receiver) types() string {
	var types []string
	for _, one := range r.all() {
		types = append(types, one.event.Type)
	}
	return strings.Join(types, " ")
}
