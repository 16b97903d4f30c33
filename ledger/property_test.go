package ledger

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tributary/attribution"
	"tributary/catalog"
)

// TestLedgerHolds does random things to a campaign with a budget and caps and
// checks after each that the books are in order.
func TestLedgerHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.SampledFrom([]string{"hard", "hard", "soft"}).Draw(rt, "mode")
		s := newShop(t, fmt.Sprintf(`{"budget":{"amount":"60.00","mode":%q},"max_creator_payout":"90.00","cost_per":{"post":"1","like":"0.05"},
			"terms":{"model":"linear","hold_unsigned":%t,"caps":[{"scope":"creator","metric":"payout","period":"day","limit":"30.00"},{"scope":"order","metric":"actions","period":"campaign","limit":2}]}}`,
			mode, rapid.Bool().Draw(rt, "hold_unsigned")))
		defer s.db.Close()
		_, second := s.join("Ben")
		b := &books{shop: s, T: rt, budgetMinor: 6000, hard: mode == "hard", raw: s.raw()}
		defer b.raw.Close()
		post := must(s.catalog.CreatePost(s.ctx, catalogAdmin, s.link.TaskID, catalog.PostFields{URL: "https://video.example/1"}))(s)
		b.post = &posted{s, post}
		b.clicks = []string{s.click(s.link, attribution.Valid), s.click(second, attribution.Valid)}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			b.step()
			b.check()
		}
	})
}

// books are a shop that random things are done to.
type books struct {
	*shop
	*rapid.T
	post        *posted
	approved    bool // the post
	clicks      []string
	orders      int
	budgetMinor int64
	committed   int64 // after the last step
	hard        bool
	raw         *sql.DB
}

func (b *books) amount(most int64) string {
	return attribution.FormatMoney(rapid.Int64Range(0, most).Draw(b.T, "amount"), "USD")
}

func (b *books) step() {
	switch rapid.SampledFrom([]string{"sale", "sale", "sale", "again", "unsigned", "refund", "act", "act", "act", "budget", "margin", "time", "post", "likes"}).Draw(b.T, "what") {
	case "sale":
		b.orders++
		b.report1(b.orders, true)
	case "unsigned":
		b.orders++
		b.report1(b.orders, false)
	case "again":
		b.report1(rapid.IntRange(1, max(b.orders, 1)).Draw(b.T, "order"), true)
	case "refund":
		taken := rapid.SampledFrom([]string{fmt.Sprintf(`"amount":%q`, b.amount(5_000)), `"items":[{"sku":"a"}]`, `"items":[{"sku":"b"}]`, `"reason":"all"`}).Draw(b.T, "taken")
		b.refund(fmt.Sprint("o", rapid.IntRange(1, max(b.orders, 1)).Draw(b.T, "order")),
			fmt.Sprintf(`{"refund_id":"r%d",%s}`, rapid.IntRange(1, 20).Draw(b.T, "refund"), taken))
	case "margin":
		b.patch(b.campaignID, fmt.Sprintf(`{"margin_rate":"0.%d"}`, rapid.IntRange(10, 60).Draw(b.T, "margin")))
	case "budget":
		b.budgetMinor = rapid.Int64Range(0, 20_000).Draw(b.T, "budget")
		b.patch(b.campaignID, fmt.Sprintf(`{"budget":{"amount":%q}}`, attribution.FormatMoney(b.budgetMinor, "USD")))
	case "time":
		b.advance(time.Duration(rapid.IntRange(1, 10*24).Draw(b.T, "hours")) * time.Hour)
	case "post":
		if !b.approved {
			status := rapid.SampledFrom([]string{"effective", "effective", "warning", "ineffective", "approved"}).Draw(b.T, "status")
			b.post.judge(status)
			b.approved = status == "approved"
		}
	case "likes":
		b.post.seen(rapid.Int64Range(0, 600).Draw(b.T, "likes"), 0)
	case "act":
		b.act()
	}
}

func (b *books) report1(order int, signed bool) {
	touches := ""
	for i, click := range b.clicks {
		if i > 0 {
			touches += ","
		}
		touches += fmt.Sprintf("%q", click)
	}
	if rapid.Bool().Draw(b.T, "one touch") {
		touches = fmt.Sprintf("%q", b.clicks[0])
	}
	items := ""
	if rapid.Bool().Draw(b.T, "items") {
		items = fmt.Sprintf(`,"tax":"3.00","items":[{"sku":"a","price":%q},{"sku":"b","quantity":3,"price":%q}]`, b.amount(9_000), b.amount(3_000))
	}
	r := b.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":%q,"currency":"USD","click_ids":[%s]%s}`, order, b.amount(30_000), touches, items))
	r.Signed = signed
	b.settle(r)
}

// act does one thing to one action; being refused is fine.
func (b *books) act() {
	all := must(b.Ledger.Actions(b.ctx, adminScope, ActionFilter{}, Page{Limit: MaxLimit}))(b.shop).Items
	if len(all) == 0 {
		return
	}
	a := all[rapid.IntRange(0, len(all)-1).Draw(b.T, "action")]
	var err error
	switch rapid.SampledFrom([]string{"approve", "reverse", "hold", "release", "payout", "amount"}).Draw(b.T, "act") {
	case "approve":
		_, err = b.Approve(b.ctx, adminScope, a.ID)
	case "reverse":
		_, err = b.Reverse(b.ctx, adminScope, a.ID, "other", "")
	case "hold":
		_, err = b.Hold(b.ctx, adminScope, a.ID, ReasonFraudReview, "")
	case "release":
		_, err = b.Release(b.ctx, adminScope, a.ID, "")
	case "payout":
		_, err = b.Adjust(b.ctx, adminScope, a.ID, Adjustment{Payout: new(attribution.Decimal(b.amount(4_000))), Reason: "x"})
	case "amount":
		_, err = b.Adjust(b.ctx, adminScope, a.ID, Adjustment{Amount: new(attribution.Decimal(b.amount(40_000))), Reason: "x"})
	}
	if _, refused := attribution.AsProblem(err); err != nil && !refused {
		b.Fatal(err)
	}
}

