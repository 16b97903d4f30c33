package redirect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/redirect/geo"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
	"tributary/redirect/visitor"
)

const (
	crawlerList     = "../node_modules/crawler-user-agents/crawler-user-agents.json"
	countryDatabase = "../node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
	chrome          = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
)

// A memoryLog keeps records, or fails like a full disk.
type memoryLog struct {
	mu      sync.Mutex
	records [][]byte
	full    atomic.Bool
	refused atomic.Uint64
}

func (l *memoryLog) Append(_ uint32, record []byte) error {
	if l.full.Load() {
		l.refused.Add(1)
		return errors.New("no space left on device")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, bytes.Clone(record))
	return nil
}

func (l *memoryLog) Unrecorded() uint64 { return l.refused.Load() }
func (l *memoryLog) Writable() bool     { return !l.full.Load() }

func (l *memoryLog) last(t *testing.T) attribution.Click {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		t.Fatal("no click was recorded")
	}
	var c attribution.Click
	if err := attribution.DecodeClick(l.records[len(l.records)-1], &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A tracker is a Server on a real socket with three links: plain, vanity and
// expired.
type tracker struct {
	*Server
	log      *memoryLog
	keys     *attribution.ClickKeyring
	registry *prometheus.Registry
	base     string
}

var now = time.Date(2027, 1, 10, 9, 0, 0, 0, time.UTC)

func identity(number uint64, link string) attribution.LinkIdentity {
	return attribution.LinkIdentity{
		Number: number, LinkID: attribution.MakeID(attribution.PrefixLink, int64(number), [10]byte{}) + link,
		TaskID: attribution.MakeID(attribution.PrefixTask, 1, [10]byte{}), CampaignID: "cmp_1", CreatorID: attribution.MakeID(attribution.PrefixCreator, 1, [10]byte{}),
		AdvertiserID: "adv_1", Platform: "tiktok", Currency: "USD",
	}
}

// A fixedSource is a catalog that never changes.
type fixedSource []attribution.RouteChange

func (s fixedSource) Routes(_ context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	for i, change := range s {
		change.Number = int64(i + 1)
		if err := yield(change); err != nil {
			return 0, err
		}
	}
	return int64(len(s)), nil
}

func (fixedSource) RoutesSince(context.Context, int64, int) ([]attribution.RouteChange, error) {
	return nil, nil
}

func testRoutes() fixedSource {
	return fixedSource{
		{Advertiser: &attribution.AdvertiserRoute{ID: "adv_1", Domains: []string{"shop.example"}, ClickParam: "tcid", PublicKey: "pk"}},
		{Campaign: &attribution.CampaignRoute{
			ID: "cmp_1", AdvertiserID: "adv_1", Destination: "https://shop.example/p/1?ref=a", InactiveDestination: "https://shop.example/over",
			State: attribution.CampaignState{Approved: true, StartsAtMs: now.AddDate(0, 0, -9).UnixMilli(), EndsAtMs: now.AddDate(1, 0, 0).UnixMilli()},
		}},
		{Link: &attribution.LinkRoute{Identity: identity(1, ""), Slug: "k3VbQ9xT"}},
		{Link: &attribution.LinkRoute{Identity: identity(2, ""), Slug: "Summer-Sale", Vanity: true, MaxClicks: 2}},
		{Link: &attribution.LinkRoute{Identity: identity(3, ""), Slug: "expired0", ExpiresAtMs: now.UnixMilli()}},
	}
}

func testIndex(t testing.TB) *links.Index {
	t.Helper()
	index := links.New(links.Options{})
	follower := links.Follow(index, links.FollowerOptions{Source: testRoutes(), Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		follower.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	for deadline := time.Now().Add(10 * time.Second); !index.Stats().Ready; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the links were not loaded within 10 s")
		}
	}
	return index
}

func testOptions(t testing.TB, log ClickLog) Options {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("%v (missing files are installed by `make deps`)", err)
		}
	}
	list, err := os.ReadFile(crawlerList)
	must(err)
	rules, err := verdict.New(list)
	must(err)
	country, err := geo.Open([]string{countryDatabase})
	must(err)
	salts, err := visitor.OpenSalts(filepath.Join(dir, "salts"), now.UnixMilli())
	must(err)
	limits, err := links.OpenLimits(dir, slog.New(slog.DiscardHandler))
	must(err)
	t.Cleanup(func() { must(limits.Close()) })
	keys, err := attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{7}, attribution.ClickKeyBytes)})
	must(err)
	rate := verdict.Rate{Hits: 600, WindowMs: 1 << 50} // no window ends meanwhile
	return Options{
		Links: testIndex(t), Limits: limits, Rules: rules, Rates: verdict.NewRateWindow(rate), Geo: country, Salts: salts, ClickKeys: keys,
		Clicks: log, DescribeAgent: func(string) (string, string) { return "phone", "Android" },
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Registerer:     prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	}
}

