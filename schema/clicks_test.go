package schema_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/engine"
	"tributary/schema/schematest"
)

// clickColumns are the columns of clicks in the order of the table.
var clickColumns = []string{
	"click_id", "time", "advertiser_id", "campaign_id", "creator_id", "task_id", "link_id", "post_id", "platform", "currency",
	"observed_platform", "verdict", "reasons", "rules_version", "is_unique", "first_verdict", "first_unique", "method", "destination", "rule",
	"country", "region", "city", "asn", "asn_org", "network", "visitor", "user_agent", "device", "os", "os_version",
	"browser", "browser_version", "in_app", "referrer_host", "language", "sub1", "sub2", "sub3", "sub4", "sub5",
	"unpayable", "gpc", "erased", "node", "seq", "shipped_at",
}

var verdicts = []string{"valid", "valid", "valid", "valid", "test", "probe", "prefetch", "preview", "bot", "datacenter", "rate"}

// clickBatch makes the columns of n clicks, spread over several months,
// numbered from first; the same arguments make the same batch.
func clickBatch(n, first int) []any {
	strings := func(value func(i int) string) []string {
		column := make([]string, n)
		for i := range column {
			column[i] = value(first + i)
		}
		return column
	}
	const links = 5000 // a link has one task, creator, campaign and advertiser
	of := func(prefix string, distinct int) []string {
		return strings(func(i int) string { return fmt.Sprintf("%s_%06d", prefix, i*7919%links%distinct) })
	}
	constant := func(value string) []string { return strings(func(int) string { return value }) }
	times, reasons := make([]time.Time, n), make([][]string, n)
	seqs, visitors := make([]uint64, n), make([]uint64, n)
	versions, asns := make([]uint32, n), make([]uint32, n)
	uniques, zeros := make([]uint8, n), make([]uint8, n)
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for i := range n {
		k := first + i
		times[i] = start.Add(time.Duration(k%9_000_000) * 20 * time.Millisecond)
		if v := verdicts[k%len(verdicts)]; v != "valid" {
			reasons[i] = []string{v, "other"}
		}
		seqs[i], visitors[i], versions[i], asns[i] = uint64(k), uint64(k)*0x9E3779B97F4A7C15, 3, uint32(k%500)
		if k%3 == 0 {
			uniques[i] = 1
		}
	}
	return []any{
		strings(func(i int) string { return fmt.Sprintf("c1%016x%024x", i, i*31) }), times, of("adv", 20), of("cmp", 60),
		of("crt", 900), of("tsk", 3000), of("lnk", links), constant(""), of("platform", 5), constant("USD"), of("platform", 5),
		strings(func(i int) string { return verdicts[i%len(verdicts)] }), reasons, versions, uniques, constant(""), zeros, constant("GET"),
		strings(func(i int) string { return fmt.Sprintf("https://shop.example/p/%d?ref=a", i%5000) }), constant(""),
		of("TH", 80), constant(""), of("city", 400), asns, of("org", 500),
		strings(func(i int) string { return fmt.Sprintf("203.0.%d.0/24", i%250) }), visitors,
		strings(func(i int) string {
			return fmt.Sprintf("Mozilla/5.0 (Linux; Android 14; Phone %d) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile", i%2000)
		}),
		of("phone", 3), of("os", 6), of("14", 20), of("browser", 8), of("126", 30), zeros, of("ref.example", 50), of("en", 30),
		constant(""), constant(""), constant(""), constant(""), constant(""), constant(""), zeros, zeros, constant("node-1"), seqs, times,
	}
}

// insertClicks sends a batch by columns, as the shipper does.
func insertClicks(ctx context.Context, conn driver.Conn, columns []any, token string) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(schema.InsertSettings(token)))
	query := "INSERT INTO clicks ("
	for i, name := range clickColumns {
		if i > 0 {
			query += ", "
		}
		query += name
	}
	batch, err := conn.PrepareBatch(ctx, query+")")
	if err != nil {
		return err
	}
	defer batch.Close()
	for i, column := range columns {
		if err := batch.Column(i).Append(column); err != nil {
			return fmt.Errorf("%s: %w", clickColumns[i], err)
		}
	}
	return batch.Send()
}

// sums are what the tables say of the clicks in them.
type sums struct{ rows, hits, clicks, unique, bots, partitions uint64 }

