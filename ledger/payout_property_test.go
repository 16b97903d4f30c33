package ledger

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tributary/attribution"
)

// TestPayoutsHold sells, approves, refunds, waits and pays at random and checks
// after each step that every action is paid at most once and that nobody is paid
// more than is owed.
func TestPayoutsHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(t, "")
		defer s.db.Close()
		_, second := s.join("Ben")
		b := &books{shop: s, T: rt, raw: s.raw()}
		defer b.raw.Close()
		b.clicks = []string{s.click(s.link, attribution.Valid), s.click(second, attribution.Valid)}
		placed := map[string]string{} // the payout of each action that has one
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			b.payStep()
			b.checkPayouts(placed)
		}
	})
}

func (b *books) payStep() {
	switch rapid.SampledFrom([]string{"sale", "sale", "act", "refund", "time", "payouts", "payouts", "paid"}).Draw(b.T, "what") {
	case "sale":
		b.orders++
		b.report1(b.orders, true)
	case "act":
		b.act()
	case "refund":
		b.refund(fmt.Sprint("o", rapid.IntRange(1, max(b.orders, 1)).Draw(b.T, "order")),
			fmt.Sprintf(`{"refund_id":"r%d","amount":%q}`, rapid.IntRange(1, 20).Draw(b.T, "refund"), b.amount(30_000)))
	case "time":
		b.advance(time.Duration(rapid.IntRange(1, 10*24).Draw(b.T, "hours")) * time.Hour)
	case "payouts":
		must(b.CreatePayouts(b.ctx, adminScope, PayoutRequest{AdvertiserID: b.advertiser.ID}))(b.shop)
		again := must(b.CreatePayouts(b.ctx, adminScope, PayoutRequest{AdvertiserID: b.advertiser.ID}))(b.shop)
		if len(again) > 0 {
			b.Fatalf("asked for payouts again, %d more were made", len(again))
		}
	case "paid":
		open := must(b.Ledger.Payouts(b.ctx, adminScope, PayoutFilter{State: PayoutOpen}, Page{}))(b.shop).Items
		if len(open) == 0 {
			return
		}
		id := open[rapid.IntRange(0, len(open)-1).Draw(b.T, "payout")].ID
		must(b.MarkPaid(b.ctx, adminScope, id, "ref"))(b.shop)
		must(b.MarkPaid(b.ctx, adminScope, id, "ref"))(b.shop)
	}
}

// checkPayouts holds payouts to what they promise. placed is what it saw before.
func (b *books) checkPayouts(placed map[string]string) {
	for what, query := range map[string]string{
		"payouts that are not the sum of their actions": `SELECT COUNT(*) FROM payouts p WHERE
			p.amount_minor <> (SELECT COALESCE(SUM(payout_minor), 0) FROM actions a WHERE a.payout_id = p.id) OR
			p.actions <> (SELECT COUNT(*) FROM actions a WHERE a.payout_id = p.id)`,
		"payouts of nothing or less":            `SELECT COUNT(*) FROM payouts WHERE amount_minor <= 0`,
		"actions in another's payout":           `SELECT COUNT(*) FROM actions a JOIN payouts p ON p.id = a.payout_id WHERE p.creator_id <> a.creator_id OR p.currency <> a.currency`,
		"actions put into payouts twice":        `SELECT COUNT(*) FROM (SELECT action FROM entries WHERE verb = 'put_in_payout' GROUP BY action HAVING COUNT(*) > 1) AS twice`,
		"actions paid twice":                    `SELECT COUNT(*) FROM (SELECT action FROM entries WHERE verb = 'paid' GROUP BY action HAVING COUNT(*) > 1) AS twice`,
		"actions paid outside of a paid payout": `SELECT COUNT(*) FROM actions WHERE state = 'paid' AND payout_id NOT IN (SELECT id FROM payouts WHERE state = 'paid')`,
		"actions unpaid in a paid payout":       `SELECT COUNT(*) FROM actions a JOIN payouts p ON p.id = a.payout_id WHERE (p.state = 'paid') <> (a.state = 'paid')`,
		"actions in payouts that are not due":   `SELECT COUNT(*) FROM actions WHERE payout_id <> '' AND state NOT IN ('payable', 'paid')`,
		"actions that changed when in a payout": `SELECT COUNT(*) FROM entries e JOIN entries f ON f.action = e.action AND f.seq > e.seq WHERE e.verb = 'put_in_payout' AND f.payout_delta <> 0`,
		"cents that differ from what was paid":  `SELECT ABS((SELECT COALESCE(SUM(payout_minor), 0) FROM actions WHERE state = 'paid') - (SELECT COALESCE(SUM(amount_minor), 0) FROM payouts WHERE state = 'paid'))`,
	} {
		var n int64
		ok(b.shop, b.raw.QueryRow(query).Scan(&n))
		if n != 0 {
			b.Fatalf("%d %s", n, what)
		}
	}
	rows, err := b.raw.Query(`SELECT id, payout_id FROM actions`)
	ok(b.shop, err)
	defer rows.Close()
	for rows.Next() {
		var id, payout string
		ok(b.shop, rows.Scan(&id, &payout))
		if before := placed[id]; before != "" && before != payout {
			b.Fatalf("action %s moved from payout %s to %q", id, before, payout)
		}
		placed[id] = payout
	}
	ok(b.shop, rows.Err())
}

// TestNegativeBalanceCarries pays a creator, claws back more than is earned next,
// and pays only what is left once the balance is above nothing.
func TestNegativeBalanceCarries(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	payouts := func() string {
		said := ""
		for _, p := range must(s.CreatePayouts(s.ctx, adminScope, PayoutRequest{AdvertiserID: s.advertiser.ID}))(t) {
			must(s.MarkPaid(s.ctx, adminScope, p.ID, ""))(t)
			said += *p.Amount
		}
		return said
	}
	s.soldOnce("o1")
	s.advance(12 * day)
	equal(t, "paid", payouts(), "12.00")
	s.refund("o1", `{"refund_id":"r1"}`)
	s.sale("o2", "50.00", s.click(s.link, attribution.Valid))
	s.advance(12 * day)
	equal(t, "5.00 owed less 12.00", payouts(), "")
	s.sale("o3", "100.00", s.click(s.link, attribution.Valid))
	s.advance(12 * day)
	equal(t, "15.00 less 12.00", payouts(), "3.00")
}
