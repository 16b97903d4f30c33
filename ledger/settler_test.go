package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/ingest/spool"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// spoolLog is the durable log as a settler reads it.
type spoolLog struct{ *spool.Log }

func (l spoolLog) Next(ctx context.Context, max int) (records [][]byte, sequences []uint64, through uint64, err error) {
	batch, err := l.Log.Next(ctx, max, 16<<20)
	if err != nil {
		return nil, nil, 0, err
	}
	for i := range batch.Records {
		sequences = append(sequences, batch.Sequence(i))
	}
	return batch.Records, sequences, batch.Last, nil
}

func (l spoolLog) Appended() uint64 { return l.Stats().Appended }

func openSpool(t testing.TB, dir string) spoolLog {
	t.Helper()
	log, err := spool.Open(spool.Options{Dir: dir, MaxWait: 20 * time.Second})
	ok(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return spoolLog{log}
}

// take makes reports durable.
func (l spoolLog) take(reports ...*attribution.Report) error {
	var records [][]byte
	for _, r := range reports {
		record, err := attribution.AppendReport(nil, r)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return l.AppendAll(0, records)
}

func (w *world) settler(log ReportLog) *Settler {
	s := NewSettler(w.Ledger, log, SettlerOptions{MinBackoff: time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.Cleanup(func() {
		stop()
		ok(w, <-done)
	})
	return s
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSettlerTellsWhoWaits(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	log := openSpool(t, t.TempDir())
	settler := s.settler(log)
	click := s.click(s.link, attribution.Valid)
	first := s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD","click_id":"` + click + `"}`)
	again := s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD","click_id":"` + click + `"}`)
	ok(t, log.take(first))
	ok(t, log.Append(0, []byte("no report")))
	ok(t, log.take(again))
	results := settler.Wait(soon(t), []string{again.ReceiptID, first.ReceiptID})
	equal(t, "settled", len(results), 2)
	equal(t, "status", results[0].Status+" "+results[1].Status, Duplicate+" "+Accepted)
	equal(t, "one id", results[0].ConversionID, results[1].ConversionID)
	kept := must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Code: CodeUnreadable}, Page{}))(t).Items
	equal(t, "kept what is no report", *kept[0].Raw, `"no report"`)
	impatient, cancel := context.WithTimeout(s.ctx, time.Millisecond)
	defer cancel()
	equal(t, "of a report never made", len(settler.Wait(impatient, []string{"rcp_none"})), 0)
	equal(t, "who waits is forgotten", len(settler.recent.waiters), 0)
	equal(t, "counts", fmt.Sprint(settler.Counts()), "map[accepted:1 conflict:0 duplicate:1 rejected:1]")
}

// TestConcurrentSales sells two events at once from many goroutines against a
// budget with room for 50: the order of settling does not matter, the sum does.
func TestConcurrentSales(t *testing.T) {
	t.Parallel()
	s := newShop(t, `{"budget":{"amount":"895.50"},"terms":{"events":{"sale":{"type":"flat","amount":"12.00"},"lead":{"type":"flat","amount":"12.00"}}}}`)
	log := openSpool(t, t.TempDir())
	settler := s.settler(log)
	click := s.click(s.link, attribution.Valid)
	const sales = 2_000
	receipts := make([]string, sales)
	reports := make([]*attribution.Report, sales)
	for i := range reports {
		event := [...]string{"sale", "lead"}[i%2]
		reports[i] = s.report(fmt.Sprintf(`{"event":%q,"order_id":"o%d","amount":"120.00","currency":"USD","click_id":%q}`, event, i/2, click))
		receipts[i] = reports[i].ReceiptID
	}
	var tellers sync.WaitGroup
	for part := range slices.Chunk(reports, 20) {
		tellers.Go(func() {
			if err := log.take(part...); err != nil {
				t.Error(err)
			}
		})
	}
	tellers.Wait()
	pending, held := 0, 0
	for _, result := range settler.Wait(soon(t), receipts) {
		switch state := result.Actions[0].State; {
		case state == Pending && result.Actions[0].Payout == "12.00":
			pending++
		case state == Held && result.Actions[0].Payout == "0.00":
			held++
		}
	}
	equal(t, "pending", pending, 50)
	equal(t, "held", held, sales-50)
	var committed int64
	ok(t, s.db.View(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed", committed, 50*1791)
	s.patch(s.campaignID, `{"budget":{"amount":"50000.00"}}`)
	equal(t, "released", len(must(s.Ledger.Actions(s.ctx, adminScope, ActionFilter{State: Held}, Page{}))(t).Items), 0)
	ok(t, s.db.View(s.ctx, committedOf(s.campaignID, &committed)))
	equal(t, "committed", committed, sales*1791)
}

// A brokenLog yields one batch and then nothing.
type brokenLog struct {
	records   [][]byte
	handed    bool
	committed uint64
}

func (l *brokenLog) Identity() string { return "broken" }

func (l *brokenLog) Appended() uint64 { return uint64(len(l.records)) }

func (l *brokenLog) Next(ctx context.Context, _ int) (records [][]byte, sequences []uint64, through uint64, err error) {
	if l.handed {
		<-ctx.Done()
		return nil, nil, 0, ctx.Err()
	}
	l.handed = true
	for i := range l.records {
		sequences = append(sequences, uint64(i+1))
	}
	return l.records, sequences, uint64(len(l.records)), nil
}

func (l *brokenLog) Commit(through uint64) error {
	l.committed = through
	return errors.New("not now")
}

// TestOneReportTheLedgerStumblesOver is quarantined; those around it are settled.
func TestOneReportTheLedgerStumblesOver(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	reports := []*attribution.Report{
		s.report(`{"event":"sale","order_id":"o1","amount":"1.00","currency":"USD","click_id":"` + click + `"}`),
		s.report(`{"event":"sale","order_id":"o2","amount":"1.00","currency":"USD","click_id":"` + click + `"}`),
		s.report(`{"event":"sale","order_id":"o3","amount":"1.00","currency":"USD","click_id":"` + click + `"}`),
	}
	reports[1].ReceiptID = reports[0].ReceiptID // two conversions cannot have one id
	log := &brokenLog{}
	var receipts []string
	for _, r := range reports {
		log.records = append(log.records, must(attribution.AppendReport(nil, r))(t))
		receipts = append(receipts, r.ReceiptID)
	}
	settler := s.settler(log)
	settler.Wait(soon(t), receipts[2:])
	equal(t, "o1", len(s.actions("o1")), 1)
	equal(t, "o2", len(s.actions("o2")), 0)
	equal(t, "o3", len(s.actions("o3")), 1)
	equal(t, "in quarantine", len(must(s.Ledger.Quarantine(s.ctx, adminScope, QuarantineFilter{Code: CodeUnsettleable}, Page{}))(t).Items), 1)
	equal(t, "position", must(s.Position(s.ctx, "broken"))(t), 3)
}

// victimDir names, in the environment, the directory of a process that settles
// until it is killed.
const victimDir = "TRIBUTARY_TEST_VICTIM_DIR"

// victimDSN names its database.
const victimDSN = "TRIBUTARY_TEST_VICTIM_DSN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := settleUntilKilled(dir, os.Getenv(victimDSN)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	checks := "20" // each opens a database; the command line may ask for more
	if onPostgres {
		checks = "2"
	}
	_ = flag.Set("rapid.checks", checks)
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		_ = flag.Set("rapid.seed", strconv.FormatUint(rand.Uint64(), 10))
		fmt.Printf("properties: repeat with -rapid.seed %s\n", seed.Value)
	}
	databasetest.Main(m)
}

// settleUntilKilled settles what is in the log, in small batches, and says how far
// it got.
func settleUntilKilled(dir, dsn string) error {
	ctx := context.Background()
	db, err := database.Open(ctx, dsn, dir)
	if err != nil {
		return err
	}
	log, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "log"), MaxWait: 20 * time.Second})
	if err != nil {
		return err
	}
	l := New(db, Options{ClickKeys: testKeys(), Now: func() time.Time { return instant("2027-01-10T09:00:00Z").Time() }})
	settler := NewSettler(l, spoolLog{log}, SettlerOptions{MaxBatch: 23})
	go func() {
		said := uint64(0)
		for {
			position, err := l.Position(ctx, log.Identity())
			if err != nil || position > said {
				fmt.Println(position, err)
			}
			said = position
			time.Sleep(time.Millisecond)
		}
	}()
	return settler.Run(ctx)
}

