package dashboard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

func TestWalletsAddUpByCurrency(t *testing.T) {
	wallets := walletsOf([]ledger.Balance{
		{AdvertiserID: "adv_1", Currency: "USD", Held: "0.00", Pending: "10.10", Locked: "5.00", Payable: "-3.00", Paid: "1.00"},
		{AdvertiserID: "adv_2", Currency: "JPY", Held: "0", Pending: "500", Locked: "0", Payable: "0", Paid: "0"},
		{AdvertiserID: "adv_3", Currency: "USD", Held: "0.00", Pending: "0.05", Locked: "0.00", Payable: "2.50", Paid: "0.00"},
	})
	want := []wallet{
		{Currency: "USD", Held: "0.00", Pending: "10.15", Locked: "5.00", Payable: "-0.50", Paid: "1.00"},
		{Currency: "JPY", Held: "0", Pending: "500", Locked: "0", Payable: "0", Paid: "0"},
	}
	if !slices.Equal(wallets, want) {
		t.Errorf("got %+v, want %+v", wallets, want)
	}
}

func TestPaydaysAreWeeksWhereThereAreMany(t *testing.T) {
	day := func(name string) reports.Upcoming {
		return reports.Upcoming{Day: name, Currency: "USD", Locked: "1.00", Pending: "0.50"}
	}
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	few := paydays([]reports.Upcoming{day("2026-11-30"), day("")}, now)
	if few[0] != (payday{"30 Nov 2026", "USD", "1.00", "0.50"}) || few[1].When != "Once it is approved" {
		t.Errorf("few days are %+v", few)
	}
	many := paydays([]reports.Upcoming{
		day("2026-11-23"), {Day: "2026-11-24", Currency: "JPY", Locked: "5", Pending: "0"}, day("2026-11-29"), day("2026-11-30"),
		day("2026-12-01"), day("2026-12-02"), day("2026-12-28"),
	}, now)
	want := []payday{
		{"23 – 29 Nov", "USD", "2.00", "1.00"}, {"23 – 29 Nov", "JPY", "5", "0"}, {"30 Nov – 6 Dec", "USD", "3.00", "1.50"},
		{"28 Dec – 3 Jan 2027", "USD", "1.00", "0.50"},
	}
	if !slices.Equal(many, want) {
		t.Errorf("many days are %+v, want %+v", many, want)
	}
}

func TestTermsAreSaidInWords(t *testing.T) {
	said := strings.Join(termsInWords(catalog.Campaign{CampaignFields: catalog.CampaignFields{Currency: "USD", Terms: &attribution.Terms{
		Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.125"}, "sign_up": {Type: "flat", Amount: "1.50"}, "view": {Type: "none"}},
		Lock:   &attribution.Schedule{Basis: "month", Months: 1, Days: 27}, Customers: "new",
	}}}), "; ")
	want := "12.5% for each sale; $1.50 for each sign up; Only the shop's new customers count; A click counts for 30 days; the last click before " +
		"the sale earns it; A sale can be taken back until the end of its month and 1 month more and 27 days more; Then it is payable at once"
	if said != want {
		t.Errorf("got  %s\nwant %s", said, want)
	}
	if said := termsInWords(catalog.Campaign{}); said != nil {
		t.Errorf("without terms: %v", said)
	}
}

func TestTheNextStepOfATask(t *testing.T) {
	yes, no := true, false
	joined := func(fields catalog.CampaignFields) catalog.Campaign {
		return catalog.Campaign{CampaignFields: fields, Participation: catalog.Joined}
	}
	drafts := catalog.CampaignFields{Tracking: &no, TrackPosts: &yes, RequireDraft: true}
	for name, c := range map[string]struct {
		view                taskView
		says                string
		links, draft, takes bool
		submit              bool
	}{
		"links only": {view: taskView{Campaign: joined(catalog.CampaignFields{Tracking: &yes, TrackPosts: &no}), Task: open(catalog.TaskOpen)},
			links: true, submit: true},
		"not in the campaign any more": {view: taskView{Campaign: catalog.Campaign{CampaignFields: drafts}, Task: open(catalog.TaskOpen)}},
		"submitted, nothing to post": {view: taskView{Campaign: joined(catalog.CampaignFields{Tracking: &no, TrackPosts: &no}), Task: open(catalog.TaskSubmitted)},
			says: "handed this in"},
		"a draft first": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskOpen)}, says: "draft first", draft: true, submit: true},
		"a draft that was returned": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskOpen), Drafts: []catalog.Draft{{Status: catalog.DraftReturned}}},
			says: "draft first", draft: true, submit: true},
		"a draft that waits": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskOpen), Drafts: []catalog.Draft{{Status: catalog.DraftWaiting}}},
			says: "waits", submit: true},
		"an approved draft": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskOpen), Drafts: []catalog.Draft{{Status: catalog.DraftApproved}}},
			says: "where it is", takes: true, submit: true},
		"an approved draft that became a post": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskOpen),
			Drafts: []catalog.Draft{{Status: catalog.DraftApproved, PostID: "pst_1"}}, Posts: []catalog.Post{{}}}, says: "is recorded", submit: true},
		"cancelled": {view: taskView{Campaign: joined(drafts), Task: open(catalog.TaskCancelled)}},
	} {
		c.view.decide()
		got := c.view
		if got.TakesLinks != c.links || got.NeedsDraft != c.draft || got.TakesPost != c.takes || got.MaySubmit != c.submit ||
			(c.says == "") != (got.NextStep == "") || !strings.Contains(got.NextStep, c.says) {
			t.Errorf("%s: links %v, draft %v, post %v, submit %v, says %q", name, got.TakesLinks, got.NeedsDraft, got.TakesPost, got.MaySubmit, got.NextStep)
		}
	}
}

func open(status string) catalog.Task {
	return catalog.Task{TaskFields: catalog.TaskFields{Status: status}}
}

func TestWording(t *testing.T) {
	for got, want := range map[string]string{
		signedMoney("2.50", "USD"): "+$2.50", signedMoney("-2.50", "USD"): "-$2.50", signedMoney("0.00", "EUR"): "€0.00",
		fractionInWords("1"): "All", fractionInWords("1/3"): "1/3", fractionInWords(""): "–", fractionInWords(attribution.Fraction{}): "–",
		bytesInWords(0): "0\u00a0B", bytesInWords(1_500): "1.5\u00a0kB", bytesInWords(256 << 20): "268\u00a0MB", bytesInWords(34_000_000_000): "34\u00a0GB",
		dayName("2027-01-31"): "31 Jan 2027", dayName("soon"): "soon", weekName("2027-01-31", time.Unix(0, 0)): "25 – 31 Jan 2027",
		sumOf("USD", "1.10", "", "-0.20"): "0.90", sumOf("JPY"): "0",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if missing := missingOf(catalog.Creator{CreatorFields: catalog.CreatorFields{Country: "TH", BirthYear: 2000}}); !slices.Equal(missing, []string{"categories", "gender", "social accounts"}) {
		t.Errorf("missing are %v", missing)
	}
}
