package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/ingest"
	"tributary/redirect/intake/fields"
)

const (
	desktop = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
	erased  = "Mali.Srisai@Example.com" // who is erased
	stays   = "somchai@example.com"     // who stays
)

// hashesOf are what the product keeps of a customer id.
func hashesOf(t *testing.T, dir, advertiser, customer string) []string {
	t.Helper()
	s, err := readSecrets(filepath.Join(dir, secretsFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.customerKey()
	if err != nil {
		t.Fatal(err)
	}
	return fields.NewReader(key, time.Now).PersonHashes(advertiser, customer)
}

// inSQL says in which columns of the database a text stands.
func inSQL(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, databaseFile)+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var columns [][2]string
	for rows.Next() {
		var c [2]string
		if err := rows.Scan(&c[0], &c[1]); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil || len(columns) < 100 {
		t.Fatalf("%d columns, %v", len(columns), err)
	}
	for _, c := range columns {
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM "`+c[0]+`" WHERE instr(CAST("`+c[1]+`" AS TEXT), ?) > 0`, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%s.%s (%d)", c[0], c[1], n))
		}
	}
	return found
}

// inClickHouse says in which columns of ClickHouse a text stands, in every part,
// also those that are merged away later.
func (a *testApp) inClickHouse(text string) (found []string) {
	a.t.Helper()
	rows, err := a.clickhouse.Query(a.t.Context(), `SELECT table, name FROM system.columns WHERE database = currentDatabase()
		AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')`)
	if err != nil {
		a.t.Fatal(err)
	}
	var columns [][2]string
	for rows.Next() {
		var c [2]string
		if err := rows.Scan(&c[0], &c[1]); err != nil {
			a.t.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := rows.Close(); err != nil || len(columns) < 100 {
		a.t.Fatalf("%d columns, %v", len(columns), err)
	}
	for _, c := range columns {
		var n uint64
		if err := a.clickhouse.QueryRow(a.t.Context(), "SELECT countIf(position(toString("+c[1]+"), ?) > 0) FROM "+c[0], text).Scan(&n); err != nil {
			a.t.Fatal(err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%s.%s (%d)", c[0], c[1], n))
		}
	}
	return found
}

// inFiles says in which files of a data directory, besides the databases', a text
// stands.
func inFiles(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, dir+"/")
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			if os.IsNotExist(err) {
				return nil
			}
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(text)) {
			found = append(found, name)
		}
		if os.IsNotExist(err) { // ClickHouse merges
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// figures are every report and balance, as text.
func (a *testApp) figures(link map[string]any) map[string]string {
	a.t.Helper()
	all := map[string]string{}
	from := "from=" + time.Now().Add(-48*time.Hour).UTC().Format("2006-01-02") + "&to=" + time.Now().Add(48*time.Hour).UTC().Format("2006-01-02")
	for _, path := range []string{
		"/v1/reports/campaigns?" + from, "/v1/reports/platforms?" + from, "/v1/reports/performance?group_by=country,device,os&" + from,
		"/v1/reports/performance?group_by=referrer,hour&" + from, "/v1/reports/performance?group_by=task,link&" + from, "/v1/reports/funnel?" + from,
		"/v1/reports/codes?" + from, "/v1/reports/paths?" + from, "/v1/reports/models?" + from,
		"/v1/creators/" + link["creator_id"].(string) + "/balance", "/v1/creators/" + link["creator_id"].(string) + "/statement",
		"/v1/actions", "/v1/conversions", "/v1/campaigns/" + link["campaign_id"].(string),
	} {
		answer := a.call(http.MethodGet, path, nil, http.StatusOK)
		delete(answer, "data_through")
		delete(answer, "lag_ms")
		encoded, err := json.Marshal(answer)
		if err != nil {
			a.t.Fatal(err)
		}
		all[path] = string(encoded)
	}
	return all
}

// same compares figures.
func (a *testApp) same(before, after map[string]string) {
	a.t.Helper()
	for path, want := range before {
		if got := after[path]; got != want {
			a.t.Errorf("%s was\n%s\nand is\n%s", path, want, got)
		}
	}
}

// caughtUp waits until everything is in ClickHouse and told.
func (a *testApp) caughtUp() {
	a.t.Helper()
	if err := a.settled(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	eventually(a.t, func() error {
		behind, err := a.money.OutboxBehind(a.t.Context())
		for reader, n := range behind {
			if n > 0 {
				err = fmt.Errorf("%s has %d messages before it", reader, n)
			}
		}
		if pending := a.clicks.Stats().Pending; pending > 0 {
			err = fmt.Errorf("%d clicks are not shipped", pending)
		}
		return err
	})
}

// erase asks for an erasure and waits until it is done.
func (a *testApp) erase(subject map[string]any) map[string]any {
	a.t.Helper()
	subject["dry_run"] = false
	e := a.call(http.MethodPost, "/v1/erasures", subject, http.StatusOK)
	eventually(a.t, func() error {
		if e = a.call(http.MethodGet, "/v1/erasures/"+e["id"].(string), nil, http.StatusOK); e["state"] != "done" {
			return fmt.Errorf("%v: %v", e["state"], e["problem"])
		}
		return nil
	})
	return e
}

func TestACustomerIsErasedEverywhereAndNoFigureChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startTestApp(t, testOptions(t, dir))
	<-a.migrated
	link := a.makeLink()
	advertiser := link["advertiser_id"].(string)
	hashes := hashesOf(t, dir, advertiser, erased)
	if len(hashes) != 2 {
		t.Fatalf("an e-mail address has the hashes %v", hashes)
	}
	sale := func(order, customer, click string, more map[string]any) map[string]any {
		fields := map[string]any{"event": "sale", "order_id": order, "amount": "10.00", "currency": "USD", "customer_id": customer}
		if click != "" {
			fields["click_id"] = click
		}
		for name, value := range more {
			fields[name] = value
		}
		return a.sold(advertiser, fields)
	}
	hers, second, his := clickIDOf(t, a.clicked(link, phone)), clickIDOf(t, a.clicked(link, phone)), clickIDOf(t, a.clicked(link, desktop))
	sale("o1", erased, hers, map[string]any{"note": "for " + erased})
	sale("o2", strings.ToLower(erased), "", nil) // known by the customer id
	sale("o3", stays, his, nil)
	if again := sale("o1", erased, hers, map[string]any{"amount": "11.00"}); again["status"] != "conflict" {
		t.Fatalf("another amount is %v", again)
	}
	a.caughtUp()
	var visitor uint64
	if err := a.clickhouse.QueryRow(t.Context(), "SELECT visitor FROM clicks WHERE click_id = ?", hers).Scan(&visitor); err != nil || visitor == 0 {
		t.Fatalf("visitor %d, %v", visitor, err)
	}
	if len(inSQL(t, dir, hashes[0])) < 5 || len(inSQL(t, dir, hashes[1])) == 0 || len(a.inClickHouse(hashes[0])) == 0 || len(a.inClickHouse(fmt.Sprint(visitor))) == 0 {
		t.Fatalf("there is nothing to erase: the searches find %v, %v, %v, %v", inSQL(t, dir, hashes[0]), inSQL(t, dir, hashes[1]), a.inClickHouse(hashes[0]), a.inClickHouse(fmt.Sprint(visitor)))
	}
	before, received := a.figures(link), attribution.InstantOf(time.Now())

	dry := a.call(http.MethodPost, "/v1/erasures", map[string]any{"advertiser_id": advertiser, "customer_id": erased}, http.StatusOK)
	if found := dry["found"].(map[string]any); dry["state"] != "dry_run" || found["conversions"] != 2.0 || found["actions"] != 2.0 || found["clicks"] != 2.0 || found["quarantine"] != 1.0 {
		t.Errorf("a dry run finds %v", dry)
	}
	if len(inSQL(t, dir, hashes[0])) < 5 {
		t.Error("a dry run erased something")
	}
	var out bytes.Buffer
	erase := []string{"erase", "--data", dir, "--url", "http://" + a.adminListener.Addr().String(), "--advertiser", advertiser, "--customer", erased, "--apply"}
	if code := run(terminal{Args: erase, Out: &out, Err: &out}); code != exitOK || !strings.Contains(out.String(), "the customer is erased") || !strings.Contains(out.String(), "conversions: 2\n") {
		t.Fatalf("exit code %d:\n%s", code, &out)
	}
	a.caughtUp()

	nowhere := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if found := append(inSQL(t, dir, text), a.inClickHouse(text)...); len(found) > 0 {
				t.Errorf("%q is still in %v", text, found)
			}
		}
	}
	nowhere(append(hashes, fmt.Sprint(visitor), erased, strings.ToLower(erased))...)
	a.same(before, a.figures(link))
	if audit := a.call(http.MethodGet, "/v1/audit", nil, http.StatusOK); audit["agree"] != true {
		t.Errorf("the audit says %v", audit)
	}
	for _, id := range []string{hers, second} {
		click := a.call(http.MethodGet, "/v1/clicks/"+id, nil, http.StatusOK)
		if click["verdict"] != "valid" || click["country"] != nil && click["country"] != "" || strings.Contains(fmt.Sprint(click["destination"], click["address"]), "utm") || click["address"] != nil {
			t.Errorf("what is left of a click is %v", click)
		}
	}
	if click := a.call(http.MethodGet, "/v1/clicks/"+his, nil, http.StatusOK); click["address"] == nil {
		t.Errorf("another visitor's click is %v", click)
	}
	if found := inSQL(t, dir, hashesOf(t, dir, advertiser, stays)[0]); len(found) < 4 {
		t.Errorf("another customer is only in %v", found)
	}
	log := a.call(http.MethodGet, "/v1/audit-log?verb=erase", nil, http.StatusOK)["items"].([]any)
	if len(log) != 1 || log[0].(map[string]any)["thing"] != "customer" {
		t.Errorf("the audit log says %v", log)
	}

	// The order stays taken, and what was received before is settled without her.
	if again := sale("o1", erased, hers, nil); again["status"] != "duplicate" {
		t.Errorf("the same order again is %v", again)
	}
	for i, report := range []attribution.Report{
		{Fields: attribution.ReportFields{Event: "sale", OrderID: "late", Amount: "5.00", Currency: "USD", CustomerID: hashes[0], Note: "of " + hashes[1], ClickID: hers}},
		{Fields: attribution.ReportFields{Event: "sale", OrderID: "o1", Amount: "6.00", Currency: "USD", CustomerID: hashes[0]}}, // ends in quarantine
	} {
		report.Kind, report.ReceiptID, report.AdvertiserID, report.Source, report.Signed = attribution.ReportConversion, fmt.Sprintf("rcp_%026d", i), advertiser, "s2s", true
		report.ReceivedAt = received
		record, err := attribution.AppendReport(nil, &report)
		if err == nil {
			err = a.reports.Append(0, record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a.caughtUp()
	nowhere(hashes...)
	if late := a.call(http.MethodGet, "/v1/conversions?order_id=late", nil, http.StatusOK)["items"].([]any); len(late) != 1 || late[0].(map[string]any)["attributed"] != true {
		t.Errorf("the late order is %v", late)
	}

	// Whoever comes back is a customer like another; erasing her again finds only that.
	sale("o9", erased, "", nil)
	if found := a.erase(map[string]any{"advertiser_id": advertiser, "customer_id": erased})["found"].(map[string]any); found["conversions"] != 1.0 {
		t.Errorf("erasing her again found %v", found)
	}
	a.caughtUp()
	nowhere(hashes...)
}

func TestAVisitorIsErasedByOneOfItsClicks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startTestApp(t, testOptions(t, dir))
	<-a.migrated
	link := a.makeLink()
	hers, second, his := clickIDOf(t, a.clicked(link, phone)), clickIDOf(t, a.clicked(link, phone)), clickIDOf(t, a.clicked(link, desktop))
	a.caughtUp()
	var visitor uint64
	if err := a.clickhouse.QueryRow(t.Context(), "SELECT visitor FROM clicks WHERE click_id = ?", hers).Scan(&visitor); err != nil {
		t.Fatal(err)
	}
	record := attribution.AppendClick(nil, &attribution.Click{ID: []byte(second), AtMs: time.Now().UnixMilli(), Visitor: visitor, Network: []byte("203.0.113.0/24"), UserAgent: []byte(phone)})
	if err := a.quarantine.Put(ingest.QuarantineEntry{Source: "clicks", Reason: ingest.ReasonRefused, Record: record},
		ingest.QuarantineEntry{Source: "clicks", Reason: ingest.ReasonUndecodable, Record: []byte("torn " + hers)}); err != nil {
		t.Fatal(err)
	}
	before := a.figures(link)
	e := a.erase(map[string]any{"click_id": hers})
	if found := e["found"].(map[string]any); e["kind"] != "visitor" || found["clicks"] != 2.0 || found["quarantined_clicks"] != 2.0 {
		t.Errorf("the erasure found %v", e)
	}
	if found := a.inClickHouse(fmt.Sprint(visitor)); len(found) > 0 {
		t.Errorf("the visitor is still in %v", found)
	}
	if left, _, err := a.quarantine.List(t.Context(), ingest.QuarantineFilter{}); err != nil || len(left) != 2 || bytes.Contains(left[0].Record, []byte("203.0.113")) || len(left[1].Record) != 0 {
		t.Errorf("in quarantine are %v, %v", left, err)
	}
	if click := a.call(http.MethodGet, "/v1/clicks/"+his, nil, http.StatusOK); click["address"] == nil {
		t.Errorf("another visitor's click is %v", click)
	}
	a.same(before, a.figures(link))
	a.call(http.MethodPost, "/v1/erasures", map[string]any{"click_id": "no-click"}, http.StatusNotFound)
	a.call(http.MethodPost, "/v1/erasures", map[string]any{"customer_id": "x"}, http.StatusUnprocessableEntity)
	a.call(http.MethodPost, "/v1/erasures", map[string]any{}, http.StatusUnprocessableEntity)
}

// TestErasuresSurviveKills kills the process at random moments of erasing. Every
// erasure that was begun is finished by the next life.
//
//	go test ./cmd/tributary -run ErasuresSurviveKills -v -money.seed 7
func TestErasuresSurviveKills(t *testing.T) {
	t.Parallel()
	seed := *moneySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -money.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 5))
	dir := t.TempDir()
	life := startServe(t, dir)
	client := life.client()
	link := client.makeLink()
	advertiser := link["advertiser_id"].(string)
	const kills = 4
	customer := func(i int) string { return fmt.Sprintf("person-%d@example.com", i) }
	for i := range kills {
		for n := range 3 {
			client.sold(advertiser, map[string]any{"event": "sale", "order_id": fmt.Sprintf("k%d-%d", i, n), "amount": "10.00", "currency": "USD",
				"customer_id": customer(i), "click_id": clickIDOf(t, client.clicked(link, phone))})
		}
	}
	begun := 0
	for i := range kills {
		go func() { // the answer may never come
			content := fmt.Sprintf(`{"advertiser_id":%q,"customer_id":%q,"dry_run":false}`, advertiser, customer(i))
			request, err := http.NewRequest(http.MethodPost, "http://"+client.adminListener.Addr().String()+"/v1/erasures", strings.NewReader(content))
			if err != nil {
				return
			}
			request.Header.Set("Authorization", "Bearer "+adminKeyOfTests)
			request.Header.Set("Content-Type", "application/json")
			if response, err := http.DefaultClient.Do(request); err == nil {
				response.Body.Close()
			}
		}()
		eventually(t, func() error {
			if items := client.call(http.MethodGet, "/v1/erasures", nil, http.StatusOK)["items"].([]any); len(items) <= begun {
				return fmt.Errorf("%d erasures are begun", len(items))
			}
			return nil
		})
		begun++
		time.Sleep(time.Duration(random.Int64N(int64(150 * time.Millisecond)))) // a moment of erasing
		life.signal(syscall.SIGKILL)
		life.ended()
		life = startServe(t, dir)
		client = life.client()
	}
	eventually(t, func() error {
		for _, item := range client.call(http.MethodGet, "/v1/erasures", nil, http.StatusOK)["items"].([]any) {
			if e := item.(map[string]any); e["state"] != "done" {
				return fmt.Errorf("%v is %v: %v", e["id"], e["state"], e["problem"])
			}
		}
		return nil
	})
	life.stops()
	a := startTestApp(t, testOptions(t, dir))
	<-a.migrated
	a.caughtUp()
	for i := range kills {
		for _, hash := range hashesOf(t, dir, advertiser, customer(i)) {
			if found := append(inSQL(t, dir, hash), a.inClickHouse(hash)...); len(found) > 0 {
				t.Errorf("customer %d is still in %v", i, found)
			}
		}
	}
	var visits uint64
	if err := a.clickhouse.QueryRow(t.Context(), "SELECT countIf(visitor != 0 OR network != '' OR user_agent != '') FROM clicks").Scan(&visits); err != nil || visits != 0 {
		t.Errorf("%d clicks tell of a visitor, %v", visits, err)
	}
	if audit := a.call(http.MethodGet, "/v1/audit", nil, http.StatusOK); audit["agree"] != true {
		t.Errorf("the audit says %v", audit)
	}
}
