package reports

import (
	"context"
	"slices"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/schema/schematest"
)

func TestUpcomingPayIsByDayAndCurrency(t *testing.T) {
	conn := schematest.Start(t)
	must(t, conn.Exec(context.Background(), `INSERT INTO actions (id, advertiser_id, campaign_id, creator_id, currency, payout_minor, state, pay_at, event_time, seq) VALUES
		('a', 'adv', 'cmp', 'ana', 'USD', 1000, 'pending', '2027-01-31 18:00:00', '2027-01-01 00:00:00', 1),
		('a', 'adv', 'cmp', 'ana', 'USD', 1000, 'locked',  '2027-01-31 18:00:00', '2027-01-01 00:00:00', 2),
		('b', 'adv', 'cmp', 'ana', 'USD', 250,  'pending', '2027-01-31 18:00:00', '2027-01-01 00:00:00', 1),
		('c', 'adv', 'cmp', 'ana', 'JPY', 500,  'pending', '2027-01-31 16:00:00', '2027-01-01 00:00:00', 1),
		('d', 'adv', 'cmp', 'ana', 'USD', 70,   'paid',    '2027-01-31 18:00:00', '2027-01-01 00:00:00', 1),
		('f', 'adv', 'cmp', 'ana', 'USD', 300,  'pending', '1970-01-01 00:00:00', '2027-01-01 00:00:00', 1),
		('e', 'adv', 'cmp', 'ben', 'USD', 9900, 'locked',  '2027-01-31 18:00:00', '2027-01-01 00:00:00', 1)`))
	zone, err := time.LoadLocation("Asia/Bangkok")
	must(t, err)
	reports := New(conn, upToDate{}, noAgencies{})
	days, err := reports.Upcoming(t.Context(), Scope{CreatorID: "ana"}, zone)
	must(t, err)
	want := []Upcoming{
		{Day: "2027-01-31", Currency: "JPY", Locked: "0", Pending: "500", Actions: 1},
		{Day: "2027-02-01", Currency: "USD", Locked: "10.00", Pending: "2.50", Actions: 2},
		{Day: "", Currency: "USD", Locked: "0.00", Pending: "3.00", Actions: 1},
	}
	// 16:00 UTC is 23:00 in Bangkok, 18:00 is the next day there.
	if !slices.Equal(days, want) {
		t.Errorf("got %+v, want %+v", days, want)
	}
	if days, err := reports.Upcoming(t.Context(), Scope{}, zone); err != nil || len(days) != 0 {
		t.Errorf("nobody's scope: %+v, %v", days, err)
	}
	if _, err := reports.Upcoming(t.Context(), Scope{AdvertiserID: "adv"}, zone); err == nil {
		t.Error("an advertiser was told what creators get")
	} else if p, ok := attribution.AsProblem(err); !ok || p.Code != attribution.CodeForbidden {
		t.Error(err)
	}
}
