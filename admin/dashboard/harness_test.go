package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	moneyapi "tributary/admin/money"
	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/caller"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// noon is when the tests are.
var noon = time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)

var operator = catalog.Scope{Role: catalog.RoleAdmin}

// An office is the dashboard and the API on a real catalog, ledger and ClickHouse:
// an advertiser with a campaign, a creator with a task, a link, a code and a sale,
// and another advertiser.
type office struct {
	t                                                    *testing.T
	url                                                  string
	things                                               *catalog.Catalog
	ledger                                               *ledger.Ledger
	proxies                                              *caller.Proxies
	advertiser, campaign, creator, task, link, code      string
	action, conversion, unattributed                     string
	rootKey, ownKey, creatorKey, ingestKey, strangersKey string
	ownKeyID                                             string
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// newOffice opens one. Without a ClickHouse, nobody answers for it.
func newOffice(t *testing.T, clickHouse bool) *office {
	t.Helper()
	conn := unreachable(t)
	if clickHouse {
		conn = schematest.Start(t)
	}
	db := must(database.Open(t.Context(), database.Embedded, t.TempDir()))(t)
	t.Cleanup(func() { _ = db.Close() })
	now := func() time.Time { return noon }
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	o := &office{t: t, proxies: caller.NewProxies(), ledger: ledger.New(db, ledger.Options{ClickKeys: keys, Now: now})}
	o.things = catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32), Now: now, BudgetChanged: o.ledger.CampaignBudgetChanged})
	logger := slog.New(slog.DiscardHandler)
	d := must(New(Options{
		Catalog: o.things, Ledger: o.ledger, Reports: reports.New(conn, upToDate{}, o.ledger), TrackerURL: "https://t.example", Now: now, Log: logger, Proxies: o.proxies,
	}))(t)
	server := httptest.NewServer(admin.New(admin.Options{Catalog: o.things, Logger: logger, Version: "test", Routes: []admin.Routes{moneyapi.Routes(o.ledger, nil)}, Pages: d.Handle, Missing: http.HandlerFunc(d.Missing)}))
	t.Cleanup(server.Close)
	o.url = server.URL
	o.seed()
	return o
}

// unreachable is a client of a ClickHouse that is not there.
func unreachable(t *testing.T) driver.Conn {
	t.Helper()
	return must(clickhouse.Open(&clickhouse.Options{Addr: []string{"127.0.0.1:9"}, DialTimeout: time.Second}))(t)
}

type upToDate struct{}

func (upToDate) DataThrough(now time.Time) time.Time { return now }

func (o *office) seed() {
	t, ctx := o.t, context.Background()
	t.Helper()
	advertiser := func(name string) string {
		return must(o.things.CreateAdvertiser(ctx, operator, catalog.AdvertiserFields{Name: name, Currency: "USD", Timezone: "Asia/Bangkok", Domains: []string{"shop.example"}, MinPayout: "5"}))(t).ID
	}
	key := func(fields catalog.KeyFields) (id, secret string) {
		made, secret, err := o.things.CreateKey(ctx, operator, fields)
		must(made, err)(t)
		return made.ID, secret
	}
	o.advertiser = advertiser("Acme <b>")
	o.creator = must(o.things.CreateCreator(ctx, operator, catalog.CreatorFields{Name: "Mali", Socials: []catalog.Social{{Platform: "tiktok", Handle: "mali"}}}))(t).ID
	o.campaign = must(o.things.CreateCampaign(ctx, operator, catalog.CampaignFields{
		AdvertiserID: o.advertiser, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/",
		StartsAt: attribution.InstantOf(noon.AddDate(0, 0, -20)), EndsAt: attribution.InstantOf(noon.AddDate(0, 1, 0)), Budget: &catalog.Budget{Amount: "1000"},
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}, Lock: &attribution.Schedule{Basis: "month", Days: 27}},
	}))(t).ID
	must(o.things.ApproveCampaign(ctx, operator, o.campaign))(t)
	must(o.things.AddCreator(ctx, operator, o.campaign, catalog.ParticipationFields{CreatorID: o.creator}))(t)
	o.task = must(o.things.CreateTask(ctx, operator, catalog.TaskFields{CampaignID: o.campaign, CreatorID: o.creator, Platform: "tiktok", Fee: "100"}))(t).ID
	o.link = must(o.things.CreateLink(ctx, operator, o.task, catalog.LinkFields{}))(t).ID
	o.code = must(o.things.CreateCode(ctx, operator, o.task, catalog.CodeFields{Code: "MALI"}))(t).ID
	settled := must(o.ledger.Settle(ctx, ledger.Batch{Log: "log", Through: 2, Reports: []*attribution.Report{
		o.report("o1", "120.00", "mali"), o.report("o2", "80.00", ""),
	}}))(t)
	o.action, o.conversion, o.unattributed = settled[0].Actions[0].ID, settled[0].ConversionID, settled[1].ConversionID
	_, o.rootKey = key(catalog.KeyFields{Role: catalog.RoleAdmin})
	o.ownKeyID, o.ownKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: o.advertiser})
	_, o.creatorKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: o.creator})
	_, o.ingestKey = key(catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: o.advertiser})
	_, o.strangersKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: advertiser("Other")})
}

