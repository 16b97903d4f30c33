package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tributary/ledger"
)

// fraudSignals lists what the rules said, newest first.
func (a *testApp) fraudSignals(query string) (signals []map[string]any) {
	a.t.Helper()
	for _, item := range a.call(http.MethodGet, "/v1/fraud-signals?"+query, nil, http.StatusOK)["items"].([]any) {
		signals = append(signals, item.(map[string]any))
	}
	return signals
}

// TestFraudIsSeenFromClickToExplanation goes the way of a shopper and of a shop:
// what a click carried and who bought is known at the settling, without a store
// being asked for the click.
func TestFraudIsSeenFromClickToExplanation(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeLink()
	advertiser, creator := link["advertiser_id"].(string), link["creator_id"].(string)
	a.call(http.MethodPatch, "/v1/creators/"+creator, map[string]any{"email": "mali@creators.example"}, http.StatusOK)
	refused := a.call(http.MethodPatch, "/v1/advertisers/"+advertiser, map[string]any{"fraud_rules": map[string]any{"self_purchase": map[string]any{"threshold": 3}}}, http.StatusUnprocessableEntity)
	if fields := fmt.Sprint(refused["errors"]); refused["code"] != "validation" || fields != "[map[location:body.fraud_rules.self_purchase.threshold message:this rule has no threshold]]" {
		t.Errorf("a bad rule is refused with %v", refused)
	}
	a.call(http.MethodPatch, "/v1/advertisers/"+advertiser, map[string]any{"fraud_rules": map[string]any{
		"self_purchase": map[string]any{"action": "hold"}, "time_to_sale": map[string]any{"action": "off"},
	}}, http.StatusOK)

	plain := clickIDOf(t, a.clicked(link, phone))
	paid := clickIDOf(t, a.clicked(map[string]any{"slug": link["slug"].(string) + "?gclid=abc&x=1"}, phone))
	sale := func(order, click, customer string) map[string]any {
		t.Helper()
		settled := a.sold(advertiser, map[string]any{"event": "sale", "order_id": order, "amount": "10", "currency": "USD", "click_id": click, "customer_id": customer})
		return settled["actions"].([]any)[0].(map[string]any)
	}
	if quiet := sale("quiet", plain, "ben@shoppers.example"); quiet["state"] != ledger.Pending && quiet["state"] != ledger.Payable || len(a.fraudSignals("order_id=quiet")) != 0 {
		t.Errorf("an order like any other is %v", quiet["state"])
	}
	if flagged := sale("flagged", paid, "eve@shoppers.example"); flagged["state"] == ledger.Held {
		t.Errorf("a flagged order is held")
	}
	if said := a.fraudSignals("order_id=flagged"); len(said) != 1 || said[0]["rule"] != "click_source" || said[0]["severity"] != "flag" {
		t.Errorf("of a click from paid search is said %v", said)
	}
	held := sale("held", plain, " Mali@Creators.example ")
	said := a.fraudSignals("advertiser_id=" + advertiser + "&severity=hold")
	if held["state"] != ledger.Held || len(said) != 1 || said[0]["action_id"] != held["id"] || said[0]["rule"] != "self_purchase" {
		t.Fatalf("the creator's own order is %v, and is said %v", held["state"], said)
	}
	explained := a.call(http.MethodGet, "/v1/actions/"+held["id"].(string)+"/explain", nil, http.StatusOK)
	if signals, _ := explained["signals"].([]any); len(signals) != 1 || signals[0].(map[string]any)["sentence"] != said[0]["sentence"] {
		t.Errorf("it is explained as %v", explained)
	}
	a.call(http.MethodPost, "/v1/actions/"+held["id"].(string)+"/release", map[string]any{"note": "a test order"}, http.StatusOK)

	<-a.migrated
	eventually(t, func() error { // the click itself says it too
		said := fmt.Sprint(a.call(http.MethodGet, "/v1/clicks?link_id="+link["id"].(string), nil, http.StatusOK)["items"])
		if strings.Count(said, "reasons:[paid_search]") != 1 || strings.Count(said, "reasons:[]") != 1 {
			return fmt.Errorf("the clicks are %s", said)
		}
		return nil
	})
}

// TestASuddenConversionRateIsTold puts a month of clicks and a rush of orders
// into ClickHouse and has the rates looked at.
func TestASuddenConversionRateIsTold(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeLink()
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	select {
	case <-a.migrated:
	case <-ctx.Done():
		t.Fatal("ClickHouse is not ready")
	}
	hour := time.Now().Truncate(time.Hour).Add(2 * time.Hour) // the app itself looked at the hours before
	fill := func(table, columns, values string, args ...any) {
		t.Helper()
		err := a.clickhouse.Exec(ctx, "INSERT INTO "+table+" (bucket, advertiser_id, campaign_id, creator_id, "+columns+") VALUES (fromUnixTimestamp(?), ?, ?, ?, "+values+")", args...)
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(before time.Duration, figures ...any) []any {
		return append([]any{hour.Add(-before).Unix(), link["advertiser_id"], link["campaign_id"], link["creator_id"]}, figures...)
	}
	fill("clicks_15m", "clicks", "?", at(10*24*time.Hour, 1_000)...)
	fill("clicks_15m", "clicks", "?", at(40*24*time.Hour, 90_000)...) // too long ago to count
	fill("clicks_15m", "clicks", "?", at(time.Hour, 50)...)
	orders := func(before time.Duration, event, referral, state string, count int) {
		t.Helper()
		fill("action_sums", "event, referral, state, actions", "?, ?, ?, ?", at(before, event, referral, state, count)...)
	}
	orders(9*24*time.Hour, "sale", "click", "paid", 20)
	orders(2*time.Hour, "sale", "click", "pending", 25)
	orders(2*time.Hour, "sale", "click", "reversed", 500)
	orders(2*time.Hour, "sale", "code", "pending", 500)
	orders(2*time.Hour, "click", "click", "pending", 500)

	looker := a.rateLooker()
	looker.freshness = &arrived{hour.Add(time.Minute)}
	for range 2 {
		if err := looker.look(ctx); err != nil {
			t.Fatal(err)
		}
	}
	said := a.fraudSignals("rule=conversion_rate&creator_id=" + link["creator_id"].(string))
	if len(said) != 1 || said[0]["action_id"] != nil || said[0]["sentence"] !=
		"In 24 hours 25 orders came of 50 clicks; in the 28 days before it was 20 of 1000. More than 5 times the usual rate is suspicious." {
		t.Errorf("of the rush is said %v", said)
	}
}
