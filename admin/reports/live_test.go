package reports

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema"
	"tributary/schema/database"
	"tributary/schema/schematest"
)

// A studio is the live stream over a real server, with two advertisers.
type studio struct {
	t    *testing.T
	url  string
	conn driver.Conn
	live *Live
	stop context.CancelFunc
	keys map[string]string
	ids  map[string]string
	seqs map[string]uint64
}

func newStudio(t *testing.T, margins Margins) *studio {
	t.Helper()
	s := &studio{t: t, conn: schematest.Start(t), keys: map[string]string{}, ids: map[string]string{}, seqs: map[string]uint64{}}
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	things := catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32), Now: time.Now})
	root := catalog.Scope{Role: catalog.RoleAdmin}
	for _, name := range []string{"acme", "other"} {
		a, err := things.CreateAdvertiser(t.Context(), root, catalog.AdvertiserFields{Name: name, Currency: "USD", Timezone: "UTC", Domains: []string{name + ".example"}})
		must(t, err)
		c, err := things.CreateCreator(t.Context(), root, catalog.CreatorFields{Name: "creator of " + name})
		must(t, err)
		s.ids[name], s.ids[name+" creator"] = a.ID, c.ID
		s.key(things, name, catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: a.ID})
		s.key(things, name+" creator", catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: c.ID})
	}
	s.key(things, "admin", catalog.KeyFields{Role: catalog.RoleAdmin})
	s.key(things, "ingest", catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: s.ids["acme"]})
	s.live, err = NewLive(New(s.conn, upToDate{}, margins), bytes.Repeat([]byte{3}, 32), time.Now, slog.New(slog.DiscardHandler))
	must(t, err)
	s.live.every = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.live.Run(ctx) }()
	s.stop = func() { cancel(); <-ended }
	server := httptest.NewUnstartedServer(nil)
	server.Config = admin.NewServer(admin.New(admin.Options{
		Catalog: things, Logger: slog.New(slog.DiscardHandler), Version: "test", Routes: []admin.Routes{LiveRoutes(s.live)},
	}), slog.New(slog.DiscardHandler))
	server.Start()
	s.url = server.URL
	t.Cleanup(func() { s.stop(); server.Close() })
	return s
}

func (s *studio) key(things *catalog.Catalog, name string, fields catalog.KeyFields) {
	_, secret, err := things.CreateKey(s.t.Context(), catalog.Scope{Role: catalog.RoleAdmin}, fields)
	must(s.t, err)
	s.keys[name] = secret
}

// click stores one of a node's clicks and returns its id.
func (s *studio) click(node, advertiser, verdict string, at time.Time) string {
	s.t.Helper()
	s.seqs[node]++
	id := fmt.Sprintf("%s-%s-%d", node, advertiser, s.seqs[node])
	s.store(id, node, s.seqs[node], advertiser, verdict, at)
	return id
}

func (s *studio) store(id, node string, seq uint64, advertiser, verdict string, at time.Time) {
	s.t.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(id)))
	must(s.t, s.conn.Exec(ctx, `INSERT INTO clicks (click_id, time, advertiser_id, campaign_id, creator_id, link_id, platform, verdict, node, seq, shipped_at)
		VALUES (?, ?, ?, ?, ?, 'lnk_1', 'tiktok', ?, ?, ?, ?)`,
		id, at, s.ids[advertiser], "cmp_"+advertiser, s.ids[advertiser+" creator"], verdict, node, seq, time.Now()))
}

func (s *studio) entry(number uint64, advertiser string) {
	s.t.Helper()
	must(s.t, s.conn.Exec(context.Background(), `INSERT INTO entries (number, action_id, at, verb, from_state, to_state, advertiser_id, campaign_id,
		creator_id, currency, amount_delta, payout_delta, cost_delta) VALUES (?, ?, now64(3), 'credit', '', 'pending', ?, ?, ?, 'USD', 12000, 1200, 1791)`,
		number, fmt.Sprintf("act_%d", number), s.ids[advertiser], "cmp_"+advertiser, s.ids[advertiser+" creator"]))
}

// A watch is an open stream.
type watch struct {
	t        *testing.T
	response *http.Response
	events   chan Event // closed with the stream
	cancel   context.CancelFunc
}

func (s *studio) watch(who, query, lastID string) *watch {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/live"+query, nil)
	must(s.t, err)
	request.Header.Set("Authorization", "Bearer "+s.keys[who])
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	must(s.t, err)
	w := &watch{t: s.t, response: response, events: make(chan Event, 10_000), cancel: cancel}
	go w.read()
	return w
}

// read parses the stream as the standard says.
func (w *watch) read() {
	defer close(w.events)
	defer w.response.Body.Close()
	var e Event
	for lines := bufio.NewScanner(w.response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			e.Data = json.RawMessage(value)
		case "":
			if e.Type != "" {
				w.events <- e
			}
			e = Event{}
		}
	}
}

// next is the next event; none within the patience fails the test.
func (w *watch) next() Event {
	w.t.Helper()
	select {
	case e, open := <-w.events:
		if !open {
			w.t.Fatal("the stream ended")
		}
		return e
	case <-time.After(10 * time.Second):
		w.t.Fatal("no event came")
	}
	return Event{}
}

