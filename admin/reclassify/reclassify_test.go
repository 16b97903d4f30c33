package reclassify

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/ingest"
	"tributary/ledger"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// wordRules call whoever has one of their words in the user agent a crawler, and
// whoever comes from a network number above theirs a data center.
type wordRules struct {
	version uint32
	words   []string
	hosting uint32
}

func (r wordRules) Version() uint32 { return r.version }

func (r wordRules) Reclassify(stored attribution.Reasons, userAgent []byte, asn uint32) attribution.Reasons {
	stored &^= attribution.ReasonCrawler | attribution.ReasonDatacenter
	for _, word := range r.words {
		if bytes.Contains(userAgent, []byte(word)) {
			stored |= attribution.ReasonCrawler
		}
	}
	if asn > r.hosting {
		stored |= attribution.ReasonDatacenter
	}
	return stored
}

var (
	lenient = wordRules{version: 1, words: []string{"bot"}, hosting: 90}
	strict  = wordRules{version: 2, words: []string{"spider", "fetch"}, hosting: 60}
)

// A bench is a Service on a real ClickHouse, SQLite and ledger.
type bench struct {
	*testing.T
	ctx   context.Context
	conn  driver.Conn
	db    *database.DB
	money *ledger.Ledger
	now   time.Time
	seq   uint64

	mu      sync.Mutex
	rules   Rules
	reached func(string)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if databasetest.OnPostgres() {
		t.Cleanup(databasetest.Stop)
	}
	b := &bench{T: t, ctx: t.Context(), conn: schematest.Start(t), now: time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC), rules: lenient, reached: func(string) {}}
	db, err := database.Open(b.ctx, databasetest.Any(t), t.TempDir())
	b.ok(err)
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.money = ledger.New(db, ledger.Options{Now: func() time.Time { return b.now }})
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) service() *Service {
	return New(Options{
		DB: b.db, ClickHouse: b.conn, Money: b.money, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now },
		Through: func() time.Time { return b.now }, Reached: func(point string) { b.reached(point) },
		Rules: func() Rules {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.rules
		},
	})
}

func (b *bench) judgeBy(rules Rules) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = rules
}

// run does a run to its end.
func (b *bench) run(asked Asked) Run {
	b.Helper()
	s := b.service()
	begun, err := s.Begin(b.ctx, asked)
	b.ok(err)
	_, err = s.work(b.ctx)
	b.ok(err)
	ended, err := s.Get(b.ctx, begun.ID)
	b.ok(err)
	return ended
}

func apply(asked Asked) Asked {
	asked.DryRun = new(bool)
	return asked
}

// A click is a row as tests make it.
type click struct {
	at        time.Time
	campaign  int
	link      int
	visitor   uint64
	before    uint64 // the visitor under yesterday's salt
	userAgent string
	asn       uint32
	reasons   attribution.Reasons
}

// store ships clicks as the shipper does: in order, with its own unique window.
func (b *bench) store(window *ingest.MemoryWindow, clicks []click) {
	b.Helper()
	batch, err := b.conn.PrepareBatch(b.ctx, `INSERT INTO clicks (node, seq, click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id,
		platform, currency, observed_platform, verdict, reasons, rules_version, is_unique, asn, visitor, user_agent)`)
	b.ok(err)
	for _, c := range clicks {
		b.seq++
		reasons := lenient.Reclassify(c.reasons, []byte(c.userAgent), c.asn)
		hits := []ingest.Hit{{Link: uint64(c.link) + 1, Visitor: c.visitor, VisitorPrev: c.before, AtMs: c.at.UnixMilli()}}
		if reasons.Verdict() == attribution.Valid && c.visitor != 0 {
			b.ok(window.Mark(b.ctx, hits))
		}
		b.ok(batch.Append("tracker/1", b.seq, fmt.Sprint("click", b.seq), c.at, fmt.Sprint("adv_", c.campaign%2), fmt.Sprint("cmp_", c.campaign), "crt_1",
			fmt.Sprint("tsk_", c.link), fmt.Sprint("lnk_", c.link), "tiktok", "USD", []string{"", "tiktok", "instagram"}[c.link%3],
			reasons.Verdict().String(), reasons.Names(), lenient.version, uint8(one(hits[0].Unique)), c.asn, c.visitor, c.userAgent))
	}
	b.ok(batch.Send())
}

