package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
	"tributary/schema/schematest"
)

// An office is the API over a real catalog and a real ClickHouse, with one click
// of one advertiser's link stored.
type office struct {
	t                                     *testing.T
	conn                                  driver.Conn
	url, clickID                          string
	link                                  catalog.Link
	adminKey, ownKey, otherKey, crtKey    string
	otherCreatorKey, ingestKey, foreignID string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	conn := schematest.Start(t)
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	at := func() time.Time { return reportTime }
	things := catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32), Now: at})
	ring, err := attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)})
	must(t, err)
	o := &office{t: t, conn: conn}
	o.seed(things)

	var minter attribution.ClickMinter
	clickTime := reportTime.Add(-time.Hour)
	o.clickID = string(minter.Append(nil, ring, attribution.ClickToken{AtMs: clickTime.UnixMilli(), Link: o.link.Number}, 1))
	o.foreignID = string(minter.Append(nil, ring, attribution.ClickToken{AtMs: clickTime.UnixMilli(), Link: o.link.Number}, 2))
	insert(t, conn, []stored{{
		id: o.clickID, advertiser: o.link.AdvertiserID, campaign: o.link.CampaignID, creator: o.link.CreatorID, task: o.link.TaskID,
		link: o.link.ID, platform: "tiktok", currency: "USD", verdict: "valid", country: "TH", device: "phone", at: clickTime, unique: true,
	}})
	logger := slog.New(slog.DiscardHandler)
	server := httptest.NewServer(admin.New(admin.Options{
		Catalog: things, Logger: logger, Version: "test", Routes: []admin.Routes{
			Routes(New(conn, upToDate{}, noAgencies{}), things, ring, at), DetailRoutes(New(conn, upToDate{}, noAgencies{}), &fixedDeciding{}, at),
		},
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *office) seed(things *catalog.Catalog) {
	t, ctx, root := o.t, o.t.Context(), catalog.Scope{Role: catalog.RoleAdmin}
	advertiser, err := things.CreateAdvertiser(ctx, root, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}})
	must(t, err)
	other, err := things.CreateAdvertiser(ctx, root, catalog.AdvertiserFields{Name: "Other", Currency: "USD", Timezone: "UTC", Domains: []string{"other.example"}})
	must(t, err)
	creator, err := things.CreateCreator(ctx, root, catalog.CreatorFields{Name: "Ana"})
	must(t, err)
	stranger, err := things.CreateCreator(ctx, root, catalog.CreatorFields{Name: "Ben"})
	must(t, err)
	campaign, err := things.CreateCampaign(ctx, root, catalog.CampaignFields{
		AdvertiserID: advertiser.ID, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/p/1",
		StartsAt: attribution.InstantOf(reportTime.AddDate(0, -1, 0)), EndsAt: attribution.InstantOf(reportTime.AddDate(0, 1, 0)),
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
	})
	must(t, err)
	_, err = things.ApproveCampaign(ctx, root, campaign.ID)
	must(t, err)
	_, err = things.AddCreator(ctx, root, campaign.ID, catalog.ParticipationFields{CreatorID: creator.ID})
	must(t, err)
	task, err := things.CreateTask(ctx, root, catalog.TaskFields{CampaignID: campaign.ID, CreatorID: creator.ID, Platform: "tiktok"})
	must(t, err)
	o.link, err = things.CreateLink(ctx, root, task.ID, catalog.LinkFields{})
	must(t, err)
	key := func(fields catalog.KeyFields) string {
		_, secret, err := things.CreateKey(ctx, root, fields)
		must(t, err)
		return secret
	}
	o.adminKey = key(catalog.KeyFields{Role: catalog.RoleAdmin})
	o.ownKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: advertiser.ID})
	o.otherKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: other.ID})
	o.crtKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: creator.ID})
	o.otherCreatorKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: stranger.ID})
	o.ingestKey = key(catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: advertiser.ID})
}

