package reports

import (
	"cmp"
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

// An earned action of the test data, with everything that ever happened to it.
type earned struct {
	stored
	id, conversion, event, code, referral, credit, customer string
	life                                                    []change
}

// A change is an entry: the action as it was behind it.
type change struct {
	at                   time.Time
	state                string
	amount, payout, cost int64
	number               int
}

// as is the action as it stood at a time: its last change by then; nil before the first.
func (a *earned) as(of time.Time) *change {
	for i := range slices.Backward(a.life) {
		if !a.life[i].at.After(of) {
			return &a.life[i]
		}
	}
	return nil
}

// nextStates are where an action goes from a state.
var nextStates = map[string][]string{
	"held": {"pending", "reversed"}, "pending": {"pending", "reversed", "locked"}, "locked": {"payable"}, "payable": {"paid"},
}

// generateActions draws actions and their lives: every third is adjusted, reversed
// or paid weeks after it was made, some arrive days late, orders are shared by up to
// three of them, and adjustments are negative.
func generateActions(n int) []earned {
	random := rand.New(rand.NewPCG(3, 5))
	places := generate(n)
	actions := make([]earned, n)
	order, shares := 0, 0
	for i, place := range places {
		referral := []string{"click", "click", "code", "task", "adjustment"}[random.IntN(5)]
		a := earned{stored: place, id: fmt.Sprintf("act_%05d", i), event: []string{"sale", "lead"}[random.IntN(2)], referral: referral, credit: "1"}
		switch referral {
		case "task":
		case "adjustment":
			a.conversion = fmt.Sprintf("cnv_%05d", random.IntN(n))
		default:
			if shares == 0 {
				order, shares = order+1, []int{1, 1, 2, 3}[random.IntN(4)]
			}
			a.conversion, a.customer = fmt.Sprintf("cnv_%05d", order), []string{"new", "returning", ""}[order%3]
			a.credit = []string{"1", "1/2", "1/3"}[sharesOf(order, shares, actions[:i])-1]
			shares--
		}
		if referral == "code" {
			a.code = fmt.Sprintf("CODE%d", random.IntN(3))
		}
		a.live(random)
		actions[i] = a
	}
	number(actions)
	return actions
}

// sharesOf is into how many an order is divided: what is left of it, and what it has.
func sharesOf(order, left int, made []earned) int {
	for i := range made {
		if a := &made[i]; a.conversion == fmt.Sprintf("cnv_%05d", order) && a.referral != "adjustment" {
			left++
		}
	}
	return left
}

func (a *earned) live(random *rand.Rand) {
	now := change{state: []string{"pending", "pending", "held"}[random.IntN(3)], amount: random.Int64N(90_000), payout: random.Int64N(9_000) - 1_000}
	if a.referral == "adjustment" {
		now.amount = -now.amount
	}
	now.at = a.at.Add(time.Duration(random.Int64N(int64(time.Minute))))
	if random.IntN(10) == 0 {
		now.at = now.at.Add(time.Duration(random.Int64N(int64(5 * 24 * time.Hour)))) // it came late
	}
	for {
		now.cost, now.at = now.payout*3/2, now.at.Truncate(time.Millisecond)
		a.life = append(a.life, now)
		next := nextStates[now.state]
		if len(next) == 0 || random.IntN(4) == 0 {
			return
		}
		before := now.state
		now.state = next[random.IntN(len(next))]
		if now.state == before { // adjusted
			now.amount += random.Int64N(2_000) - 1_000
			now.payout += random.Int64N(200) - 100
		}
		now.at = now.at.Add(time.Duration(random.Int64N(int64(9 * 24 * time.Hour))))
	}
}

// number gives every entry its number, in the order of what happened.
func number(actions []earned) {
	var all []*change
	for i := range actions {
		for n := range actions[i].life {
			all = append(all, &actions[i].life[n])
		}
	}
	slices.SortStableFunc(all, func(a, b *change) int { return a.at.Compare(b.at) })
	for i := range all {
		all[i].number = 2*i + 5 // numbers have gaps
	}
}

// insertActions stores the copy of the ledger: every version of every action, some
// late and again, and the entries in the order of their numbers, in batches.
func insertActions(t *testing.T, conn driver.Conn, actions []earned) {
	t.Helper()
	prepare := func(token, statement string) driver.Batch {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name()+token)))
		batch, err := conn.PrepareBatch(ctx, statement)
		must(t, err)
		return batch
	}
	for token, back := range map[string]int{"old": 1, "new": 0, "again": 0} {
		batch := prepare(token, `INSERT INTO actions (id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, code,
			platform, event, referral, credit, currency, amount_minor, payout_minor, cost_minor, state, event_time, created_at, seq, reasons)`)
		for i := range actions {
			a := &actions[i]
			at := max(0, len(a.life)-1-back)
			c := a.life[at]
			must(t, batch.Append(a.id, a.conversion, a.advertiser, a.campaign, a.creator, a.task, a.link, a.code, a.platform, a.event, a.referral, a.credit,
				a.currency, c.amount, c.payout, c.cost, c.state, a.at, a.life[0].at, uint64(at+1), []string{}))
		}
		must(t, batch.Send())
	}
	type entry struct {
		*earned
		was, now change
		seq      int
	}
	var entries []entry
	for i := range actions {
		was := change{}
		for n, now := range actions[i].life {
			entries = append(entries, entry{&actions[i], was, now, n + 1})
			was = now
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.now.number, b.now.number) })
	for chunk := range slices.Chunk(entries, 3_000) {
		batch := prepare(fmt.Sprint("entries", chunk[0].now.number), `INSERT INTO entries (number, action_id, seq, at, from_state, to_state, advertiser_id, campaign_id,
			creator_id, task_id, link_id, code, platform, event, referral, currency, event_time, orders_nano, whole_orders, known_customer,
			new_customer, amount_delta, payout_delta, cost_delta, amount_minor, payout_minor, cost_minor)`)
		for _, e := range chunk {
			isOrder := e.conversion != "" && e.referral != "adjustment"
			nano := map[string]int64{"1": 1_000_000_000, "1/2": 500_000_000, "1/3": 333_333_333}[e.credit] * int64(bit(isOrder))
			must(t, batch.Append(uint64(e.now.number), e.id, uint64(e.seq), e.now.at, e.was.state, e.now.state, e.advertiser, e.campaign, e.creator, e.task,
				e.link, e.code, e.platform, e.event, e.referral, e.currency, e.at, nano, int64(bit(isOrder && e.credit == "1")),
				int64(bit(e.customer != "")), int64(bit(e.customer == "new")), e.now.amount-e.was.amount, e.now.payout-e.was.payout, e.now.cost-e.was.cost,
				e.now.amount, e.now.payout, e.now.cost))
		}
		must(t, batch.Send())
		must(t, schema.SumActions(t.Context(), conn))
	}
}

