package ledger

import (
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

const day = 24 * time.Hour

func (s *shop) soldOnce(order string) string {
	s.Helper()
	return s.sale(order, "120.00", s.click(s.link, attribution.Valid)).Actions[0].ID
}

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	id := s.soldOnce("o1")
	state := func() string { return must(s.Ledger.Action(s.ctx, adminScope, id))(t).State }
	equal(t, "due next", must(s.NextDue(s.ctx))(t), instant("2027-01-18T00:00:00Z"))
	s.advance(7 * day)
	equal(t, "before", state(), Pending)
	s.advance(15 * time.Hour)
	equal(t, "at lock_at", state(), Locked)
	s.advance(4 * day)
	equal(t, "at pay_at", state(), Payable)
	a := must(s.Ledger.Action(s.ctx, adminScope, id))(t)
	equal(t, "locked at", *a.LockedAt, instant("2027-01-18T00:00:00Z"))
	equal(t, "payable at", *a.PayableAt, instant("2027-01-22T00:00:00Z"))
	verbs := ""
	for _, e := range must(s.History(s.ctx, adminScope, id))(t) {
		verbs += " " + e.Verb + ">" + e.ToState
	}
	equal(t, "history", verbs, " made>pending locked>locked payable>payable")

	late := s.soldOnce("o2")
	s.nowMs.Add((60 * day).Milliseconds()) // and no Tick
	_, err := s.Reverse(s.ctx, adminScope, late, "fraud", "")
	refused(t, "reversing what is due to be locked", err, attribution.CodeConflict)
	s.advance(0)
	equal(t, "caught up", must(s.Ledger.Action(s.ctx, adminScope, late))(t).State, Payable)
	for _, state := range []string{Pending, Locked} {
		equal(t, "left "+state, len(must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{State: state}, Page{}))(t).Items), 0)
	}
}

