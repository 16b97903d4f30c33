package main

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"tributary/attribution"
)

// A click that landed and sold is in every report on what came of clicks, with the
// parts that only the ledger knows.
func TestWhatCameOfAClickIsReported(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	<-a.migrated
	link := a.makeLink()
	location, err := url.Parse(a.clicked(link, phone))
	if err != nil {
		t.Fatal(err)
	}
	clickID := location.Query().Get("tcid")
	campaign := link["campaign_id"].(string)
	advertiser := a.call(http.MethodGet, "/v1/campaigns/"+campaign, nil, http.StatusOK)["advertiser_id"].(string)
	code := a.call(http.MethodPost, "/v1/tasks/"+link["task_id"].(string)+"/codes", map[string]any{"code": "Save10"}, http.StatusCreated)["code"].(string)
	for i, report := range []*attribution.Report{
		{Kind: attribution.ReportLanding, Landing: &attribution.Landing{ClickID: clickID, PageHost: "shop.example"}},
		{Kind: attribution.ReportConversion, Fields: attribution.ReportFields{Event: "sale", OrderID: "o1", Amount: "10.00", Currency: "USD", ClickID: clickID, CustomerID: "hash"}},
		{Kind: attribution.ReportConversion, Fields: attribution.ReportFields{Event: "sale", OrderID: "o2", Amount: "20.00", Currency: "USD", Code: code}},
	} {
		report.ReceiptID, report.AdvertiserID, report.Source, report.Signed = fmt.Sprintf("rct_%026d", i), advertiser, attribution.SourceServer, true
		report.ReceivedAt = attribution.InstantOf(time.Now())
		record, err := attribution.AppendReport(nil, report)
		if err == nil {
			err = a.reports.Append(0, record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	get := func(path string) map[string]any { return a.call(http.MethodGet, path, nil, http.StatusOK) }
	eventually(t, func() error {
		clicks := map[string]float64{}
		for _, step := range get("/v1/reports/funnel?campaign_id=" + campaign)["totals"].([]any) {
			clicks[step.(map[string]any)["step"].(string)] = step.(map[string]any)["clicks"].(float64)
		}
		if clicks["hits"] != 1 || clicks["unique"] != 1 || clicks["landed"] != 1 || clicks["converted"] != 1 || clicks["credited"] != 1 || clicks["paid"] != 0 {
			return fmt.Errorf("the funnel is %v", clicks)
		}
		return nil
	})
	if items := get("/v1/reports/actions?order_id=o1")["items"].([]any); len(items) != 1 || items[0].(map[string]any)["click_id"] != clickID || items[0].(map[string]any)["payout"] != "1.00" {
		t.Errorf("the listing has %v", items)
	}
	if rows := get("/v1/reports/codes")["rows"].([]any); len(rows) != 1 || rows[0].(map[string]any)["code"] != "SAVE10" || rows[0].(map[string]any)["uses_without_click"] != 1.0 ||
		rows[0].(map[string]any)["creator_id"] != link["creator_id"] {
		t.Errorf("codes are %v", rows)
	}
	paths := get("/v1/reports/paths?campaign_id=" + campaign)
	if platforms := paths["platforms"].([]any); paths["conversions"] != 2.0 || paths["touched"] != 1.0 || fmt.Sprint(platforms[0].(map[string]any)["path"]) != "[tiktok]" {
		t.Errorf("paths are %v", paths)
	}
	models := get("/v1/reports/models?group_by=platform")
	totals := models["totals"].([]any)[0].(map[string]any)
	for _, model := range []string{"last", "first", "linear", "position", "time_decay"} {
		if f := totals[model].(map[string]any); models["conversions"] != 2.0 || f["credit"] != "2.000000" || f["sale_amount"] != "30.00" || f["payout"] != "3.00" {
			t.Errorf("under %s: %v", model, f)
		}
	}
}
