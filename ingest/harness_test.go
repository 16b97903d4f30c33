package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/ingest/spool"
	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// day is when the tests' clicks happen; far enough from a month's end.
var day = time.Date(2027, 3, 14, 12, 0, 0, 0, time.UTC)

// click makes the record of the n-th click: a valid one of a visitor of its own.
func click(n int, change ...func(*attribution.Click)) []byte {
	identity := attribution.AppendIdentity(nil, &attribution.LinkIdentity{
		Number: uint64(n % 7), LinkID: fmt.Sprintf("lnk_%d", n%7), TaskID: "tsk_1", CampaignID: "cmp_1", CreatorID: "crt_1", AdvertiserID: "adv_1", Platform: "tiktok", Currency: "THB",
	})
	c := attribution.Click{
		ID: fmt.Appendf(nil, "click-%d", n), AtMs: day.UnixMilli() + int64(n), Identity: identity, RulesVersion: 3,
		Visitor: visitor(n), ASN: 64500, Country: []byte("TH"), Network: []byte("203.0.113.0/24"),
		Destination: []byte("https://shop.example/p/1"), UserAgent: []byte("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 323.0.4.30.83 (iPhone14,5)"),
		RefererHost: []byte("l.instagram.com"), Language: []byte("th"),
	}
	for _, f := range change {
		f(&c)
	}
	return attribution.AppendClick(nil, &c)
}

func visitor(n int) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return linkKey(string(b[:])) | 1
}

func sub1(text string) func(*attribution.Click) {
	return func(c *attribution.Click) { c.Sub[0] = []byte(text) }
}

func at(t time.Time) func(*attribution.Click) {
	return func(c *attribution.Click) { c.AtMs = t.UnixMilli() }
}

// A node is a tracker's data directory and what its lives are made with.
type node struct {
	t          *testing.T
	dir        string
	log        *spool.Log
	quarantine *Quarantine
	conn       driver.Conn // for the unique window; nil: none
	sink       sink        // nil: ClickHouse
	batch      int
	checkpoint func(step string) error
	metrics    *prometheus.Registry
}

func newNode(t *testing.T) *node {
	n := &node{t: t, dir: t.TempDir(), batch: 100}
	n.open()
	t.Cleanup(n.close)
	return n
}

func (n *node) open() {
	n.t.Helper()
	var err error
	n.log, err = spool.Open(spool.Options{Dir: filepath.Join(n.dir, "clicks"), Shards: 1, RingBytes: 1 << 20, SegmentBytes: 4 << 20, MaxBytes: 1 << 30, MaxRecordBytes: 64 << 10, SyncWithin: time.Millisecond, MaxWait: 10 * time.Second})
	if err != nil {
		n.t.Fatal(err)
	}
	n.quarantine, err = OpenQuarantine(filepath.Join(n.dir, "quarantine"), time.Now, nil)
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) close() {
	n.log.Close()
	n.quarantine.Close()
}

