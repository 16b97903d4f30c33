package ledger

import (
	"fmt"
	"testing"

	"tributary/attribution"
)

// left is what an order's actions and their corrections add up to, those that
// wait for budget too: payout, cost and amount.
func (s *shop) left(order string) string {
	s.Helper()
	var payout, cost, amount int64
	minor := func(d string) int64 { return must(attribution.ParseMoney(attribution.Decimal(d), "USD"))(s) }
	for _, a := range s.actions(order) {
		if a.State != Reversed {
			payout, cost, amount = payout+minor(*a.Payout), cost+minor(*a.Cost), amount+minor(a.Amount)
		}
	}
	return attribution.FormatMoney(payout, "USD") + " " + attribution.FormatMoney(cost, "USD") + " " + attribution.FormatMoney(amount, "USD")
}

// locked sells an order and locks its action.
func (s *shop) locked(order, amount string) string {
	s.Helper()
	id := s.sale(order, amount, s.click(s.link, attribution.Valid)).Actions[0].ID
	must(s.Approve(s.ctx, adminScope, id))(s)
	return id
}

func (s *shop) toPayout(id, payout string) Action {
	s.Helper()
	return must(s.Adjust(s.ctx, adminScope, id, Adjustment{Payout: new(attribution.Decimal(payout)), Reason: "agreed"}))(s)
}

func (s *shop) toAmount(id, amount string) Action {
	s.Helper()
	return must(s.Adjust(s.ctx, adminScope, id, Adjustment{Amount: new(attribution.Decimal(amount)), Reason: "agreed"}))(s)
}

// TestWaitingCorrections corrects and refunds an action of which a correction waits
// for budget: that one is no surprise when the budget is raised.
func TestWaitingCorrections(t *testing.T) {
	t.Parallel()
	const tight, wide = `{"margin_rate":"0","budget":{"amount":"10.00"}}`, `{"budget":{"amount":"1000.00"}}`
	for name, c := range map[string]struct {
		do         func(s *shop, id string)
		want, wide string // left, before and after the budget is raised
	}{
		"adjusted twice":     {func(s *shop, id string) { s.toPayout(id, "20.00"); s.toPayout(id, "20.00") }, "10.00 10.00 100.00", "20.00 20.00 100.00"},
		"adjusted back":      {func(s *shop, id string) { s.toPayout(id, "20.00"); s.toPayout(id, "10.00") }, "10.00 10.00 100.00", "10.00 10.00 100.00"},
		"adjusted to less":   {func(s *shop, id string) { s.toPayout(id, "20.00"); s.toPayout(id, "4.00") }, "4.00 4.00 100.00", "4.00 4.00 100.00"},
		"amount and payout":  {func(s *shop, id string) { s.toAmount(id, "200.00"); s.toPayout(id, "15.00") }, "10.00 10.00 200.00", "15.00 15.00 200.00"},
		"refunded":           {func(s *shop, id string) { s.toAmount(id, "200.00"); s.refund("o1", `{}`) }, "0.00 0.00 0.00", "0.00 0.00 0.00"},
		"refunded by half":   {func(s *shop, id string) { s.toAmount(id, "200.00"); s.refund("o1", `{"amount":"50.00"}`) }, "10.00 10.00 100.00", "10.00 10.00 100.00"},
		"held and refunded":  {func(s *shop, id string) { hold(s, s.toPayout(id, "20.00").ID); s.refund("o1", `{}`) }, "0.00 0.00 0.00", "0.00 0.00 0.00"},
		"a third, two times": {func(s *shop, id string) { s.toPayout(id, "19.00"); thirds(s) }, "6.33 6.33 33.33", "6.33 6.33 33.33"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, tight)
			id := s.locked("o1", "100.00")
			c.do(s, id)
			s.TB = t
			equal(t, "left", s.left("o1"), c.want)
			s.patch(s.campaignID, wide)
			equal(t, "left of a wide budget", s.left("o1"), c.wide)
			for _, a := range s.actions("o1") {
				if a.State == Held && a.Reasons.has(ReasonOverBudget) {
					t.Errorf("action %s still waits", a.ID)
				}
			}
			equal(t, "the campaign", s.campaign(s.campaignID).Status, "ongoing")
		})
	}
}