func startTracker(t *testing.T) *tracker {
	t.Helper()
	log := new(memoryLog)
	options := testOptions(t, log)
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return serveTracker(t, server, log, options)
}

func serveTracker(t *testing.T, server *Server, log *memoryLog, options Options) *tracker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &tracker{
		Server: server, log: log, keys: options.ClickKeys, registry: options.Registerer.(*prometheus.Registry),
		base: "http://" + listener.Addr().String(),
	}
}

// get asks without following redirects; headers come in pairs.
func (tr *tracker) get(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, tr.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", chrome)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestClickIsRedirectedAndRecorded(t *testing.T) {
	tr := startTracker(t)
	response := tr.get(t, "GET", "/k3VbQ9xT?utm=x&sub1=story", "X-Forwarded-For", "133.11.0.77",
		"Referer", "https://User:pw@L.Instagram.com/secret/path?q=1", "Accept-Language", "ja-JP,ja;q=0.9")
	if response.StatusCode != http.StatusFound {
		t.Fatalf("status %d, want 302", response.StatusCode)
	}
	location := response.Header.Get("Location")
	const before = "https://shop.example/p/1?ref=a&utm=x&tcid="
	id, found := strings.CutPrefix(location, before)
	if !found {
		// The order of forwarded and click parameter is the target's.
		parsed, err := url.Parse(location)
		if err != nil || !strings.HasPrefix(location, "https://shop.example/p/1?ref=a&") || parsed.Query().Get("utm") != "x" {
			t.Fatalf("Location is %s", location)
		}
		id = parsed.Query().Get("tcid")
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow", "Set-Cookie": "", "Server": ""} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if body, _ := io.ReadAll(response.Body); len(body) != 0 {
		t.Errorf("the redirect has a body: %q", body)
	}
	token, err := tr.keys.OpenClickID(id)
	if err != nil || token.Link != 1 || token.Verdict != attribution.Valid || token.AtMs != now.UnixMilli() {
		t.Errorf("click id %q says %+v, %v", id, token, err)
	}
	c := tr.log.last(t)
	who, err := attribution.DecodeIdentity(c.Identity)
	if err != nil || who != identity(1, "") {
		t.Errorf("recorded for %+v, %v", who, err)
	}
	for name, got := range map[string][2]string{
		"click id": {string(c.ID), id}, "country": {string(c.Country), "JP"}, "network": {string(c.Network), "133.11.0.0/24"},
		"referrer": {string(c.RefererHost), "l.instagram.com"}, "language": {string(c.Language), "ja-JP"},
		"user agent": {string(c.UserAgent), chrome}, "destination": {string(c.Destination), location}, "sub1": {string(c.Sub[0]), "story"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is recorded as %q, want %q", name, got[0], got[1])
		}
	}
	if c.Verdict != attribution.Valid || c.Reasons != 0 || c.Unpayable != attribution.Payable || c.Visitor == 0 || c.AtMs != now.UnixMilli() {
		t.Errorf("recorded as %+v", c)
	}
}

