package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tributary/admin"
	"tributary/ledger"
)

// sell stores what came of the office's click: a landing, a conversion and a paid
// action.
func (o *office) sell() ledger.ActionRecord {
	o.t.Helper()
	at := reportTime.UnixMilli()
	action := ledger.ActionRecord{
		ID: "act_1", ConversionID: "cnv_1", AdvertiserID: o.link.AdvertiserID, CampaignID: o.link.CampaignID, CreatorID: o.link.CreatorID, TaskID: o.link.TaskID,
		LinkID: o.link.ID, Platform: "tiktok", Event: "sale", OrderID: "=1+1", ClickID: o.clickID, Referral: "click", Model: "last", Credit: "1", Quantity: 1, Currency: "USD",
		AmountMinor: 12_000, IntendedMinor: 1_200, PayoutMinor: 1_200, CostMinor: 1_791, State: "paid", Reasons: ledger.Reasons{}, Notes: "between us", Seq: 4,
		ClickTimeMs: at - 3_600_000, EventTimeMs: at - 60_000, ReceivedAtMs: at - 50_000, PaidAtMs: at, TermsVersion: 1,
	}
	storeRecords(o.t, o.conn, []ledger.ActionRecord{action})
	for _, statement := range []string{
		`INSERT INTO landings (click_id, click_time, advertiser_id, campaign_id, creator_id) SELECT click_id, time, advertiser_id, campaign_id, creator_id FROM clicks`,
		`INSERT INTO conversions (id, advertiser_id, event, event_time, code, code_creator, code_credited, touch_ids, touch_times, touch_creators, touch_campaigns,
			touch_platforms, touch_tasks, touch_verdicts, touch_outcomes, touch_reasons)
			SELECT 'cnv_1', advertiser_id, 'sale', time + 3540, 'SAVE', creator_id, 0, [click_id], [time], [creator_id], [campaign_id], ['tiktok'], [task_id], ['valid'], ['credited'], ['']
			FROM clicks`,
	} {
		must(o.t, o.conn.Exec(o.t.Context(), statement))
	}
	return action
}

