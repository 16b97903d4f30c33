package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// TestServer runs what needs only a running engine on one of them.
func TestServer(t *testing.T) {
	options := testOptions(t.TempDir())
	options.Listen = "127.0.0.1:0"
	options.MaxBodyBytes = 4 << 20
	e := start(t, options)
	for name, test := range map[string]func(*testing.T, *Engine){
		"every type":        testEveryType,
		"parameters":        testParameters,
		"exceptions":        testExceptions,
		"error mid-stream":  testErrorMidStream,
		"inline data":       testInlineData,
		"large result":      testLargeResult,
		"settings":          testSettings,
		"concurrency":       testConcurrency,
		"cancel":            testCancel,
		"bounds":            testBounds,
		"statements":        testStatements,
		"loopback formats":  testLoopbackFormats,
		"loopback reads":    testLoopbackReadsOnly,
		"loopback client":   testLoopbackClient,
		"memory per query":  testMemoryPerQuery,
		"different inserts": testDifferentInserts,
		"socket is private": testSocketIsPrivate,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
	if e.Restarts() != 0 {
		t.Errorf("the engine died %d times: %v", e.Restarts(), e.Err())
	}
}

func testEveryType(t *testing.T, e *Engine) {
	conn := connect(t, e)
	mustExec(t, conn, `CREATE TABLE types (
		s String, l LowCardinality(String), a Array(LowCardinality(String)), u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64,
		i64 Int64, f Float64, d DateTime('UTC'), d64 DateTime64(3, 'UTC'), day Date, n Nullable(String), e Enum8('x' = 1, 'y' = 2),
		dec Decimal(18, 4), id UUID, ip IPv6, b Bool, m Map(String, UInt64), fs FixedString(3)
	) ENGINE = MergeTree ORDER BY u64`)
	at := time.Date(2026, 11, 20, 12, 34, 56, 789e6, time.UTC)
	text := "line\none\ttab 'quote' \\ ; \x00\xff ไทย"
	id := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	in := []any{
		text, "low", []string{"a", "", "b"}, uint8(255), uint16(65535), uint32(1 << 31), uint64(1<<64 - 1),
		int64(-1 << 63), 0.1, at.Truncate(time.Second), at, at.Truncate(24 * time.Hour), (*string)(nil), "y",
		"1.2345", id, net.ParseIP("2001:db8::1"), true, map[string]uint64{"k": 1}, "abc",
	}
	batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO types")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(in...); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	var (
		s, l, en, dec, fs string
		a                 []string
		u8                uint8
		u16               uint16
		u32               uint32
		u64               uint64
		i64               int64
		f                 float64
		d, d64, day       time.Time
		n                 *string
		gotID             uuid.UUID
		ip                net.IP
		b                 bool
		m                 map[string]uint64
	)
	row := conn.QueryRow(testContext(t), "SELECT * EXCEPT dec, toString(dec) FROM types")
	if err := row.Scan(&s, &l, &a, &u8, &u16, &u32, &u64, &i64, &f, &d, &d64, &day, &n, &en, &gotID, &ip, &b, &m, &fs, &dec); err != nil {
		t.Fatal(err)
	}
	out := []any{s, l, a, u8, u16, u32, u64, i64, f, d, d64, day, n, en, dec, gotID, ip, b, m, fs}
	for i := range in {
		if !reflect.DeepEqual(in[i], out[i]) {
			t.Errorf("column %d: got %v, want %v", i+1, out[i], in[i])
		}
	}
}

func testParameters(t *testing.T, e *Engine) {
	conn := connect(t, e)
	text := "it's \\ a\nline\ttab; DROP TABLE t -- ไทย"
	var s string
	var n uint64
	var list []string
	err := conn.QueryRow(testContext(t), "SELECT {s:String}, {n:UInt64}, {list:Array(String)}",
		clickhouse.Named("s", text), clickhouse.Named("n", uint64(1<<63)), clickhouse.Named("list", []string{"a'b", "c"})).Scan(&s, &n, &list)
	if err != nil {
		t.Fatal(err)
	}
	if s != text || n != 1<<63 || !reflect.DeepEqual(list, []string{"a'b", "c"}) {
		t.Errorf("got %q, %d, %q", s, n, list)
	}
	if got := count(t, conn, "SELECT count() FROM numbers(10) WHERE number < ?", 3); got != 3 {
		t.Errorf("positional: %d", got)
	}
	if err := conn.QueryRow(testContext(t), "SELECT {missing:String}").Scan(&s); err == nil {
		t.Error("a missing parameter passed")
	}
}

