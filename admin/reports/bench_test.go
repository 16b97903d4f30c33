package reports

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// What is stored before the benchmark of reports. The larger figures of the
// product's promise are
//
//	go test -run xxx -bench Reports -benchtime 100x -timeout 1h ./admin/reports -reports.clicks 50000000
var (
	benchClicks  = flag.Int("reports.clicks", 10_000_000, "clicks to store before the benchmark of reports")
	benchActions = flag.Int("reports.earned", 1_000_000, "actions to store before the benchmark of reports")
)

// benchPlaces is what has links: 2,000 of them, of 40 campaigns of 4 advertisers, with
// identifiers as long as real ones.
const benchPlaces = `
	concat('adv_', leftPad(toString(intDiv(link, 500)), 26, '0')) AS advertiser_id,
	concat('cmp_', leftPad(toString(intDiv(link, 50)), 26, '0')) AS campaign_id,
	concat('crt_', leftPad(toString(link % 300), 26, '0')) AS creator_id,
	concat('tsk_', leftPad(toString(intDiv(link, 2)), 26, '0')) AS task_id,
	concat('lnk_', leftPad(toString(link), 26, '0')) AS link_id,
	['instagram', 'tiktok', 'youtube', 'x', 'facebook'][1 + link % 5] AS platform, ['USD', 'EUR'][1 + intDiv(link, 50) % 2] AS currency,
	toDateTime64('2027-01-01 00:00:00.000', 3, 'UTC') + toIntervalMillisecond(intDiv(number * {span:UInt64}, {all:UInt64})) AS at
	FROM (SELECT number, cityHash64(number, 5) % 2000 AS link FROM numbers({from:UInt64}, {count:UInt64}))`

// makeClicks, makeActions and makeEntries store 30 days of them. An action's entries
// make it, and half of them lock it, make it payable and pay it.
const (
	makeClicks = `INSERT INTO clicks (advertiser_id, campaign_id, creator_id, task_id, link_id, platform, currency, time, click_id, verdict, is_unique,
		country, device, os, referrer_host, observed_platform, method, network, user_agent, visitor, node, seq)
	SELECT * EXCEPT (number, link), concat('click-', toString(number)),
		['valid', 'valid', 'valid', 'valid', 'valid', 'valid', 'bot', 'preview'][1 + cityHash64(number) % 8],
		cityHash64(number, 1) % 2, ['TH', 'US', 'JP', 'DE', 'BR'][1 + cityHash64(number, 2) % 5], ['phone', 'phone', 'desktop'][1 + number % 3],
		['iOS', 'Android', 'Windows'][1 + number % 3],
		['l.instagram.com', 't.co', '', 'www.youtube.com', 'lm.facebook.com'][1 + cityHash64(number, 3) % 5],
		['instagram', 'x', '', 'youtube', 'facebook'][1 + cityHash64(number, 3) % 5],
		'GET', '203.0.113.0/24', 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)', cityHash64(number, 4), 'bench', number
	FROM (SELECT number, link, ` + benchPlaces + `)`
	makeActions = `INSERT INTO actions (advertiser_id, campaign_id, creator_id, task_id, link_id, platform, currency, event_time, id, conversion_id, event,
		referral, credit, state, amount_minor, payout_minor, cost_minor, seq)
	SELECT * EXCEPT (number, link), concat('act_', leftPad(toString(number), 26, '0')), concat('cnv_', leftPad(toString(number - number % 2 * (number % 20 < 2)), 26, '0')),
		'sale', ['click', 'click', 'click', 'code'][1 + number % 4], if(number % 20 < 2, '1/2', '1'), if(number % 2 = 0, 'paid', 'pending'), 10000, 1000, 1500, 1
	FROM (SELECT number, link, ` + benchPlaces + `)`
	makeEntries = `INSERT INTO entries (advertiser_id, campaign_id, creator_id, task_id, link_id, platform, currency, event_time, action_id, event, referral, orders_nano,
		whole_orders, number, seq, at, from_state, to_state, amount_delta, payout_delta, cost_delta, amount_minor, payout_minor, cost_minor)
	SELECT * EXCEPT (number, link, step), concat('act_', leftPad(toString(number), 26, '0')), 'sale', ['click', 'click', 'click', 'code'][1 + number % 4],
		if(number % 20 < 2, 500000000, 1000000000), number % 20 >= 2, 4 * number + step, step, at + toIntervalHour(step),
		['', 'pending', 'locked', 'payable'][step], ['pending', 'locked', 'payable', 'paid'][step],
		if(step = 1, 10000, 0), if(step = 1, 1000, 0), if(step = 1, 1500, 0), 10000, 1000, 1500
	FROM (SELECT number, link, ` + benchPlaces + `) ARRAY JOIN if(number % 2 = 0, [1, 2, 3, 4], [1]) AS step`
)

