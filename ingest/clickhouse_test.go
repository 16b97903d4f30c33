package ingest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/schema/schematest"
)

func count(t testing.TB, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// checkStored wants the table and the rollup to hold each of the records once.
func checkStored(t *testing.T, conn driver.Conn, records uint64) {
	t.Helper()
	for what, query := range map[string]string{
		"rows":            "SELECT count() FROM clicks",
		"different rows":  "SELECT uniqExact(node, seq) FROM clicks",
		"hits in rollup":  "SELECT sum(hits) FROM clicks_15m",
		"valid in rollup": "SELECT sum(clicks) FROM clicks_15m",
	} {
		if got := count(t, conn, query); got != records {
			t.Errorf("%d %s, want %d", got, what, records)
		}
	}
}

func TestEveryColumnIsStored(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	n.append(click(1, func(c *attribution.Click) {
		c.Region, c.City, c.ASOrg, c.Rule = []byte("10"), []byte("Bangkok"), []byte("Example Net"), []byte("rule:0")
		c.Verdict, c.Reasons = attribution.Bot, attribution.ReasonCrawler|attribution.ReasonProbe
		c.Head, c.GPC, c.Unpayable = true, true, attribution.CampaignEnded
		for i := range c.Sub {
			c.Sub[i] = fmt.Appendf(nil, "s%d\n\t\x00'", i+1)
		}
	}))
	n.live()
	var got string
	err := conn.QueryRow(t.Context(), `SELECT toString(tuple(* EXCEPT (visitor, shipped_at, node, first_verdict, first_unique, erased))) FROM clicks WHERE startsWith(node, 'node-1/') AND visitor != 0 AND shipped_at > '2020-01-01'`).Scan(&got)
	if err != nil {
		t.Fatal(err)
	}
	want := `('click-1','2027-03-14 12:00:00.001','adv_1','cmp_1','crt_1','tsk_1','lnk_1','','tiktok','THB','instagram','bot',['probe','crawler'],3,0,'HEAD',` +
		`'https://shop.example/p/1','rule:0','TH','10','Bangkok',64500,'Example Net','203.0.113.0/24',` +
		`'Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 323.0.4.30.83 (iPhone14,5)',` +
		`'phone','iOS','17.4.1','Instagram','323.0.4.30.83',1,'l.instagram.com','th',` +
		`'s1\n\t\0\'','s2\n\t\0\'','s3\n\t\0\'','s4\n\t\0\'','s5\n\t\0\'','campaign_ended',1,1)`
	const later = 3 // columns are written by who judges a hit again, or erases it
	if sent := uint64(len(NewClicks(nil, nil).NewBlock().Columns())) + 3 + later; sent != count(t, conn, "SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'clicks'") {
		t.Errorf("a block has %d columns and the table another number", sent)
	}
	if got != want {
		t.Errorf("stored\n%s\nwant\n%s", got, want)
	}
}

// TestRowsAndRollupOnceAfterKills ends lives at every step; the first with a
// server that remembers tokens, the second with one that forgot them and would
// store anything again.
func TestRowsAndRollupOnceAfterKills(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		t.Run(fmt.Sprintf("server forgets %v", forgets), func(t *testing.T) {
			conn := schematest.Start(t)
			n := newNode(t)
			n.conn = conn
			if forgets {
				for _, table := range []string{"clicks", "clicks_15m"} {
					if err := conn.Exec(t.Context(), "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 0"); err != nil {
						t.Fatal(err)
					}
				}
				n.sink = &clickhouseSink{conn: conn, table: "clicks"} // counts on no token
			}
			total := 0
			for nth := 1; nth <= 2; nth++ {
				for _, step := range []string{"claimed", "inserted", "delivered", "committed"} {
					n.append(clicks(total, total+350)...)
					total += 350
					n.checkpoint = killAt(step, nth)
					n.live()
				}
			}
			n.checkpoint = nil
			n.live()
			checkStored(t, conn, uint64(total))
			if got := count(t, conn, "SELECT sum(unique_clicks) FROM clicks_15m"); got != uint64(total) {
				t.Errorf("%d unique clicks, want %d", got, total)
			}
		})
	}
}

// lostReplies stores and then says that it did not.
type lostReplies struct {
	sink
	lost atomic.Int64 // replies still to be lost
}

func (l *lostReplies) insert(ctx context.Context, token string, columns []Column, from, to int) error {
	err := l.sink.insert(ctx, token, columns, from, to)
	if err == nil && l.lost.Add(-1) >= 0 {
		return errConnection
	}
	return err
}

func TestLostRepliesOverMonthEndCountOnce(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	n.batch = 500
	sink := &lostReplies{sink: &clickhouseSink{conn: conn, table: "clicks", remembers: tokensRemembered}}
	sink.lost.Store(2)
	n.sink = sink
	monthEnd := time.Date(2027, 3, 31, 23, 59, 59, 750_000_000, time.UTC)
	var records [][]byte
	for i := range 1000 {
		records = append(records, click(i, at(monthEnd.Add(time.Duration(i%500)*time.Millisecond))))
	}
	n.append(records...)
	n.live()
	checkStored(t, conn, 1000)
}

