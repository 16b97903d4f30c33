package ledger

import (
	"testing"

	"tributary/attribution"
)

func TestClicksArePaidOncePerTaskAndHour(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"budget":{"amount":"10.00"},"margin_rate":"0.50","terms":{"events":{"click":{"type":"flat","amount":"0.10"}},"lock":{"basis":"day","days":7},"pay":{"basis":"day","days":3}}}`)
	campaigns, from, err := s.ClicksDue(s.ctx)
	ok(t, err)
	hour := instant("2027-01-10T09:00:00Z")
	equal(t, "campaigns", len(campaigns), 1)
	equal(t, "from", from, hour)

	rows := []PaidClicks{{CampaignID: s.campaignID, CreatorID: s.creator.ID, TaskID: s.link.TaskID, LinkID: s.link.ID, Clicks: 30}}
	s.advance(HourMs * 1e6)
	for range 2 {
		ok(t, s.BookClicks(s.ctx, hour, rows))
	}
	list := must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{TaskID: s.link.TaskID}, Page{}))(t).Items
	equal(t, "actions", len(list), 1)
	a := list[0]
	equal(t, "event", a.Event, EventClick)
	equal(t, "quantity", a.Quantity, 30)
	equal(t, "payout", *a.Payout, "3.00")
	equal(t, "cost", *a.Cost, "6.00")
	equal(t, "state", a.State, Locked)
	equal(t, "pay at", *a.PayAt, instant("2027-01-14T00:00:00Z"))
	equal(t, "event time", *a.EventTime, hour)

	rows[0].Clicks = 21 // costs 4.20 of the 4.00 that are left
	ok(t, s.BookClicks(s.ctx, hour+HourMs, rows))
	list = must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{TaskID: s.link.TaskID}, Page{}))(t).Items
	equal(t, "beyond the budget", list[1].State, Held)
	s.patch(s.campaignID, `{"budget":{"amount":"20.00"}}`)
	list = must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{TaskID: s.link.TaskID}, Page{}))(t).Items
	equal(t, "released", list[1].State, Locked)
	equal(t, "worth", *list[1].Payout, "2.10")

	ok(t, s.ClicksBooked(s.ctx, hour+2*HourMs))
	ok(t, s.ClicksBooked(s.ctx, hour+HourMs))
	_, from, err = s.ClicksDue(s.ctx)
	ok(t, err)
	equal(t, "next", from, hour+2*HourMs)
}

func TestTermsWithoutClicksPayNone(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	campaigns, _, err := s.ClicksDue(s.ctx)
	ok(t, err)
	equal(t, "campaigns", len(campaigns), 0)
	ok(t, s.BookClicks(s.ctx, attribution.Instant(s.nowMs.Load()), []PaidClicks{{TaskID: s.link.TaskID, Clicks: 3}}))
	equal(t, "actions", len(must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{}, Page{}))(t).Items), 0)
}
