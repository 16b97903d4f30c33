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

var benchClicks = flag.Int("reports.clicks", 10_000_000, "clicks to store before the benchmark of reports")

// generateInside fills clicks from within ClickHouse: 40 campaigns of 4
// advertisers, 2,000 links, 30 days.
const generateInside = `INSERT INTO clicks (click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id, platform, currency,
	verdict, is_unique, country, device, os, referrer_host, method, network, user_agent, visitor, node, seq)
SELECT
	concat('click-', toString(number)),
	toDateTime64('2027-01-01 00:00:00.000', 3, 'UTC') + toIntervalMillisecond(number * {step:UInt64}),
	concat('adv_', toString(intDiv(link, 500))), concat('cmp_', toString(intDiv(link, 50))), concat('crt_', toString(link % 300)),
	concat('tsk_', toString(intDiv(link, 2))), concat('lnk_', toString(link)),
	['instagram', 'tiktok', 'youtube', 'x', 'facebook'][1 + link % 5], ['USD', 'EUR'][1 + intDiv(link, 50) % 2],
	['valid', 'valid', 'valid', 'valid', 'valid', 'valid', 'bot', 'preview'][1 + cityHash64(number) % 8],
	cityHash64(number, 1) % 2, ['TH', 'US', 'JP', 'DE', 'BR'][1 + cityHash64(number, 2) % 5], ['phone', 'phone', 'desktop'][1 + number % 3],
	['iOS', 'Android', 'Windows'][1 + number % 3],
	['l.instagram.com', 't.co', '', 'www.youtube.com', 'lm.facebook.com'][1 + cityHash64(number, 3) % 5],
	'GET', '203.0.113.0/24', 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)', cityHash64(number, 4), 'bench', number
FROM (SELECT number, cityHash64(number, 5) % 2000 AS link FROM numbers({from:UInt64}, {count:UInt64}))`

func fill(b *testing.B, conn driver.Conn, clicks int) {
	b.Helper()
	const batch = 500_000
	step := (30 * 24 * time.Hour).Milliseconds() / int64(clicks)
	for from := 0; from < clicks; from += batch {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(fmt.Sprint("bench ", from))),
			clickhouse.WithParameters(clickhouse.Parameters{
				"step": fmt.Sprint(step), "from": fmt.Sprint(from), "count": fmt.Sprint(min(batch, clicks-from)),
			}))
		if err := conn.Exec(ctx, generateInside); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReports asks what people ask, of ten million stored clicks.
func BenchmarkReports(b *testing.B) {
	conn := schematest.Start(b)
	fill(b, conn, *benchClicks)
	reports := New(conn, upToDate{}, noAgencies{})
	now := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	ask := func(question Question) func() error {
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
	step := (30 * 24 * time.Hour).Milliseconds() / int64(*benchClicks)
	var link string
	middle := *benchClicks / 2
	if err := conn.QueryRow(context.Background(), "SELECT link_id FROM clicks WHERE seq = ?", middle).Scan(&link); err != nil {
		b.Fatal(err)
	}
	var number int
	if _, err := fmt.Sscanf(link, "lnk_%d", &number); err != nil {
		b.Fatal(err)
	}
	key := ClickKey{
		ClickID: fmt.Sprint("click-", middle), LinkID: link, CampaignID: fmt.Sprint("cmp_", number/50), AdvertiserID: fmt.Sprint("adv_", number/500),
		AtMs: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + int64(middle)*step,
	}
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"campaigns", ask(Question{GroupBy: []string{"campaign"}})},
		{"platforms", ask(Question{GroupBy: []string{"platform"}})},
		{"campaign-by-day-in-Bangkok", ask(Question{GroupBy: []string{"campaign", "day"}, TZ: "Asia/Bangkok", Limit: 10_000})},
		{"link-referrer-day-in-Kolkata", ask(Question{GroupBy: []string{"link", "referrer", "day"}, TZ: "Asia/Kolkata"})},
		{"one-click", func() error {
			click, err := reports.Click(context.Background(), key)
			if err == nil && click == nil {
				err = fmt.Errorf("the click is not there")
			}
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if err := c.ask(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "worst-ms")
		})
	}
}
