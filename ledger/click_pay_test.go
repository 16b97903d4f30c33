package ledger

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
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

// TestClicksThatCannotBePaidKeepNoOthersWaiting has terms of one advertiser that
// make an hour's clicks worth more than any sum, and a task that is gone.
func TestClicksThatCannotBePaidKeepNoOthersWaiting(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"events":{"click":{"type":"flat","amount":"0.10"}}}}`)
	other := newShopOn(s.world, `{"terms":{"events":{"click":{"type":"flat","amount":"10000000000.00"}}}}`)
	var log bytes.Buffer
	s.Ledger.log = slog.New(slog.NewTextHandler(&log, nil))
	hour := attribution.Instant(s.nowMs.Load())
	s.nowMs.Add(2 * HourMs)
	for range 2 {
		ok(t, s.BookClicks(s.ctx, hour, []PaidClicks{
			{CampaignID: other.campaignID, CreatorID: other.creator.ID, TaskID: other.link.TaskID, LinkID: other.link.ID, Clicks: 2_000},
			{CampaignID: other.campaignID, CreatorID: other.creator.ID, TaskID: "tsk_gone", Clicks: 1},
			{CampaignID: s.campaignID, CreatorID: s.creator.ID, TaskID: s.link.TaskID, LinkID: s.link.ID, Clicks: 30},
		}))
	}
	list := must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{}, Page{}))(t).Items
	equal(t, "actions", len(list), 1)
	equal(t, "of whom", list[0].CampaignID, s.campaignID)
	equal(t, "payout", *list[0].Payout, "3.00")
	for _, task := range []string{other.link.TaskID, "tsk_gone"} {
		equal(t, "times that it was said of "+task, strings.Count(log.String(), "task_id="+task), 1)
	}
	var kept int64
	ok(t, s.raw().QueryRow("SELECT CAST(SUM(quantity) AS BIGINT) FROM click_bookings WHERE action_id = ''").Scan(&kept))
	equal(t, "clicks put aside", kept, 2_001)
}

func TestFlatAmountsAreBounded(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	for amount, accepted := range map[string]bool{"10000000000.00": true, "10000000000.01": false, "9000000000000.00": false} {
		terms := fmt.Appendf(nil, `{"terms":{"events":{"click":{"type":"flat","amount":%q}}}}`, amount)
		_, err := s.catalog.PatchCampaign(s.ctx, catalogAdmin, s.campaignID, terms)
		if accepted {
			ok(t, err)
		} else {
			refused(t, amount, err, attribution.CodeValidation)
		}
	}
}

// TestClicksArePaidWhileTheCreatorIsJoined books hour after hour while a creator
// joins in the middle of one, is deselected in the next and comes back later.
func TestClicksArePaidWhileTheCreatorIsJoined(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"terms":{"events":{"click":{"type":"flat","amount":"0.10"}}}}`)
	first := attribution.Instant(s.nowMs.Load())
	s.nowMs.Add(HourMs + 20*time.Minute.Milliseconds())
	creator, link := s.join("Bo") // 10:20
	become := func(status string, after time.Duration) {
		t.Helper()
		s.nowMs.Add(after.Milliseconds())
		must(s.catalog.PatchParticipation(s.ctx, catalogAdmin, s.campaignID, creator.ID, fmt.Appendf(nil, `{"status":%q}`, status)))(t)
	}
	become(catalog.Unavailable, time.Hour) // 11:20
	become(catalog.Joined, 3*time.Hour)    // 14:20
	s.nowMs.Add(2 * HourMs)
	var paid []string
	for hour := first; hour < first+7*HourMs; hour += HourMs {
		ok(t, s.BookClicks(s.ctx, hour, []PaidClicks{{CampaignID: s.campaignID, CreatorID: creator.ID, TaskID: link.TaskID, LinkID: link.ID, Clicks: 1}}))
	}
	for _, a := range must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{TaskID: link.TaskID}, Page{}))(t).Items {
		paid = append(paid, a.EventTime.Time().UTC().Format("15"))
	}
	equal(t, "hours that are paid", strings.Join(paid, " "), "10 11 14 15")
}