func (w *watch) expect(kind, containing string) Event {
	w.t.Helper()
	e := w.next()
	if e.Type != kind || !strings.Contains(string(e.Data), containing) {
		w.t.Fatalf("got %s %s; want %s with %q", e.Type, e.Data, kind, containing)
	}
	return e
}

func TestEverybodyWatchesTheirOwn(t *testing.T) {
	s := newStudio(t, noAgencies{})
	s.click("one", "acme", "valid", time.Now())
	watches := map[string]*watch{}
	for _, who := range []string{"admin", "acme", "other", "acme creator", "other creator"} {
		watches[who] = s.watch(who, "", "")
		watches[who].expect(LiveReady, "data_through")
	}
	began := time.Now()
	first := s.click("one", "acme", "valid", time.Now())
	for _, who := range []string{"admin", "acme", "acme creator"} {
		e := watches[who].expect(LiveClick, `"click_id":"`+first+`"`)
		if strings.Contains(string(e.ID), "one") || e.ID == "" {
			t.Errorf("the event's id is %q", e.ID)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a click was told after %v", took)
	}
	foreign := s.click("two", "other", "bot", time.Now()) // of a node that is new
	for _, who := range []string{"admin", "other", "other creator"} {
		watches[who].expect(LiveClick, foreign) // had it been told the other's click, that came first
	}
	s.entry(1, "acme")
	watches["admin"].expect(LiveAction, `"cost":"17.91"`)
	watches["acme"].expect(LiveAction, `"payout":"12.00","cost":"17.91"`)
	watches["acme creator"].expect(LiveAction, `"payout":"12.00","cost":null`)
	s.entry(2, "other")
	watches["other"].expect(LiveAction, "act_2")
	for who, status := range map[string]int{"ingest": 403, "nobody": 401} {
		if got := s.watch(who, "", "").response.StatusCode; got != status {
			t.Errorf("%s: status %d, want %d", who, got, status)
		}
	}
}

func TestAnAgencysPayoutIsNotTold(t *testing.T) {
	s := newStudio(t, agencies{"cmp_acme"})
	acme, creator := s.watch("acme", "", ""), s.watch("acme creator", "", "")
	acme.expect(LiveReady, "")
	creator.expect(LiveReady, "")
	s.entry(1, "acme")
	acme.expect(LiveAction, `"payout":null,"cost":"17.91"`)
	creator.expect(LiveAction, `"payout":"12.00","cost":null`)
}

func TestFiltersOfALiveStream(t *testing.T) {
	s := newStudio(t, noAgencies{})
	valid := s.watch("admin", "?verdict=valid&campaign_id=cmp_acme", "")
	other := s.watch("admin", "?advertiser_id="+s.ids["other"], "")
	actions := s.watch("admin", "?events=action", "")
	for _, w := range []*watch{valid, other, actions} {
		w.expect(LiveReady, "")
	}
	s.entry(1, "acme")
	s.click("one", "acme", "bot", time.Now())
	theirs := s.click("one", "other", "valid", time.Now())
	wanted := s.click("one", "acme", "valid", time.Now())
	valid.expect(LiveClick, wanted)
	other.expect(LiveClick, theirs)
	actions.expect(LiveAction, "act_1")
	if status := s.watch("admin", "?events=cake", "").response.StatusCode; status != 422 {
		t.Errorf("an event there is not: status %d", status)
	}
	if status := s.watch("admin", "?shoe_size=9", "").response.StatusCode; status != 422 {
		t.Errorf("a filter there is not: status %d", status)
	}
}

// Who comes back is told what was missed: each event once, of every node.
func TestAStreamIsResumed(t *testing.T) {
	s := newStudio(t, noAgencies{})
	w := s.watch("acme", "", "")
	w.expect(LiveReady, "")
	s.click("one", "acme", "valid", time.Now())
	last := w.next()
	w.cancel()
	var missed []string
	for range 3 {
		missed = append(missed, s.click("one", "acme", "valid", time.Now()), s.click("two", "acme", "bot", time.Now()))
		s.click("one", "other", "valid", time.Now())
	}
	s.entry(1, "acme")
	w = s.watch("acme", "", last.ID)
	var got []string
	for range missed {
		var c Click
		must(t, json.Unmarshal(w.expect(LiveClick, "").Data, &c))
		got = append(got, c.ClickID)
	}
	slices.Sort(got)
	slices.Sort(missed)
	if !slices.Equal(got, missed) {
		t.Errorf("told %v, want %v", got, missed)
	}
	w.expect(LiveAction, "act_1")
	ready := w.expect(LiveReady, "")
	next := s.click("two", "acme", "valid", time.Now())
	w.expect(LiveClick, next)
	w.cancel()
	w = s.watch("acme", "", ready.ID) // as if the last event had never come
	w.expect(LiveClick, next)
	w.expect(LiveReady, "")
	w = s.watch("acme", "", "made-up")
	w.expect(LiveGap, "unknown_position")
	w.expect(LiveReady, "")
	old := s.live.write(&position{AtMs: time.Now().Add(-time.Hour).UnixMilli(), Nodes: map[string]uint64{}})
	w = s.watch("acme", "", old)
	w.expect(LiveGap, "too_long_ago")
	w.expect(LiveReady, "")
}

// A part of a batch that a shard shows late is told all the same, and once.
func TestALateClickIsTold(t *testing.T) {
	s := newStudio(t, noAgencies{})
	s.live.every = liveInterval
	w := s.watch("acme", "", "")
	w.expect(LiveReady, "")
	s.store("early", "one", 2, "acme", "valid", time.Now())
	w.expect(LiveClick, "early")
	s.store("late", "one", 1, "acme", "valid", time.Now())
	w.expect(LiveClick, "late")
	s.store("then", "one", 3, "acme", "valid", time.Now())
	w.expect(LiveClick, "then")
}

// Who takes nothing loses events and is told how many; nobody else waits.
func TestASlowClientLosesAndIsTold(t *testing.T) {
	s := newStudio(t, noAgencies{})
	slow, err := s.live.Subscribe(Scope{All: true}, LiveQuestion{}, "")
	must(t, err)
	defer slow.Close()
	quick := s.watch("admin", "", "")
	quick.expect(LiveReady, "")
	const stored, batch = 2 * liveQueue, liveQueue / 2 // a batch fits into the queue of who takes them
	for first := 1; first <= stored; first += batch {
		must(t, s.conn.Exec(context.Background(), `INSERT INTO clicks (click_id, time, advertiser_id, verdict, node, seq, shipped_at)
			SELECT 'c' || toString(number), now64(3), toString(number % 10), 'valid', 'one', number, now64(3) FROM numbers(?, ?)`, first, batch))
		for range batch {
			quick.expect(LiveClick, "")
		}
	}
	events, more := slow.Take()
	if len(events) != liveQueue+1 || !more {
		t.Fatalf("%d events waited, want %d and a gap", len(events), liveQueue)
	}
	var gap Gap
	must(t, json.Unmarshal(events[liveQueue].Data, &gap))
	if told := liveQueue - 1; gap != (Gap{Reason: "slow_client", Dropped: stored - told}) { // one of the queue was ready
		t.Errorf("the gap is %+v", gap)
	}
	must(t, s.conn.Exec(context.Background(), `INSERT INTO clicks (click_id, time, advertiser_id, verdict, node, seq, shipped_at)
		SELECT 'd' || toString(number), now64(3), 'loud', 'valid', 'one', number + 5000, now64(3) FROM numbers(?)`, liveEach+100))
	quick.expect(LiveGap, "too_many")
	quick.expect(LiveClick, `"d100"`)
}

func TestStreamsAreBounded(t *testing.T) {
	s := newStudio(t, noAgencies{})
	for range maxLiveEach {
		s.watch("acme", "", "").expect(LiveReady, "")
	}
	response := s.watch("acme", "", "").response
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("one too many of a tenant: status %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	var open []*Subscriber
	for {
		one, err := s.live.Subscribe(Scope{All: true}, LiveQuestion{}, "")
		if err != nil {
			if p, ok := attribution.AsProblem(err); !ok || p.Code != admin.CodeBusy {
				t.Fatal(err)
			}
			break
		}
		open = append(open, one)
	}
	if got := len(open) + maxLiveEach; got != MaxLive {
		t.Errorf("%d streams were open, want %d", got, MaxLive)
	}
	for _, one := range open {
		one.Close()
	}
	s.watch("admin", "", "").expect(LiveReady, "")
}

// A client that leaves is forgotten, and the shutdown ends the streams of all.
func TestStreamsEnd(t *testing.T) {
	s := newStudio(t, noAgencies{})
	leaving, staying := s.watch("acme", "", ""), s.watch("acme", "", "")
	leaving.expect(LiveReady, "")
	staying.expect(LiveReady, "")
	leaving.cancel()
	for deadline := time.Now().Add(10 * time.Second); len(s.live.watching()) != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a client that left is still subscribed")
		}
	}
	s.stop()
	select {
	case _, open := <-staying.events:
		if open {
			t.Error("an event came instead of the end")
		}
	case <-time.After(10 * time.Second):
		t.Error("the stream did not end with the server")
	}
	if status := s.watch("acme", "", "").response.StatusCode; status != http.StatusServiceUnavailable {
		t.Errorf("a stream after the stop: status %d", status)
	}
}

// While ClickHouse does not answer, watchers are told so, and what happened
// meanwhile comes when it does again.
func TestAnOutageIsTold(t *testing.T) {
	s := newStudio(t, noAgencies{})
	w := s.watch("acme", "", "")
	w.expect(LiveReady, "")
	must(t, s.conn.Exec(context.Background(), "RENAME TABLE entries TO hidden"))
	w.expect(LiveStalled, "")
	id := s.click("one", "acme", "valid", time.Now())
	must(t, s.conn.Exec(context.Background(), "RENAME TABLE hidden TO entries"))
	w.expect(LiveClick, id)
	w.expect(LiveResumed, "")
}