// crowd is many clicks around a time, over a midnight and the end of a month.
func crowd(seed uint64, from time.Time, n int) []click {
	random := rand.New(rand.NewPCG(seed, 5))
	agents := []string{"Mozilla phone", "Mozilla bot", "a spider", "link fetcher", "bot spider"}
	var clicks []click
	at := from
	for range n {
		at = at.Add(time.Duration(random.IntN(60_000)) * time.Millisecond)
		c := click{at: at, campaign: random.IntN(4), visitor: random.Uint64N(12), asn: random.Uint32N(100), userAgent: agents[random.IntN(len(agents))]}
		c.link = c.campaign*2 + random.IntN(2)
		c.reasons = []attribution.Reasons{0, 0, 0, 0, attribution.ReasonProbe, attribution.ReasonOverrideBlocked, attribution.ReasonRate, attribution.ReasonTest}[random.IntN(8)]
		clicks = append(clicks, c)
	}
	return clicks
}

// january is before the end of a month, so that steps are cut there.
var january = time.Date(2027, 1, 31, 20, 0, 0, 0, time.UTC)

// rows is what the table has, as text, one line a click.
func (b *bench) rows() string {
	b.Helper()
	rows, err := b.conn.Query(b.ctx, `SELECT seq, verdict, arrayStringConcat(reasons, ' '), is_unique FROM clicks ORDER BY seq`)
	b.ok(err)
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var seq uint64
		var verdict, reasons string
		var unique uint8
		b.ok(rows.Scan(&seq, &verdict, &reasons, &unique))
		fmt.Fprintln(&all, seq, verdict, unique, reasons)
	}
	return all.String()
}

// sumsAreRight compares both tables of sums with a recount of the rows.
func (b *bench) sumsAreRight(what string) {
	b.Helper()
	for table, keys := range map[string]string{
		"clicks_15m":          "advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency",
		"campaign_clicks_15m": "advertiser_id, campaign_id, platform, currency",
	} {
		var wrong uint64
		b.ok(b.conn.QueryRow(b.ctx, fmt.Sprintf(`SELECT count() FROM (
			SELECT bucket, %[2]s, sum(hits) AS h, sum(clicks) AS c, sum(unique_clicks) AS u, sum(platform_mismatch) AS m, sum(invalid_bot) AS i, sum(invalid_datacenter) AS d,
				sum(invalid_test) AS t, sum(invalid_probe) AS p, sum(invalid_rate) AS r
			FROM %[1]s GROUP BY bucket, %[2]s
		) AS summed FULL OUTER JOIN (
			SELECT toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket, %[2]s, count() AS h, countIf(verdict = 'valid') AS c, countIf(verdict = 'valid' AND is_unique = 1) AS u,
				countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform) AS m, countIf(verdict = 'bot') AS i, countIf(verdict = 'datacenter') AS d,
				countIf(verdict = 'test') AS t, countIf(verdict = 'probe') AS p, countIf(verdict = 'rate') AS r
			FROM clicks GROUP BY bucket, %[2]s
		) AS counted USING (bucket, %[2]s)
		WHERE (summed.h, summed.c, summed.u, summed.m, summed.i, summed.d, summed.t, summed.p, summed.r)
			!= (counted.h, counted.c, counted.u, counted.m, counted.i, counted.d, counted.t, counted.p, counted.r)`, table, keys)).Scan(&wrong))
		if wrong > 0 {
			b.Errorf("%s: %d rows of %s are not what clicks come to", what, wrong, table)
		}
	}
	var left uint64
	b.ok(b.conn.QueryRow(b.ctx, `SELECT count() FROM click_changes`).Scan(&left))
	if left > 0 {
		b.Errorf("%s: %d changes were left behind", what, left)
	}
}

// counted is clicks and unique clicks before a time.
func (b *bench) counted(before time.Time) [2]int64 {
	b.Helper()
	var n [2]int64
	b.ok(b.conn.QueryRow(b.ctx, `SELECT toInt64(countIf(verdict = 'valid')), toInt64(countIf(verdict = 'valid' AND is_unique = 1)) FROM clicks WHERE time < ?`, before).Scan(&n[0], &n[1]))
	return n
}

// TestRunEqualsARecount applies other rules and compares rows, sums and figures with
// what the shipper would have stored had it known them; and takes it all back.
func TestRunEqualsARecount(t *testing.T) {
	b := newBench(t)
	clicks := crowd(1, january, 700)
	b.store(ingest.NewMemoryWindow(0), clicks)
	before, numbers := b.rows(), b.counted(b.now)
	b.judgeBy(strict)

	dry := b.run(Asked{})
	if b.rows() != before || dry.State != Done || dry.Figures.Changed == 0 {
		t.Fatalf("the dry run changed rows, or found nothing: %+v", dry)
	}
	b.sumsAreRight("dry run")

	ran := b.run(apply(Asked{}))
	b.sumsAreRight("applied")
	if got, want := fmt.Sprintf("%+v", ran.Figures), fmt.Sprintf("%+v", dry.Figures); got != want {
		t.Errorf("the dry run said\n%s\nand it was\n%s", want, got)
	}
	after := b.counted(b.now)
	f := ran.Figures
	if got := [4]int64{f.ClicksBefore, f.UniqueBefore, f.ClicksAfter, f.UniqueAfter}; got != [4]int64{numbers[0], numbers[1], after[0], after[1]} {
		t.Errorf("figures %v, counted %v and %v", got, numbers, after)
	}
	if f.Hits != int64(len(clicks)) || f.LeftAlone != 0 || len(f.Campaigns) != 4 || len(f.Verdicts) < 4 {
		t.Errorf("figures: %+v", f)
	}
	b.uniqueByTheRule(clicks)

	if again := b.run(apply(Asked{})); again.Figures.Changed != 0 {
		t.Errorf("the same rules change something again: %+v", again.Figures)
	}
	b.judgeBy(lenient)
	b.run(apply(Asked{}))
	b.sumsAreRight("taken back")
	if got := b.rows(); got != before {
		t.Error("the first rules again do not give the first rows again")
	}
}

