package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

// testHash stands for what intake writes of a customer id.
func testHash(advertiserID, id string) string {
	sum := sha256.Sum256([]byte(advertiserID + "\x00" + strings.ToLower(id)))
	return "h_" + hex.EncodeToString(sum[:16])
}

// newWatchedShop is a shop whose advertiser has rules against fraud.
func newWatchedShop(t testing.TB, rules string) *shop {
	t.Helper()
	s := newShop(t, "")
	s.customerHash = testHash
	s.watch(rules)
	return s
}

func (s *shop) watch(rules string) {
	s.Helper()
	must(s.catalog.PatchAdvertiser(s.ctx, catalogAdmin, s.advertiser.ID, []byte(`{"fraud_rules":`+rules+`}`)))(s)
}

// paidClick is a click from paid search, now.
func (s *shop) paidClick(link catalog.Link) string {
	token := attribution.ClickToken{AtMs: s.nowMs.Load(), Link: link.Number, PaidSearch: true}
	return string(s.minter.Append(nil, s.keys, token, uint64(s.nowMs.Add(1))))
}

// signals lists what was said of an order, oldest first.
func (s *shop) signals(order string) []FraudSignal {
	s.Helper()
	list := must(s.FraudSignals(s.ctx, adminScope, FraudFilter{OrderID: order}, Page{}))(s)
	slices.Reverse(list.Items)
	return list.Items
}

func (s *shop) rulesSaid(order string) string {
	s.Helper()
	var rules []string
	for _, signal := range s.signals(order) {
		rules = append(rules, signal.Rule+" "+signal.Severity)
	}
	return strings.Join(rules, ", ")
}

