package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

func TestOnceOnly(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	first := s.sale("o1", "120.00", click)
	equal(t, "first", first.Status, Accepted)
	equal(t, "attributed", first.Attributed, true)
	equal(t, "payout", first.Actions[0].Payout, "12.00")
	equal(t, "digits of the receipt", strings.TrimPrefix(first.ConversionID, "cnv_"), strings.TrimPrefix(first.ReceiptID, "rcp_"))

	again := s.sale("o1", "120.00", click)
	equal(t, "again", again.Status, Duplicate)
	equal(t, "id of the first", again.ConversionID, first.ConversionID)
	equal(t, "action of the first", again.Actions[0], first.Actions[0])

	other := s.sale("o1", "120.01", click)
	equal(t, "other amount", other.Status, Conflict)
	equal(t, "code", other.Code, CodeOrderConflict)
	equal(t, "id of the first", other.ConversionID, first.ConversionID)
	currency := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"EUR"}`))[0]
	equal(t, "other currency", currency.Status, Conflict)

	both := s.settle(s.report(`{"event":"lead","order_id":"o1"}`), s.report(`{"event":"lead","order_id":"o1"}`))
	equal(t, "another event", both[0].Status+" "+both[1].Status, Accepted+" "+Duplicate)
	equal(t, "actions", len(s.actions("o1")), 1)
	list := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{}, Page{}))(t).Items
	equal(t, "in quarantine", len(list), 2)
	equal(t, "why", list[0].Code, CodeOrderConflict)
}

func TestSettledBatchIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	batch := Batch{"log", 7, []*attribution.Report{s.report(`{"event":"sale","order_id":"o1","amount":"1.00","currency":"USD"}`)}}
	equal(t, "results", len(must(s.Settle(s.ctx, batch))(t)), 1)
	equal(t, "results of it again", len(must(s.Settle(s.ctx, batch))(t)), 0)
	equal(t, "position", must(s.Position(s.ctx, "log"))(t), 7)
	equal(t, "position of another log", must(s.Position(s.ctx, "other"))(t), 0)
}

func TestRejectedReports(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	for name, c := range map[string]struct {
		fields string
		change func(*attribution.Report)
		code   string
	}{
		"by intake":          {`{"event":"sale","order_id":"a"}`, func(r *attribution.Report) { r.Rejected = &attribution.Rejection{Code: "card_number"} }, "card_number"},
		"no order":           {`{"event":"sale"}`, nil, attribution.CodeValidation},
		"no event":           {`{"order_id":"b"}`, nil, attribution.CodeValidation},
		"too many decimals":  {`{"event":"sale","order_id":"c","amount":"1.001","currency":"USD"}`, nil, attribution.CodeValidation},
		"negative":           {`{"event":"sale","order_id":"d","amount":"-1","currency":"USD"}`, nil, attribution.CodeValidation},
		"no currency":        {`{"event":"sale","order_id":"e","amount":"1"}`, nil, attribution.CodeValidation},
		"unknown currency":   {`{"event":"sale","order_id":"f","amount":"1","currency":"XXY"}`, nil, attribution.CodeValidation},
		"overflowing line":   {`{"event":"sale","order_id":"g","amount":"1","currency":"USD","items":[{"quantity":9000000000,"price":"9000000000"}]}`, nil, attribution.CodeValidation},
		"future":             {`{"event":"sale","order_id":"h","event_time":"2027-01-10T09:05:00.001Z"}`, nil, CodeEventTimeFuture},
		"unknown advertiser": {`{"event":"sale","order_id":"i"}`, func(r *attribution.Report) { r.AdvertiserID = "adv_none" }, CodeAdvertiserUnknown},
		"forced, nobody":     {`{"event":"sale","order_id":"j","creator_id":"crt_none"}`, nil, CodeCreatorUnknown},
		"refund before sale": {`{}`, func(r *attribution.Report) {
			r.Kind, r.Refund = attribution.ReportRefund, &attribution.RefundFields{OrderID: "k"}
		}, CodeOrderUnknown},
		"refund of nothing": {`{}`, func(r *attribution.Report) { r.Kind = attribution.ReportRefund }, attribution.CodeValidation},
		"forged landing": {`{}`, func(r *attribution.Report) {
			r.Kind, r.Landing = attribution.ReportLanding, &attribution.Landing{ClickID: "x"}
		}, attribution.ReasonClickForged},
		"of an unknown kind":  {`{}`, func(r *attribution.Report) { r.Kind = "dream" }, attribution.CodeValidation},
		"five minutes is not": {`{"event":"sale","order_id":"l","event_time":"2027-01-10T09:05:00Z"}`, nil, ""},
	} {
		report := s.report(c.fields)
		if c.change != nil {
			c.change(report)
		}
		got := s.settle(report)[0]
		equal(t, name, got.Code, c.code)
		if c.code == "" {
			continue
		}
		equal(t, name, got.Status, Rejected)
		kept := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Code: c.code}, Page{Limit: 1}))(t).Items[0]
		equal(t, name+": receipt", *kept.ReceiptID, got.ReceiptID)
	}
}

func TestReplayQuarantine(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	equal(t, "early refund", s.refund("o1", `{"refund_id":"r1","amount":"60.00"}`).Code, CodeOrderUnknown)
	waiting := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Replayed: new(false)}, Page{}))(t).Items
	equal(t, "waiting", len(waiting), 1)
	still := must(s.ReplayQuarantine(s.ctx, adminScope, waiting[0].ID))(t)[0]
	equal(t, "too early", still.Status, Rejected)
	s.sale("o1", "120.00", click)
	now := must(s.ReplayQuarantine(s.ctx, adminScope, waiting[0].ID))(t)[0]
	equal(t, "after its sale", now.Status, Accepted)
	equal(t, "payout", *s.actions("o1")[0].Payout, "6.00")
	again := must(s.ReplayQuarantine(s.ctx, adminScope, waiting[0].ID))(t)[0]
	equal(t, "once", again.Status, Rejected)
	_, err := s.ReplayQuarantine(s.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: "adv_other"}, waiting[0].ID)
	refused(t, "another's", err, attribution.CodeNotFound)

	forced := s.report(`{"event":"sale","order_id":"o2","creator_id":"` + s.creator.ID + `"}`)
	forced.Rejected = &attribution.Rejection{Code: "forbidden", Reason: "only an admin key forces a credit"}
	s.settle(forced)
	kept := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Code: "forbidden"}, Page{}))(t).Items[0]
	advertiser := Scope{Role: RoleAdvertiser, AdvertiserID: s.advertiser.ID}
	equal(t, "forced by an advertiser", must(s.ReplayQuarantine(s.ctx, advertiser, kept.ID))(t)[0].Status, Rejected)
	equal(t, "forced by an admin", must(s.ReplayQuarantine(s.ctx, adminScope, kept.ID))(t)[0].Status, Accepted)
	equal(t, "referral", s.actions("o2")[0].Referral, "forced")
}

func TestSourceUpgrade(t *testing.T) {
	t.Parallel()
	unsigned := func(s *shop, order, fields string) Settled {
		r := s.report(`{"event":"sale","order_id":"` + order + `",` + fields + `}`)
		r.Signed, r.Source = false, attribution.SourcePixel
		return s.settle(r)[0]
	}
	t.Run("other amount", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, `{"terms":{"events":{"sale":{"type":"percent","rate":"0.10"}},"lock":{"basis":"day","days":7},"hold_unsigned":true}}`)
		click := s.click(s.link, attribution.Valid)
		first := unsigned(s, "o1", `"amount":"100.00","currency":"USD","click_id":"`+click+`"`)
		equal(t, "held", first.Actions[0].State, Held)
		equal(t, "reasons", s.actions("o1")[0].Reasons.text(), ReasonUnsigned)
		now := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD","tax":"20.00","customer_id":"u1"}`))[0]
		equal(t, "status", now.Status, Accepted)
		equal(t, "the first's id", now.ConversionID, first.ConversionID)
		a := s.actions("o1")[0]
		equal(t, "action", a.ID, first.Actions[0].ID)
		equal(t, "state", a.State, Pending)
		equal(t, "amount", a.Amount, "120.00")
		equal(t, "payout", *a.Payout, "10.00")
		history := must(s.History(s.ctx, adminScope, a.ID))(t)
		equal(t, "entry", history[1].Verb, "source_upgrade")
		equal(t, "amount delta", history[1].AmountDelta, "20.00")
		equal(t, "payout delta", *history[1].PayoutDelta, "0.00")
		c := must(s.Ledger.Conversion(s.ctx, adminScope, first.ConversionID))(t)
		equal(t, "signed", c.Signed, true)
		equal(t, "source", c.Source, attribution.SourceServer)
		equal(t, "conversion's amount", *c.Amount, "120.00")
		equal(t, "again", s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD"}`))[0].Status, Duplicate)
		equal(t, "an unsigned one", unsigned(s, "o1", `"amount":"100.00","currency":"USD"`).Status, Conflict)
		equal(t, "known customer", s.settle(s.report(`{"event":"sale","order_id":"o2","amount":"1.00","currency":"USD","customer_id":"u1"}`))[0].Attributed, true)
	})
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, `{"terms":{"model":"linear"}}`)
		_, second := s.join("Ben")
		_, third := s.join("Cho")
		unsigned(s, "o1", fmt.Sprintf(`"amount":"10.00","currency":"USD","click_ids":[%q,%q,%q]`,
			s.click(s.link, attribution.Valid), s.click(second, attribution.Valid), s.click(third, attribution.Valid)))
		s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"100.00","currency":"USD"}`))
		amounts, payouts := "", ""
		for _, a := range s.actions("o1") {
			amounts, payouts = amounts+" "+a.Amount, payouts+" "+*a.Payout
		}
		equal(t, "amounts", amounts, " 33.34 33.33 33.33")
		equal(t, "payouts", payouts, " 3.34 3.33 3.33")
	})
	t.Run("same amount", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, "")
		unsigned(s, "o1", `"amount":"100.00","currency":"USD","click_id":"`+s.click(s.link, attribution.Valid)+`"`)
		now := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"100.00","currency":"USD"}`))[0]
		equal(t, "status", now.Status, Duplicate)
		equal(t, "signed", must(s.Ledger.Conversion(s.ctx, adminScope, now.ConversionID))(t).Signed, true)
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, "")
		unsigned(s, "o1", `"amount":"100.00","currency":"USD","click_id":"`+s.click(s.link, attribution.Valid)+`"`)
		s.advance(10 * 24 * time.Hour)
		equal(t, "status", s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD"}`))[0].Status, Conflict)
	})
	t.Run("refunded before", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, "")
		unsigned(s, "o1", `"amount":"100.00","currency":"USD","click_id":"`+s.click(s.link, attribution.Valid)+`"`)
		s.refund("o1", `{"amount":"40.00"}`)
		s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"80.00","currency":"USD"}`))
		equal(t, "half is left", s.actions("o1")[0].Amount+" "+*s.actions("o1")[0].Payout, "40.00 4.00")
	})
	t.Run("less, over a lowered budget", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, `{"budget":{"amount":"100.00"}}`)
		unsigned(s, "o1", `"amount":"100.00","currency":"USD","click_id":"`+s.click(s.link, attribution.Valid)+`"`)
		s.patch(s.campaignID, `{"budget":{"amount":"5.00"}}`)
		s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"90.00","currency":"USD"}`))
		equal(t, "state", s.actions("o1")[0].State, Pending)
		equal(t, "payout", *s.actions("o1")[0].Payout, "9.00")
		equal(t, "campaign", s.campaign(s.campaignID).Status, "over_budget")
	})
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	landing := s.report(`{}`)
	landing.Kind, landing.Landing = attribution.ReportLanding, &attribution.Landing{ClickID: click, CustomerID: "u1", PageHost: "shop.example"}
	equal(t, "landing", s.settle(landing)[0].Status, Accepted)
	equal(t, "after a landing", s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"1.00","currency":"USD","customer_id":"u1"}`))[0].Attributed, true)
	equal(t, "of nobody known", s.settle(s.report(`{"event":"sale","order_id":"o2","amount":"1.00","currency":"USD","customer_id":"u2"}`))[0].Attributed, false)
	s.sale("o3", "1.00", click, `"customer_id":"u3"`, `"consent":false`)
	equal(t, "without consent", s.settle(s.report(`{"event":"sale","order_id":"o4","amount":"1.00","currency":"USD","customer_id":"u3"}`))[0].Attributed, false)
	kinds := ""
	for _, m := range must(s.Ledger.Outbox(s.ctx, ReaderEvents, 100))(t).Messages {
		kinds += " " + m.Kind
	}
	equal(t, "told", kinds, " campaign participation landing conversion conversion conversion conversion")
}

func TestForcedCreator(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	_, other := s.join("Ben")
	s.nowMs.Add(1)
	newest := must(s.catalog.CreateTask(s.ctx, catalogAdmin, catalog.TaskFields{CampaignID: s.campaignID, CreatorID: s.creator.ID, Platform: "tiktok"}))(t)
	s.sale("o1", "100.00", s.click(other, attribution.Valid), `"creator_id":"`+s.creator.ID+`"`)
	a := s.actions("o1")[0]
	equal(t, "creator", a.CreatorID, s.creator.ID)
	equal(t, "task", *a.TaskID, newest.ID)
	equal(t, "referral", a.Referral, "forced")
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	ok(t, s.SetRates(s.ctx, adminScope, []Rate{{Day: "2027-01-10", Base: "JPY", Quote: "USD", Rate: "0.0067"}}))
	yen := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"10050","currency":"JPY","click_id":"` + click + `"}`))[0]
	equal(t, "payout", yen.Actions[0].Payout, "6.73") // 67.335 is 67.34
	equal(t, "amount", s.actions("o1")[0].Amount, "67.34")
	equal(t, "the original", *must(s.Ledger.Conversion(s.ctx, adminScope, yen.ConversionID))(t).Amount, "10050")
	euro := s.settle(s.report(`{"event":"sale","order_id":"o2","amount":"10","currency":"EUR","click_id":"` + click + `"}`))[0]
	equal(t, "no rate", *must(s.Ledger.Conversion(s.ctx, adminScope, euro.ConversionID))(t).Reason, attribution.ReasonCurrencyMismatch)
}

