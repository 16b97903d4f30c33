package reports

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	"tributary/attribution"
	"tributary/schema"
	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// A stored click of the test data, and what an independent count needs of it.
type stored struct {
	id, advertiser, campaign, creator, task, link, platform, currency, verdict, country, device, referrer, observed string
	at                                                                                                              time.Time
	unique                                                                                                          bool
}

var verdictNames = []string{"valid", "valid", "valid", "valid", "bot", "preview", "test", "probe", "prefetch", "datacenter", "rate"}

// generate draws clicks around clock changes and month ends.
func generate(n int) []stored {
	random := rand.New(rand.NewPCG(7, 11))
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	start := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	clicks := make([]stored, n)
	for i := range clicks {
		campaign := random.IntN(6)
		task := campaign*10 + random.IntN(5)
		verdict := pick(verdictNames)
		clicks[i] = stored{
			id:         fmt.Sprintf("click-%06d", i),
			advertiser: fmt.Sprintf("adv_%d", campaign/3),
			campaign:   fmt.Sprintf("cmp_%d", campaign),
			creator:    fmt.Sprintf("crt_%d", task%7),
			task:       fmt.Sprintf("tsk_%d", task),
			link:       fmt.Sprintf("lnk_%d", task*2+random.IntN(2)),
			platform:   []string{"instagram", "tiktok", "youtube"}[task%3],
			currency:   []string{"USD", "JPY", "KWD"}[campaign%3],
			verdict:    verdict,
			country:    pick([]string{"TH", "US", "", "it's", `back\slash`}),
			device:     pick([]string{"phone", "desktop"}),
			referrer:   pick([]string{"l.instagram.com", "t.co", ""}),
			observed:   pick([]string{"", "", "instagram", "tiktok", "x"}),
			at:         start.Add(time.Duration(random.Int64N(int64(20 * 24 * time.Hour)))).Truncate(time.Millisecond),
			unique:     verdict == "valid" && random.IntN(2) == 0,
		}
	}
	return clicks
}