func (s *shop) soldByCode(order string, more ...string) Settled {
	s.Helper()
	extra := ""
	for _, field := range more {
		extra += "," + field
	}
	return s.settle(s.report(fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":"100.00","currency":"USD","code":"ana10"%s}`, order, extra)))[0]
}

func TestAFlagChangesNothing(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{}`)
	click := s.paidClick(s.link)
	s.nowMs.Add(3_000)
	equal(t, "state", s.sale("o1", "100.00", click).Actions[0].State, Pending)
	equal(t, "signals", s.rulesSaid("o1"), "time_to_sale flag, click_source flag")
	a := s.actions("o1")[0]
	equal(t, "reasons", len(a.Reasons), 0)
	equal(t, "rules on the action", strings.Join(a.Signals, " "), "time_to_sale click_source")
	first := s.signals("o1")[0]
	equal(t, "seconds", first.Figures["seconds"], 3)
	equal(t, "version", first.Version, attribution.FraudRulesVersion)
	equal(t, "action", *first.ActionID, a.ID)
	explained := must(s.ExplainAction(s.ctx, adminScope, a.ID))(t)
	equal(t, "explained", len(explained.Signals), 2)
	equal(t, "sentence", explained.Signals[0].Sentence, "The sale came 3 seconds after the click; fewer than 10 seconds is too fast for a person.")
	whole := must(s.ExplainConversion(s.ctx, adminScope, *a.ConversionID))(t)
	equal(t, "explained with its conversion", len(whole.Signals), 2)
	s.advance(8 * 24 * time.Hour)
	equal(t, "later", s.actions("o1")[0].State, Locked)
}

func TestAHoldKeepsPayoutAndCostCommitted(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"time_to_sale":{"action":"hold"}}`)
	click := s.click(s.link, attribution.Valid)
	s.nowMs.Add(9_999)
	settled := s.sale("o1", "100.00", click)
	equal(t, "state", settled.Actions[0].State, Held)
	equal(t, "payout", settled.Actions[0].Payout, "10.00")
	a := s.actions("o1")[0]
	equal(t, "reasons", a.Reasons.text(), ReasonFraudReview)
	var committed int64
	ok(t, s.db.Write(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed, with the margin", committed, 1493)
	s.advance(30 * 24 * time.Hour)
	equal(t, "a month later", s.actions("o1")[0].State, Held)
	explained := must(s.ExplainAction(s.ctx, adminScope, a.ID))(t)
	if !strings.Contains(explained.Sentence, "held: somebody is to look at it") || explained.Signals[0].Severity != attribution.FraudHold {
		t.Errorf("explained as %q, %+v", explained.Sentence, explained.Signals)
	}
	history := must(s.History(s.ctx, adminScope, a.ID))(t)
	if history[0].Note == nil || !strings.Contains(*history[0].Note, "9 seconds after the click") {
		t.Errorf("the first entry does not say why: %+v", history[0])
	}
	equal(t, "released", must(s.Release(s.ctx, adminScope, a.ID, "the shop confirms"))(t).State, Payable)

	click = s.click(s.link, attribution.Valid)
	s.nowMs.Add(10_000)
	equal(t, "at the threshold", s.sale("o2", "100.00", click).Actions[0].State, Pending)

	click = s.click(s.link, attribution.Valid)
	again := s.sale("o3", "100.00", click)
	equal(t, "held again", again.Actions[0].State, Held)
	equal(t, "reversed", must(s.Reverse(s.ctx, adminScope, again.Actions[0].ID, "fraud", ""))(t).State, Reversed)
}

func TestACreatorsOwnPurchase(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"self_purchase":{"action":"hold"}}`)
	customer := `"customer_id":"` + testHash(s.advertiser.ID, "ana@creators.example") + `"`
	sold := func(order string) string {
		t.Helper()
		click := s.click(s.link, attribution.Valid)
		s.nowMs.Add(60_000)
		return s.sale(order, "100.00", click, customer).Actions[0].State
	}
	equal(t, "without an address", sold("o1"), Pending)
	must(s.catalog.PatchCreator(s.ctx, catalogAdmin, s.creator.ID, []byte(`{"email":"Ana@creators.example"}`)))(t)
	equal(t, "the creator's own", sold("o2"), Held)
	equal(t, "reason", s.actions("o2")[0].Reasons.text(), ReasonFraudSelf)
	customer = `"customer_id":"` + testHash(s.advertiser.ID, "ben@shoppers.example") + `"`
	equal(t, "another customer", sold("o3"), Pending)
	customer = `"customer_id":"` + testHash("adv_other", "ana@creators.example") + `"`
	equal(t, "another advertiser's hash", sold("o4"), Pending)
	equal(t, "by code", s.soldByCode("o5", `"customer_id":"`+testHash(s.advertiser.ID, "ana@creators.example")+`"`).Actions[0].State, Held)
	for _, signal := range s.signals("") {
		if text, _ := json.Marshal(signal); strings.Contains(string(text), "h_") || strings.Contains(string(text), "@") {
			t.Errorf("a signal names a customer: %s", text)
		}
	}
}

func TestManyOrdersFromOneNetwork(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"network_velocity":{"action":"hold","threshold":3,"window_hours":2}}`)
	_, other := s.join("Ben")
	from := func(order, network string, link catalog.Link) string {
		t.Helper()
		click := s.click(link, attribution.Valid)
		s.nowMs.Add(60_000)
		report := s.report(fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":"10.00","currency":"USD","click_id":%q}`, order, click))
		report.Signed, report.Source, report.Network = false, attribution.SourceTag, network
		return s.settle(report)[0].Actions[0].State
	}
	for i := range 3 {
		equal(t, "up to the threshold", from(fmt.Sprint("o", i), "203.0.113.0/24", s.link), Pending)
	}
	equal(t, "another network", from("n1", "198.51.100.0/24", s.link), Pending)
	equal(t, "another creator", from("n2", "203.0.113.0/24", other), Pending)
	equal(t, "unknown network", from("n3", "", s.link), Pending)
	equal(t, "the fourth", from("o4", "203.0.113.0/24", s.link), Held)
	signal := s.signals("o4")[0]
	equal(t, "figures", fmt.Sprint(signal.Figures), "map[orders:4 threshold:3 window_hours:2]")
	equal(t, "reason", s.actions("o4")[0].Reasons.text(), ReasonFraudVelocity)
	if text, _ := json.Marshal(signal); strings.Contains(string(text), "203.0") {
		t.Errorf("the signal tells the network: %s", text)
	}
	s.nowMs.Add(2 * HourMs)
	equal(t, "hours later", from("o5", "203.0.113.0/24", s.link), Pending)
	report := s.report(`{"event":"sale","order_id":"o5","amount":"10.00","currency":"USD"}`)
	report.Network, report.Signed = "203.0.113.0/24", false
	for range 5 {
		equal(t, "the same order again", s.settle(report)[0].Status, Duplicate)
	}
	equal(t, "duplicates do not count", from("o6", "203.0.113.0/24", s.link), Pending)
	s.advance(30 * 24 * time.Hour)
	var left int64
	ok(t, s.raw().QueryRowContext(s.ctx, "SELECT COUNT(*) FROM fraud_counts").Scan(&left))
	equal(t, "counts kept", left, 0)
}

func TestManyOrdersOfClicksFromOneNetwork(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"network_velocity":{"action":"hold","threshold":2}}`)
	sold := func(order, network string) string {
		t.Helper()
		token := attribution.ClickToken{AtMs: s.nowMs.Load(), Link: s.link.Number, Network: attribution.NetworkTag([]byte(network))}
		click := string(s.minter.Append(nil, s.keys, token, uint64(s.nowMs.Load())))
		s.nowMs.Add(60_000)
		return s.sale(order, "10.00", click).Actions[0].State
	}
	for i := range 4 {
		equal(t, "from here", sold(fmt.Sprint("l", i), "127.0.0.0/24"), Pending)
	}
	equal(t, "first", sold("o1", "203.0.113.0/24"), Pending)
	equal(t, "second", sold("o2", "203.0.113.0/24"), Pending)
	equal(t, "another network", sold("o3", "2001:db8:1::/48"), Pending)
	equal(t, "third", sold("o4", "203.0.113.0/24"), Held)
	report := s.report(`{"event":"sale","order_id":"o5","amount":"10.00","currency":"USD","code":"ana10"}`)
	report.Network, report.Signed = "203.0.113.0/24", false
	equal(t, "a browser's report from there", s.settle(report)[0].Actions[0].State, Held)
}

func TestALeakedCode(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"leaked_code":{"action":"hold","threshold":2},"borrowed_code":{"action":"hold","threshold":1}}`)
	_, other := s.join("Ben")
	click := s.click(s.link, attribution.Valid)
	s.nowMs.Add(60_000)
	for i := range 5 {
		equal(t, "with a click of its creator", s.soldByCode(fmt.Sprint("own", i), fmt.Sprintf(`"click_id":%q`, click)).Actions[0].State, Pending)
	}
	equal(t, "first without", s.soldByCode("o1").Actions[0].State, Pending)
	equal(t, "second without", s.soldByCode("o2").Actions[0].State, Pending)
	equal(t, "third without", s.soldByCode("o3").Actions[0].State, Held)
	equal(t, "its reason", s.actions("o3")[0].Reasons.text(), ReasonFraudLeakedCode)
	equal(t, "its rules", s.rulesSaid("o3"), "leaked_code hold")
	s.watch(`{"leaked_code":{"action":"off"}}`)
	others := fmt.Sprintf(`"click_id":%q`, s.click(other, attribution.Valid))
	s.nowMs.Add(60_000)
	equal(t, "brought by another", s.soldByCode("b1", others).Actions[0].State, Pending)
	equal(t, "and again", s.soldByCode("b2", others).Actions[0].State, Held)
	equal(t, "its rules", s.rulesSaid("b2"), "borrowed_code hold")
	bot := fmt.Sprintf(`"click_id":%q`, s.click(other, attribution.Bot))
	equal(t, "a bot brings nobody", s.soldByCode("b3", bot).Actions[0].State, Pending)
}