// TestCatalogChangesAreSeen settles between changes of the catalog: what the
// settler remembers is never old.
func TestCatalogChangesAreSeen(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	equal(t, "at first", s.sale("o1", "100.00", click).Actions[0].Payout, "10.00")
	s.nowMs.Add(1000)
	s.patch(s.campaignID, `{"terms":{"events":{"sale":{"type":"percent","rate":"0.20"}}}}`)
	equal(t, "under new terms", s.sale("o2", "100.00", click).Actions[0].Payout, "20.00")
	equal(t, "of the time before", s.sale("o3", "100.00", click, `"event_time":"2027-01-10T09:00:00Z"`).Actions[0].Payout, "10.00")
	must(s.catalog.PatchParticipation(s.ctx, catalogAdmin, s.campaignID, s.creator.ID,
		[]byte(`{"terms_override":{"events":{"sale":{"type":"flat","amount":"1.50"}}}}`)))(t)
	equal(t, "for this creator", s.sale("o4", "100.00", click).Actions[0].Payout, "1.50")
	must(s.catalog.PatchParticipation(s.ctx, catalogAdmin, s.campaignID, s.creator.ID, []byte(`{"status":"unavailable"}`)))(t)
	equal(t, "not joined", s.sale("o5", "100.00", click).Attributed, false)
}

