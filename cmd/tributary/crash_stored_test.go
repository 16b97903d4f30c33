package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/engine"
)

// metric reads one sample, named with its labels, from the process's /metrics.
func (a *testApp) metric(sample string) (float64, error) {
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, "http://"+a.adminListener.Addr().String()+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("/metrics is answered %s", response.Status)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), sample+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", sample)
}

const (
	spoolRecords = `tributary_spool_records{log="clicks"}`
	shippedRows  = `tributary_shipped_rows_total{table="clicks"}`
	unrecorded   = "tributary_clicks_unrecorded_total"
)

// drained waits until nothing is left in the spool.
func (a *testApp) drained() {
	a.t.Helper()
	eventually(a.t, func() error {
		left, err := a.metric(spoolRecords)
		if err == nil && left > 0 {
			err = fmt.Errorf("%v records are left in the spool", left)
		}
		return err
	})
}

// shipping waits until more rows were stored than before, in this life.
func (a *testApp) shipping(before float64) {
	a.t.Helper()
	eventually(a.t, func() error {
		rows, err := a.metric(shippedRows)
		if err == nil && rows <= before {
			err = fmt.Errorf("%v rows are shipped, as before", rows)
		}
		return err
	})
}

// shipped is the number of rows stored in this life; 0 before the first.
func (a *testApp) shipped() float64 {
	rows, err := a.metric(shippedRows)
	if err != nil {
		return 0
	}
	return rows
}

// makeKnownLinks makes links, each of an advertiser of its own, and waits until
// the tracker knows them, without a click that nobody would keep account of.
func (a *testApp) makeKnownLinks(count int) (links []map[string]any) {
	a.t.Helper()
	for range count {
		links = append(links, a.makeLink())
	}
	eventually(a.t, func() error {
		known, err := a.metric("tributary_links")
		if err == nil && known != float64(count) {
			err = fmt.Errorf("the tracker knows %v links", known)
		}
		return err
	})
	return links
}

// A store is the data directory's ClickHouse after its process has stopped,
// asked in SQL and not through our own reports.
type store struct {
	t    *testing.T
	conn driver.Conn
}

func openStore(t *testing.T, dir string) *store {
	t.Helper()
	e, err := engine.Start(t.Context(), engine.Options{Dir: dir + "/" + enginePath, Library: testOptions(t, dir).EngineLibrary, Command: []string{os.Args[0], engineVerb}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &store{t, conn}
}

// numbers asks for a row of counts.
func (s *store) numbers(query string, into ...any) {
	s.t.Helper()
	if err := s.conn.QueryRow(s.t.Context(), query).Scan(into...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// verdicts are those of every row, by click id; each id is there once or the
// test fails.
func (s *store) verdicts() map[string]string {
	s.t.Helper()
	rows, err := s.conn.Query(s.t.Context(), "SELECT click_id, verdict FROM clicks")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	verdicts, twice := map[string]string{}, []string{}
	for rows.Next() {
		var id, verdict string
		if err := rows.Scan(&id, &verdict); err != nil {
			s.t.Fatal(err)
		}
		if _, again := verdicts[id]; again {
			twice = append(twice, id)
		}
		verdicts[id] = verdict
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	if len(twice) > 0 {
		s.t.Errorf("%d clicks are stored more than once, %s for one", len(twice), twice[0])
	}
	return verdicts
}

// keepsPromise compares what shoppers were answered with what is stored, click
// by click. lost is how many clicks the tracker said it could not record.
func (s *store) keepsPromise(books *crowdBooks, lost int) {
	s.t.Helper()
	stored := s.verdicts()
	var missing, misjudged []string
	for id, verdict := range books.answered {
		switch got, found := stored[id]; {
		case !found:
			missing = append(missing, id)
		case got != verdict:
			misjudged = append(misjudged, fmt.Sprintf("%s is %s, want %s", id, got, verdict))
		}
	}
	if len(missing) > lost {
		s.t.Errorf("%d clicks were answered and are not stored, %d of them counted unrecorded; %s for one", len(missing), lost, missing[0])
	}
	if len(misjudged) > 0 {
		s.t.Errorf("%d clicks are stored with another verdict, for one: %s", len(misjudged), misjudged[0])
	}
	extra := len(stored) - (len(books.answered) - len(missing))
	if extra > len(books.unanswered) {
		s.t.Errorf("%d clicks are stored that nobody was answered, and only %d requests went unanswered", extra, len(books.unanswered))
	}
	for _, fault := range books.faults {
		s.t.Error(fault)
	}
	s.addsUp(uint64(len(books.visits)))
	s.t.Logf("shoppers: %s; stored: %d, of them %d never answered; missing %d; counted unrecorded %d", books, len(stored), extra, len(missing), lost)
}

// addsUp holds the rollup, the rows and the log's numbers against each other.
func (s *store) addsUp(visits uint64) {
	s.t.Helper()
	var rows, ids, places, last, valid, unique uint64
	s.numbers("SELECT count(), uniqExact(click_id), uniqExact(node, seq), max(seq), countIf(verdict = 'valid'), countIf(verdict = 'valid' AND is_unique = 1) FROM clicks",
		&rows, &ids, &places, &last, &valid, &unique)
	if ids != rows || places != rows || last != rows {
		s.t.Errorf("of %d rows %d have an id and %d a place in the log of their own, and the last is number %d of it", rows, ids, places, last)
	}
	var hits, clicks, uniqueClicks uint64
	s.numbers("SELECT sum(hits), sum(clicks), sum(unique_clicks) FROM clicks_15m", &hits, &clicks, &uniqueClicks)
	if hits != rows || clicks != valid || uniqueClicks != unique {
		s.t.Errorf("clicks_15m has %d hits, %d clicks, %d unique; clicks has %d, %d, %d", hits, clicks, uniqueClicks, rows, valid, unique)
	}
	if unique != visits {
		s.t.Errorf("%d clicks are unique, by %d visitors", unique, visits)
	}
}