func TestDueWhenMade(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"lock":{"basis":"immediate","days":0},"pay":{"basis":"immediate","days":0}}}`)
	id := s.soldOnce("o1")
	a := must(s.Ledger.Action(s.ctx, adminScope, id))(t)
	equal(t, "state", a.State, Payable)
	equal(t, "entries", a.Seq, 1)
}

func TestActing(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	id := s.soldOnce("o1")
	act := func(what string, a Action, err error) func(state, payout string) {
		return func(state, payout string) {
			t.Helper()
			ok(t, err)
			equal(t, what+": state", a.State, state)
			equal(t, what+": payout", *a.Payout, payout)
		}
	}
	do := func(what string) func(Action, error) func(string, string) {
		return func(a Action, err error) func(string, string) { return act(what, a, err) }
	}
	do("adjust the payout")(s.Adjust(s.ctx, adminScope, id, Adjustment{Payout: new(attribution.Decimal("7.00")), Reason: "agreed"}))(Pending, "7.00")
	do("adjust the amount")(s.Adjust(s.ctx, adminScope, id, Adjustment{Amount: new(attribution.Decimal("50.00")), Reason: "typo"}))(Pending, "5.00")
	do("hold")(s.Hold(s.ctx, adminScope, id, "looks odd", ""))(Held, "5.00")
	equal(t, "reasons", s.actions("o1")[0].Reasons.text(), ReasonFraudReview)
	equal(t, "note", *s.actions("o1")[0].Notes, "looks odd")
	_, err := s.Approve(s.ctx, adminScope, id)
	refused(t, "approving what is held", err, attribution.CodeConflict)
	do("release")(s.Release(s.ctx, adminScope, id, ""))(Pending, "5.00")
	do("approve")(s.Approve(s.ctx, adminScope, id))(Locked, "5.00")
	_, err = s.Reverse(s.ctx, adminScope, id, "fraud", "")
	refused(t, "reversing what is locked", err, attribution.CodeConflict)
	correction := must(s.Adjust(s.ctx, adminScope, id, Adjustment{Amount: new(attribution.Decimal("20.00")), Reason: "returned most"}))(t)
	equal(t, "correction", *correction.Payout+" "+correction.Amount+" "+correction.State, "-3.00 -30.00 locked")
	equal(t, "corrects", *correction.Corrects, id)
	equal(t, "referral", correction.Referral, ReferralAdjustment)
	equal(t, "its pay_at", *correction.PayAt, instant("2027-01-14T00:00:00Z"))
	again := must(s.Adjust(s.ctx, adminScope, id, Adjustment{Payout: new(attribution.Decimal("4.00")), Reason: "goodwill"}))(t)
	equal(t, "from what it is worth", *again.Payout+" "+again.Amount, "2.00 0.00")
	equal(t, "the first", *s.actions("o1")[0].Payout, "5.00")

	second := s.soldOnce("o2")
	_, err = s.Reverse(s.ctx, adminScope, second, "bored", "")
	refused(t, "a reason that is none", err, attribution.CodeValidation)
	do("reverse")(s.Reverse(s.ctx, adminScope, second, "returned", "came back"))(Reversed, "12.00")
	_, err = s.Adjust(s.ctx, adminScope, second, Adjustment{Payout: new(attribution.Decimal("1.00")), Reason: "x"})
	refused(t, "adjusting what is reversed", err, attribution.CodeConflict)
	var committed int64
	ok(t, s.db.View(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed", committed, 746-448+299)
}

func TestBudgetByHand(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"budget":{"amount":"20.00"}}`)
	first, second := s.soldOnce("o1"), s.soldOnce("o2")
	_, err := s.Release(s.ctx, adminScope, second, "")
	refused(t, "releasing what waits for budget", err, attribution.CodeConflict)
	_, err = s.Adjust(s.ctx, adminScope, first, Adjustment{Payout: new(attribution.Decimal("14.00")), Reason: "more"})
	refused(t, "adjusting over the budget", err, attribution.CodeConflict)
	must(s.Adjust(s.ctx, adminScope, first, Adjustment{Payout: new(attribution.Decimal("13.00")), Reason: "more"}))(t)
	must(s.Reverse(s.ctx, adminScope, second, "other", ""))(t)
	equal(t, "nothing waits", s.campaign(s.campaignID).Status, "ongoing")
	s.patch(s.campaignID, `{"budget":{"amount":"20.00","mode":"soft"}}`)
	equal(t, "soft", s.sale("o3", "1000.00", s.click(s.link, attribution.Valid)).Actions[0].State, Pending)
}