func TestCapAddedLater(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	s.sale("o1", "100.00", click)
	s.patch(s.campaignID, `{"max_creator_payout":"15.00"}`)
	equal(t, "what is left", s.sale("o2", "100.00", click).Actions[0].Payout, "5.00")
	s.patch(s.campaignID, `{"max_creator_payout":null}`)
	s.sale("o3", "100.00", click)
	s.patch(s.campaignID, `{"max_creator_payout":"26.00"}`)
	equal(t, "counted all the while", s.sale("o4", "100.00", click).Actions[0].Payout, "1.00")
	equal(t, "reasons", s.actions("o4")[0].Reasons.text(), ReasonCapped)
}

// TestNewCustomersAreTheSameWhenDecidedAgain has one customer buy twice in one
// millisecond: the first order is a new customer's, the second is not, and deciding
// again says the same.
func TestNewCustomersAreTheSameWhenDecidedAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"events":{"sale":{"type":"percent","rate":"0.10"}},"customers":"new"}}`)
	click := s.click(s.link, attribution.Valid)
	equal(t, "first", s.sale("o1", "10.00", click, `"customer_id":"c1"`).Attributed, true)
	equal(t, "second", s.sale("o2", "10.00", click, `"customer_id":"c1"`).Attributed, false)
	asked := Reattribution{AdvertiserID: s.advertiser.ID, From: instant("2027-01-01T00:00:00Z"), To: instant("2027-06-01T00:00:00Z"), DryRun: true}
	found := must(s.Reattribute(s.ctx, adminScope, asked))(t)
	equal(t, "decided again", found.Conversions, 2)
	equal(t, "changed", found.Changed, 0)
}

// TestPayoutsBehindAnAgencyAreTheAdminsInAnswers looks at every answer to a report,
// and at a replay's, in campaigns with and without an agency's margin.
func TestPayoutsBehindAnAgencyAreTheAdminsInAnswers(t *testing.T) {
	t.Parallel()
	for agency, payout := range map[string]string{"0.20": "", "0": "10.00"} {
		s := newShop(t, fmt.Sprintf(`{"agency_margin_rate":%q}`, agency))
		click := s.click(s.link, attribution.Valid)
		merchant := Scope{Role: "ingest", AdvertiserID: s.advertiser.ID}
		see := func(what string, settled Settled, status string) {
			t.Helper()
			equal(t, what, settled.Status, status)
			equal(t, what+", for the admin", settled.View(adminScope).Actions[0].Payout, "10.00")
			equal(t, what+", for the merchant", settled.View(merchant).Actions[0].Payout, payout)
			equal(t, what+", afterwards", settled.Actions[0].Payout, "10.00")
		}
		see("sale", s.sale("o1", "100.00", click), Accepted)
		see("the same again", s.sale("o1", "100.00", click), Duplicate)
		see("another amount", s.sale("o1", "90.00", click), Conflict)
		kept := must(s.Quarantine(s.ctx, adminScope, QuarantineFilter{}, Page{}))(t).Items[0].ID
		advertiser := Scope{Role: RoleAdvertiser, AdvertiserID: s.advertiser.ID}
		for scope, want := range map[Scope]string{advertiser: payout, adminScope: "10.00"} {
			equal(t, "replayed by "+scope.Role, must(s.ReplayQuarantine(s.ctx, scope, kept))(t)[0].Actions[0].Payout, want)
		}
		refunded := s.refund("o1", `{"amount":"50.00"}`)
		equal(t, "refund, for the admin", refunded.View(adminScope).Actions[0].Payout, "5.00")
		equal(t, "refund is hidden", refunded.View(merchant).Actions[0].Payout == "", payout == "")
	}
}
