package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/schema"
	"tributary/schema/schematest"
)

// An earned action of the test data. Older versions of it are stored beside it.
type earned struct {
	stored
	id, conversion, event, code, referral, state string
	amount, payout, cost                         int64
	seq                                          uint64
}

func generateActions(n int) []earned {
	random := rand.New(rand.NewPCG(3, 5))
	places := generate(n)
	actions := make([]earned, n)
	for i, place := range places {
		referral := []string{"click", "click", "code", "task", "adjustment"}[random.IntN(5)]
		a := earned{
			stored: place, id: fmt.Sprintf("act_%05d", i), event: []string{"sale", "lead"}[random.IntN(2)], referral: referral,
			state: actionStates[random.IntN(6)], amount: random.Int64N(90_000), payout: random.Int64N(9_000) - 1_000, seq: 1 + random.Uint64N(4),
		}
		a.cost = a.payout * 3 / 2
		if referral != "task" {
			a.conversion = fmt.Sprintf("cnv_%05d", random.IntN(n))
		}
		if referral == "code" {
			a.code = fmt.Sprintf("CODE%d", random.IntN(3))
		}
		actions[i] = a
	}
	return actions
}

func insertActions(t *testing.T, conn driver.Conn, actions []earned) {
	t.Helper()
	send := func(token string, newest bool) {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name()+token)))
		batch, err := conn.PrepareBatch(ctx, `INSERT INTO actions (id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, code,
			platform, event, referral, currency, amount_minor, payout_minor, cost_minor, state, event_time, seq, reasons)`)
		must(t, err)
		for _, a := range actions {
			amount, state, seq := a.amount, a.state, a.seq
			if !newest {
				amount, state, seq = a.amount+77, "pending", a.seq-1
			}
			must(t, batch.Append(a.id, a.conversion, a.advertiser, a.campaign, a.creator, a.task, a.link, a.code, a.platform, a.event, a.referral,
				a.currency, amount, a.payout, a.cost, state, a.at, seq, []string{}))
		}
		must(t, batch.Send())
	}
	send("new", true)
	send("old", false) // late and stale
	send("again", true)
}

// The independent recomputation of what a group of actions comes to.
func recompute(actions []*earned, unique, clicks uint64) map[string]any {
	var counted, all, reversed, notHeld, link, code, sale, back, payout, task, cost int64
	states, payouts := map[string]int64{}, map[string]int64{}
	conversions, orders := map[string]bool{}, map[string]bool{}
	for _, a := range actions {
		all++
		counts := a.state != "held" && a.state != "reversed"
		payouts[a.state] += a.payout
		if a.conversion != "" {
			conversions[a.conversion] = true
			if counts {
				orders[a.conversion] = true
			}
		}
		if a.referral != "adjustment" {
			states[a.state]++
			if counts {
				counted++
			}
			if a.state != "held" {
				notHeld++
			}
		}
		if a.state == "reversed" {
			back += a.amount
		}
		if !counts {
			continue
		}
		sale, payout, cost = sale+a.amount, payout+a.payout, cost+a.cost
		switch a.referral {
		case "click":
			link++
		case "code":
			code++
		case "task":
			task += a.payout
		}
	}
	reversed = states["reversed"]
	currency := "USD"
	if len(actions) > 0 {
		currency = actions[0].currency
	}
	money := func(minor int64) any { return attribution.FormatMoney(minor, currency) }
	per := func(over, under int64) any {
		if under == 0 {
			return nil
		}
		half := big.NewRat(over, under).FloatString(0)
		var minor int64
		fmt.Sscan(half, &minor)
		return money(minor)
	}
	rate := func(over, under int64) any {
		if under == 0 {
			return nil
		}
		return big.NewRat(over, under).FloatString(4)
	}
	want := map[string]any{
		"conversions": uint64(len(conversions)), "actions": uint64(counted), "link_actions": uint64(link), "code_actions": uint64(code),
		"sale_amount": money(sale), "reversed_amount": money(back), "payout": money(payout), "task_payout": money(task), "cost": money(cost),
		"average_order": per(sale, int64(len(orders))), "conversion_rate": rate(counted, int64(unique)), "epc": per(payout, int64(clicks)),
		"cpa": per(cost, counted), "roas": rate(sale, cost), "reversal_rate": rate(reversed, notHeld),
	}
	for _, state := range actionStates {
		want["actions_"+state], want["payout_"+state] = uint64(states[state]), money(payouts[state])
	}
	return want
}

func (a *earned) keyOf(dimension string, zone *time.Location) string {
	switch dimension {
	case "event":
		return a.event
	case "code":
		return a.code
	case "currency":
		return a.currency
	}
	return a.key(dimension, zone)
}