func testExceptions(t *testing.T, e *Engine) {
	conn := connect(t, e)
	for query, want := range map[string]int32{
		"SELECT * FROM nowhere":        60,
		"SELEC 1":                      62,
		"SELECT bogus":                 47,
		"SELECT throwIf(1)":            395,
		"SELECT 1 SETTINGS bogus = 1":  115,
		"INSERT INTO nowhere VALUES 1": 60,
	} {
		err := conn.Exec(testContext(t), query)
		var failed *clickhouse.Exception
		if !errors.As(err, &failed) || failed.Code != want {
			t.Errorf("%s: %v, want code %d", query, err, want)
		}
	}
	// A context with a deadline would set the limit itself.
	ctx := clickhouse.Context(context.WithoutCancel(testContext(t)), clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": 0.2}))
	var failed *clickhouse.Exception
	if err := conn.Exec(ctx, "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"); !errors.As(err, &failed) || failed.Code != 159 {
		t.Errorf("over time: %v, want code 159", err)
	}
}

func testErrorMidStream(t *testing.T, e *Engine) {
	conn := connect(t, e)
	rows, err := conn.Query(testContext(t), "SELECT number, throwIf(number = 900000) FROM numbers(1000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	var failed *clickhouse.Exception
	if err := rows.Err(); !errors.As(err, &failed) || failed.Code != 395 {
		t.Errorf("after %d rows: %v, want code 395", n, err)
	}
}

func testInlineData(t *testing.T, e *Engine) {
	conn := connect(t, e)
	mustExec(t, conn, "CREATE TABLE inline (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
	mustExec(t, conn, "INSERT INTO inline VALUES\n(1, 'a;b'),\n(2,\n'c\nd'),\n(3, 'FORMAT x')\n")
	mustExec(t, conn, "INSERT INTO inline (b, a) FORMAT JSONEachRow\n{\"a\": 4, \"b\": \"x\\ny\"}\n{\"b\": \"z;\", \"a\": 5}\n")
	mustExec(t, conn, "INSERT INTO inline FORMAT CSV 6,\"s\"\n7,t")
	if n := count(t, conn, "SELECT count() FROM inline"); n != 7 {
		t.Errorf("%d rows, want 7", n)
	}
	var b string
	if err := conn.QueryRow(testContext(t), "SELECT arrayStringConcat(groupArray(b), '|') FROM (SELECT b FROM inline ORDER BY a)").Scan(&b); err != nil {
		t.Fatal(err)
	}
	if want := "a;b|c\nd|FORMAT x|x\ny|z;|s|t"; b != want {
		t.Errorf("got %q, want %q", b, want)
	}
}

func testLargeResult(t *testing.T, e *Engine) {
	const n = 3_000_000
	rows, err := connect(t, e).Query(testContext(t), "SELECT number, toString(number) FROM numbers(3000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var sum, number uint64
	var text string
	for rows.Next() {
		if err := rows.Scan(&number, &text); err != nil {
			t.Fatal(err)
		}
		sum += number
	}
	if rows.Err() != nil || sum != n*(n-1)/2 {
		t.Errorf("sum %d, %v", sum, rows.Err())
	}
	empty, err := connect(t, e).Query(testContext(t), "SELECT number FROM numbers(3) WHERE number > 5")
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if empty.Next() || empty.Err() != nil {
		t.Errorf("an empty result has a row, or %v", empty.Err())
	}
}

func testSettings(t *testing.T, e *Engine) {
	conn := connect(t, e)
	read := func(ctx context.Context) (threads, comment string) {
		t.Helper()
		if err := conn.QueryRow(ctx, "SELECT toString(getSetting('max_threads')), getSetting('insert_deduplication_token')").Scan(&threads, &comment); err != nil {
			t.Fatal(err)
		}
		return threads, comment
	}
	with := clickhouse.Context(testContext(t), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "insert_deduplication_token": `a'b\c`}))
	if threads, token := read(with); threads != "1" || token != `a'b\c` {
		t.Errorf("settings not taken: %q, %q", threads, token)
	}
	if threads, token := read(testContext(t)); threads != "2" || token != "" {
		t.Errorf("settings outlived their query: %q, %q", threads, token)
	}
}

func testConcurrency(t *testing.T, e *Engine) {
	conn := connect(t, e)
	mustExec(t, conn, "CREATE TABLE parallel (a UInt64) ENGINE = MergeTree ORDER BY a")
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 10 {
				batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO parallel (a)")
				if err == nil {
					err = batch.Append(uint64(worker*10 + i))
				}
				if err == nil {
					err = batch.Send()
				}
				var n uint64
				if err == nil {
					err = conn.QueryRow(testContext(t), "SELECT count() FROM parallel").Scan(&n)
				}
				if err != nil || n == 0 {
					t.Errorf("worker %d: %d rows, %v", worker, n, err)
					return
				}
			}
		})
	}
	wait.Wait()
	if n := count(t, conn, "SELECT uniqExact(a) FROM parallel"); n != 80 {
		t.Errorf("%d rows, want 80", n)
	}
}

