package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/schema/schematest"
)

func TestThePeriodBefore(t *testing.T) {
	for _, c := range []struct{ from, to, zone, want string }{
		{"2027-03-01", "2027-04-01", "", "2027-02-01T00:00:00Z"},                                 // a month
		{"2027-01-01", "2027-04-01", "", "2026-10-01T00:00:00Z"},                                 // a quarter
		{"2027-01-01", "2028-01-01", "", "2026-01-01T00:00:00Z"},                                 // a year
		{"2027-03-01", "2027-03-08", "", "2027-02-22T00:00:00Z"},                                 // a week
		{"2027-03-02", "2027-04-02", "", "2027-01-30T00:00:00Z"},                                 // 31 days, no calendar month
		{"2026-11-01", "2026-11-02", "America/New_York", "2026-10-31T00:00:00-04:00"},            // a day of 25 hours
		{"2026-10-26", "2026-11-02", "Europe/Berlin", "2026-10-19T00:00:00+02:00"},               // clocks were set back in between
		{"2026-04-05", "2026-04-06", "Australia/Lord_Howe", "2026-04-04T00:00:00+11:00"},         // set back by half an hour
		{"2026-09-07", "2026-09-08", "America/Santiago", "2026-09-06T01:00:00-03:00"},            // the day before begins at one o'clock
		{"2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z", "Asia/Kolkata", "2027-01-29T00:00:00Z"}, // whole months elsewhere
		{"2027-03-01T00:00:00+05:30", "2027-04-01T00:00:00+05:30", "Asia/Kolkata", "2027-02-01T00:00:00+05:30"},
		{"2027-03-01T10:00:00Z", "2027-03-01T16:30:00Z", "", "2027-03-01T03:30:00Z"},
	} {
		query, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"campaign"}, From: c.from, To: c.to, TZ: c.zone, Compare: ComparePrevious}, muchLater)
		must(t, err)
		want, err := time.Parse(time.RFC3339, c.want)
		must(t, err)
		if got := query.previous(); !got.from.Equal(want) || !got.to.Equal(query.from) {
			t.Errorf("before %s to %s (%s) are %v to %v, want %s", c.from, c.to, c.zone, got.from, got.to, c.want)
		}
	}
}

func TestStepsStandBesideThoseOfThePeriodBefore(t *testing.T) {
	for _, c := range []struct{ from, to, zone, grouping, key, want string }{
		{"2027-03-01", "2027-04-01", "", "day", "2027-02-03", "2027-03-03"},
		{"2027-02-01", "2027-03-01", "", "day", "2027-01-28", "2027-02-28"},
		{"2027-02-01", "2027-03-01", "", "day", "2027-01-29", ""}, // February has no 29th day
		{"2027-01-01", "2027-04-01", "", "month", "2026-11", "2027-02"},
		{"2027-02-01", "2027-03-01", "", "week", "2026-12-28", "2027-02-01"}, // the week January begins in
		{"2027-02-01", "2027-03-01", "", "week", "2027-01-25", ""},
		{"2026-11-01", "2026-11-02", "America/New_York", "hour", "2026-10-31T13:00:00-04:00", "2026-11-01T13:00:00-05:00"},
		{"2026-11-02", "2026-11-03", "America/New_York", "hour", "2026-11-01T01:00:00-04:00", "2026-11-02T01:00:00-05:00"},
		{"2026-11-02", "2026-11-03", "America/New_York", "hour", "2026-11-01T01:00:00-05:00", ""}, // the second one o'clock
		{"2027-03-14", "2027-03-15", "America/New_York", "hour", "2027-03-13T02:00:00-05:00", ""}, // clocks were set forward over it
		{"2027-03-14", "2027-03-15", "America/New_York", "hour", "2027-03-13T03:00:00-05:00", "2027-03-14T03:00:00-04:00"},
		{"2027-02-01", "2027-03-01", "Asia/Kathmandu", "hour", "2027-01-28T23:00:00+05:45", "2027-02-28T23:00:00+05:45"},
		{"2027-03-01T10:00:00Z", "2027-03-01T16:30:00Z", "", "hour", "2027-03-01T04:00:00Z", "2027-03-01T11:00:00Z"},
		{"2027-03-01T10:00:00Z", "2027-03-01T16:30:00Z", "", "day", "2027-03-01", "2027-03-01"},
		{"2027-03-01", "2027-04-01", "", "campaign", "cmp_1", "cmp_1"},
	} {
		query, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{c.grouping}, From: c.from, To: c.to, TZ: c.zone, Compare: ComparePrevious}, muchLater)
		must(t, err)
		if got, met := query.counterpart(query.groupBy[0], c.key, query.previous()); got != c.want || met != (c.want != "") {
			t.Errorf("beside the %s %s before %s to %s (%s) is %q, want %q", c.grouping, c.key, c.from, c.to, c.zone, got, c.want)
		}
	}
}

