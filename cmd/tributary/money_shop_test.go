package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// noClickHouse points to nothing: money needs no ClickHouse.
const noClickHouse = "clickhouse://127.0.0.1:9/tributary"

const unsettledRecords = `tributary_spool_records{log="conversions"}`

// A merchant is an advertiser with one campaign, and what its shop needs to
// report what the campaign brought.
type merchant struct {
	advertiser, publicKey, ingestKey, campaign string
	creators, tasks, clickIDs                  []string // one of each per creator
}

// lockMuchLater keeps actions pending for as long as a test takes.
var lockMuchLater = map[string]any{"basis": "day", "months": 1, "days": 0}

// makeMerchant makes an advertiser with a campaign of so many creators, a link
// and a click for each. fields are the campaign's own.
func (a *testApp) makeMerchant(name string, creators int, fields map[string]any) *merchant {
	a.t.Helper()
	made := a.call(http.MethodPost, "/v1/advertisers", map[string]any{"name": name, "currency": "USD", "timezone": "UTC", "domains": []string{"shop.example"}}, http.StatusCreated)
	m := &merchant{advertiser: made["id"].(string), publicKey: made["public_key"].(string)}
	m.ingestKey = a.call(http.MethodPost, "/v1/keys", map[string]any{"role": "ingest", "advertiser_id": m.advertiser}, http.StatusCreated)["key"].(string)
	campaign := map[string]any{
		"advertiser_id": m.advertiser, "title": "Spring", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/p/1",
		"starts_at": time.Now().Add(-time.Hour).UTC(), "ends_at": time.Now().AddDate(0, 1, 0).UTC(),
	}
	maps.Copy(campaign, fields)
	m.campaign = a.make("/v1/campaigns", campaign)
	a.call(http.MethodPost, "/v1/campaigns/"+m.campaign+"/approve", nil, http.StatusOK)
	for n := range creators {
		creator := a.make("/v1/creators", map[string]any{"name": fmt.Sprint("Creator ", n), "country": "TH"})
		a.call(http.MethodPost, "/v1/campaigns/"+m.campaign+"/creators", map[string]any{"creator_id": creator}, http.StatusCreated)
		task := a.make("/v1/tasks", map[string]any{"campaign_id": m.campaign, "creator_id": creator, "platform": "tiktok"})
		link := a.call(http.MethodPost, "/v1/tasks/"+task+"/links", map[string]any{}, http.StatusCreated)
		location, err := url.Parse(a.clicked(link, phone))
		if err != nil {
			a.t.Fatal(err)
		}
		m.creators, m.tasks, m.clickIDs = append(m.creators, creator), append(m.tasks, task), append(m.clickIDs, location.Query().Get("tcid"))
	}
	return m
}

// all reads every page of a list.
func (a *testApp) all(path string, filter url.Values) (items []map[string]any) {
	a.t.Helper()
	query := url.Values{"limit": {"1000"}}
	maps.Copy(query, filter)
	for {
		page := a.call(http.MethodGet, path+"?"+query.Encode(), nil, http.StatusOK)
		for _, item := range page["items"].([]any) {
			items = append(items, item.(map[string]any))
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			return items
		}
		query.Set("cursor", next)
	}
}

// committed is what a campaign's budget says is committed, in cents.
func (a *testApp) committed(campaign string) int64 {
	a.t.Helper()
	budget, _ := a.call(http.MethodGet, "/v1/campaigns/"+campaign, nil, http.StatusOK)["budget"].(map[string]any)
	return a.cents(budget["committed"])
}

// cents reads an amount of US dollars.
func (a *testApp) cents(amount any) int64 {
	a.t.Helper()
	text, _ := amount.(string)
	whole, fraction, _ := strings.Cut(text, ".")
	cents, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || len(fraction) != 2 {
		a.t.Fatalf("%v is no amount of dollars", amount)
	}
	return cents
}

// settledAll waits until every report on disk is settled.
func (a *testApp) settledAll() {
	a.t.Helper()
	eventually(a.t, func() error {
		left, err := a.metric(unsettledRecords)
		if err == nil && left > 0 {
			err = fmt.Errorf("%v reports are not settled", left)
		}
		return err
	})
}

// A till posts reports over connections that are kept, to wherever the tracker
// is, until each is answered 200: what a merchant's server does.
type till struct {
	t       *testing.T
	key     string
	tracker atomic.Pointer[string]
	http    http.Client

	mu          sync.Mutex
	statuses    map[int]int // of answers
	interrupted int         // requests that were never answered
}