// uniqueByTheRule decides again which clicks are unique, as strict judges them.
func (b *bench) uniqueByTheRule(clicks []click) {
	b.Helper()
	window, wrong := ingest.NewMemoryWindow(0), 0
	lines := strings.Split(b.rows(), "\n")
	for i, c := range clicks {
		reasons := strict.Reclassify(lenient.Reclassify(c.reasons, []byte(c.userAgent), c.asn), []byte(c.userAgent), c.asn)
		hits := []ingest.Hit{{Link: uint64(c.link) + 1, Visitor: c.visitor, AtMs: c.at.UnixMilli()}}
		if reasons.Verdict() == attribution.Valid && c.visitor != 0 {
			b.ok(window.Mark(b.ctx, hits))
		}
		want := strings.TrimSpace(fmt.Sprint(i+1, " ", reasons.Verdict(), " ", one(hits[0].Unique), " ", strings.Join(reasons.Names(), " ")))
		if strings.TrimSpace(lines[i]) != want {
			if wrong++; wrong < 5 {
				b.Errorf("stored %q, want %q", lines[i], want)
			}
		}
	}
}

// TestRunSurvivesCrashes kills a run at every point there is, while clicks arrive,
// and has another process go on with it.
func TestRunSurvivesCrashes(t *testing.T) {
	b := newBench(t)
	window := ingest.NewMemoryWindow(0)
	b.store(window, crowd(2, january, 200))
	points := map[string]int{}
	for crash := range 20 {
		b.judgeBy([]Rules{strict, lenient}[crash%2])
		begun, err := b.service().Begin(b.ctx, apply(Asked{}))
		b.ok(err)
		crashed := ""
		b.reached = func(point string) {
			if crashed == "" && points[point] == 0 {
				crashed = point
				panic(point)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_, err := b.service().work(b.ctx)
			b.ok(err)
		}()
		if crashed == "" {
			break
		}
		points[crashed]++
		b.store(window, crowd(uint64(crash), january.Add(time.Hour), 10)) // late ones
		_, err = b.service().work(b.ctx)
		b.ok(err)
		ended, err := b.service().Get(b.ctx, begun.ID)
		b.ok(err)
		if ended.State != Done || ended.Figures.Changed == 0 {
			t.Errorf("after a crash at %s the run is %+v", crashed, ended)
		}
		b.sumsAreRight("crash at " + crashed)
	}
	for _, point := range []string{"changes kept", "planned", "verdicts told", "clicks_15m", "campaign_clicks_15m", "sums", "rows", "ended"} {
		if points[point] == 0 {
			t.Errorf("no run was killed at %q: %v", point, points)
		}
	}
}

// TestFollowers changes what comes within half an hour behind the range, and one
// advertiser alone.
func TestFollowers(t *testing.T) {
	b := newBench(t)
	at := func(minute int) time.Time { return january.Add(time.Duration(minute) * time.Minute) }
	spider := func(minute, campaign int, agent string) click {
		return click{at: at(minute), campaign: campaign, link: campaign, visitor: 7, userAgent: agent}
	}
	b.store(ingest.NewMemoryWindow(0), []click{spider(0, 0, "spider"), spider(0, 1, "spider"), spider(20, 0, "phone"), spider(45, 0, "phone"), spider(46, 1, "phone")})
	b.judgeBy(strict)
	ran := b.run(apply(Asked{AdvertiserID: "", From: attribution.InstantOf(at(-5)), To: attribution.InstantOf(at(10))}))
	if f := ran.Figures; f.Hits != 2 || f.Changed != 2 || f.Followers != 1 || f.UniqueAfter != 0 || f.UniqueBefore != 2 {
		t.Errorf("figures: %+v", f)
	}
	want := "1 bot 0 crawler\n2 bot 0 crawler\n3 valid 1 \n4 valid 0 \n5 valid 1 \n"
	if got := b.rows(); got != want {
		t.Errorf("rows:\n%s", got)
	}
	b.sumsAreRight("followers")
	_, err := b.service().Begin(b.ctx, Asked{AdvertiserID: "adv_none"})
	if problem, is := attribution.AsProblem(err); !is || problem.Code != attribution.CodeValidation {
		t.Errorf("an advertiser who is not there: %v", err)
	}
}

// TestYesterdaysVisitor keeps what the shipper knew of a visitor across midnight.
func TestYesterdaysVisitor(t *testing.T) {
	b := newBench(t)
	midnight := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	b.store(ingest.NewMemoryWindow(0), []click{
		{at: midnight.Add(-5 * time.Minute), visitor: 7, userAgent: "phone"},
		{at: midnight.Add(5 * time.Minute), visitor: 8, before: 7, userAgent: "phone"},
		{at: midnight.Add(6 * time.Minute), visitor: 8, before: 7, userAgent: "spider"},
	})
	b.judgeBy(strict)
	b.run(apply(Asked{}))
	if got := b.rows(); got != "1 valid 1 \n2 valid 0 \n3 bot 0 crawler\n" {
		t.Errorf("rows:\n%s", got)
	}
	b.sumsAreRight("midnight")
}

// TestRunsEndWithTheirRules stops a run under which the rules change, and lets no
// second run begin beside one.
func TestRunsEndWithTheirRules(t *testing.T) {
	b := newBench(t)
	b.store(ingest.NewMemoryWindow(0), crowd(3, january, 400))
	b.judgeBy(strict)
	s := b.service()
	begun, err := s.Begin(b.ctx, apply(Asked{}))
	b.ok(err)
	if _, err := s.Begin(b.ctx, Asked{}); err == nil {
		t.Error("a second run began")
	}
	b.reached = func(point string) {
		if point == "planned" {
			b.judgeBy(lenient)
		}
	}
	_, err = s.work(b.ctx)
	b.ok(err)
	ended, err := s.Get(b.ctx, begun.ID)
	b.ok(err)
	if ended.State != Stopped || ended.Why == nil || !strings.Contains(*ended.Why, "rules") || ended.Figures.Changed == 0 {
		t.Errorf("the run is %+v", ended)
	}
	b.sumsAreRight("stopped")
	var entries int
	rows, err := b.db.Filter(b.ctx, "audit.list", database.Given{"verb": "reclassify", "limit": 10})
	b.ok(err)
	for rows.Next() {
		entries++
	}
	b.ok(rows.Err())
	b.ok(rows.Close())
	if entries != 1 {
		t.Errorf("%d entries in the audit log", entries)
	}
}

// TestUnexplainedVerdictsStay leaves alone what its stored reasons do not explain.
func TestUnexplainedVerdictsStay(t *testing.T) {
	b := newBench(t)
	b.ok(b.conn.Exec(b.ctx, `INSERT INTO clicks (node, seq, click_id, time, campaign_id, link_id, verdict, reasons, user_agent) VALUES
		('n', 1, 'a', '2027-01-31 20:00:00.000', 'cmp_1', 'lnk_1', 'bot', [], 'phone'),
		('n', 2, 'b', '2027-01-31 20:00:00.000', 'cmp_1', 'lnk_1', 'valid', ['of_the_future'], 'spider')`))
	b.judgeBy(strict)
	before := b.rows()
	if f := b.run(apply(Asked{})).Figures; f.LeftAlone != 2 || f.Changed != 0 || b.rows() != before {
		t.Errorf("figures: %+v", f)
	}
}

// TestPaidClicks says what hours that were paid have more or fewer.
func TestPaidClicks(t *testing.T) {
	window := &planner{run: &run{fromMs: 0, toMs: 100, dryRun: true}, found: newTally(), paying: map[string]bool{"cmp_1": true}, paidToMs: 50}
	for _, h := range []hit{
		{atMs: 10, campaignID: "cmp_1", taskID: "tsk_1", verdict: valid, isUnique: 1}, {atMs: 60, campaignID: "cmp_1", taskID: "tsk_1", verdict: valid, isUnique: 1},
		{atMs: 10, campaignID: "cmp_2", taskID: "tsk_2", verdict: valid, isUnique: 1}, {atMs: 10, campaignID: "cmp_1", taskID: "tsk_1", verdict: valid, isUnique: 1, unpayable: "paused"},
	} {
		if err := window.take(&h, &outcome{verdict: "bot", changes: true}); err != nil {
			t.Fatal(err)
		}
	}
	got := window.found.figures().PaidClicks
	if len(got) != 1 || got[0].Clicks != -1 || got[0].TaskID != "tsk_1" {
		t.Errorf("paid clicks: %+v", got)
	}
}