// append puts records into the log and waits until they can be read.
func (n *node) append(records ...[]byte) {
	n.t.Helper()
	for _, r := range records {
		if err := n.log.Append(0, r); err != nil {
			n.t.Fatal(err)
		}
	}
	if err := n.log.Sync(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) shipper() *Shipper {
	n.t.Helper()
	n.metrics = prometheus.NewRegistry()
	var table Table = NewClicks(n.conn, NewMemoryWindow(100_000))
	if n.conn == nil {
		table = coldTable{table}
	}
	s, err := NewShipper(Options{
		Name: "clicks", Node: "node-1", Dir: n.dir, Log: n.log, Table: table, ClickHouse: n.conn,
		Quarantine: n.quarantine, Metrics: NewMetrics(n.metrics), BatchRecords: n.batch, Interval: time.Millisecond,
		sink: n.sink, checkpoint: n.checkpoint, retry: backoff{First: time.Millisecond, Most: 5 * time.Millisecond},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// coldTable is a Table without ClickHouse to ask.
type coldTable struct{ Table }

func (coldTable) Warm(context.Context, Pending) error { return nil }

// live runs one life of the shipper: until the log is empty, or until a
// checkpoint ends it. It reports whether the log is empty. Then the node is as
// after kill -9 and a restart.
func (n *node) live() (empty bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	s := n.shipper()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for !empty {
		select {
		case err := <-ended:
			if !errors.Is(err, errKilled) {
				n.t.Fatalf("the shipper ended with %v", err)
			}
			n.close()
			n.open()
			return false
		case <-time.After(2 * time.Millisecond):
			empty = n.log.Stats().Pending == 0
			if ctx.Err() != nil {
				n.t.Fatalf("still %d records in the log", n.log.Stats().Pending)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, errKilled) {
		n.t.Fatal(err)
	}
	n.close()
	n.open()
	return true
}

// killAt ends a life the nth time it passes a step.
func killAt(step string, nth int) func(string) error {
	var mu sync.Mutex
	return func(passed string) error {
		mu.Lock()
		defer mu.Unlock()
		if passed == step {
			if nth--; nth == 0 {
				return errKilled
			}
		}
		return nil
	}
}

// steps are the places between which a life may end.
var steps = []string{"claimed", "quarantined", "cut", "inserted", "delivered", "committed"}

// A fakeSink stores rows as ClickHouse does: a part for each month, each of
// which remembers its token.
type fakeSink struct {
	mu      sync.Mutex
	rows    map[uint64]int // by sequence number: how often it was stored
	tokens  map[string]bool
	inserts int
	// fault answers the nth insert (from 1): before and after it was applied.
	// partial applies the first month only.
	fault func(nth int) (before, after error, partial bool)
	// poison says which rows are refused.
	poison func(sub1 string) bool
	// forgets tokens between two inserts.
	forgets bool
	perMs   map[uint64]int64
}

func newFakeSink() *fakeSink {
	return &fakeSink{rows: map[uint64]int{}, tokens: map[string]bool{}, perMs: map[uint64]int64{}}
}

var errConnection = errors.New("connection reset by peer")

func (f *fakeSink) insert(_ context.Context, token string, columns []Column, from, to int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inserts++
	var before, after error
	var partial bool
	if f.fault != nil {
		before, after, partial = f.fault(f.inserts)
	}
	if before != nil {
		return before
	}
	seqs := column[uint64](columns, "seq", from, to)
	times := column[int64](columns, "time", from, to)
	for _, text := range column[[]byte](columns, "sub1", from, to) {
		if f.poison != nil && f.poison(string(text)) {
			return fmt.Errorf("insert: %w", &clickhouse.Exception{Code: 469, Message: "Constraint is violated"})
		}
	}
	months := map[string][]int{}
	first := ""
	for i := range seqs {
		month := time.UnixMilli(times[i]).UTC().Format("200601")
		if first == "" {
			first = month
		}
		months[month] = append(months[month], i)
	}
	for month, rows := range months {
		if partial && month != first {
			continue
		}
		if f.tokens[month+token] && !f.forgets {
			continue
		}
		f.tokens[month+token] = true
		for _, i := range rows {
			f.rows[seqs[i]]++
			f.perMs[seqs[i]] = times[i]
		}
	}
	return after
}

func column[T any](columns []Column, name string, from, to int) []T {
	for _, c := range columns {
		if c.Name == name {
			return c.Values.Slice(from, to).([]T)
		}
	}
	panic("no column " + name)
}

func (f *fakeSink) stored(ctx context.Context, r storedRange) (storedRows, error) {
	seqs, err := f.storedSeqs(ctx, r)
	return storedRows{count: len(seqs), remembered: len(seqs) > 0 && !f.forgets}, err
}

func (f *fakeSink) storedSeqs(_ context.Context, r storedRange) (map[uint64]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seqs := map[uint64]bool{}
	for seq := range f.rows {
		if seq >= r.first && seq <= r.last && f.perMs[seq] >= r.fromMs && f.perMs[seq] <= r.toMs {
			seqs[seq] = true
		}
	}
	return seqs, nil
}

func (f *fakeSink) settled(context.Context) error { return nil }

// check wants the given sequence numbers stored once each, and no others.
func (f *fakeSink) check(t *testing.T, records int, without ...uint64) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	missing, twice := 0, 0
	for seq := uint64(1); seq <= uint64(records); seq++ {
		want := 1
		for _, w := range without {
			if seq == w {
				want = 0
			}
		}
		switch n := f.rows[seq]; {
		case n < want:
			missing++
		case n > want:
			twice++
		}
	}
	if missing > 0 || twice > 0 || len(f.rows) != records-len(without) {
		t.Errorf("of %d records %d are missing and %d are stored too often; %d rows in all", records, missing, twice, len(f.rows))
	}
}