const tillPatience = 30 * time.Second

func openTill(t *testing.T, key string, connections int) *till {
	transport := &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	return &till{t: t, key: key, statuses: map[int]int{}, http: http.Client{Transport: transport, Timeout: tillPatience}}
}

func (r *till) goTo(client *testApp) {
	address := client.trackerListener.Addr().String()
	r.tracker.Store(&address)
}

// An itemAnswer is the result of one report.
type itemAnswer struct {
	OrderID      string `json:"order_id"`
	Status       string `json:"status"`
	ReceiptID    string `json:"receipt_id"`
	Code         string `json:"code"`
	ConversionID string `json:"conversion_id"`
	Actions      []struct{ ID, Payout, State string }
}

// persist posts reports again and again until they are taken; it returns nil when
// ctx ended before. The same report twice counts once, so that this is safe. A
// request under way is not given up: a server may take what nobody waits for, long
// after its books were compared.
func (r *till) persist(ctx context.Context, path string, reports any) []itemAnswer {
	body, err := json.Marshal(reports)
	if err != nil {
		r.t.Error(err)
		return nil
	}
	for ctx.Err() == nil {
		if answers, taken := r.post(context.WithoutCancel(ctx), path, body); taken {
			return answers
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func (r *till) post(ctx context.Context, path string, body []byte) ([]itemAnswer, bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+*r.tracker.Load()+path, bytes.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return nil, false
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := r.http.Do(request)
	var content []byte
	if err == nil {
		content, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.interrupted++
		return nil, false
	}
	r.statuses[response.StatusCode]++
	var answer struct{ Results []itemAnswer }
	switch {
	case response.StatusCode == http.StatusServiceUnavailable: // it is only starting
		return nil, false
	case response.StatusCode != http.StatusOK:
		r.t.Errorf("a report was answered %s: %s", response.Status, content)
		return nil, false
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		r.t.Errorf("%v: %s", err, content)
		return nil, false
	}
	return answer.Results, true
}

func (r *till) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("answers %v, %d requests never answered", r.statuses, r.interrupted)
}

// A shop is a data directory without ClickHouse whose process is killed.
type shop struct {
	t      *testing.T
	dir    string
	life   *served
	client *testApp // nil until the life has said where it listens
	till   *till
	kills  int
}

func openShop(t *testing.T) *shop {
	s := &shop{t: t, dir: t.TempDir()}
	s.start()
	s.attend()
	return s
}

func (s *shop) start() { s.life, s.client = startServe(s.t, s.dir, "--clickhouse", noClickHouse), nil }

// closes stops the life and requires that its books agree: with themselves, and
// with what is in ClickHouse once all was copied there.
func (s *shop) closes() {
	s.t.Helper()
	s.life.stops()
	booksAgree(s.t, s.dir)
}

// booksAgree audits a data directory that nobody serves.
func booksAgree(t *testing.T, dir string) {
	t.Helper()
	var out bytes.Buffer
	c := appConfig{log: slog.New(slog.NewTextHandler(testLog{t}, nil)), engineCommand: []string{os.Args[0], engineVerb}}
	if err := audit(t.Context(), testOptions(t, dir), c, &out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Logf("%s", &out)
}

// attend waits until the life serves, and sends the till there.
func (s *shop) attend() {
	s.t.Helper()
	if s.client != nil {
		return
	}
	s.client = s.life.client()
	if s.till != nil {
		s.till.goTo(s.client)
	}
}

func (s *shop) opensTill(key string, connections int) *till {
	s.till = openTill(s.t, key, connections)
	s.till.goTo(s.client)
	return s.till
}

// kill ends the life as a crash does and begins the next.
func (s *shop) kill() {
	s.t.Helper()
	s.kills++
	s.life.signal(syscall.SIGKILL)
	if code := s.life.ended(); code != -1 {
		s.t.Errorf("the process ended by itself, with exit code %d:\n%s", code, s.life.err.String())
	}
	s.start()
}

// killAfter kills each time a counter has reached one of the marks, and then
// waits for the next life to serve.
func (s *shop) killAfter(counter *atomic.Int64, marks ...int64) {
	s.t.Helper()
	for _, mark := range marks {
		for n := counter.Load(); n < mark; n = counter.Load() {
			eventually(s.t, func() error { // however slow the machine is, there is progress
				if counter.Load() == n {
					return fmt.Errorf("%d of %d are answered; %s", n, mark, s.till)
				}
				return nil
			})
		}
		s.kill()
		s.attend()
	}
}