func TestPaidSearchWhereItIsNotAllowed(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"click_source":{"action":"hold"}}`)
	sold := func(order string) string {
		t.Helper()
		click := s.paidClick(s.link)
		s.nowMs.Add(60_000)
		return s.sale(order, "100.00", click).Actions[0].State
	}
	equal(t, "by default", sold("o1"), Held)
	equal(t, "its reason", s.actions("o1")[0].Reasons.text(), ReasonFraudClickSource)
	s.nowMs.Add(1000)
	must(s.catalog.PatchParticipation(s.ctx, catalogAdmin, s.campaignID, s.creator.ID,
		[]byte(`{"terms_override":{"events":{"sale":{"type":"percent","rate":"0.10"}},"allow_paid_search":true}}`)))(t)
	s.nowMs.Add(1000)
	equal(t, "allowed to the creator", sold("o2"), Pending)
	_, other := s.join("Ben")
	click := s.paidClick(other)
	s.nowMs.Add(60_000)
	equal(t, "not to another", s.sale("o3", "100.00", click).Actions[0].State, Held)
	s.patch(s.campaignID, `{"terms":{"allow_paid_search":true}}`)
	s.nowMs.Add(1000)
	click = s.paidClick(other)
	s.nowMs.Add(60_000)
	equal(t, "allowed by the terms", s.sale("o4", "100.00", click).Actions[0].State, Pending)
}

func TestSignalsDoNotDependOnTheOrderOfClicks(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"borrowed_code":{"threshold":1},"leaked_code":{"threshold":1}}`)
	_, ben := s.join("Ben")
	_, eve := s.join("Eve")
	clicks := []string{s.click(ben, attribution.Valid), s.click(eve, attribution.Bot)}
	s.nowMs.Add(500)
	clicks = append(clicks, s.paidClick(eve))
	s.nowMs.Add(2_000)
	for i, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		named := fmt.Sprintf("%q,%q,%q", clicks[order[0]], clicks[order[1]], clicks[order[2]])
		s.settle(s.report(fmt.Sprintf(`{"event":"sale","order_id":"c%d","amount":"9.00","currency":"USD","click_ids":[%s]}`, i, named)))
		equal(t, "by click", s.rulesSaid(fmt.Sprint("c", i)), "time_to_sale flag, click_source flag")
		s.soldByCode(fmt.Sprint("k", i), fmt.Sprintf(`"click_ids":[%s]`, named))
		if i > 0 {
			equal(t, "by code", s.rulesSaid(fmt.Sprint("k", i)), "leaked_code flag, borrowed_code flag")
		}
	}
}

