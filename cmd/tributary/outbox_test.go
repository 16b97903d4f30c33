package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/ledger"
)

// sell has a creator's link clicked and a sale of it reported, over and over.
func (a *testApp) sell(orders int) (campaignID string) {
	a.t.Helper()
	return a.sellBy(a.makeLink(), orders)
}

// sellBy is sell for a link.
func (a *testApp) sellBy(link map[string]any, orders int) (campaignID string) {
	a.t.Helper()
	campaignID = link["campaign_id"].(string)
	campaign := a.call(http.MethodGet, "/v1/campaigns/"+campaignID, nil, http.StatusOK)
	for i := range orders {
		report := &attribution.Report{
			Kind: attribution.ReportConversion, ReceiptID: fmt.Sprintf("rct_%026d", i), AdvertiserID: campaign["advertiser_id"].(string),
			Source: "s2s", Signed: true, ReceivedAt: attribution.InstantOf(time.Now()),
			Fields: attribution.ReportFields{Event: "sale", OrderID: fmt.Sprint("order-", i), Amount: "10.00", Currency: "USD",
				CreatorID: link["creator_id"].(string)},
		}
		record, err := attribution.AppendReport(nil, report)
		if err == nil {
			err = a.reports.Append(0, record)
		}
		if err != nil {
			a.t.Fatal(err)
		}
	}
	if err := a.settled(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	return campaignID
}

func TestMoneyIsCopiedReportedAndAudited(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	a := startTestApp(t, o)
	<-a.migrated
	campaign := a.sell(30)
	eventually(t, func() error {
		rows := a.call(http.MethodGet, "/v1/reports/campaigns?campaign_id="+campaign, nil, http.StatusOK)["rows"].([]any)
		if len(rows) != 1 {
			return fmt.Errorf("%d rows", len(rows))
		}
		if row := rows[0].(map[string]any); row["actions"] != 30.0 || row["sale_amount"] != "300.00" || row["conversions"] != 30.0 {
			return fmt.Errorf("the report has %v", row)
		}
		return nil
	})
	eventually(t, func() error { // rows are counted after they are stored
		rows, err := a.metric(`tributary_shipped_rows_total{table="actions"}`)
		if err == nil && rows != 30 {
			err = fmt.Errorf("%v actions are counted as shipped", rows)
		}
		return err
	})
	eventually(t, func() error {
		behind, err := a.money.OutboxBehind(t.Context())
		if err == nil && (behind[ledger.ReaderClickHouse] > 0 || behind[ledger.ReaderEvents] > 0) {
			err = fmt.Errorf("messages are left in the outbox: %v", behind)
		}
		return err
	})
	if found := a.call(http.MethodGet, "/v1/audit", nil, http.StatusOK); found["agree"] != true || !strings.Contains(asText(found["lines"]), "reports: received 30 = conversions accepted 30 + waiting 0") {
		t.Errorf("while it runs, the audit says %v", found)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	edit := func(statement string) {
		t.Run("edit", func(t *testing.T) { // its end stops the engine
			if err := openStore(t, o.DataDir).conn.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		})
	}
	audited := func() (string, error) {
		var out bytes.Buffer
		err := audit(t.Context(), o, appConfig{log: a.log, engineCommand: []string{os.Args[0], engineVerb}}, &out)
		return out.String(), err
	}
	edit("INSERT INTO actions SELECT * FROM actions") // as if all had been sent again
	if out, err := audited(); err != nil || !strings.Contains(out, "actions: 30 in the ledger") {
		t.Fatalf("%v\n%s", err, out)
	}
	edit("ALTER TABLE actions UPDATE payout_minor = payout_minor + 1 WHERE order_id = 'order-7' SETTINGS mutations_sync = 1")
	if out, err := audited(); err == nil || strings.Count(out, "DIFFERS") != 1 || !strings.Contains(out, "DIFFERS  actions of") {
		t.Errorf("a minor unit too much goes unseen: %v\n%s", err, out)
	}
}

func TestMoneyWaitsForClickHouseInTheOutbox(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.ClickHouse = "clickhouse://127.0.0.1:9/tributary" // nobody answers there
	down := startTestApp(t, o)
	campaign := down.sell(5)
	if _, err := down.copy.pass(t.Context()); err == nil {
		t.Error("copying to nowhere works")
	}
	if left, err := down.money.Outbox(t.Context(), ledger.ReaderClickHouse, 100); err != nil || len(left.Messages) < 5 {
		t.Errorf("%d messages are left in the outbox, %v", len(left.Messages), err)
	}
	if err := down.stop(); err != nil {
		t.Fatal(err)
	}
	o.ClickHouse = ""
	up := startTestApp(t, o)
	<-up.migrated
	eventually(t, func() error {
		rows := up.call(http.MethodGet, "/v1/reports/campaigns?campaign_id="+campaign, nil, http.StatusOK)["rows"].([]any)
		if len(rows) != 1 || rows[0].(map[string]any)["actions"] != 5.0 {
			return fmt.Errorf("the report has %v", rows)
		}
		return nil
	})
}