// A tally is what a group of actions comes to, added up one by one.
type tally struct {
	states, payouts                                                                                           map[string]int64
	conversions                                                                                               map[string]bool
	orders                                                                                                    *big.Rat
	counted, link, code, sale, back, payout, task, cost, settledOrReversed, newCustomers, knownCustomers, all int64
}

func tallyOf(actions []*earned, of time.Time) *tally {
	s := &tally{states: map[string]int64{}, payouts: map[string]int64{}, conversions: map[string]bool{}, orders: new(big.Rat)}
	for _, a := range actions {
		c := a.as(of)
		if c == nil {
			continue
		}
		s.all++
		counts, further := c.state != "held" && c.state != "reversed", a.referral != "adjustment"
		s.payouts[c.state] += c.payout
		if c.state == "reversed" {
			s.back += c.amount
		}
		if further {
			s.states[c.state]++
			if a.conversion != "" {
				s.conversions[a.conversion] = true
			}
			if c.state != "held" {
				s.settledOrReversed++
			}
		}
		if !counts {
			continue
		}
		s.sale, s.payout, s.cost = s.sale+c.amount, s.payout+c.payout, s.cost+c.cost
		switch a.referral {
		case "click":
			s.link++
		case "code":
			s.code++
		case "task":
			s.task += c.payout
		}
		if !further {
			continue
		}
		s.counted++
		s.newCustomers += int64(bit(a.customer == "new"))
		s.knownCustomers += int64(bit(a.customer != ""))
		if a.conversion != "" {
			credit, _ := new(big.Rat).SetString(a.credit)
			s.orders.Add(s.orders, credit)
		}
	}
	return s
}