func TestASuddenConversionRate(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"conversion_rate":{"action":"hold"}}`)
	click := s.click(s.link, attribution.Valid)
	s.nowMs.Add(60_000)
	s.sale("o1", "100.00", click)
	s.soldByCode("by-code")
	s.nowMs.Add(HourMs)
	through := attribution.Instant(s.nowMs.Load())
	looks := must(s.RatesDue(s.ctx, through))(t)
	if len(looks) != 1 || !slices.Equal(looks[0].Advertisers, []string{s.advertiser.ID}) || looks[0].To-looks[0].From != 24*HourMs || looks[0].To%HourMs != 0 {
		t.Fatalf("looks at %+v", looks)
	}
	rate := CreatorRate{s.advertiser.ID, s.campaignID, s.creator.ID, attribution.RateFacts{Orders: 20, Clicks: 30, UsualOrders: 20, UsualClicks: 1_000}}
	usual := rate
	usual.Clicks = 300
	ok(t, s.LookAtRates(s.ctx, looks[0], []CreatorRate{usual}))
	equal(t, "at the usual rate", s.actions("o1")[0].State, Pending)
	ok(t, s.LookAtRates(s.ctx, looks[0], []CreatorRate{rate, rate}))
	ok(t, s.RatesLooked(s.ctx, through))
	equal(t, "looked at already", len(must(s.RatesDue(s.ctx, through))(t)), 0)
	told := must(s.FraudSignals(s.ctx, adminScope, FraudFilter{Rule: attribution.FraudConversionRate, CreatorID: s.creator.ID}, Page{}))(t).Items
	if len(told) != 1 || told[0].ActionID != nil || told[0].Figures["clicks"] != 30 {
		t.Fatalf("told %+v", told)
	}
	a := s.actions("o1")[0]
	if a.State != Held || a.Reasons.text() != ReasonFraudReview || a.Notes == nil || !strings.Contains(*a.Notes, "20 orders came of 30 clicks") {
		t.Errorf("the click's action is %s %v %v", a.State, a.Reasons, a.Notes)
	}
	equal(t, "a code's action", s.actions("by-code")[0].State, Pending)
	s.watch(`{"conversion_rate":{"action":"off"}}`)
	equal(t, "off", len(must(s.RatesDue(s.ctx, through+HourMs))(t)), 0)
}

func TestFraudSignalsAreToldToPayersAlone(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"time_to_sale":{"action":"hold"}}`)
	for i := range 3 {
		s.sale(fmt.Sprint("o", i), "100.00", s.click(s.link, attribution.Valid))
	}
	own, stranger := Scope{Role: RoleAdvertiser, AdvertiserID: s.advertiser.ID}, Scope{Role: RoleAdvertiser, AdvertiserID: "adv_other"}
	creator := Scope{Role: RoleCreator, CreatorID: s.creator.ID}
	count := func(scope Scope, f FraudFilter) int {
		t.Helper()
		return len(must(s.FraudSignals(s.ctx, scope, f, Page{}))(t).Items)
	}
	equal(t, "an admin's", count(adminScope, FraudFilter{}), 3)
	equal(t, "the advertiser's", count(own, FraudFilter{Severity: attribution.FraudHold}), 3)
	equal(t, "another's", count(stranger, FraudFilter{}), 0)
	equal(t, "another's, by name", count(stranger, FraudFilter{AdvertiserID: s.advertiser.ID}), 0)
	equal(t, "the creator's", count(creator, FraudFilter{}), 0)
	equal(t, "nobody's", count(Scope{}, FraudFilter{}), 0)
	a := s.actions("o1")[0]
	equal(t, "another's, by action", count(stranger, FraudFilter{ActionID: a.ID}), 0)
	equal(t, "by action and creator", count(own, FraudFilter{ActionID: a.ID, CreatorID: s.creator.ID}), 1)
	equal(t, "of flags", count(own, FraudFilter{Severity: attribution.FraudFlag}), 0)
	page := must(s.FraudSignals(s.ctx, own, FraudFilter{}, Page{Limit: 2}))(t)
	rest := must(s.FraudSignals(s.ctx, own, FraudFilter{}, Page{Limit: 2, Cursor: page.NextCursor}))(t)
	equal(t, "pages", len(page.Items)*10+len(rest.Items), 21)
	explained := must(s.ExplainAction(s.ctx, creator, a.ID))(t)
	if len(explained.Signals) != 0 || !strings.Contains(explained.Sentence, "somebody is to look at it") {
		t.Errorf("a creator is told %q and %+v", explained.Sentence, explained.Signals)
	}
	equal(t, "a creator's action", len(must(s.Action(s.ctx, creator, a.ID))(t).Signals), 0)
	history := must(s.History(s.ctx, creator, a.ID))(t)
	if history[0].Note != nil {
		t.Errorf("a creator reads %q", *history[0].Note)
	}
}