// A comparison says of both periods what each says when it is asked for itself.
func TestAComparisonIsTwoReportsSideBySide(t *testing.T) {
	conn := schematest.Start(t)
	insert(t, conn, generate(5_000))
	insertActions(t, conn, generateActions(3_000))
	reports := New(conn, upToDate{}, noAgencies{})
	answer := func(q Question) *Report {
		query, err := NewQuery(Scope{All: true}, q, reportTime)
		must(t, err)
		report, err := reports.Performance(t.Context(), query, reportTime)
		must(t, err)
		return report
	}
	for _, c := range []struct {
		question Question
		previous string
	}{
		{Question{GroupBy: []string{"campaign"}, From: "2026-11-01", To: "2026-12-01"}, "2026-10-01"},
		{Question{GroupBy: []string{"task", "day"}, From: "2026-10-26", To: "2026-11-02", TZ: "America/New_York", Sort: "-payout", Limit: 5_000}, "2026-10-19"},
		{Question{GroupBy: []string{"hour"}, From: "2026-11-01", To: "2026-11-02", TZ: "America/New_York"}, "2026-10-31"},
		{Question{GroupBy: []string{"code", "event"}, From: "2026-10-29T07:01:00Z", To: "2026-11-01T09:00:00Z", AsOf: "2026-11-02T00:00:00Z", Sort: "event"}, "2026-10-26T05:02:00Z"},
		{Question{GroupBy: []string{"day"}, From: "2026-11-01", To: "2026-12-01", TZ: "Asia/Kolkata", Sort: "-clicks"}, "2026-10-01"},
	} {
		compared := c.question
		compared.Compare = ComparePrevious
		before := c.question
		before.From, before.To = c.previous, c.question.From
		both, now, past := answer(compared), answer(c.question), answer(before)
		figures := func(report *Report, row *Row) string {
			values := map[string]any{}
			for _, name := range Columns() {
				values[name] = report.Value(row, name)
			}
			text, err := json.Marshal(values)
			must(t, err)
			return string(text)
		}
		want := map[string]string{}
		list := func(prefix string, report *Report, rows []Row) {
			for i := range rows {
				want[fmt.Sprint(prefix, rows[i].Keys, rows[i].Currency)] = figures(report, &rows[i])
			}
		}
		list("now ", now, now.Rows)
		list("now totals ", now, now.Totals)
		list("past ", past, past.Rows)
		list("past totals ", past, past.Totals)
		empty := figures(both, &Row{Currency: "USD"})
		check := func(part string, rows []Row) {
			for i := range rows {
				row := &rows[i]
				for prefix, r := range map[string]*Row{"now ": row, "past ": row.Previous} {
					name, got := fmt.Sprint(prefix, part, r.Keys, r.Currency), figures(both, r)
					if expected, there := want[name]; there && r.figures != nil {
						if got != expected {
							t.Errorf("%v: %s: got %s, want %s", c.question, name, got, expected)
						}
						delete(want, name)
					} else if r.Currency == "USD" && got != empty {
						t.Errorf("%v: %s is %s, and should be nothing", c.question, name, got)
					}
				}
			}
		}
		check("", both.Rows)
		check("totals ", both.Totals)
		for name := range want {
			t.Errorf("%v: %s is missing", c.question, name)
		}
		query, err := NewQuery(Scope{All: true}, compared, reportTime)
		must(t, err)
		if !slices.IsSortedFunc(both.Rows, func(a, b Row) int { return query.inOrder(query.groupBy, &a, &b) }) {
			t.Errorf("%v: the rows are not in order", c.question)
		}
	}
}

