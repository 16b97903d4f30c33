package engine

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ask sends a query to the loopback listener as any HTTP client would.
func ask(t *testing.T, e *Engine, query, body string) (status int, answer string) {
	t.Helper()
	address := "http://" + e.ListenAddr() + "/"
	if query != "" {
		address += "?query=" + url.QueryEscape(query)
	}
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(testContext(t), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func testLoopbackFormats(t *testing.T, e *Engine) {
	for _, test := range []struct{ query, body, want string }{
		{"SELECT 1", "", "1\n"},
		{"", "SELECT 1, 'x'", "1\tx\n"},
		{"SELECT number", " FROM numbers(2)", "0\n1\n"},
		{"SELECT number AS n FROM numbers(2) FORMAT JSONEachRow", "", "{\"n\":0}\n{\"n\":1}\n"},
		{"SELECT number AS n FROM numbers(2) WHERE n > 5 FORMAT CSVWithNames", "", "\"n\"\n"},
		{"SELECT currentDatabase()", "", "tributary\n"},
		{"SELECT 'file(', format('{}', 'a')", "", "file(\ta\n"},
	} {
		if status, got := ask(t, e, test.query, test.body); status != http.StatusOK || got != test.want {
			t.Errorf("%s%s: %d %q, want %q", test.query, test.body, status, got, test.want)
		}
	}
	if status, _ := ask(t, e, "SELECT repeat('x', 1000), number FROM numbers(1000000)", ""); status != http.StatusInternalServerError {
		t.Errorf("a result of 1 GB: %d, want a refusal", status)
	}
	response, err := http.Get("http://" + e.ListenAddr() + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); string(text) != "Ok.\n" {
		t.Errorf("ping: %q", text)
	}
	response, err = http.Get("http://" + e.ListenAddr() + "/?query=SELECT+*+FROM+nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound || response.Header.Get("X-ClickHouse-Exception-Code") != "60" {
		t.Errorf("an unknown table: %s, code %q", response.Status, response.Header.Get("X-ClickHouse-Exception-Code"))
	}
}

func testLoopbackReadsOnly(t *testing.T, e *Engine) {
	conn := connect(t, e)
	mustExec(t, conn, "CREATE TABLE guarded (a UInt64) ENGINE = MergeTree ORDER BY a")
	mustExec(t, conn, "INSERT INTO guarded VALUES (1)")
	for _, query := range []string{
		"INSERT INTO guarded VALUES (2)",
		"INSERT INTO guarded SELECT 2",
		"WITH 2 AS x INSERT INTO guarded SELECT x",
		"ALTER TABLE guarded DELETE WHERE 1",
		"TRUNCATE TABLE guarded",
		"DROP TABLE guarded",
		"CREATE TABLE other (a UInt64) ENGINE = Memory",
		"CREATE TEMPORARY TABLE other (a UInt64)",
		"SYSTEM STOP MERGES",
		"KILL QUERY WHERE 1",
		"SET readonly = 0",
		"SELECT 1 SETTINGS readonly = 0",
		"SELECT 1 SETTINGS max_execution_time = 0",
		"SELECT 1; DROP TABLE guarded",
		"SELECT * FROM file('/etc/hostname', 'LineAsString')",
		"SELECT * FROM file/**/('/etc/hostname', 'LineAsString')",
		"SELECT * FROM `file`('/etc/hostname', 'LineAsString')",
		"SELECT file('/etc/hostname')",
		"SELECT \"file\"('/etc/hostname')",
		`SELECT "fi\x6ce"('/etc/hostname')`,
		"SELECT “file”('/etc/hostname')",
		"SELECT 1 INTO OUTFILE '/tmp/out.tsv'",
		"DESCRIBE file('/etc/hostname')",
		"DESC url('http://127.0.0.1:9/', 'TSV')",
		"DESCRIBE TABLE url('http://127.0.0.1:9/', 'TSV')",
		"EXPLAIN SELECT * FROM url('http://127.0.0.1:9/', 'TSV')",
		"SELECT * FROM url('http://127.0.0.1:9/', 'TSV')",
		"SELECT * FROM remote('127.0.0.1', 'system.one')",
		"SELECT * FROM default.`/etc/hostname`",
		"SHOW TABLES INTO OUTFILE '/tmp/out.tsv'",
	} {
		if status, got := ask(t, e, query, ""); status == http.StatusOK {
			t.Errorf("%s: %d %q, want a refusal", query, status, got)
		}
		if status, got := ask(t, e, "", query); status == http.StatusOK {
			t.Errorf("%s in the body: %d %q, want a refusal", query, status, got)
		}
	}
	if status, _ := ask(t, e, "SELECT 1", ""); status != http.StatusOK {
		t.Errorf("reading fails: %d", status)
	}
	for _, setting := range []string{"readonly=0", "readonly=2"} {
		address := "http://" + e.ListenAddr() + "/?" + setting + "&query=" + url.QueryEscape("SELECT getSetting('readonly')")
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK && string(text) != "1\n" {
			t.Errorf("%s in the URL: readonly is %q", setting, text)
		}
	}
	if n := count(t, conn, "SELECT count() FROM guarded"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, "http://"+e.ListenAddr()+"/?query=SELECT+1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "attacker.example" // a name of theirs that resolves to loopback
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign host name: %s, want 403", response.Status)
	}
}

// Grafana's ClickHouse data source is this client, with LZ4.
func testLoopbackClient(t *testing.T, e *Engine) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{e.ListenAddr()},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n := count(t, conn, "SELECT sum(number) FROM (SELECT number FROM numbers(1000000))"); n != 499999500000 {
		t.Errorf("got %d", n)
	}
	rows, err := conn.Query(testContext(t), "SELECT number, toString(number) FROM numbers(300000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if rows.Err() != nil || n != 300000 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	if err := conn.Exec(testContext(t), "CREATE TABLE from_grafana (a UInt8) ENGINE = Memory"); err == nil {
		t.Error("it made a table")
	}
}