func TestAFraudHoldOutlivesBudgetAndUpgrade(t *testing.T) {
	t.Parallel()
	s := newWatchedShop(t, `{"time_to_sale":{"action":"hold"}}`)
	s.patch(s.campaignID, `{"budget":{"amount":"5.00","mode":"hard"}}`)
	settled := s.sale("o1", "100.00", s.click(s.link, attribution.Valid))
	a := s.actions("o1")[0]
	equal(t, "reasons", a.Reasons.text(), "over_budget fraud_review")
	_, err := s.Release(s.ctx, adminScope, a.ID, "")
	refused(t, "released over budget", err, attribution.CodeConflict)
	s.patch(s.campaignID, `{"budget":{"amount":"50.00","mode":"hard"}}`)
	a = s.actions("o1")[0]
	equal(t, "with budget", a.State+" "+a.Reasons.text()+" "+*a.Payout, "held fraud_review 10.00")
	equal(t, "released", must(s.Release(s.ctx, adminScope, settled.Actions[0].ID, ""))(t).State, Pending)

	unsigned := s.report(fmt.Sprintf(`{"event":"sale","order_id":"o2","amount":"100.00","currency":"USD","click_id":%q}`, s.click(s.link, attribution.Valid)))
	unsigned.Signed, unsigned.Source = false, attribution.SourcePixel
	s.settle(unsigned)
	s.sale("o2", "120.00", "")
	a = s.actions("o2")[0]
	equal(t, "superseded", a.State+" "+a.Reasons.text()+" "+a.Amount, "held fraud_review 120.00")
	equal(t, "told once", s.rulesSaid("o2"), "time_to_sale hold")
}
