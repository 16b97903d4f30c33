package redirect

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
)

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

func (nullLog) Unrecorded() uint64 { return 0 }

func (nullLog) Writable() bool { return true }

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