func insert(t *testing.T, conn driver.Conn, clicks []stored) {
	t.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name())))
	batch, err := conn.PrepareBatch(ctx, `INSERT INTO clicks (click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id,
		platform, currency, verdict, is_unique, country, device, referrer_host, observed_platform, reasons, method)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clicks {
		if err := batch.Append(c.id, c.at, c.advertiser, c.campaign, c.creator, c.task, c.link, c.platform, c.currency, c.verdict,
			uint8(bit(c.unique)), c.country, c.device, c.referrer, c.observed, []string{}, "GET"); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// The independent count: a second reading of the definitions, in plain Go.

func (c *stored) key(dimension string, zone *time.Location) string {
	local := c.at.In(zone)
	switch dimension {
	case "campaign":
		return c.campaign
	case "creator":
		return c.creator
	case "task":
		return c.task
	case "link":
		return c.link
	case "platform":
		return c.platform
	case "country":
		return c.country
	case "device":
		return c.device
	case "referrer":
		return c.referrer
	case "observed_platform":
		return c.observed
	case "day":
		return local.Format("2006-01-02")
	case "month":
		return local.Format("2006-01")
	case "week":
		return local.AddDate(0, 0, -(int(local.Weekday())+6)%7).Format("2006-01-02")
	case "hour":
		into := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
		return local.Add(-into).Format(time.RFC3339)
	}
	panic(dimension)
}

func (c *stored) counts() map[string]uint64 {
	counts := map[string]uint64{"hits": 1}
	if c.verdict == "valid" {
		counts["clicks"] = 1
		if c.unique {
			counts["unique_clicks"] = 1
		}
		if c.observed != "" && c.observed != c.platform {
			counts["platform_mismatch_clicks"] = 1
		}
	} else {
		counts["invalid_clicks"], counts["invalid_"+c.verdict] = 1, 1
	}
	return counts
}

func recount(clicks []stored, groupBy []string, zone *time.Location, keep func(*stored) bool) map[string]map[string]uint64 {
	groups := map[string]map[string]uint64{}
	for i := range clicks {
		c := &clicks[i]
		if !keep(c) {
			continue
		}
		var key []string
		for _, d := range groupBy {
			key = append(key, c.key(d, zone))
		}
		name := strings.Join(append(key, c.currency), "|")
		if groups[name] == nil {
			groups[name] = map[string]uint64{}
		}
		for column, n := range c.counts() {
			groups[name][column] += n
		}
	}
	return groups
}

func answered(rows []Row) map[string]map[string]uint64 {
	groups := map[string]map[string]uint64{}
	for i := range rows {
		name := strings.Join(append(slices.Clone(rows[i].Keys), rows[i].Currency), "|")
		groups[name] = map[string]uint64{}
		for _, c := range Definitions() {
			if figure := rows[i].figure(c.Name); c.of == ofClicks && figure != 0 {
				groups[name][c.Name] = uint64(figure)
			}
		}
	}
	return groups
}

type noAgencies struct{}

func (noAgencies) AgencyCampaigns(context.Context, string) ([]string, error) { return nil, nil }

type upToDate struct{}

func (upToDate) DataThrough(now time.Time) time.Time { return now.Add(-180 * time.Millisecond) }

var reportTime = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestFiguresEqualAnIndependentCount(t *testing.T) {
	conn := schematest.Start(t)
	clicks := generate(20_000)
	insert(t, conn, clicks)
	reports := New(conn, upToDate{}, noAgencies{})
	for _, c := range []struct {
		question Question
		scope    Scope
		keep     func(*stored) bool
	}{
		{question: Question{GroupBy: []string{"campaign"}}},
		{question: Question{GroupBy: []string{"platform"}}, scope: Scope{AdvertiserID: "adv_1"}, keep: func(c *stored) bool { return c.advertiser == "adv_1" }},
		{question: Question{GroupBy: []string{"task", "platform"}}, scope: Scope{CreatorID: "crt_3"}, keep: func(c *stored) bool { return c.creator == "crt_3" }},
		{question: Question{GroupBy: []string{"day"}, TZ: "Asia/Kolkata"}},
		{question: Question{GroupBy: []string{"day", "campaign"}, TZ: "America/New_York"}},
		{question: Question{GroupBy: []string{"hour"}, TZ: "America/New_York", Limit: 5000}},
		{question: Question{GroupBy: []string{"hour"}, TZ: "Asia/Kathmandu", Limit: 5000}},
		{question: Question{GroupBy: []string{"week"}, TZ: "Australia/Lord_Howe"}},
		{question: Question{GroupBy: []string{"month"}, TZ: "Pacific/Chatham"}},
		{question: Question{GroupBy: []string{"link", "referrer", "day"}, TZ: "Asia/Kolkata", Limit: 100_000}},
		{question: Question{GroupBy: []string{"country", "device"}}},
		{question: Question{GroupBy: []string{"platform", "observed_platform"}}},
		{
			question: Question{GroupBy: []string{"campaign"}, Filters: map[string][]string{"country": {"it's", `back\slash`}}},
			keep:     func(c *stored) bool { return c.country == "it's" || c.country == `back\slash` },
		},
		{
			question: Question{GroupBy: []string{"creator"}, Filters: map[string][]string{"platform": {"tiktok"}, "campaign_id": {"cmp_1", "cmp_2"}}},
			keep: func(c *stored) bool {
				return c.platform == "tiktok" && (c.campaign == "cmp_1" || c.campaign == "cmp_2")
			},
		},
		{ // days of a zone, read from the rollup
			question: Question{GroupBy: []string{"campaign"}, From: "2026-10-25", To: "2026-10-26", TZ: "Europe/Berlin"},
			keep: func(c *stored) bool {
				return !c.at.Before(time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC)) && c.at.Before(time.Date(2026, 10, 25, 23, 0, 0, 0, time.UTC))
			},
		},
		{ // a period off the rollup's steps: its ends are read from the rows
			question: Question{GroupBy: []string{"campaign"}, From: "2026-10-25T00:00:00.007Z", To: "2026-10-25T13:07:00Z"},
			keep: func(c *stored) bool {
				return !c.at.Before(time.Date(2026, 10, 25, 0, 0, 0, 7e6, time.UTC)) && c.at.Before(time.Date(2026, 10, 25, 13, 7, 0, 0, time.UTC))
			},
		},
		{ // one within a step
			question: Question{GroupBy: []string{"campaign"}, From: "2026-10-25T00:01:00Z", To: "2026-10-25T00:14:00Z"},
			keep: func(c *stored) bool {
				return !c.at.Before(time.Date(2026, 10, 25, 0, 1, 0, 0, time.UTC)) && c.at.Before(time.Date(2026, 10, 25, 0, 14, 0, 0, time.UTC))
			},
		},
		{ // what was received by a time
			question: Question{GroupBy: []string{"link"}, AsOf: "2026-10-27T13:07:11.250Z"},
			keep:     func(c *stored) bool { return !c.at.After(time.Date(2026, 10, 27, 13, 7, 11, 250e6, time.UTC)) },
		},
	} {
		name := fmt.Sprintf("%v %s %v", c.question.GroupBy, c.question.TZ, c.question.Filters)
		if c.scope == (Scope{}) {
			c.scope.All = true
		}
		query, err := NewQuery(c.scope, c.question, reportTime)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		report, err := reports.Performance(t.Context(), query, reportTime)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		keep := c.keep
		if keep == nil {
			keep = func(*stored) bool { return true }
		}
		zone := time.UTC
		if c.question.TZ != "" {
			zone, _ = time.LoadLocation(c.question.TZ)
		}
		want := recount(clicks, c.question.GroupBy, zone, keep)
		if got := answered(report.Rows); !maps.EqualFunc(got, want, maps.Equal) {
			t.Errorf("%s: the report differs from the count\n%s", name, difference(got, want))
		}
		wantTotals := recount(clicks, nil, zone, keep)
		if got := answered(report.Totals); !maps.EqualFunc(got, wantTotals, maps.Equal) {
			t.Errorf("%s: the totals differ from the count\n%s", name, difference(got, wantTotals))
		}
		if report.Lag != 180*time.Millisecond || report.Truncated {
			t.Errorf("%s: lag %v, truncated %v", name, report.Lag, report.Truncated)
		}
	}
}

func difference(got, want map[string]map[string]uint64) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !maps.Equal(got[key], want[key]) {
			lines = append(lines, fmt.Sprintf("%s: got %v, want %v", key, got[key], want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] == nil {
			lines = append(lines, fmt.Sprintf("%s: got %v, want none", key, got[key]))
		}
	}
	return strings.Join(lines[:min(5, len(lines))], "\n")
}

func TestLimitAndSort(t *testing.T) {
	conn := schematest.Start(t)
	insert(t, conn, generate(2_000))
	query, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"link"}, Sort: "-unique_clicks", Limit: 7}, reportTime)
	if err != nil {
		t.Fatal(err)
	}
	report, err := New(conn, upToDate{}, noAgencies{}).Performance(t.Context(), query, reportTime)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 7 || !report.Truncated {
		t.Fatalf("%d rows, truncated %v; want 7, true", len(report.Rows), report.Truncated)
	}
	if !slices.IsSortedFunc(report.Rows, func(a, b Row) int { return int(b.figure("unique_clicks") - a.figure("unique_clicks")) }) {
		t.Error("rows are not in falling order of unique clicks")
	}
	var file bytes.Buffer
	if err := report.WriteFile(&file, admin.FormatCSV); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(file.String()), "\n")
	if len(lines) != 8 || !strings.HasPrefix(lines[0], "link_id,currency,hits,clicks,unique_clicks,invalid_clicks,invalid_test") {
		t.Errorf("the file has %d lines and begins %q", len(lines), lines[0])
	}
}

func TestNobodysScopeSeesNothing(t *testing.T) {
	conn := schematest.Start(t)
	insert(t, conn, generate(100))
	reports := New(conn, upToDate{}, noAgencies{})
	query, err := NewQuery(Scope{}, Question{GroupBy: []string{"campaign"}}, reportTime)
	if err != nil {
		t.Fatal(err)
	}
	report, err := reports.Performance(t.Context(), query, reportTime)
	if err != nil || len(report.Rows) != 0 || len(report.Totals) != 0 {
		t.Errorf("%d rows and %d totals, %v; want none", len(report.Rows), len(report.Totals), err)
	}
	page, err := reports.Clicks(t.Context(), Scope{}, ClickQuestion{}, reportTime)
	if err != nil || len(page.Clicks) != 0 {
		t.Errorf("%d clicks, %v; want none", len(page.Clicks), err)
	}
}

func TestBadQuestionsNameEveryField(t *testing.T) {
	_, err := NewQuery(Scope{}, Question{
		GroupBy: []string{"campaign", "campaign", "nonsense"}, From: "yesterday", To: "2026-13-01", TZ: "Mars/Olympus",
		Filters: map[string][]string{"day": {"1"}, "nothing": {"1"}}, Sort: "-shoe_size", Limit: -1,
	}, reportTime)
	problem, ok := attribution.AsProblem(err)
	if !ok {
		t.Fatalf("got %v, want a Problem", err)
	}
	var locations []string
	for _, f := range problem.Fields {
		locations = append(locations, f.Location)
	}
	for _, want := range []string{"query.group_by", "query.from", "query.to", "query.tz", "query.day", "query.nothing", "query.sort", "query.limit"} {
		if !slices.Contains(locations, want) {
			t.Errorf("%s is not named in %v", want, locations)
		}
	}
}

func TestClicksAreListedNewestFirst(t *testing.T) {
	conn := schematest.Start(t)
	clicks := generate(700)
	insert(t, conn, clicks)
	reports := New(conn, upToDate{}, noAgencies{})
	question := ClickQuestion{Filters: map[string][]string{"verdict": {"valid", "bot"}}, Limit: 100}
	var got []string
	for {
		page, err := reports.Clicks(t.Context(), Scope{AdvertiserID: "adv_0"}, question, reportTime)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Clicks {
			got = append(got, c.ClickID)
		}
		if question.Cursor = page.NextCursor; question.Cursor == "" {
			break
		}
	}
	slices.SortFunc(clicks, func(a, b stored) int {
		if order := b.at.Compare(a.at); order != 0 {
			return order
		}
		return strings.Compare(b.id, a.id)
	})
	var want []string
	for _, c := range clicks {
		if c.advertiser == "adv_0" && (c.verdict == "valid" || c.verdict == "bot") {
			want = append(want, c.id)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d clicks were listed, want %d in order", len(got), len(want))
	}
	if _, err := reports.Clicks(t.Context(), Scope{}, ClickQuestion{Cursor: "nonsense"}, reportTime); err == nil {
		t.Error("a made-up cursor was accepted")
	}
}

func TestOneClickByItsKey(t *testing.T) {
	conn := schematest.Start(t)
	clicks := generate(50)
	insert(t, conn, clicks)
	reports := New(conn, upToDate{}, noAgencies{})
	want := clicks[17]
	key := ClickKey{ClickID: want.id, AdvertiserID: want.advertiser, CampaignID: want.campaign, LinkID: want.link, AtMs: want.at.UnixMilli()}
	got, err := reports.Click(t.Context(), key)
	if err != nil || got == nil || got.ClickID != want.id || got.Time != attribution.InstantOf(want.at) || got.Unique != want.unique {
		t.Errorf("got %+v, %v", got, err)
	}
	key.ClickID = "another"
	if got, err := reports.Click(t.Context(), key); got != nil || err != nil {
		t.Errorf("a click that is not stored: %+v, %v", got, err)
	}
}
