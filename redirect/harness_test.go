package redirect

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/caller"
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

func (l *memoryLog) Writable() bool { return !l.full.Load() }

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
		Proxies:    caller.NewProxies(netip.MustParsePrefix("127.0.0.0/8")),
		Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
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