func TestMoneyEqualsAnIndependentRecomputation(t *testing.T) {
	conn := schematest.Start(t)
	clicks, actions := generate(5_000), generateActions(4_000)
	insert(t, conn, clicks)
	insertActions(t, conn, actions)
	reports := New(conn, upToDate{}, noAgencies{})
	for _, question := range []Question{
		{GroupBy: []string{"campaign"}}, {GroupBy: []string{"platform", "creator"}}, {GroupBy: []string{"task"}}, {GroupBy: []string{"link"}, Sort: "-epc"},
		{GroupBy: []string{"event", "code"}}, {GroupBy: []string{"currency"}}, {GroupBy: []string{"day", "campaign"}, TZ: "Asia/Kolkata"},
		{GroupBy: []string{"hour"}, TZ: "America/New_York", Limit: 5000}, {GroupBy: []string{"week"}, TZ: "Australia/Lord_Howe"},
		{GroupBy: []string{"month"}, Sort: "-roas"}, {GroupBy: []string{"code"}, Sort: "-payout"},
	} {
		query, err := NewQuery(Scope{All: true}, question, reportTime)
		must(t, err)
		report, err := reports.Performance(t.Context(), query, reportTime)
		must(t, err)
		zone := time.UTC
		if question.TZ != "" {
			zone, _ = time.LoadLocation(question.TZ)
		}
		for part, rows := range map[string][]Row{"rows": report.Rows, "totals": report.Totals} {
			groupBy := question.GroupBy
			if part == "totals" {
				groupBy = nil
			}
			groups := map[string][]*earned{}
			for i := range actions {
				var key []string
				for _, d := range groupBy {
					key = append(key, actions[i].keyOf(d, zone))
				}
				name := strings.Join(append(key, actions[i].currency), "|")
				groups[name] = append(groups[name], &actions[i])
			}
			for i := range rows {
				row := &rows[i]
				name := strings.Join(append(slices.Clone(row.Keys), row.Currency), "|")
				var unique, valid uint64
				if count, known := report.Value(row, "clicks").(uint64); known {
					valid, unique = count, report.Value(row, "unique_clicks").(uint64)
				}
				group := groups[name]
				delete(groups, name)
				if len(group) == 0 {
					continue // of clicks alone
				}
				for column, want := range recompute(group, unique, valid) {
					if got := report.Value(row, column); got != want {
						t.Errorf("%v %s %s: %s is %v, want %v", question.GroupBy, part, name, column, got, want)
					}
				}
			}
			if len(groups) > 0 {
				t.Errorf("%v %s: %d groups are missing: %v", question.GroupBy, part, len(groups), slices.Collect(maps.Keys(groups))[0])
			}
		}
	}
}

type agencies []string

func (a agencies) AgencyCampaigns(context.Context, string) ([]string, error) { return a, nil }

func TestMoneyIsShownToWhomItMayBe(t *testing.T) {
	conn := schematest.Start(t)
	insertActions(t, conn, generateActions(2_000))
	reports := New(conn, upToDate{}, agencies{"cmp_1"})
	ask := func(scope Scope) []map[string]any {
		query, err := NewQuery(scope, Question{GroupBy: []string{"campaign"}, Sort: "-payout"}, reportTime)
		must(t, err)
		report, err := reports.Performance(t.Context(), query, reportTime)
		must(t, err)
		var rows []map[string]any
		for _, row := range append(bodyOf(report).Rows, bodyOf(report).Totals...) {
			text, err := json.Marshal(row)
			must(t, err)
			var fields map[string]any
			must(t, json.Unmarshal(text, &fields))
			rows = append(rows, fields)
		}
		return rows
	}
	for _, row := range ask(Scope{CreatorID: "crt_3"}) {
		if row["cost"] != nil || row["cpa"] != nil || row["roas"] != nil || row["payout"] == nil {
			t.Errorf("a creator sees %v", row)
		}
	}
	for _, row := range ask(Scope{AdvertiserID: "adv_0"}) {
		hidden := row["campaign_id"] == "cmp_1" || row["campaign_id"] == nil && row["currency"] == "JPY" // the totals it is a part of
		for _, column := range []string{"payout", "payout_pending", "task_payout"} {
			if (row[column] == nil) != hidden {
				t.Errorf("an advertiser sees %s %v of %v %v", column, row[column], row["campaign_id"], row["currency"])
			}
		}
		if row["cost"] == nil {
			t.Errorf("an advertiser does not see cost: %v", row)
		}
	}
	for _, row := range ask(Scope{All: true}) {
		if row["payout"] == nil || row["cost"] == nil {
			t.Errorf("an admin sees %v", row)
		}
	}
	_, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"country", "event"}}, reportTime)
	if err == nil {
		t.Error("a grouping that neither clicks nor actions have is accepted")
	}
}