// figures writes a tally as the report has to show it.
func (s *tally) figures(currency string, unique, clicks uint64) map[string]any {
	money := func(minor int64) any { return attribution.FormatMoney(minor, currency) }
	per := func(over int64, under *big.Rat) any {
		if under.Sign() == 0 {
			return nil
		}
		var minor int64
		fmt.Sscan(new(big.Rat).Quo(big.NewRat(over, 1), under).FloatString(0), &minor)
		return money(minor)
	}
	rate := func(over, under int64) any {
		if under == 0 {
			return nil
		}
		return big.NewRat(over, under).FloatString(4)
	}
	want := map[string]any{
		"conversions": uint64(len(s.conversions)), "actions": uint64(s.counted), "link_actions": uint64(s.link), "code_actions": uint64(s.code),
		"sale_amount": money(s.sale), "reversed_amount": money(s.back), "payout": money(s.payout), "task_payout": money(s.task), "cost": money(s.cost),
		"average_order": per(s.sale, s.orders), "conversion_rate": rate(s.counted, int64(unique)), "epc": per(s.payout, big.NewRat(int64(clicks), 1)),
		"cpa": per(s.cost, big.NewRat(s.counted, 1)), "roas": rate(s.sale, s.cost), "reversal_rate": rate(s.states["reversed"], s.settledOrReversed),
		"new_customer_rate": rate(s.newCustomers, s.knownCustomers),
	}
	for _, state := range actionStates {
		want["actions_"+state], want["payout_"+state] = uint64(s.states[state]), money(s.payouts[state])
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

// grouped puts actions into the groups of a question, by the name of their rows.
func grouped(actions []earned, groupBy []string, zone *time.Location, in period, of time.Time) map[string][]*earned {
	groups := map[string][]*earned{}
	for i := range actions {
		a := &actions[i]
		if a.at.Before(in.from) || !a.at.Before(in.to) || a.as(of) == nil {
			continue
		}
		var key []string
		for _, d := range groupBy {
			key = append(key, a.keyOf(d, zone))
		}
		name := strings.Join(append(key, a.currency), "|")
		groups[name] = append(groups[name], a)
	}
	return groups
}

var muchLater = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// compareMoney compares rows with an independent recomputation of their actions.
func compareMoney(t *testing.T, what string, report *Report, rows []Row, groups map[string][]*earned, of time.Time) {
	t.Helper()
	for i := range rows {
		row := &rows[i]
		name := strings.Join(append(slices.Clone(row.Keys), row.Currency), "|")
		var unique, valid uint64
		if count, known := report.Value(row, "clicks").(uint64); known {
			valid, unique = count, report.Value(row, "unique_clicks").(uint64)
		}
		group := groups[name]
		delete(groups, name)
		for column, want := range tallyOf(group, of).figures(row.Currency, unique, valid) {
			if report.known&ofClicks == 0 && (column == "conversion_rate" || column == "epc") {
				want = nil
			}
			if got := report.Value(row, column); got != want {
				t.Errorf("%s %s: %s is %v, want %v", what, name, column, got, want)
			}
		}
	}
	if len(groups) > 0 {
		t.Errorf("%s: %d groups are missing: %v", what, len(groups), slices.Collect(maps.Keys(groups))[0])
	}
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
		{GroupBy: []string{"campaign"}, From: "2026-10-25", To: "2026-11-01", TZ: "Europe/Berlin"},
		{GroupBy: []string{"creator"}, From: "2026-10-25T00:00:00.007Z", To: "2026-10-29T13:07:00Z"}, // off the sums' steps
		{GroupBy: []string{"task"}, From: "2026-10-25T00:01:00Z", To: "2026-10-25T00:14:00Z"},
		{GroupBy: []string{"campaign"}, AsOf: "2026-10-30T12:00:00Z"}, {GroupBy: []string{"day", "platform"}, TZ: "Asia/Kathmandu", AsOf: "2026-11-05T00:00:00.001Z"},
		{GroupBy: []string{"code", "event"}, AsOf: "2026-10-26T07:30:00Z"}, {GroupBy: []string{"link"}, AsOf: "2026-11-03T00:00:00Z", From: "2026-10-22T01:01:00Z", To: "2026-11-30"},
	} {
		query, err := NewQuery(Scope{All: true}, question, reportTime)
		must(t, err)
		report, err := reports.Performance(t.Context(), query, reportTime)
		must(t, err)
		of := muchLater
		if question.AsOf != "" {
			of = query.asOf
		}
		in := period{query.from, query.to}
		compareMoney(t, fmt.Sprint(question, " rows"), report, report.Rows, grouped(actions, question.GroupBy, query.zone, in, of), of)
		compareMoney(t, fmt.Sprint(question, " totals"), report, report.Totals, grouped(actions, nil, query.zone, in, of), of)
	}
}

// Rows that are put together here are those that ClickHouse puts together.
func TestManyRowsAreAnsweredLikeFew(t *testing.T) {
	conn := schematest.Start(t)
	insert(t, conn, generate(1_500))
	insertActions(t, conn, generateActions(1_500))
	insertPosts(t, conn, generatePosts(100))
	few, many := New(conn, upToDate{}, noAgencies{}), New(conn, upToDate{}, noAgencies{})
	many.maxGathered = 1
	for _, question := range []Question{
		{GroupBy: []string{"campaign"}}, {GroupBy: []string{"link", "day"}, Sort: "-payout", Limit: 100}, {GroupBy: []string{"creator"}, Sort: "epc"},
		{GroupBy: []string{"hour", "platform"}, TZ: "America/New_York", Limit: 5_000}, {GroupBy: []string{"task"}, Sort: "-engagement_rate"},
		{GroupBy: []string{"currency"}, Sort: "-currency"}, {GroupBy: []string{"campaign", "currency"}, AsOf: "2026-11-01T00:01:00Z", Sort: "average_order"},
		{GroupBy: []string{"code"}}, {GroupBy: []string{"event"}, From: "2026-10-22T01:02:03Z", To: "2026-11-22T01:02:03Z", Columns: []string{"conversions", "epc"}},
	} {
		query, err := NewQuery(Scope{AdvertiserID: "adv_0"}, question, reportTime)
		must(t, err)
		answer := func(r *Reports) string {
			report, err := r.Performance(t.Context(), query, reportTime)
			must(t, err)
			body := bodyOf(report)
			text, err := json.Marshal([]any{body.Rows, body.Totals, body.Truncated})
			must(t, err)
			return string(text)
		}
		if a, b := answer(few), answer(many); a != b {
			t.Errorf("%v: here\n%.600s\nin ClickHouse\n%.600s", question, a, b)
		}
	}
}

// What was reported at a time is what is reported as of it, to the minor unit,
// whatever has happened since.
func TestAPastReportIsReproduced(t *testing.T) {
	conn := schematest.Start(t)
	clicks, actions := generate(2_000), generateActions(2_000)
	then := time.Date(2026, 11, 2, 10, 7, 3, 120e6, time.UTC)
	// The world as it was: what came later is not there yet.
	early, earlyClicks := []earned{}, []stored{}
	for _, a := range actions {
		a.life = slices.DeleteFunc(slices.Clone(a.life), func(c change) bool { return c.at.After(then) })
		if len(a.life) > 0 {
			early = append(early, a)
		}
	}
	for _, c := range clicks {
		if !c.at.After(then) {
			earlyClicks = append(earlyClicks, c)
		}
	}
	ask := func(conn driver.Conn, asOf string) []byte {
		reports := New(conn, upToDate{}, noAgencies{})
		var all []any
		for _, groupBy := range [][]string{{"campaign"}, {"creator", "platform"}, {"day", "task"}, {"code"}} {
			query, err := NewQuery(Scope{All: true}, Question{GroupBy: groupBy, To: "2026-12-01", TZ: "Asia/Kolkata", Limit: 5_000, AsOf: asOf}, reportTime)
			must(t, err)
			report, err := reports.Performance(t.Context(), query, reportTime)
			must(t, err)
			body := bodyOf(report)
			all = append(all, body.Rows, body.Totals)
		}
		text, err := json.Marshal(all)
		must(t, err)
		return text
	}
	past := schematest.Start(t)
	insert(t, past, earlyClicks)
	insertActions(t, past, early)
	insert(t, conn, clicks)
	insertActions(t, conn, actions)
	was, again := ask(past, ""), ask(conn, then.Format(time.RFC3339Nano))
	if string(was) != string(again) {
		t.Errorf("as of then it is another report:\n%.400s\n%.400s", was, again)
	}
	if now := ask(conn, ""); string(now) == string(was) {
		t.Error("nothing has happened since, which proves nothing")
	}
}

type agencies []string

func (a agencies) AgencyCampaigns(context.Context, string) ([]string, error) { return a, nil }

func TestMoneyIsShownToWhomItMayBe(t *testing.T) {
	conn := schematest.Start(t)
	insertActions(t, conn, generateActions(2_000))
	reports := New(conn, upToDate{}, agencies{"cmp_1"})
	ask := func(scope Scope, asOf string) []map[string]any {
		query, err := NewQuery(scope, Question{GroupBy: []string{"campaign"}, Sort: "-payout", AsOf: asOf}, reportTime)
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
	for _, asOf := range []string{"", "2026-11-15T00:00:00Z"} {
		for _, row := range ask(Scope{CreatorID: "crt_3"}, asOf) {
			if row["cost"] != nil || row["cpa"] != nil || row["roas"] != nil || row["payout"] == nil {
				t.Errorf("a creator sees %v", row)
			}
		}
		for _, row := range ask(Scope{AdvertiserID: "adv_0"}, asOf) {
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
		for _, row := range ask(Scope{All: true}, asOf) {
			if row["payout"] == nil || row["cost"] == nil {
				t.Errorf("an admin sees %v", row)
			}
		}
	}
	_, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"country", "event"}}, reportTime)
	if err == nil {
		t.Error("a grouping that neither clicks nor actions have is accepted")
	}
}