func hold(s *shop, id string) { must(s.Hold(s.ctx, adminScope, id, ReasonFraudReview, ""))(s) }

func thirds(s *shop) {
	s.refund("o1", `{"amount":"33.33"}`)
	s.refund("o1", `{"amount":"33.34"}`)
}

// TestRefundsTakeTheirCost takes back the cost that was booked, whatever margins
// are today and however many parts it is taken back in.
func TestRefundsTakeTheirCost(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"margin_rate":"0.5"}`)
	s.locked("o1", "100.00")
	s.sale("o2", "100.00", s.click(s.link, attribution.Valid))
	equal(t, "sold", s.left("o1"), "10.00 20.00 100.00")
	s.patch(s.campaignID, `{"margin_rate":"0.1"}`)
	for order, half := range map[string]string{"o1": "5.00 10.00 50.00", "o2": "5.00 5.56 50.00"} { // o2 is still priced anew
		s.refund(order, `{"amount":"50.00"}`)
		equal(t, "half of "+order, s.left(order), half)
		s.refund(order, `{}`)
		equal(t, "all of "+order, s.left(order), "0.00 0.00 0.00")
	}
	s.patch(s.campaignID, `{"margin_rate":"0.33"}`)
	id := s.locked("o3", "10.00")
	equal(t, "sold", s.left("o3"), "1.00 1.49 10.00")
	for i := range 10 {
		equal(t, "a tenth", s.refund("o3", fmt.Sprintf(`{"refund_id":"r%d","amount":"1.00"}`, i)).Status, Accepted)
	}
	equal(t, "ten of ten", s.left("o3"), "0.00 0.00 0.00")
	s.toPayout(id, "1.00")
	equal(t, "given back", s.left("o3"), "1.00 1.49 0.00")
	s.toPayout(id, "0.00")
	equal(t, "taken", s.left("o3"), "0.00 0.00 0.00")
}

// TestItemsComeBack refunds articles: commission was paid on what they cost without
// tax and shipping, and goes with them.
func TestItemsComeBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order   string
		refunds []string
		want    []string // status or code, and what is left
	}{
		"all, one by one": {`"amount":"120.00","tax":"8.00","shipping":"12.00","items":[{"sku":"a","price":"50.00"},{"sku":"b","price":"50.00"}]`,
			[]string{`{"refund_id":"1","items":[{"sku":"a"}]}`, `{"refund_id":"2","items":[{"sku":"b"}]}`, `{"refund_id":"3","items":[{"sku":"b"}]}`, `{"refund_id":"4"}`},
			[]string{"accepted 5.00 5.00 70.00", "accepted 0.00 0.00 20.00", CodeRefundExceeds + " 0.00 0.00 20.00", "accepted 0.00 0.00 0.00"}},
		"the order discounted": {`"amount":"80.00","discount":"20.00","items":[{"sku":"a","price":"50.00"},{"sku":"b","price":"50.00"}]`,
			[]string{`{"refund_id":"1","items":[{"sku":"a"}]}`, `{"refund_id":"2","items":[{"sku":"b"}]}`},
			[]string{"accepted 4.00 4.00 30.00", "accepted 0.00 0.00 0.00"}},
		"priced with their tax": {`"amount":"108.00","tax":"8.00","items":[{"sku":"a","price":"50.00"},{"sku":"b","price":"50.00"}]`,
			[]string{`{"refund_id":"1","items":[{"sku":"a","price":"54.00"}]}`, `{"refund_id":"2","items":[{"sku":"b","price":"54.00"}]}`},
			[]string{"accepted 4.60 4.60 54.00", "accepted 0.00 0.00 0.00"}},
		"after an amount": {`"amount":"120.00","tax":"20.00","items":[{"sku":"a","price":"60.00"},{"sku":"b","price":"40.00"}]`,
			[]string{`{"refund_id":"1","amount":"60.00"}`, `{"refund_id":"2","items":[{"sku":"b"}]}`, `{"refund_id":"3","amount":"10.00"}`},
			[]string{"accepted 5.00 5.00 60.00", "accepted 1.00 1.00 20.00", "accepted 0.50 0.50 10.00"}},
		"of an order without": {`"amount":"100.00"`,
			[]string{`{"refund_id":"1","items":[{"sku":"a","price":"25.00"}]}`, `{"refund_id":"2","items":[{"sku":"a","price":"80.00"}]}`},
			[]string{"accepted 7.50 7.50 75.00", CodeRefundExceeds + " 7.50 7.50 75.00"}},
	} {
		for _, lock := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " locked ", lock), func(t *testing.T) {
				t.Parallel()
				s := newShop(t, `{"margin_rate":"0"}`)
				sold := s.settle(s.report(fmt.Sprintf(`{"event":"sale","order_id":"o1","currency":"USD","click_id":%q,%s}`, s.click(s.link, attribution.Valid), c.order)))[0]
				if lock {
					must(s.Approve(s.ctx, adminScope, sold.Actions[0].ID))(t)
				}
				for i, refund := range c.refunds {
					got := s.refund("o1", refund)
					how := got.Status
					if got.Code != "" {
						how = got.Code
					}
					equal(t, refund, how+" "+s.left("o1"), c.want[i])
				}
			})
		}
	}
}

// TestRefundedStaysRefunded decides refunded orders again: only what was not
// refunded is credited.
func TestRefundedStaysRefunded(t *testing.T) {
	t.Parallel()
	p := newPair(t, `{"terms":{"events":{"sale":{"type":"percent","rate":"0.10"},"lead":{"type":"flat","amount":"4.00"}}}}`)
	clicks := func() string {
		first := p.click(p.link, attribution.Valid)
		p.nowMs.Add(1000)
		return fmt.Sprintf(`"click_ids":[%q,%q]`, first, p.click(p.link2, attribution.Valid))
	}
	for order, fields := range map[string]string{"o1": `"event":"lead"`, "o2": `"event":"lead"`,
		"o3": `"event":"sale","amount":"120.00","currency":"USD","tax":"20.00","items":[{"sku":"a","price":"50.00"},{"sku":"b","price":"50.00"}]`} {
		p.settle(p.report(fmt.Sprintf(`{"order_id":%q,%s,%s}`, order, clicks(), fields)))
	}
	equal(t, "a lead", p.refund("o1", `{"event":"lead"}`).Status, Accepted)
	p.refund("o3", `{"items":[{"sku":"a"}]}`)
	equal(t, "before", p.worths("o1")+" "+p.worths("o2")+" "+p.worths("o3"), "0.00 0.00 0.00 4.00 0.00 5.00")
	p.replay(p.asked(attribution.ModelFirst))
	equal(t, "credited to another", p.worths("o1")+" "+p.worths("o2")+" "+p.worths("o3"), "0.00 0.00 4.00 0.00 5.00 0.00")
	p.refund("o3", `{"refund_id":"b","items":[{"sku":"b"}]}`)
	p.replay(p.asked(attribution.ModelLinear))
	equal(t, "all of it is back", p.worths("o3"), "0.00 0.00")
}

// TestRefundIDs tells refunds apart by their ids, and those without one by what
// they name.
func TestRefundIDs(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	order := func(id string) {
		s.settle(s.report(fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":"100.00","currency":"USD","click_id":%q,
			"items":[{"sku":"a","price":"40.00"},{"sku":"b","price":"40.00"},{"sku":"c","price":"20.00"}]}`, id, s.click(s.link, attribution.Valid))))
	}
	order("o1")
	order("o2")
	equal(t, "an item", s.refund("o1", `{"items":[{"sku":"a"}]}`).Status, Accepted)
	equal(t, "again", s.refund("o1", `{"items":[{"sku":"a"}]}`).Status, Duplicate)
	equal(t, "another of its price", s.refund("o1", `{"items":[{"sku":"b"}]}`).Status, Accepted)
	equal(t, "the rest by its amount", s.refund("o1", `{"amount":"20.00"}`).Status, Accepted)
	equal(t, "the amount again, written otherwise", s.refund("o1", `{"amount":"20"}`).Status, Duplicate)

	equal(t, "named", s.refund("o2", `{"refund_id":"r1","amount":"10.00"}`).Status, Accepted)
	equal(t, "named again", s.refund("o2", `{"refund_id":"r1","amount":"10.00"}`).Status, Duplicate)
	order("o3")
	other := s.refund("o3", `{"refund_id":"r1","amount":"10.00"}`)
	equal(t, "of another order", other.Status+" "+other.Code, Conflict+" "+CodeRefundConflict)
	equal(t, "nothing is taken", *s.actions("o3")[0].Payout, "10.00")
	kept := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Code: CodeRefundConflict}, Page{}))(t).Items
	equal(t, "in quarantine", len(kept), 1)
}