func TestVerdictsOfRealRequests(t *testing.T) {
	tr := startTracker(t)
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               attribution.Verdict
		reasons            attribution.Reasons
	}{
		{"a person", "GET", "/k3VbQ9xT", nil, attribution.Valid, 0},
		{"a test", "GET", "/k3VbQ9xT?_test=1", nil, attribution.Test, attribution.ReasonTest},
		{"a probe", "HEAD", "/k3VbQ9xT", nil, attribution.Probe, attribution.ReasonProbe},
		{"a prefetch", "GET", "/k3VbQ9xT", []string{"Sec-Purpose", "prefetch;prerender"}, attribution.Prefetch, attribution.ReasonPrefetch},
		{"a crawler", "GET", "/k3VbQ9xT", []string{"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, attribution.Bot, attribution.ReasonCrawler},
		{"no user agent", "GET", "/k3VbQ9xT", []string{"User-Agent", ""}, attribution.Bot, attribution.ReasonEmptyUserAgent},
		{"a foreign override", "GET", "/k3VbQ9xT?u=https%3A%2F%2Fevil.example%2F", nil, attribution.Valid, attribution.ReasonOverrideBlocked},
		{"a test by a tool", "GET", "/k3VbQ9xT?_test=1", []string{"User-Agent", "curl/8.5.0"}, attribution.Test, attribution.ReasonTest | attribution.ReasonTool},
	} {
		response := tr.get(t, c.method, c.path, c.headers...)
		if response.StatusCode != http.StatusFound || !strings.HasPrefix(response.Header.Get("Location"), "https://shop.example/p/1?") {
			t.Errorf("%s: status %d to %s", c.name, response.StatusCode, response.Header.Get("Location"))
		}
		got := tr.log.last(t)
		if got.Verdict != c.want || got.Reasons != c.reasons {
			t.Errorf("%s is %s (%s), want %s (%s)", c.name, got.Verdict, got.Reasons, c.want, c.reasons)
		}
	}
	want := `
# HELP tributary_clicks_received_total Hits on tracking links, by verdict.
# TYPE tributary_clicks_received_total counter
tributary_clicks_received_total{verdict="bot"} 2
tributary_clicks_received_total{verdict="datacenter"} 0
tributary_clicks_received_total{verdict="prefetch"} 1
tributary_clicks_received_total{verdict="preview"} 0
tributary_clicks_received_total{verdict="probe"} 1
tributary_clicks_received_total{verdict="rate"} 0
tributary_clicks_received_total{verdict="test"} 2
tributary_clicks_received_total{verdict="valid"} 2
`
	if err := testutil.GatherAndCompare(tr.registry, strings.NewReader(want), "tributary_clicks_received_total"); err != nil {
		t.Error(err)
	}
}

func TestRateCountsPerNetworkAndLink(t *testing.T) {
	tr := startTracker(t)
	for range 600 {
		tr.get(t, "GET", "/k3VbQ9xT", "X-Forwarded-For", "203.0.113.7").Body.Close()
	}
	if got := tr.log.last(t).Verdict; got != attribution.Valid {
		t.Errorf("the 600th hit of a window is %s, want valid", got)
	}
	tr.get(t, "GET", "/k3VbQ9xT", "X-Forwarded-For", "203.0.113.200")
	if got := tr.log.last(t).Verdict; got != attribution.RateAbove {
		t.Errorf("the 601st hit of a network is %s, want rate", got)
	}
	tr.get(t, "GET", "/k3VbQ9xT", "X-Forwarded-For", "203.0.114.7")
	if got := tr.log.last(t).Verdict; got != attribution.Valid {
		t.Errorf("a hit of another network is %s, want valid", got)
	}
}

func TestPrivacySignalLeavesNoVisitor(t *testing.T) {
	tr := startTracker(t)
	tr.get(t, "GET", "/k3VbQ9xT", "Sec-GPC", "1")
	if c := tr.log.last(t); !c.GPC || c.Visitor != 0 || c.VisitorPrev != 0 || c.Verdict != attribution.Valid {
		t.Errorf("recorded as %+v", c)
	}
}

func TestInactiveLinksStillRedirect(t *testing.T) {
	tr := startTracker(t)
	response := tr.get(t, "GET", "/expired0")
	if location := response.Header.Get("Location"); !strings.HasPrefix(location, "https://shop.example/over") {
		t.Errorf("an expired link leads to %s", location)
	}
	if c := tr.log.last(t); c.Unpayable != attribution.LinkExpired {
		t.Errorf("unpayable is %q, want link_expired", c.Unpayable)
	}
	for range 2 {
		if location := tr.get(t, "GET", "/summer-sale").Header.Get("Location"); !strings.HasPrefix(location, "https://shop.example/p/1") {
			t.Errorf("a vanity link in other case leads to %s", location)
		}
	}
	if location := tr.get(t, "GET", "/Summer-Sale/").Header.Get("Location"); !strings.HasPrefix(location, "https://shop.example/over") {
		t.Errorf("the third click of two leads to %s", location)
	}
}

func TestUnknownSlugs(t *testing.T) {
	tr := startTracker(t)
	for _, path := range []string{"/", "/K3VbQ9xT", "/nothing", "/t", "/t/", "/%00", "/a%20b", "/../k3VbQ9xT", "/" + strings.Repeat("x", 5000)} {
		response := tr.get(t, "GET", path)
		page, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusNotFound || len(page) > 1024 || bytes.Contains(page, []byte("src=")) {
			t.Errorf("%.40s: status %d, a page of %d bytes", path, response.StatusCode, len(page))
		}
	}
	if len(tr.log.records) != 0 {
		t.Errorf("%d unknown slugs were recorded", len(tr.log.records))
	}
	if response := tr.get(t, "POST", "/k3VbQ9xT"); response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST on a link: %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
	}
}

func TestNobodyIsToldALinkIsGoneWhileLinksAreLoaded(t *testing.T) {
	options := testOptions(t, new(memoryLog))
	options.Links = links.New(links.Options{})
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := aClick(t)
	server.answer(ctx, server.newHit())
	if status := ctx.Response.StatusCode(); status != fasthttp.StatusServiceUnavailable || len(ctx.Response.Header.Peek("Retry-After")) == 0 {
		t.Errorf("status %d, want 503 with Retry-After", status)
	}
	if server.Ready() == nil {
		t.Error("a tracker without links says it is ready")
	}
}