const benchDays = 30

func fill(b *testing.B, conn driver.Conn, statement string, rows, batch int) {
	b.Helper()
	for from := 0; from < rows; from += batch {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(fmt.Sprintf("%.20s %d", statement, from))),
			clickhouse.WithParameters(clickhouse.Parameters{
				"span": fmt.Sprint((benchDays * 24 * time.Hour).Milliseconds()), "all": fmt.Sprint(rows),
				"from": fmt.Sprint(from), "count": fmt.Sprint(min(batch, rows-from)),
			}))
		if err := conn.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
}

// settle waits until ClickHouse has merged what it is going to.
func settle(b *testing.B, conn driver.Conn) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		var merges uint64
		if err := conn.QueryRow(context.Background(), "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			b.Fatal(err)
		}
		if merges == 0 {
			return
		}
	}
}

// BenchmarkReports asks what people ask, of many stored clicks and actions.
func BenchmarkReports(b *testing.B) {
	conn := schematest.Start(b)
	store(b, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	ask := func(question Question) func() error { return asking(b, reports, question) }
	oneClick := func() error { return nil }
	if *benchClicks > 0 {
		oneClick = askOneClick(b, conn, reports)
	}
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"campaigns", ask(Question{GroupBy: []string{"campaign"}})},
		{"platforms", ask(Question{GroupBy: []string{"platform"}})},
		{"days-in-Bangkok", ask(Question{GroupBy: []string{"day"}, TZ: "Asia/Bangkok"})},
		{"campaigns-of-a-week", ask(Question{GroupBy: []string{"campaign"}, From: "2027-01-11", To: "2027-01-18", TZ: "Asia/Bangkok"})},
		{"campaigns-compared", ask(Question{GroupBy: []string{"campaign"}, From: "2027-01-16", To: "2027-01-31", Compare: ComparePrevious})},
		{"campaign-by-day-in-Bangkok", ask(Question{GroupBy: []string{"campaign", "day"}, TZ: "Asia/Bangkok", Limit: 10_000})},
		{"links", ask(Question{GroupBy: []string{"link"}})},
		{"campaigns-as-of", ask(Question{GroupBy: []string{"campaign"}, AsOf: "2027-01-20T12:34:56Z"})},
		{"countries", ask(Question{GroupBy: []string{"country"}})},
		{"link-referrer-day-in-Kolkata", ask(Question{GroupBy: []string{"link", "referrer", "day"}, TZ: "Asia/Kolkata"})},
		{"one-click", oneClick},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, func() {}, c.ask) })
	}
}

// store makes what is asked about.
func store(b *testing.B, conn driver.Conn) {
	b.Helper()
	fill(b, conn, makeClicks, *benchClicks, 100_000)
	fill(b, conn, makeActions, *benchActions, 100_000)
	fill(b, conn, makeEntries, *benchActions, 100_000)
	if err := schema.SumActions(context.Background(), conn); err != nil {
		b.Fatal(err)
	}
	settle(b, conn)
}

// asking is a question, asked on the day after the last click.
func asking(b *testing.B, reports *Reports, question Question) func() error {
	b.Helper()
	now := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	query, err := NewQuery(Scope{All: true}, question, now)
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		report, err := reports.Performance(context.Background(), query, now)
		if err == nil && len(report.Rows) == 0 {
			err = fmt.Errorf("no rows")
		}
		return err
	}
}

// askOneClick asks for the click in the middle.
func askOneClick(b *testing.B, conn driver.Conn, reports *Reports) func() error {
	b.Helper()
	var key ClickKey
	var at time.Time
	err := conn.QueryRow(context.Background(), "SELECT click_id, advertiser_id, campaign_id, link_id, time FROM clicks WHERE seq = ?", *benchClicks/2).
		Scan(&key.ClickID, &key.AdvertiserID, &key.CampaignID, &key.LinkID, &at)
	if err != nil {
		b.Fatal(err)
	}
	key.AtMs = at.UnixMilli()
	return func() error {
		click, err := reports.Click(context.Background(), key)
		if err == nil && click == nil {
			err = fmt.Errorf("the click is not there")
		}
		return err
	}
}

// measure asks again and again, each time after preparations that do not count.
func measure(b *testing.B, prepare func(), ask func() error) {
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		prepare()
		b.StartTimer()
		began := time.Now()
		if err := ask(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	report := func(name string, at time.Duration) { b.ReportMetric(float64(at.Microseconds())/1000, name) }
	report("median-ms", took[len(took)/2])
	report("p95-ms", took[len(took)*95/100])
	report("worst-ms", took[len(took)-1])
}
