package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/redirect/verdict"
	"tributary/schema/engine"
)

// A testApp is a whole Tributary in the test's process, with real sockets, a
// real SQLite and a real ClickHouse.
type testApp struct {
	*app
	t    *testing.T
	out  *bytes.Buffer
	key  string
	http http.Client
}

// adminKeyOfTests is given to apps instead of one they make.
const adminKeyOfTests = "trb_0123456789abcdefghijklmnopqrstuvwxyz"

func testOptions(t *testing.T, dir string) Options {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	library, err := engine.SearchLibrary(root, root)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		DataDir: dir, TrackerAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", BaseURL: "http://links.example",
		Tracker: true, Admin: true, ClickFsync: 20 * time.Millisecond, RateLimit: verdict.Rate{Hits: 600, WindowMs: 60_000},
		ShutdownTimeout: 15 * time.Second, ClickRetentionMonths: 25, EngineLibrary: library, AdminKey: adminKeyOfTests,
	}
}

func startTestApp(t *testing.T, o Options) *testApp {
	t.Helper()
	out := &bytes.Buffer{}
	a, err := startApp(t.Context(), o, appConfig{
		log: slog.New(slog.NewTextHandler(testLog{t}, nil)), out: out, engineCommand: []string{os.Args[0], engineVerb},
	})
	if err != nil {
		t.Fatal(err)
	}
	test := &testApp{app: a, t: t, out: out, key: adminKeyOfTests}
	test.http = http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		test.http.CloseIdleConnections()
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	})
	return test
}

// testLog writes an app's log lines where a failing test shows them.
type testLog struct{ t *testing.T }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(line))
	return len(line), nil
}

// call sends a request to the admin listener and decodes the answer.
func (a *testApp) call(method, path string, body any, want int) map[string]any {
	a.t.Helper()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.adminListener.Addr().String()+path, content)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.http.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if response.StatusCode != want {
		a.t.Fatalf("%s %s: %s, want %d: %s", method, path, response.Status, want, answer)
	}
	decoded := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &decoded); err != nil {
			a.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	return decoded
}

func (a *testApp) make(path string, body any) string {
	a.t.Helper()
	id, _ := a.call(http.MethodPost, path, body, http.StatusCreated)["id"].(string)
	return id
}

// makeLink makes a live campaign with one link, as an operator would.
func (a *testApp) makeLink() (link map[string]any) {
	a.t.Helper()
	advertiser := a.make("/v1/advertisers", map[string]any{"name": "Acme", "currency": "USD", "timezone": "Asia/Bangkok", "domains": []string{"shop.example"}})
	campaign := a.make("/v1/campaigns", map[string]any{
		"advertiser_id": advertiser, "title": "Spring", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/p/1?ref=a#top",
		"starts_at": time.Now().Add(-time.Hour).UTC(), "ends_at": time.Now().AddDate(0, 1, 0).UTC(),
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
	})
	a.call(http.MethodPost, "/v1/campaigns/"+campaign+"/approve", nil, http.StatusOK)
	creator := a.make("/v1/creators", map[string]any{"name": "Mali", "country": "TH"})
	a.call(http.MethodPost, "/v1/campaigns/"+campaign+"/creators", map[string]any{"creator_id": creator}, http.StatusCreated)
	task := a.make("/v1/tasks", map[string]any{"campaign_id": campaign, "creator_id": creator, "platform": "tiktok"})
	return a.call(http.MethodPost, "/v1/tasks/"+task+"/links", map[string]any{}, http.StatusCreated)
}

const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"

// click follows a tracking link and returns where it leads; "" while its slug is
// not known, or the links are still being loaded.
func (a *testApp) click(link map[string]any, userAgent string) (location string) {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/%s?utm=x", a.trackerListener.Addr(), link["slug"]), nil)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := a.http.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusServiceUnavailable {
		return ""
	}
	if response.StatusCode != http.StatusFound {
		a.t.Fatalf("a click was answered %s", response.Status)
	}
	return response.Header.Get("Location")
}

// eventually polls until check returns no error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// clicked waits for a link to work and clicks it.
func (a *testApp) clicked(link map[string]any, userAgent string) (location string) {
	a.t.Helper()
	eventually(a.t, func() error {
		if location = a.click(link, userAgent); location == "" {
			return fmt.Errorf("the tracker does not know %v", link["slug"])
		}
		return nil
	})
	return location
}

// reported waits until the campaigns report has a row with these figures.
func (a *testApp) reported(want map[string]float64) {
	a.t.Helper()
	eventually(a.t, func() error {
		request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, "http://"+a.adminListener.Addr().String()+"/v1/reports/campaigns", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+a.key)
		response, err := a.http.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var report struct{ Rows []map[string]any }
		if err := json.NewDecoder(response.Body).Decode(&report); err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("the report is answered %s (%v)", response.Status, err)
		}
		if len(report.Rows) != 1 {
			return fmt.Errorf("the report has %d rows", len(report.Rows))
		}
		for column, figure := range want {
			if report.Rows[0][column] != figure {
				return fmt.Errorf("%s is %v, want %v", column, report.Rows[0][column], figure)
			}
		}
		return nil
	})
}