// The matrix of these reports: everybody that has no key gets 401, another role
// 403, another tenant nothing of whose this is, and each its own.
func TestEachRoleSeesItsOwnDetails(t *testing.T) {
	o := newOffice(t)
	o.sell()
	document, err := admin.OpenAPI(DetailRoutes(nil, nil, nil))
	must(t, err)
	var paths struct {
		Paths map[string]map[string]struct {
			Description string
			Roles       []string `json:"x-roles"`
		}
	}
	must(t, json.Unmarshal(document, &paths))
	seen := 0
	for path, methods := range paths.Paths {
		if !strings.HasPrefix(path, "/v1/reports/") {
			continue
		}
		seen++
		if got := methods["get"]; !slices.Equal(got.Roles, readers) || got.Description == "" {
			t.Errorf("%s is for %v and described as %q", path, got.Roles, got.Description)
		}
		for name, c := range map[string]struct {
			key    string
			status int
			own    bool
		}{
			"admin": {o.adminKey, 200, true}, "own advertiser": {o.ownKey, 200, true}, "other advertiser": {o.otherKey, 200, false},
			"own creator": {o.crtKey, 200, true}, "other creator": {o.otherCreatorKey, 200, false}, "ingest": {o.ingestKey, 403, false}, "nobody": {"", 401, false},
		} {
			for _, format := range []string{"json", "csv", "xlsx"} {
				response, body := o.get(c.key, path+"?format="+format)
				if response.StatusCode != c.status {
					t.Errorf("%s, %s as %s: status %d, want %d: %s", name, path, format, response.StatusCode, c.status, body)
				}
				if c.status != 200 || format == "xlsx" {
					continue
				}
				shown := strings.Contains(string(body), "tiktok") || strings.Contains(string(body), "SAVE") || strings.Contains(string(body), `"paid","clicks":1`) ||
					strings.Contains(string(body), ",paid,clicks,,1\n") || strings.Contains(string(body), "cmp_1")
				if shown != c.own && !(path == "/v1/reports/models" && c.own) { // the deciding of tests knows other campaigns
					t.Errorf("%s, %s as %s: sees its own: %v, want %v: %s", name, path, format, shown, c.own, body)
				}
				if format == "json" && (!strings.Contains(string(body), `"data_through":"2026-11-20T08:59:59.820Z"`) || !strings.Contains(string(body), `"lag_ms":180`)) {
					t.Errorf("%s, %s does not say how far it reaches: %s", name, path, body)
				}
				if name == "own creator" && (strings.Contains(string(body), "17.91") || strings.Contains(string(body), "between us")) {
					t.Errorf("a creator sees cost or remarks in %s as %s: %s", path, format, body)
				}
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d reports are documented, want 5", seen)
	}
	for path, status := range map[string]int{
		"/v1/reports/actions?shoe_size=4": 422, "/v1/reports/actions?cost_min=1&currency=USD": 422, "/v1/reports/actions?limit=1001": 422,
		"/v1/reports/funnel?group_by=day": 422, "/v1/reports/models?group_by=event": 422, "/v1/reports/codes?sort=-shoe": 422, "/v1/reports/paths?limit=900": 422,
		"/v1/reports/actions?format=csv&tz=Nowhere": 422,
	} {
		response, body := o.get(o.crtKey, path)
		if response.StatusCode != status || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: status %d, want %d: %s", path, response.StatusCode, status, body)
		}
	}
}

func TestAFileOfActionsHasTheirFields(t *testing.T) {
	var names []string
	fields := reflect.TypeFor[ledger.Action]()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		if name != "signals" { // sentences, of which there may be many: GET /v1/fraud-signals lists them
			names = append(names, name)
		}
	}
	var columns []string
	for _, column := range listedFields {
		columns = append(columns, column.name)
	}
	if !slices.Equal(columns, names) {
		t.Errorf("the file has %v, an action %v", columns, names)
	}
	var filters []string
	for _, f := range actionFilters {
		filters = append(filters, f.name)
	}
	for _, name := range names {
		if name == "event_time" { // the period
			continue
		}
		if name == "reasons" {
			name = "reason"
		}
		if !slices.ContainsFunc(filters, func(f string) bool { return f == name || f == name+"_from" || f == name+"_min" }) {
			t.Errorf("there is no filter by %s", name)
		}
	}
	in := reflect.TypeFor[ActionFilterInput]()
	var parameters []string
	for i := range in.NumField() {
		parameters = append(parameters, in.Field(i).Tag.Get("query"))
	}
	slices.Sort(parameters)
	slices.Sort(filters)
	if !slices.Equal(parameters, filters) {
		t.Errorf("parameters are %v, filters %v", parameters, filters)
	}

	o := newOffice(t)
	o.sell()
	response, body := o.get(o.ownKey, "/v1/reports/actions?format=csv&state=paid&order_id=%3D1%2B1")
	if got := response.Header.Get("Content-Disposition"); !strings.Contains(got, "actions.csv") {
		t.Errorf("Content-Disposition is %q", got)
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	must(t, err)
	if len(rows) != 2 {
		t.Fatalf("the file has %d lines: %s", len(rows), body)
	}
	for name, want := range map[string]string{"id": "act_1", "order_id": "'=1+1", "amount": "120.00", "cost": "17.91", "paid_at": "2026-11-20T09:00:00.000Z", "locked_at": "", "credit": "1"} {
		if got := rows[1][slices.Index(rows[0], name)]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, body = o.get(o.ownKey, "/v1/reports/actions")
	var page struct {
		Items []map[string]any
		Next  *string `json:"next_cursor"`
	}
	must(t, json.Unmarshal(body, &page))
	if len(page.Items) != 1 || page.Items[0]["payout"] != "12.00" || page.Items[0]["notes"] != "between us" || page.Items[0]["locked_at"] != nil || page.Next != nil {
		t.Errorf("the page is %s", body)
	}
}