func (o *office) get(key, path string) (*http.Response, []byte) {
	o.t.Helper()
	request, err := http.NewRequest(http.MethodGet, o.url+path, nil)
	must(o.t, err)
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	must(o.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(o.t, err)
	return response, body
}

func TestEachRoleSeesItsOwnFigures(t *testing.T) {
	o := newOffice(t)
	for name, c := range map[string]struct {
		key          string
		status, rows int
	}{
		"admin": {o.adminKey, 200, 1}, "own advertiser": {o.ownKey, 200, 1}, "other advertiser": {o.otherKey, 200, 0},
		"own creator": {o.crtKey, 200, 1}, "other creator": {o.otherCreatorKey, 200, 0}, "ingest": {o.ingestKey, 403, 0}, "nobody": {"", 401, 0},
	} {
		for _, path := range []string{"/v1/reports/campaigns", "/v1/reports/platforms", "/v1/reports/performance?group_by=link,referrer,day&tz=Asia/Kolkata", "/v1/clicks"} {
			response, body := o.get(c.key, path)
			if response.StatusCode != c.status {
				t.Errorf("%s, %s: status %d, want %d: %s", name, path, response.StatusCode, c.status, body)
				continue
			}
			if c.status != 200 {
				continue
			}
			var answer struct {
				Rows, Items []map[string]any
				DataThrough string `json:"data_through"`
			}
			must(t, json.Unmarshal(body, &answer))
			if got := len(answer.Rows) + len(answer.Items); got != c.rows || answer.DataThrough != "2026-11-20T08:59:59.820Z" {
				t.Errorf("%s, %s: %d rows, data through %s", name, path, got, answer.DataThrough)
			}
		}
		response, body := o.get(c.key, "/v1/clicks/"+o.clickID)
		want := map[bool]int{true: 200, false: 404}[c.rows == 1]
		if c.status != 200 {
			want = c.status
		}
		if response.StatusCode != want {
			t.Errorf("%s, one click: status %d, want %d: %s", name, response.StatusCode, want, body)
		}
	}
}

func TestAnswersAreShapedAsPromised(t *testing.T) {
	o := newOffice(t)
	_, body := o.get(o.ownKey, "/v1/reports/campaigns?campaign_id="+o.link.CampaignID)
	var report struct{ Rows, Totals []map[string]any }
	must(t, json.Unmarshal(body, &report))
	want := map[string]any{"campaign_id": o.link.CampaignID, "currency": "USD", "hits": 1.0, "clicks": 1.0, "unique_clicks": 1.0, "invalid_clicks": 0.0}
	for field, value := range want {
		if report.Rows[0][field] != value {
			t.Errorf("%s is %v, want %v", field, report.Rows[0][field], value)
		}
	}
	if report.Totals[0]["hits"] != 1.0 {
		t.Errorf("totals are %v", report.Totals)
	}
	_, body = o.get(o.ownKey, "/v1/clicks/"+o.clickID)
	var click map[string]any
	must(t, json.Unmarshal(body, &click))
	for field, value := range map[string]any{
		"click_id": o.clickID, "time": "2026-11-20T08:00:00.000Z", "link_id": o.link.ID, "verdict": "valid", "unique": true,
		"country": "TH", "city": nil, "rule": nil, "code": nil, "unpayable": nil, "asn": nil,
	} {
		if got, present := click[field]; !present || got != value {
			t.Errorf("%s is %v, want %v", field, got, value)
		}
	}
	response, file := o.get(o.ownKey, "/v1/reports/platforms?format=csv")
	if contentType := response.Header.Get("Content-Type"); !strings.HasPrefix(contentType, "text/csv") || !strings.HasPrefix(string(file), "platform,currency,hits") {
		t.Errorf("the file is %s and begins %.60s", contentType, file)
	}
	if !strings.Contains(response.Header.Get("Content-Disposition"), "report-platforms.csv") {
		t.Errorf("Content-Disposition is %q", response.Header.Get("Content-Disposition"))
	}
}

func TestBadRequestsForReports(t *testing.T) {
	o := newOffice(t)
	for path, status := range map[string]int{
		"/v1/reports/performance":                                            422, // no group_by
		"/v1/reports/performance?group_by=shoe_size":                         422,
		"/v1/reports/campaigns?from=tomorrow&tz=Nowhere":                     422,
		"/v1/reports/campaigns?colour=red":                                   422,
		"/v1/clicks?limit=5000":                                              422,
		"/v1/clicks?cursor=zzz":                                              422,
		"/v1/clicks/" + o.foreignID:                                          404, // minted here, not stored
		"/v1/clicks/" + strings.Replace(o.clickID, o.clickID[20:21], "~", 1): 404,
		"/v1/clicks/x":                                                       404,
	} {
		response, body := o.get(o.ownKey, path)
		if response.StatusCode != status || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: status %d (%s), want %d: %s", path, response.StatusCode, response.Header.Get("Content-Type"), status, body)
		}
	}
}