func TestChangeIsOfThePreviousFigure(t *testing.T) {
	row := func(currency string, figures map[string]int64) *Row {
		r := &Row{Currency: currency, figures: make([]int64, len(columns))}
		for name, figure := range figures {
			r.figures[figureIndex[name]] = figure
		}
		return r
	}
	report := &Report{known: ofAll}
	now := row("USD", map[string]int64{"clicks": 150, "payout": 500, "unique_clicks": 100, "actions": 4, "hits": 9, hidden: 0})
	now.Previous = row("USD", map[string]int64{"clicks": 100, "payout": -1_000, "unique_clicks": 50, "actions": 4, "cost": 7})
	for name, want := range map[string]any{
		"clicks": "0.5000", "payout": "1.5000", "conversion_rate": "-0.5000", "actions": "0.0000", "hits": nil, "cost": "-1.0000", "epc": "1.3333", "roas": nil,
	} {
		if got := report.Change(now, name); got != want {
			t.Errorf("%s has changed by %v, want %v", name, got, want)
		}
	}
	now.Previous.figures[figureIndex[hidden]] = 1
	if got := report.Change(now, "payout"); got != nil {
		t.Errorf("the change %v tells a hidden payout", got)
	}
}

func TestAComparisonOverTheAPIAndAsAFile(t *testing.T) {
	o := newOffice(t)
	const path = "/v1/reports/performance?group_by=day&from=2026-11-01&to=2026-12-01&compare=previous&columns=clicks,conversion_rate"
	_, body := o.get(o.ownKey, path)
	var report struct {
		Rows, Totals []map[string]any
		Compared     map[string]string
	}
	must(t, json.Unmarshal(body, &report))
	want := `[{"change":{"clicks":null,"conversion_rate":null},"clicks":1,"conversion_rate":"0.0000","currency":"USD","day":"2026-11-20",` +
		`"previous":{"clicks":0,"conversion_rate":null,"day":null}}]`
	if got, err := json.Marshal(report.Rows); err != nil || string(got) != want {
		t.Errorf("rows are %s (%v), want %s", got, err, want)
	}
	if report.Compared["previous_from"] != "2026-10-01T00:00:00.000Z" || len(report.Totals) != 1 || report.Totals[0]["previous"] == nil {
		t.Errorf("compared is %v, totals %v", report.Compared, report.Totals)
	}
	_, file := o.get(o.ownKey, path+"&format=csv")
	records, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	must(t, err)
	header := "day,currency,clicks,conversion_rate,previous_day,previous_clicks,previous_conversion_rate,change_clicks,change_conversion_rate"
	if strings.Join(records[0], ",") != header || strings.Join(records[1], ",") != "2026-11-20,USD,1,0.0000,,0,,," {
		t.Errorf("the file is %q", records)
	}
	response, book := o.get(o.ownKey, path+"&format=xlsx")
	if !bytes.HasPrefix(book, []byte("PK")) || !strings.Contains(response.Header.Get("Content-Disposition"), "report-performance.xlsx") {
		t.Errorf("the workbook begins %.4q, %q", book, response.Header.Get("Content-Disposition"))
	}
}

func TestBadComparisonsAndTimesAreRefused(t *testing.T) {
	for _, c := range []struct {
		question Question
		want     string
	}{
		{Question{GroupBy: []string{"campaign"}, Compare: "previous"}, "query.from"},
		{Question{GroupBy: []string{"campaign"}, Compare: "yesterday", From: "2026-11-01"}, "query.compare"},
		{Question{GroupBy: []string{"day", "hour"}, Compare: "previous", From: "2026-11-01T10:00:00Z"}, "query.compare"},
		{Question{GroupBy: []string{"campaign"}, AsOf: "2026-11-21T00:00:00Z"}, "query.as_of"},
		{Question{GroupBy: []string{"campaign"}, AsOf: "2026-11-01"}, "query.as_of"},
		{Question{GroupBy: []string{"campaign"}, Columns: []string{"clicks", "shared_conversions"}}, "query.columns"},
	} {
		_, err := NewQuery(Scope{All: true}, c.question, reportTime)
		problem, ok := attribution.AsProblem(err)
		if !ok || len(problem.Fields) != 1 || problem.Fields[0].Location != c.want {
			t.Errorf("%v: got %v, want %s", c.question, err, c.want)
		}
	}
}

func TestFilesHaveEveryRow(t *testing.T) {
	conn := schematest.Start(t)
	insert(t, conn, generate(500))
	query, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"link", "day"}}, reportTime)
	must(t, err)
	report, err := New(conn, upToDate{}, noAgencies{}).Performance(t.Context(), query, reportTime)
	must(t, err)
	var file bytes.Buffer
	must(t, report.WriteFile(&file, admin.FormatCSV))
	records, err := csv.NewReader(&file).ReadAll()
	must(t, err)
	if len(records) != len(report.Rows)+1 || len(records[0]) != 3+len(Columns()) {
		t.Errorf("%d records of %d fields, want %d of %d", len(records), len(records[0]), len(report.Rows)+1, 3+len(Columns()))
	}
}