func TestAClickComesFromTheLinkIntoTheReport(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeLink()
	if url := link["url"].(string); !strings.HasPrefix(url, "http://links.example/") {
		t.Errorf("the link's url is %s", url)
	}
	location := a.clicked(link, phone)
	if !strings.HasPrefix(location, "https://shop.example/p/1?ref=a&") || !strings.Contains(location, "tcid=") || !strings.HasSuffix(location, "#top") || !strings.Contains(location, "utm=x") {
		t.Errorf("the click leads to %s", location)
	}
	a.clicked(link, phone)
	a.clicked(link, "curl/8.14.1")
	a.reported(map[string]float64{"hits": 3, "clicks": 2, "unique_clicks": 1, "invalid_clicks": 1})

	_, id, _ := strings.Cut(location, "tcid=")
	id = id[:43]
	click := a.call(http.MethodGet, "/v1/clicks/"+id, nil, http.StatusOK)
	if click["verdict"] != "valid" || click["link_id"] != link["id"] || click["device"] != "phone" {
		t.Errorf("the click is shown as %v", click)
	}
}

func TestTwoAppsRunInOneProcessAndStopTwice(t *testing.T) {
	t.Parallel()
	first := startTestApp(t, testOptions(t, t.TempDir()))
	second := startTestApp(t, testOptions(t, t.TempDir()))
	link := first.makeLink()
	first.clicked(link, phone)
	if location := second.click(link, phone); location != "" {
		t.Errorf("one app's link works on the other: %s", location)
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	second.call(http.MethodGet, "/readyz", nil, http.StatusOK)
}

// TestTrackerNeedsNoClickHouse starts with a ClickHouse that is not there,
// clicks, and starts again with one that is: the click is reported.
func TestTrackerNeedsNoClickHouse(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	down := o
	down.ClickHouse = "clickhouse://127.0.0.1:9/tributary"
	a := startTestApp(t, down)
	link := a.makeLink()
	a.clicked(link, phone)
	a.call(http.MethodGet, "/readyz", nil, http.StatusOK)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	a = startTestApp(t, o)
	a.clicked(link, phone)
	a.reported(map[string]float64{"hits": 2, "clicks": 2})
}

func TestFirstStartMakesOneAdminKey(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.AdminKey = ""
	a := startTestApp(t, o)
	made := a.newKey
	if !strings.HasPrefix(made, adminKeyPrefix) {
		t.Fatalf("the first start made the key %q", made)
	}
	a.greet()
	if strings.Count(a.out.String(), made) < 1 {
		t.Errorf("the key is not shown:\n%s", a.out)
	}
	a.key = made
	a.call(http.MethodGet, "/v1/keys", nil, http.StatusOK)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	a = startTestApp(t, o)
	if a.newKey != "" {
		t.Error("the second start made another key")
	}
	a.key = made
	a.call(http.MethodGet, "/v1/keys", nil, http.StatusOK)
}

func TestTakenPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	a := startTestApp(t, o)
	o.DataDir, o.AdminAddr = t.TempDir(), a.adminListener.Addr().String()
	_, err := startApp(t.Context(), o, appConfig{log: slog.New(slog.DiscardHandler), out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "--admin-addr "+o.AdminAddr+" is taken by another process") {
		t.Errorf("got %v", err)
	}
}

func TestDemoIsSeededOnceAndReported(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.Demo = true
	a := startTestApp(t, o)
	a.greet()
	if !strings.Contains(a.out.String(), "a link to click  http://links.example/") {
		t.Errorf("no link to click:\n%s", a.out)
	}
	hits := func(a *testApp) (sum float64) {
		report := a.call(http.MethodGet, "/v1/reports/campaigns", nil, http.StatusOK)
		for _, row := range report["rows"].([]any) {
			sum += row.(map[string]any)["hits"].(float64)
		}
		return sum
	}
	// The report answers from the moment the tables are there.
	eventually(t, func() error {
		if left := a.clicks.Stats().Pending; left > 0 {
			return fmt.Errorf("%d demo clicks are not stored", left)
		}
		return nil
	})
	seeded := hits(a)
	if seeded < demoClickCount*9/10 {
		t.Errorf("%v demo clicks are reported", seeded)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	a = startTestApp(t, o)
	eventually(t, func() error { return a.clickhouse.Ping(context.Background()) })
	if again := hits(a); again != seeded {
		t.Errorf("after a second start with --demo %v clicks are reported, not %v", again, seeded)
	}
}

func TestMetricsReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := writeMetricsDoc(t.Context(), terminal{Out: &want, Err: io.Discard}, appConfig{engineCommand: []string{os.Args[0], engineVerb}},
		"--engine-library", testOptions(t, "").EngineLibrary); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/metrics.md")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/metrics.md is stale, run 'make docs' (%v)", err)
	}
}

func TestEachRoleAlone(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.ClickHouse = "clickhouse://127.0.0.1:9/tributary"
	o.Tracker = false
	a := startTestApp(t, o)
	link := a.makeLink()
	a.call(http.MethodGet, "/readyz", nil, http.StatusOK)
	if a.trackerListener != nil {
		t.Error("an admin process listens for shoppers")
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	o.Tracker, o.Admin = true, false
	a = startTestApp(t, o)
	a.clicked(link, phone)
	a.call(http.MethodGet, "/readyz", nil, http.StatusOK)
	if problem := a.call(http.MethodGet, "/v1/keys", nil, http.StatusServiceUnavailable); problem["code"] != "not_ready" {
		t.Errorf("a tracker answers the API with %v", problem)
	}
	if _, err := a.metric(spoolRecords); err != nil {
		t.Error(err)
	}
}