// A query ends when its client goes away.
func testCancel(t *testing.T, e *Engine) {
	conn := connect(t, e)
	running := func() uint64 {
		return count(t, conn, "SELECT count() FROM system.processes WHERE query LIKE '%1000000000001%' AND query NOT LIKE '%system.processes%'")
	}
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() { done <- conn.Exec(ctx, "SELECT sum(sipHash64(number)) FROM numbers(1000000000001)") }()
	poll(t, "the query", func() bool { return running() == 1 })
	cancel()
	if err := <-done; err == nil {
		t.Error("a cancelled query succeeded")
	}
	poll(t, "the query's end", func() bool { return running() == 0 })
}

func testBounds(t *testing.T, e *Engine) {
	conn := connect(t, e)
	mustExec(t, conn, "CREATE TABLE bounded (s String) ENGINE = MergeTree ORDER BY s")
	var failed *clickhouse.Exception
	err := conn.Exec(testContext(t), "SELECT '"+strings.Repeat("x", maxQueryBytes)+"'")
	if !errors.As(err, &failed) || failed.Code != codeQueryTooLarge {
		t.Errorf("a long query: %v, want code %d", err, codeQueryTooLarge)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return e.Dial(ctx) }}}
	insert := "http://localhost/?query=" + url.QueryEscape("INSERT INTO bounded FORMAT TabSeparated")
	for size, want := range map[int]int{0: http.StatusBadRequest, 1 << 20: http.StatusOK, 5 << 20: http.StatusRequestEntityTooLarge} {
		response, err := client.Post(insert, "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d bytes: %s, want %d", size, response.Status, want)
		}
	}
	if n := count(t, conn, "SELECT count() FROM bounded"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func testStatements(t *testing.T, e *Engine) {
	conn := connect(t, e)
	outfile := filepath.Join(t.TempDir(), "out")
	for _, query := range []string{"SELECT 1; SELECT 2", "SELECT 1 INTO OUTFILE '" + outfile + "'", "  "} {
		if err := conn.Exec(testContext(t), query); err == nil {
			t.Errorf("%q passed", query)
		}
	}
	if _, err := os.Stat(outfile); err == nil {
		t.Error("a file was written")
	}
	for _, query := range []string{"SELECT 1;", "SELECT ';' -- ; \n", "SHOW TABLES", "DESCRIBE TABLE system.one", "EXPLAIN SELECT 1", "(SELECT 1) UNION ALL (SELECT 2)", "WITH 1 AS x SELECT x"} {
		rows, err := conn.Query(testContext(t), query)
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		for rows.Next() {
		}
		if rows.Err() != nil {
			t.Errorf("%q: %v", query, rows.Err())
		}
		rows.Close()
	}
}

func testMemoryPerQuery(t *testing.T, e *Engine) {
	ctx := clickhouse.Context(testContext(t), clickhouse.WithSettings(clickhouse.Settings{"max_memory_usage": 50 << 20, "max_bytes_before_external_group_by": 0}))
	const codeMemoryLimit = 241
	var failed *clickhouse.Exception
	err := connect(t, e).Exec(ctx, "SELECT groupArray(number) FROM numbers(100000000)")
	if !errors.As(err, &failed) || failed.Code != codeMemoryLimit {
		t.Errorf("%v, want code %d", err, codeMemoryLimit)
	}
}

// The engine remembers what columns a file had; rows files share their names.
func testDifferentInserts(t *testing.T, e *Engine) {
	conn := connect(t, e)
	for i := range 5 {
		table := fmt.Sprintf("different_%d", i)
		column := fmt.Sprintf("c%d", i)
		mustExec(t, conn, fmt.Sprintf("CREATE TABLE %s (%s UInt64, z String DEFAULT 'd') ENGINE = MergeTree ORDER BY %[2]s", table, column))
		batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO "+table+" ("+column+")")
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Append(uint64(i)); err != nil {
			t.Fatal(err)
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		if n := count(t, conn, fmt.Sprintf("SELECT count() FROM %s WHERE %s = %d AND z = 'd'", table, column, i)); n != 1 {
			t.Errorf("%s: %d rows", table, n)
		}
	}
}

func testSocketIsPrivate(t *testing.T, e *Engine) {
	socket, err := os.Stat(e.socket)
	if err != nil {
		t.Fatal(err)
	}
	if socket.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may use the socket: %v", socket.Mode())
	}
}
