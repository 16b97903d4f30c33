package reports

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	"tributary/schema"
	"tributary/schema/schematest"
)

var manyActions = flag.Int("reports.actions", 100_000, "actions that the listing is tested with; figures are printed from 1,000,000 on")

// generateActionsInside fills actions from within ClickHouse: 40 campaigns of 4
// advertisers over a year, each action first pending, then what became of it.
const generateActionsInside = `INSERT INTO actions (id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, code, platform,
	event, order_id, click_id, referral, model, credit, quantity, currency, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons,
	reversal, click_time, event_time, received_at, lock_at, pay_at, terms_version, created_at, updated_at, payout_id, seq)
SELECT
	concat('act_', leftPad(toString(number), 26, '0')), concat('cnv_', leftPad(toString(number), 26, '0')),
	concat('adv_', toString(intDiv(task, 500))), concat('cmp_', toString(intDiv(task, 50))), concat('crt_', toString(task % 300)),
	concat('tsk_', leftPad(toString(task), 26, '0')), concat('lnk_', leftPad(toString(task * 2), 26, '0')), if(number % 5 = 0, concat('CODE', toString(task)), ''),
	['instagram', 'tiktok', 'youtube', 'x', 'facebook'][1 + task % 5], ['sale', 'sale', 'lead'][1 + number % 3],
	concat('order-', toString(cityHash64(number))), concat('1abc', hex(cityHash64(number, 1)), hex(cityHash64(number, 2))),
	if(number % 5 = 0, 'code', 'click'), 'last', '1', 1, ['USD', 'EUR'][1 + intDiv(task, 50) % 2],
	cityHash64(number, 3) % 50000, cityHash64(number, 4) % 5000, cityHash64(number, 4) % 5000, cityHash64(number, 4) % 5000 * 3 / 2,
	if({seq:UInt64} = 1, 'pending', ['pending', 'locked', 'payable', 'paid', 'paid', 'paid', 'reversed', 'held'][1 + cityHash64(number, 5) % 8]),
	if(cityHash64(number, 5) % 8 = 7, ['over_budget'], []), if({seq:UInt64} > 1 AND cityHash64(number, 5) % 8 = 6, 'returned', ''),
	time - 86400, time, time + 1, time + 86400 * 30, time + 86400 * 50, 1, time + 1, time + 86400 * {seq:UInt64},
	if(cityHash64(number, 5) % 8 IN (3, 4, 5), concat('pay_', toString(cityHash64(number, 6) % 5000)), ''), {seq:UInt64}
FROM (SELECT number, cityHash64(number, 7) % 2000 AS task, toDateTime64('2026-01-01 00:00:00.000', 3, 'UTC') + toIntervalMillisecond(number * {step:UInt64}) AS time
	FROM numbers({from:UInt64}, {count:UInt64}))`

func fillActions(t testing.TB, conn driver.Conn, actions int) {
	t.Helper()
	const batch = 50_000
	step := (365 * 24 * time.Hour).Milliseconds() / int64(actions)
	for from := 0; from < actions; from += batch {
		for seq := 1; seq <= 2; seq++ {
			ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(fmt.Sprint(t.Name(), from, seq))),
				clickhouse.WithParameters(clickhouse.Parameters{
					"step": fmt.Sprint(step), "from": fmt.Sprint(from), "count": fmt.Sprint(min(batch, actions-from)), "seq": fmt.Sprint(seq),
				}))
			if err := conn.Exec(ctx, generateActionsInside); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A file of any length is written in constant memory, in order and each action once.
func TestAFileOfManyActions(t *testing.T) {
	conn := schematest.Start(t)
	fillActions(t, conn, *manyActions)
	reports := New(conn, upToDate{}, noAgencies{})
	say, rounds := func(string, ...any) {}, 1
	if *manyActions >= 1_000_000 {
		say, rounds = t.Logf, 9
	}
	for name, filters := range map[string]map[string][]string{
		"everything": nil, "one order": {"order_id": {"order-1"}}, "state": {"state": {"held"}}, "pending": {"state": {"pending"}}, "campaign": {"campaign_id": {"cmp_17"}},
		"creator": {"creator_id": {"crt_7"}}, "task": {"task_id": {"tsk_" + fmt.Sprintf("%026d", 77)}}, "code": {"code": {"code85"}},
		"payout": {"payout_id": {"pay_77"}}, "reason": {"reason": {"over_budget"}}, "amount": {"currency": {"EUR"}, "amount_min": {"499.99"}},
		"updated": {"updated_since": {"2026-12-30"}}, "click": {"click_id": {"none"}}, "id": {"id": {fmt.Sprintf("act_%026d", 5)}}, "lock": {"lock_at_to": {"2026-02-01"}},
	} {
		var took []time.Duration
		for range rounds {
			began := time.Now()
			if _, err := reports.Actions(t.Context(), Scope{All: true}, ActionQuestion{Filters: filters}, reportTime); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		say("first page, %s: median %v, worst %v", name, took[len(took)/2], took[len(took)-1])
	}

	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := watchHeap(t)
	began := time.Now()
	listing, err := reports.ActionListing(t.Context(), Scope{All: true}, ActionQuestion{}, reportTime)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() {
		writer.CloseWithError((&actionsFile{listing: listing, ctx: t.Context(), format: admin.FormatCSV}).WriteFile(writer))
	}()
	lines, bytes, last := 0, 0, "~"
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		bytes += len(line) + 1
		if lines++; lines == 1 {
			continue
		}
		id, _, _ := strings.Cut(line, ",")
		if id >= last { // ids grow with event times here
			t.Fatalf("line %d: %s comes behind %s", lines, id, last)
		}
		last = id
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	if lines != *manyActions+1 {
		t.Errorf("the file has %d lines, want %d", lines, *manyActions+1)
	}
	grown := int64(peak()) - int64(before.HeapAlloc)
	say("%d actions, %d MB of CSV in %v: heap grew by at most %.1f MB", lines-1, bytes>>20, time.Since(began), float64(grown)/(1<<20))
	if grown > 96<<20 {
		t.Errorf("the heap grew by %d MB while the file was written", grown>>20)
	}
}

// watchHeap looks at the heap until the function it returns is called, which tells
// the most it has seen.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	done, told := make(chan struct{}), make(chan uint64, 1)
	go func() {
		var most uint64
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
			select {
			case <-done:
				told <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return <-told }
}