// TestKill kills a settler again and again: in the end every report was settled
// once.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorldIn(t, dir, "2027-01-10T09:00:00Z")
	s := newShopOn(w, `{"budget":{"amount":"1000.00"}}`)
	ok(t, os.Mkdir(filepath.Join(dir, "log"), 0o700))
	log := must(spool.Open(spool.Options{Dir: filepath.Join(dir, "log"), MaxWait: 20 * time.Second}))(t)
	click := s.click(s.link, attribution.Valid)
	const orders, reports = 1_000, 2_000
	var all []*attribution.Report
	for i := range reports {
		all = append(all, s.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":"10.00","currency":"USD","click_id":%q}`, i%orders, click)))
	}
	for part := range slices.Chunk(all, 200) {
		ok(t, spoolLog{log}.take(part...))
	}
	identity := log.Identity()
	ok(t, log.Close())
	ok(t, s.db.Close())
	kills := 0
	for position := uint64(0); position < reports; kills++ {
		position = runVictim(t, dir, s.dsn, position+uint64(50+137*kills))
	}
	if kills < 3 {
		t.Errorf("killed %d times only", kills)
	}
	s.db = openDatabase(t, s.dsn, dir)
	raw := s.raw()
	for query, want := range map[string]int{
		"SELECT COUNT(*) FROM conversions":                                orders,
		"SELECT COUNT(*) FROM actions":                                    orders,
		"SELECT COUNT(*) FROM entries":                                    orders,
		"SELECT COUNT(*) FROM outbox WHERE kind = 'conversion'":           orders,
		"SELECT COUNT(*) FROM quarantine":                                 0,
		"SELECT committed_minor FROM campaigns":                           149 * 671, // ten times 1.00 costs 1.49…
		"SELECT through FROM settled WHERE log = '" + identity + "'":      reports,
		"SELECT COUNT(*) FROM actions WHERE state = 'pending'":            671,
		"SELECT COUNT(*) FROM actions WHERE over_budget = 1":              orders - 671,
		"SELECT COUNT(DISTINCT id) FROM conversions WHERE attributed = 1": orders,
	} {
		var got int
		ok(t, raw.QueryRow(query).Scan(&got))
		equal(t, query, got, want)
	}
}

// runVictim lets a process settle and kills it once it is beyond a position; it
// returns the last one it said.
func runVictim(t *testing.T, dir, dsn string, until uint64) (position uint64) {
	t.Helper()
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimDir+"="+dir, victimDSN+"="+dsn)
	victim.Stderr = os.Stderr
	output := must(victim.StdoutPipe())(t)
	ok(t, victim.Start())
	timer := time.AfterFunc(30*time.Second, func() { _ = victim.Process.Kill() })
	defer timer.Stop()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var said uint64
		if _, err := fmt.Sscan(strings.Fields(lines.Text())[0], &said); err != nil {
			t.Fatal(err)
		}
		position = max(position, said)
		if position >= until || position >= 2_000 {
			_ = victim.Process.Kill()
		}
	}
	_ = victim.Wait() // it was killed
	return position
}

func TestReportsThatAreNone(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{"text": `"text"`, "\xff\x00": `"/wA="`} {
		r := readReport([]byte(record))
		equal(t, record, string(r.Raw), want)
		equal(t, record, r.Rejected.Code, CodeUnreadable)
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}