// TestRoutesAreTold counts the calls for trackers: once when a campaign goes over
// budget, once when it is live again, and the catalog's feed has it.
func TestRoutesAreTold(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"budget":{"amount":"20.00"}}`)
	told := 0
	s.Ledger.routesChanged = func() { told++ }
	through := must(s.catalog.Routes(s.ctx, func(attribution.RouteChange) error { return nil }))(t)
	s.soldOnce("o1")
	equal(t, "within", told, 0)
	s.soldOnce("o2")
	s.soldOnce("o3")
	equal(t, "over", told, 1)
	changes := must(s.catalog.RoutesSince(s.ctx, through, 10))(t)
	equal(t, "changes", len(changes), 1)
	equal(t, "over budget", changes[0].Campaign.State.OverBudget, true)
	s.patch(s.campaignID, `{"budget":{"amount":"100.00"}}`)
	equal(t, "live again", told, 2)
	levels := ""
	for _, m := range must(s.Ledger.Outbox(s.ctx, ReaderEvents, 100))(t).Messages {
		if m.Kind == OutboxBudget || m.Kind == OutboxCampaign {
			levels += " " + m.Kind
		}
	}
	equal(t, "told of", levels, " campaign budget budget campaign budget campaign") // approved, 50 and 80 %, over, 50 % of the new one, live
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	s.soldOnce("o1")
	equal(t, "a third", s.refund("o1", `{"refund_id":"r1","amount":"40.00"}`).Status, Accepted)
	a := s.actions("o1")[0]
	equal(t, "is left", *a.Payout+" "+a.Amount+" "+*a.Cost, "8.00 80.00 11.94")
	equal(t, "the same again", s.refund("o1", `{"refund_id":"r1","amount":"40.00"}`).Status, Duplicate)
	equal(t, "more than is left", s.refund("o1", `{"amount":"80.01"}`).Code, CodeRefundExceeds)
	s.advance(20 * day)
	equal(t, "half of it", s.refund("o1", `{"refund_id":"r2","amount":"40.00","reason":"too small"}`).Status, Accepted)
	actions := s.actions("o1")
	equal(t, "actions", len(actions), 2)
	equal(t, "the first", *actions[0].Payout, "8.00")
	equal(t, "clawback", *actions[1].Payout+" "+actions[1].Amount+" "+*actions[1].Cost+" "+actions[1].State, "-4.00 -40.00 -5.97 locked")
	equal(t, "the rest", s.refund("o1", `{}`).Status, Accepted)
	sum := int64(0)
	for _, a := range s.actions("o1") {
		sum += must(attribution.ParseMoney(attribution.Decimal(*a.Payout), "USD"))(t)
	}
	equal(t, "nothing is left", sum, 0)
	var committed int64
	ok(t, s.db.View(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed", committed, 0)
	s.advance(5 * day)
	equal(t, "payable in time", s.actions("o1")[1].State, Payable)

	s.settle(s.report(`{"event":"sale","order_id":"o2","amount":"30.00","currency":"USD","click_id":"` + s.click(s.link, attribution.Valid) +
		`","items":[{"sku":"a","quantity":2,"price":"10.00","discount":"4.00"},{"sku":"b","quantity":1,"price":"14.00"}]}`))
	equal(t, "an item", s.refund("o2", `{"items":[{"sku":"A","quantity":1}]}`).Status, Accepted)
	equal(t, "what is left of it", s.actions("o2")[0].Amount, "22.00")
	equal(t, "an item that was not ordered", s.refund("o2", `{"items":[{"sku":"c"}]}`).Code, attribution.CodeValidation)
	equal(t, "unattributed", s.settle(s.report(`{"event":"sale","order_id":"o3","amount":"1.00","currency":"USD"}`))[0].Attributed, false)
	equal(t, "a refund of it", s.refund("o3", `{}`).Status, Accepted)
}