func TestFullSpoolNeverStopsAShopper(t *testing.T) {
	tr := startTracker(t)
	if response := tr.get(t, "GET", "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("readyz is %d, want 200", response.StatusCode)
	}
	tr.log.full.Store(true)
	if response := tr.get(t, "GET", "/k3VbQ9xT"); response.StatusCode != http.StatusFound {
		t.Errorf("with a full spool a click is answered %d", response.StatusCode)
	}
	if err := testutil.GatherAndCompare(tr.registry, strings.NewReader(`
# HELP tributary_clicks_unrecorded_total Shoppers redirected although the spool could not take their click.
# TYPE tributary_clicks_unrecorded_total counter
tributary_clicks_unrecorded_total 1
`), "tributary_clicks_unrecorded_total"); err != nil {
		t.Error(err)
	}
	response := tr.get(t, "GET", "/readyz")
	if why, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(why, []byte("spool")) {
		t.Errorf("readyz is %d: %s", response.StatusCode, why)
	}
}

// raw sends bytes as they are and returns everything answered until the server
// closes or falls silent.
func (tr *tracker) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(tr.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	// A server that has answered and closed already leaves nothing to half-close.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestMalformedRequestsEndTheirConnection(t *testing.T) {
	tr := startTracker(t)
	const follow = "GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\n\r\n"
	for _, request := range []string{
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nX",
		"GET /k3VbQ9xT HTTP/3.7\r\nHost: t\r\n\r\n",
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: a@b\r\n\r\n",
		"GET /k3VbQ9xT HTTP/1.1\r\n\r\n",
		"GET http://evil.example/k3VbQ9xT HTTP/1.1\r\nHost: t\r\n\r\n",
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00",
		"GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nX: " + strings.Repeat("x", maxHeaderBytes) + "\r\n\r\n",
	} {
		answer := tr.raw(t, request+follow)
		if n := strings.Count(answer, "HTTP/1.1 "); n > 1 || strings.Contains(answer, " 302 ") {
			t.Errorf("%.60q was answered %d times: %.80q", request, n, answer)
		}
	}
	// A body where none belongs is read past, not read as a request.
	answer := tr.raw(t, "GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\nContent-Length: "+"34"+"\r\n\r\n"+follow+follow)
	if n := strings.Count(answer, "HTTP/1.1 "); n != 1 {
		t.Errorf("a GET with a body was answered %d times", n)
	}
	if answer := tr.raw(t, follow+follow+follow); strings.Count(answer, " 302 ") != 3 {
		t.Errorf("three pipelined requests were answered %q", answer)
	}
}

func TestPanicEndsTheRequestOnly(t *testing.T) {
	tr := startTracker(t)
	tr.Server.rules.Store(nil)
	if response := tr.get(t, "GET", "/k3VbQ9xT"); response.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", response.StatusCode)
	}
	tr.Server.rules.Store(tr.options.Rules)
	if response := tr.get(t, "GET", "/k3VbQ9xT"); response.StatusCode != http.StatusFound {
		t.Errorf("after a fault: status %d, want 302", response.StatusCode)
	}
}

// nullLog takes records and forgets them.
type nullLog struct{}

func (nullLog) Append(uint32, []byte) error { return nil }
func (nullLog) Unrecorded() uint64          { return 0 }
func (nullLog) Writable() bool              { return true }

// aClick is a request as a phone's browser behind a proxy sends it.
func aClick(t testing.TB) *fasthttp.RequestCtx {
	t.Helper()
	request := "GET /k3VbQ9xT HTTP/1.1\r\nHost: t.example\r\nUser-Agent: " + chrome + "\r\nAccept: text/html\r\n" +
		"Accept-Language: th-TH,th;q=0.9\r\nAccept-Encoding: gzip\r\nReferer: https://l.instagram.com/\r\nX-Forwarded-For: 133.11.0.77\r\n\r\n"
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}, nil)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
		t.Fatal(err)
	}
	return &ctx
}

func TestPlainLinkDoesNotAllocate(t *testing.T) {
	options := testOptions(t, nullLog{})
	options.Rates = verdict.NewRateWindow(verdict.Rate{Hits: 1 << 30, WindowMs: 60_000})
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, h := aClick(t), server.newHit()
	server.answer(ctx, h)
	if status := ctx.Response.StatusCode(); status != fasthttp.StatusFound {
		t.Fatalf("status %d", status)
	}
	if n := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		server.answer(ctx, h)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkHandle(b *testing.B) {
	server, err := New(testOptions(b, nullLog{}))
	if err != nil {
		b.Fatal(err)
	}
	ctx := aClick(b)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		server.handle(ctx)
	}
}
