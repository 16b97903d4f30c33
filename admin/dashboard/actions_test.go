package dashboard

import (
	"html"
	"net/url"
	"regexp"
	"testing"
)

var csvAddress = regexp.MustCompile(`href="(/v1/reports/actions\?[^"]*)"`)

// TestFiltersCarryOverToTheFile sets each filter of the actions' page and reads the
// address of the same as a file.
func TestFiltersCarryOverToTheFile(t *testing.T) {
	o := newOffice(t, false)
	b := o.signedIn(o.ownKey)
	values := map[string]string{
		"state": "pending", "campaign_id": o.campaign, "creator_id": o.creator, "platform": "tiktok", "event": "sale", "referral": "code", "reason": "over_budget",
		"code": "MALI", "order_id": "o1", "from": "2027-01-01", "to": "2027-01-31", "payout_id": "pay_1", "conversion_id": o.conversion,
	}
	for _, name := range actionFilters {
		value, given := values[name]
		if !given {
			t.Errorf("the test sets no %s", name)
			continue
		}
		found := csvAddress.FindStringSubmatch(b.page("/actions?" + name + "=" + url.QueryEscape(value)))
		if found == nil {
			t.Fatalf("%s: the page has no file", name)
		}
		query := must(url.Parse(html.UnescapeString(found[1])))(t).Query()
		if name == "to" {
			value = "2027-02-01" // people include the last day, and the API does not
		}
		want := map[string]string{"format": "csv", "advertiser_id": o.advertiser, "tz": "Asia/Bangkok", name: value}
		for field, value := range want {
			if query.Get(field) != value {
				t.Errorf("with %s the file's %s is %q, want %q", name, field, query.Get(field), value)
			}
		}
		if len(query) != len(want) {
			t.Errorf("with %s the file is asked for with %v", name, query)
		}
	}
}