// TestRefundOfWhatIsDue refunds, and upgrades, an order whose action was due to be
// locked before: it is locked then.
func TestRefundOfWhatIsDue(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	s.soldOnce("o1")
	unsigned := s.report(`{"event":"sale","order_id":"o2","amount":"100.00","currency":"USD","click_id":"` + s.click(s.link, attribution.Valid) + `"}`)
	unsigned.Signed, unsigned.Source = false, attribution.SourcePixel
	s.settle(unsigned)
	s.nowMs.Add((9 * day).Milliseconds()) // and no Tick
	s.refund("o1", `{}`)
	actions := s.actions("o1")
	equal(t, "actions", len(actions), 2)
	equal(t, "the first", actions[0].State+" "+*actions[0].Payout, Locked+" 12.00")
	equal(t, "the signed one", s.settle(s.report(`{"event":"sale","order_id":"o2","amount":"120.00","currency":"USD"}`))[0].Status, Conflict)
	equal(t, "its action", s.actions("o2")[0].State+" "+*s.actions("o2")[0].Payout, Locked+" 10.00")
}

// TestAdjustAfterRefund adjusts to the amount that is left of a refunded order,
// which changes nothing.
func TestAdjustAfterRefund(t *testing.T) {
	t.Parallel()
	for _, lock := range []bool{false, true} {
		s := newShop(t, `{"margin_rate":"0"}`)
		id := s.sale("o1", "110.00", s.click(s.link, attribution.Valid), `"tax":"10.00"`).Actions[0].ID
		if lock {
			must(s.Approve(s.ctx, adminScope, id))(t)
		}
		s.refund("o1", `{"amount":"55.00"}`)
		equal(t, "refunded", s.left("o1"), "5.00 5.00 55.00")
		s.toAmount(id, "55.00")
		equal(t, "adjusted", s.left("o1"), "5.00 5.00 55.00")
		s.toAmount(id, "110.00")
		equal(t, "adjusted to the whole", s.left("o1"), "10.00 10.00 110.00")
	}
}

// TestRefundedPartStaysShort refunds an order by amounts and by articles in turn.
func TestRefundedPartStaysShort(t *testing.T) {
	t.Parallel()
	order := &ConversionRecord{AmountMinor: 10_000_019, Currency: "USD", fields: `{"items":[{"sku":"a","quantity":99991,"price":"1.01"}]}`}
	last := order.leftPart()
	for range 400 {
		for _, f := range []attribution.RefundFields{{Amount: "1.13"}, {Items: []attribution.ReportItem{{SKU: "A", Quantity: 7}}}} {
			part := must(partOf(&f, order))(t)
			order.refund(part)
			left := order.leftPart()
			if order.refunded.Den <= 0 || left.Sign() < 0 || left.Cmp(last) >= 0 {
				t.Fatalf("%v is refunded, which leaves %v of %v", order.refunded, left, last)
			}
			last = left
		}
	}
	order.refund(must(partOf(&attribution.RefundFields{}, order))(t))
	equal(t, "the whole", order.refunded.String(), "1")
}