// check holds the books to what they promise.
func (b *books) check() {
	one := func(query string) (n int64) {
		ok(b.shop, b.raw.QueryRow(query).Scan(&n))
		return n
	}
	zero := map[string]string{
		"actions that are not the sum of their entries": `SELECT COUNT(*) FROM actions a WHERE
			(SELECT SUM(payout_delta) FROM entries e WHERE e.action = a.number) <> a.payout_minor OR
			(SELECT SUM(cost_delta) FROM entries e WHERE e.action = a.number) <> a.cost_minor OR
			(SELECT SUM(intended_delta) FROM entries e WHERE e.action = a.number) <> a.intended_minor OR
			(SELECT SUM(amount_delta) FROM entries e WHERE e.action = a.number) <> a.amount_minor OR
			(SELECT COUNT(*) FROM entries e WHERE e.action = a.number) <> a.seq OR
			(SELECT to_state FROM entries e WHERE e.action = a.number AND e.seq = a.seq) <> a.state OR
			(SELECT reasons FROM entries e WHERE e.action = a.number AND e.seq = a.seq) <> a.reasons`,
		"entries that do not follow from the one before": `SELECT COUNT(*) FROM entries e JOIN entries f ON f.action = e.action AND f.seq = e.seq + 1 WHERE f.from_state <> e.to_state`,
		"cents that committed is off": `SELECT ABS((SELECT SUM(committed_minor) FROM campaigns) -
			(SELECT COALESCE(SUM(cost_minor), 0) FROM actions WHERE state <> 'reversed'))`,
		"creators' tallies that are off": `SELECT COUNT(*) FROM cap_tallies t WHERE scope = 'creator' AND to_ms = 0 AND payout_minor <>
			(SELECT SUM(payout_minor) FROM actions a WHERE a.creator_id = t.scope_id AND state <> 'reversed')`,
		"orders' tallies that are off": `SELECT COUNT(*) FROM cap_tallies t WHERE scope = 'order' AND actions <>
			(SELECT COUNT(*) FROM actions a WHERE a.order_id = t.scope_id AND state <> 'reversed' AND over_budget = 0 AND referral <> 'adjustment')`,
		"actions that wait for budget and take of it": `SELECT COUNT(*) FROM actions WHERE over_budget = 1 AND (state <> 'held' OR payout_minor <> 0 OR cost_minor <> 0)`,
		"actions held for nothing":                    `SELECT COUNT(*) FROM actions WHERE state = 'held' AND reasons IN ('', 'capped')`,
		"orders paid more than their terms":           `SELECT COUNT(*) FROM (SELECT order_id FROM actions WHERE state <> 'reversed' AND referral NOT IN ('adjustment', 'post') GROUP BY order_id, task_id HAVING COUNT(*) > 1) AS twice`,
		"payouts below nothing":                       `SELECT COUNT(*) FROM actions WHERE payout_minor < 0 AND referral <> 'adjustment'`,
		"actions worth less than nothing": `SELECT COUNT(*) FROM actions a WHERE corrects = '' AND payout_minor +
			COALESCE((SELECT SUM(payout_minor) FROM actions c WHERE c.corrects = a.id AND c.state <> 'reversed'), 0) < 0`,
		"actions that cost something and pay nothing, or cost less than nothing": `SELECT COUNT(*) FROM (SELECT SUM(payout_minor) AS payout, SUM(cost_minor) AS cost
			FROM actions WHERE state <> 'reversed' GROUP BY CASE corrects WHEN '' THEN id ELSE corrects END) AS worths WHERE cost < 0 OR payout = 0 AND cost <> 0`,
		"refunds that are no part": `SELECT COUNT(*) FROM conversions WHERE refunded_part LIKE '-%' OR (refunded_minor > 0) AND refunded_part = '0' AND amount_minor = refunded_minor`,
		"posts paid for more than was seen": `SELECT COUNT(*) FROM (SELECT 1 FROM actions a WHERE referral = 'post' AND state <> 'reversed' GROUP BY post_id, event
			HAVING SUM(quantity) > (SELECT CASE WHEN MAX(likes) > 1 THEN MAX(likes) ELSE 1 END FROM post_snapshots s WHERE s.post_id = a.post_id)) AS beyond`,
		"refunds beyond their orders":         `SELECT COUNT(*) FROM conversions WHERE refunded_minor > amount_minor`,
		"messages that do not match settling": `SELECT ABS((SELECT COUNT(*) FROM conversions) - (SELECT COUNT(*) FROM outbox WHERE kind = 'conversion' AND payload LIKE '{"verb":"accepted"%'))`,
	}
	for what, query := range zero {
		if n := one(query); n != 0 {
			b.Fatalf("%d %s", n, what)
		}
	}
	committed, over, waiting := one("SELECT committed_minor FROM campaigns"), one("SELECT over_budget FROM campaigns"), one("SELECT COUNT(*) FROM actions WHERE over_budget = 1")
	beyond := b.hard && committed > b.budgetMinor
	if (over == 1) != (waiting > 0 || beyond) {
		b.Fatalf("over budget is %d, with %d waiting, %d committed of %d", over, waiting, committed, b.budgetMinor)
	}
	if beyond && committed > b.committed {
		b.Fatalf("%d is committed of %d, %d were before", committed, b.budgetMinor, b.committed)
	}
	b.committed = committed
}