func readSums(t testing.TB, conn driver.Conn) sums {
	t.Helper()
	var s sums
	err := conn.QueryRow(testContext(t), `SELECT count(), uniqExact(toYYYYMM(time)) FROM clicks`).Scan(&s.rows, &s.partitions)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(testContext(t), `SELECT sum(hits), sum(clicks), sum(unique_clicks), sum(invalid_bot) FROM clicks_15m`).
		Scan(&s.hits, &s.clicks, &s.unique, &s.bots)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func expectedSums(n int) sums {
	s := sums{rows: uint64(n), hits: uint64(n)}
	for i := range n {
		switch verdicts[i%len(verdicts)] {
		case "valid":
			s.clicks++
			if i%3 == 0 {
				s.unique++
			}
		case "bot":
			s.bots++
		}
	}
	return s
}

// spread moves a batch's times apart, so that it covers several months.
func spread(columns []any) []any {
	times := columns[1].([]time.Time)
	for i := range times {
		times[i] = times[i].AddDate(0, i%4, 0)
	}
	return columns
}

// ownEngine starts an engine that the test may kill, with the tables made.
func ownEngine(t testing.TB) (*engine.Engine, driver.Conn) {
	t.Helper()
	e, err := engine.Start(testContext(t), schematest.Options(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Stop(context.Background()) })
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := schema.MigrateClickHouse(testContext(t), conn); err != nil {
		t.Fatal(err)
	}
	return e, conn
}

func TestSameTokenCountsOnce(t *testing.T) {
	const n = 200_000
	e, conn := ownEngine(t)
	batch := spread(clickBatch(n, 0))
	want := expectedSums(n)
	want.partitions = 4

	send := func(token string) {
		t.Helper()
		if err := insertClicks(testContext(t), conn, batch, token); err != nil {
			t.Fatal(err)
		}
	}
	send("node-1/0-199999")
	if got := readSums(t, conn); got != want {
		t.Fatalf("once: %+v, want %+v", got, want)
	}
	send("node-1/0-199999")
	if got := readSums(t, conn); got != want {
		t.Fatalf("twice: %+v, want %+v", got, want)
	}
	pid := e.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitRestart(t, e, 1)
	if got := readSums(t, conn); got != want {
		t.Fatalf("after kill -9: %+v, want %+v", got, want)
	}
	send("node-1/0-199999")
	if got := readSums(t, conn); got != want {
		t.Fatalf("again after kill -9: %+v, want %+v", got, want)
	}
	if err := insertClicks(testContext(t), conn, spread(clickBatch(n/100, 0)), "node-1/200000-201999"); err != nil {
		t.Fatal(err)
	}
	more := expectedSums(n / 100)
	want = sums{want.rows + more.rows, want.hits + more.hits, want.clicks + more.clicks, want.unique + more.unique, want.bots + more.bots, 4}
	if got := readSums(t, conn); got != want {
		t.Fatalf("another token: %+v, want %+v", got, want)
	}
}

// A batch cut short anywhere by the engine's death counts once when it is sent
// again: partitions and the rollup are written one after the other.
func TestKilledWhileInserting(t *testing.T) {
	const n, batches = 20_000, 5
	e, conn := ownEngine(t)
	var want sums
	cut := 0
	for i := range batches {
		batch := spread(clickBatch(n, 0))
		token := fmt.Sprintf("node-1/%d", i)
		done := make(chan error, 1)
		go func() { done <- insertClicks(testContext(t), conn, batch, token) }()
		time.Sleep(time.Duration(40+40*i) * time.Millisecond) // anywhere will do
		restarts := e.Restarts()
		if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			cut++
		}
		waitRestart(t, e, restarts+1)
		if err := insertClicks(testContext(t), conn, batch, token); err != nil {
			t.Fatal(err)
		}
		one := expectedSums(n)
		want = sums{want.rows + one.rows, want.hits + one.hits, want.clicks + one.clicks, want.unique + one.unique, want.bots + one.bots, 4}
		if got := readSums(t, conn); got != want {
			t.Fatalf("batch %d: %+v, want %+v", i, got, want)
		}
	}
	t.Logf("%d of %d inserts were cut short", cut, batches)
}

func waitRestart(t testing.TB, e *engine.Engine, restarts int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); e.Restarts() < restarts; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the engine was not restarted")
		}
	}
	if err := e.WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkInsert ships batches of 50,000 clicks by columns into the table and its rollup.
func BenchmarkInsert(b *testing.B) {
	const rows = 50_000
	conn := schematest.Start(b)
	batches := make([][]any, 4)
	for i := range batches {
		batches[i] = clickBatch(rows, i*rows)
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if err := insertClicks(context.Background(), conn, batches[i%len(batches)], fmt.Sprint(b.Name(), i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