// TestRefundFreesBudget lets the next waiting action in.
func TestRefundFreesBudget(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"budget":{"amount":"20.00"}}`)
	s.soldOnce("o1")
	s.soldOnce("o2")
	equal(t, "waits", s.actions("o2")[0].State, Held)
	s.refund("o1", `{}`)
	equal(t, "came in", s.actions("o2")[0].State, Pending)
	equal(t, "live", s.campaign(s.campaignID).Status, "ongoing")
}

func TestEntriesStand(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	s.soldOnce("o1")
	replacing := "INSERT OR REPLACE INTO entries SELECT * FROM entries"
	if onPostgres {
		replacing = "TRUNCATE entries"
	}
	for _, query := range []string{"UPDATE entries SET payout_delta = 0", "DELETE FROM entries", replacing} {
		if _, err := s.raw().Exec(query); err == nil || !strings.Contains(err.Error(), "an entry of the ledger is never") {
			t.Errorf("%s: got %v", query, err)
		}
	}
}

func TestRolesSee(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	agencyShop := newShop(t, `{"agency_margin_rate":"0.10"}`)
	for _, w := range []*shop{s, agencyShop} {
		id := w.soldOnce("o1")
		advertiser := Scope{Role: RoleAdvertiser, AdvertiserID: w.advertiser.ID}
		creator := Scope{Role: RoleCreator, CreatorID: w.creator.ID}
		a := must(w.Ledger.Action(w.ctx, advertiser, id))(t)
		equal(t, "advertiser sees payouts", a.Payout != nil && a.IntendedPayout != nil, w == s)
		equal(t, "advertiser sees cost", a.Cost != nil, true)
		own := must(w.Ledger.Action(w.ctx, creator, id))(t)
		equal(t, "creator sees its payout, not the cost", own.Payout != nil && own.Cost == nil, true)
		explained := must(w.ExplainAction(w.ctx, advertiser, id))(t)
		equal(t, "the sentence tells the payout", strings.Contains(explained.Sentence, "12.00"), w == s)
		history := must(w.History(w.ctx, advertiser, id))(t)
		equal(t, "history tells payouts", history[0].PayoutDelta != nil, w == s)
		for _, stranger := range []Scope{{}, {Role: RoleAdvertiser, AdvertiserID: "adv_x"}, {Role: RoleCreator, CreatorID: "crt_x"}, {Role: "ingest", AdvertiserID: w.advertiser.ID}} {
			_, err := w.Ledger.Action(w.ctx, stranger, id)
			refused(t, "a stranger's action", err, attribution.CodeNotFound)
			_, err = w.Ledger.Conversion(w.ctx, stranger, *a.ConversionID)
			refused(t, "a stranger's conversion", err, attribution.CodeNotFound)
			_, err = w.ExplainConversion(w.ctx, stranger, *a.ConversionID)
			refused(t, "a stranger's explanation", err, attribution.CodeNotFound)
			_, err = w.Reverse(w.ctx, stranger, id, "other", "")
			refused(t, "a stranger's reversal", err, attribution.CodeNotFound)
			equal(t, "a stranger's list", len(must(w.Ledger.Actions(w.ctx, stranger, ActionFilter{}, Page{}))(t).Items), 0)
		}
		_, err := w.Reverse(w.ctx, creator, id, "other", "")
		refused(t, "a creator's reversal", err, attribution.CodeForbidden)
		equal(t, "a creator's conversions", len(must(w.Ledger.Conversions(w.ctx, creator, ConversionFilter{}, Page{}))(t).Items), 1)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"model":"linear"}}`)
	ben, second := s.join("Ben")
	first := s.click(s.link, attribution.Valid)
	s.nowMs.Add(1)
	c := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"100.00","currency":"USD","click_ids":["` + first + `","` +
		s.click(second, attribution.Valid) + `","` + s.click(second, attribution.Bot) + `"]}`))[0]
	e := must(s.ExplainConversion(s.ctx, adminScope, c.ConversionID))(t)
	equal(t, "sentence", e.Sentence, "Ana earns 5.00 USD for 1/2 of the sale, Ben earns 5.00 USD for 1/2 of the sale: 2 clicks share it equally; 1 other click does not count.")
	equal(t, "candidates", len(e.Trace.Candidates), 3)
	own := must(s.ExplainConversion(s.ctx, Scope{Role: RoleCreator, CreatorID: ben.ID}, c.ConversionID))(t)
	equal(t, "of one creator", own.Sentence, "Another creator is credited with 1/2 of the sale, Ben earns 5.00 USD for 1/2 of the sale: 2 clicks share it equally; 1 other click does not count.")
	for _, candidate := range own.Trace.Candidates {
		equal(t, "another's candidate", candidate.CreatorID == "" || candidate.CreatorID == ben.ID, true)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	for _, order := range []string{"o1", "o2", "o3", "o4", "o5"} {
		s.sale(order, "10.00", click)
		s.nowMs.Add(1000)
	}
	for name, f := range map[string]ActionFilter{"o5 o4 o3 o2 o1": {CampaignID: s.campaignID, State: Pending}, "o2 o3 o4 o5": {UpdatedSince: instant("2027-01-10T09:00:01Z")}} {
		var orders []string
		for cursor := ""; ; {
			list := must(s.Ledger.Actions(s.ctx, adminScope, f, Page{Limit: 2, Cursor: cursor}))(t)
			for _, a := range list.Items {
				orders = append(orders, *a.OrderID)
			}
			if cursor = list.NextCursor; cursor == "" {
				break
			}
		}
		equal(t, "orders", strings.Join(orders, " "), name)
	}
	equal(t, "conversions", len(must(s.Ledger.Conversions(s.ctx, adminScope, ConversionFilter{Signed: new(true), Event: "sale"}, Page{}))(t).Items), 5)
	equal(t, "unsigned", len(must(s.Ledger.Conversions(s.ctx, adminScope, ConversionFilter{Signed: new(false)}, Page{}))(t).Items), 0)
	_, err := s.Ledger.Actions(s.ctx, adminScope, ActionFilter{}, Page{Cursor: "x"})
	refused(t, "a cursor of nothing", err, attribution.CodeValidation)
}
