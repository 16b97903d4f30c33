package dashboard

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/ledger"
)

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		value, currency any
		want            string
	}{
		{"1234567.50", "USD", "$1,234,567.50"}, {"-0.05", "EUR", "-€0.05"}, {"500", "JPY", "¥500"}, {"12.345", "KWD", "KWD\u00a012.345"},
		{"999", "THB", "THB\u00a0999"}, {nil, "USD", "–"}, {"", "USD", "–"}, {(*string)(nil), "USD", "–"}, {new("1000"), new("USD"), "$1,000"},
		{attribution.Decimal("7"), "GBP", "£7.00"}, {"9007199254740993.01", "USD", "$9,007,199,254,740,993.01"},
	} {
		if got := money(c.value, c.currency); got != c.want {
			t.Errorf("money(%v, %v) = %q, want %q", c.value, c.currency, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	for rate, want := range map[string]string{"0.10": "10%", "0.0312": "3.12%", "1": "100%", "0.000001": "0.0001%", "-0.5": "-50%", "12.5": "1,250%", "0": "0%"} {
		if got := percent(rate); got != want {
			t.Errorf("percent(%s) = %s, want %s", rate, got, want)
		}
	}
	if got := times("5.0923"); got != "5.09×" {
		t.Errorf("times: %s", got)
	}
	for _, c := range []struct {
		part, whole any
		want        string
	}{{uint64(1), uint64(3), "33.33"}, {"417.91", "1000.00", "41.79"}, {"5", "0", "0"}, {"5", "1", "100"}, {"-5", "1", "0"}, {nil, "1", "0"}} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("share(%v, %v) = %s, want %s", c.part, c.whole, got, c.want)
		}
	}
}

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		now, before any
		want        change
	}{
		{uint64(112), uint64(100), change{Percent: "12%", Up: true}}, {"99.00", "100.00", change{Percent: "1.0%"}}, {uint64(5), uint64(0), change{}},
		{uint64(0), uint64(0), change{None: true}}, {"7", "7", change{Percent: "0.0%", None: true}}, {uint64(5000), uint64(1), change{Percent: ">999%", Up: true}}, {nil, "3", change{}},
	} {
		if got := changeOf(c.now, c.before); got != c.want {
			t.Errorf("from %v to %v: %+v, want %+v", c.before, c.now, got, c.want)
		}
	}
}

func TestPeriods(t *testing.T) {
	berlin := must(time.LoadLocation("Europe/Berlin"))(t)
	now := time.Date(2027, 4, 2, 23, 30, 0, 0, time.UTC) // the next day in Berlin, after a clock change
	for query, want := range map[string]string{
		"":             "2027-03-05 2027-04-04 30 day",
		"period=today": "2027-04-03 2027-04-04 1 hour",
		"period=month": "2027-04-01 2027-04-04 3 day",
		"period=year":  "2027-01-01 2027-04-04 93 day",
		"period=custom&from=2026-01-01&to=2026-12-31": "2026-01-01 2027-01-01 365 week",
		"period=last_month":                           "2027-03-01 2027-04-01 31 day",
		"period=custom&from=1900-01-01&to=2026-12-31": "2027-03-05 2027-04-04 30 day",
	} {
		values := must(url.ParseQuery(query))(t)
		p := readPeriod(values, now, berlin)
		got := strings.Join([]string{p.From.Format(time.DateOnly), p.To.Format(time.DateOnly), count(p.Days()), p.Grouping()}, " ")
		if got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
		if before := p.Before(); p.months() == 0 && before.Days() != p.Days() || before.months() != p.months() || !before.To.Equal(p.From) {
			t.Errorf("%q: before it are %s", query, before.Dates())
		}
		if p.From.Hour() != 0 || p.To.Hour() != 0 {
			t.Errorf("%q does not begin and end at midnight", query)
		}
		kept := url.Values{}
		p.keepIn(kept)
		if again := readPeriod(kept, now, berlin); !again.From.Equal(p.From) || !again.To.Equal(p.To) {
			t.Errorf("%q is kept as %s", query, kept.Encode())
		}
	}
	day := readPeriod(url.Values{"period": {"custom"}, "from": {"2027-03-28"}, "to": {"2027-03-28"}}, now, berlin)
	if n := len(day.steps()); n != 23 {
		t.Errorf("the day the clock is set forward has %d hours", n)
	}
}

func TestOwed(t *testing.T) {
	v := &visit{Zone: must(time.LoadLocation("Asia/Bangkok"))(t)}
	at := func(day int) attribution.Instant {
		return attribution.InstantOf(time.Date(2027, 1, day, 0, 0, 0, 0, v.Zone))
	}
	dues := []ledger.Due{{Currency: "EUR", State: ledger.Held, Minor: 100}, {Currency: "USD", State: ledger.Pending, Minor: 7}}
	for day := 9; day > 1; day-- {
		dues = append(dues, ledger.Due{Currency: "USD", State: ledger.Locked, PayAt: at(day), Minor: 10, Actions: 1}, ledger.Due{Currency: "USD", State: ledger.Pending, PayAt: at(day), Minor: 1})
	}
	all := owedOf(dues, v)
	if len(all) != 2 || all[0].Held != "1.00" || all[0].Total != "0.00" {
		t.Fatalf("%+v", all)
	}
	usd := all[1]
	if usd.Total != "0.95" || usd.Locked != "0.80" || usd.Unscheduled != "0.07" || len(usd.Next) != maxDueDays {
		t.Errorf("%+v", usd)
	}
	first, last := usd.Next[0], usd.Next[maxDueDays-1]
	if first.Day.Format(time.DateOnly) != "2027-01-02" || first.Sum != "0.11" || first.Certain != "0.10" || !last.Later || last.Sum != "0.44" {
		t.Errorf("%+v … %+v", first, last)
	}
}