func (o *office) report(order, amount, code string) *attribution.Report {
	return &attribution.Report{
		Kind: attribution.ReportConversion, AdvertiserID: o.advertiser, Source: attribution.SourceServer, Signed: true, ReceivedAt: attribution.InstantOf(noon),
		Fields: attribution.ReportFields{Event: "sale", OrderID: order, Amount: attribution.Decimal(amount), Currency: "USD", Code: code},
	}
}

// A browser keeps its cookies and follows nothing.
type browser struct {
	*office
	http http.Client
}

func (o *office) browser() *browser {
	jar := must(cookiejar.New(nil))(o.t)
	return &browser{o, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signedIn is a browser that is signed in with a key.
func (o *office) signedIn(key string) *browser {
	o.t.Helper()
	b := o.browser()
	if answer, body := b.signIn(key, ""); answer.StatusCode != http.StatusSeeOther {
		o.t.Fatalf("signing in: %s %s", answer.Status, body)
	}
	return b
}

func (b *browser) signIn(key, next string) (*http.Response, string) {
	b.t.Helper()
	return b.post("/login", url.Values{"key": {key}, "next": {next}})
}

func (b *browser) post(path string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	request := must(http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode())))(b.t)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return b.send(request)
}

func (b *browser) get(path string) (*http.Response, string) {
	b.t.Helper()
	return b.send(must(http.NewRequest(http.MethodGet, b.url+path, nil))(b.t))
}

func (b *browser) send(request *http.Request) (*http.Response, string) {
	b.t.Helper()
	answer := must(b.http.Do(request))(b.t)
	defer answer.Body.Close()
	return answer, string(must(io.ReadAll(answer.Body))(b.t))
}

// page is a page that must be there.
func (b *browser) page(path string) string {
	b.t.Helper()
	answer, body := b.get(path)
	if answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s\n%s", path, answer.Status, body)
	}
	return body
}

// fill puts ids of the office into a page's pattern.
func (o *office) fill(p *page) string {
	id := o.campaign
	switch {
	case strings.Contains(p.Path, "/actions/"):
		id = o.action
	case strings.Contains(p.Path, "/conversions/"):
		id = o.conversion
	case strings.Contains(p.Path, "/tasks/"):
		id = o.task
	case strings.Contains(p.Path, "/advertisers/"):
		id = o.advertiser
	case strings.Contains(p.Path, "/creators/{id}"):
		id = o.creator
	}
	return strings.Replace(p.Path, "{id}", id, 1)
}

func (o *office) keyOf(role string) string {
	switch role {
	case catalog.RoleAdmin:
		return o.rootKey
	case catalog.RoleAdvertiser:
		return o.ownKey
	case catalog.RoleCreator:
		return o.creatorKey
	}
	panic(fmt.Sprint("no key of role ", role))
}