// TestPartOfABatchIsCompleted takes one month's part of a batch away after its
// insert, as a crash between the parts of two months would have.
func TestPartOfABatchIsCompleted(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	n.batch = 1000
	monthEnd := time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC)
	var records [][]byte
	for i := range 1000 {
		records = append(records, click(i, at(monthEnd.Add(time.Duration(i*2)*time.Millisecond))))
	}
	n.append(records...)
	n.checkpoint = killAt("inserted", 1)
	n.live()
	for _, table := range []string{"clicks", "clicks_15m"} {
		if err := conn.Exec(t.Context(), "ALTER TABLE "+table+" DROP PARTITION 202704"); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(t, conn, "SELECT count() FROM clicks"); got != 500 {
		t.Fatalf("%d rows are left of the batch, want 500", got)
	}
	n.checkpoint = nil
	n.live()
	checkStored(t, conn, 1000)
}

// TestRollupIsCompleted takes the rollup's rows away, as a crash between the
// table's part and the view's would have.
func TestRollupIsCompleted(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	n.append(clicks(0, 100)...)
	n.checkpoint = killAt("inserted", 1)
	n.live()
	if err := conn.Exec(t.Context(), "ALTER TABLE clicks_15m DROP PARTITION 202703"); err != nil {
		t.Fatal(err)
	}
	n.checkpoint = nil
	n.live()
	checkStored(t, conn, 100)
}

func TestRowThatClickHouseRefusesGoesToQuarantine(t *testing.T) {
	conn := schematest.Start(t)
	if err := conn.Exec(t.Context(), "ALTER TABLE clicks ADD CONSTRAINT no_poison CHECK sub1 != 'poison'"); err != nil {
		t.Fatal(err)
	}
	n := newNode(t)
	n.conn = conn
	n.batch = 1000
	records := clicks(0, 1000)
	records[700] = click(700, sub1("poison"))
	n.append(records...)
	n.live()
	checkStored(t, conn, 999)
	if got := n.quarantine.Counts()[ReasonRefused]; got != 1 {
		t.Fatalf("%d rows in quarantine, want 1", got)
	}
	// After the fix the record is replayed and counts.
	if err := conn.Exec(t.Context(), "ALTER TABLE clicks DROP CONSTRAINT no_poison"); err != nil {
		t.Fatal(err)
	}
	done, err := n.quarantine.Replay(t.Context(), QuarantineFilter{Reason: ReasonRefused}, func(e QuarantineEntry) error {
		n.append(e.Record)
		return n.log.Sync()
	})
	if err != nil || done != 1 {
		t.Fatalf("replayed %d, %v; want 1", done, err)
	}
	n.live()
	checkStored(t, conn, 1000)
}

// TestUniqueSurvivesRestart has visitors come back within and after the window,
// over a midnight that changes the salt, to a new life each time.
func TestUniqueSurvivesRestart(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	midnight := time.Date(2027, 3, 15, 0, 0, 0, 0, time.UTC)
	visit := func(atMinute int, visitor, prev uint64, more ...func(*attribution.Click)) []byte {
		return click(0, append(more, at(midnight.Add(time.Duration(atMinute)*time.Minute)), func(c *attribution.Click) {
			c.Visitor, c.VisitorPrev = visitor, prev
		})...)
	}
	bot := func(c *attribution.Click) { c.Verdict = attribution.Bot }
	gpc := func(c *attribution.Click) { c.GPC = true }
	for i, c := range []struct {
		record []byte
		unique uint64
	}{
		{visit(-60, 1, 0), 1},
		{visit(-45, 1, 0), 0},
		{visit(-20, 1, 0), 0}, // 40 minutes after the first, 25 after the last
		{visit(-15, 2, 0), 1}, // somebody else
		{visit(-14, 3, 0, bot), 0},
		{visit(-13, 3, 0), 1}, // a bot's hit is no visit
		{visit(-12, 0, 0, gpc), 0},
		{visit(5, 11, 1), 0}, // the first visitor under the new salt
		{visit(14, 11, 1), 0},
		{visit(44, 11, 0), 1}, // the window is over on the minute
		{visit(50, 12, 2), 1}, // 65 minutes later
	} {
		n.append(c.record)
		n.live()
		if got := count(t, conn, fmt.Sprintf("SELECT toUInt64(is_unique) FROM clicks WHERE seq = %d", i+1)); got != c.unique {
			t.Errorf("hit %d: unique %d, want %d", i, got, c.unique)
		}
	}
}

func TestAClickIsVisibleSoon(t *testing.T) {
	conn := schematest.Start(t)
	n := newNode(t)
	n.conn = conn
	s := n.shipper()
	s.Interval = 300 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	for i := range uint64(3) {
		received := time.Now()
		n.append(click(int(i)))
		deadline := received.Add(30 * time.Second)
		for count(t, conn, "SELECT count() FROM clicks") <= i {
			if s.DataThrough(time.Now()).After(received) {
				t.Fatal("data through a click that is not there")
			}
			if time.Now().After(deadline) {
				t.Fatal("the click is not there")
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Logf("visible after %v", time.Since(received))
		for !s.DataThrough(time.Now()).After(received) {
			if time.Now().After(deadline) {
				t.Fatal("data through does not pass a click that is there")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
