package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/caller"
	"tributary/ingest/spool"
	"tributary/redirect"
	"tributary/redirect/credentials"
	"tributary/redirect/geo"
	"tributary/redirect/intake"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
	"tributary/redirect/visitor"
)

// What the tests' two advertisers have.
const (
	ingestKey   = "trb_ingest"
	expiredKey  = "trb_expired"
	otherKey    = "trb_other"
	adminKey    = "trb_admin"
	creatorKey  = "trb_creator"
	hmacSecret  = "trb_hmac_one"
	nextSecret  = "trb_hmac_two"
	token       = "trb_postback_one"
	publicKey   = "pub_shop"
	crawlerList = "../../node_modules/crawler-user-agents/crawler-user-agents.json"
)

var pepper = bytes.Repeat([]byte{5}, 32)

// A feed is a catalog with everybody's credentials.
type feed struct{}

func (feed) CredentialsSince(_ context.Context, after int64, _ int) ([]attribution.RouteChange, error) {
	all := everybody()
	return all[min(int(after), len(all)):], nil
}

// A shopLog is the real spool, which a test can make fail.
type shopLog struct {
	*spool.Log
	full bool
}

func (l *shopLog) AppendAll(shard uint32, records [][]byte) error {
	if l.full {
		return spool.ErrUnrecorded
	}
	return l.Log.AppendAll(shard, records)
}

func (l *shopLog) Append(uint32, []byte) error { return nil } // clicks
func (l *shopLog) Unrecorded() uint64          { return 0 }
func (l *shopLog) Writable() bool              { return true }

// A tracker is a redirect.Server with an Intake and a real spool on a real socket.
type tracker struct {
	t        testing.TB
	base     string
	server   *redirect.Server
	log      *shopLog
	registry *prometheus.Registry
	client   *http.Transport
}

func start(t testing.TB, change func(*intake.Options)) *tracker {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v (missing files are installed by `make deps`)", err)
		}
	}
	dir := t.TempDir()
	reports, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "conversions"), MaxWait: 10 * time.Second, MaxRecordBytes: intake.MaxRecordBytes, SegmentBytes: 4 << 20})
	must(err)
	t.Cleanup(func() { must(reports.Close()) })
	log := &shopLog{Log: reports}

	store := credentials.NewStore(pepper)
	ctx, cancel := context.WithCancel(context.Background())
	go credentials.Follow(store, feed{}, nil, slog.New(slog.DiscardHandler)).Run(ctx)
	t.Cleanup(cancel)
	for deadline := time.Now().Add(10 * time.Second); !store.Ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("credentials never came")
		}
	}
	index := indexed(t)
	quiet, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	o := intake.Options{
		Credentials: store, Advertisers: index, Log: log, CustomerKey: bytes.Repeat([]byte{9}, 32), Registerer: registry, Logger: quiet,
	}
	if change != nil {
		change(&o)
	}
	taken, err := intake.New(o)
	must(err)
	list, err := os.ReadFile(crawlerList)
	must(err)
	rules, err := verdict.New(list)
	must(err)
	salts, err := visitor.OpenSalts(filepath.Join(dir, "salts"), time.Now().UnixMilli())
	must(err)
	limits, err := links.OpenLimits(dir, quiet)
	must(err)
	t.Cleanup(func() { must(limits.Close()) })
	places, err := geo.Open(nil)
	must(err)
	keys, err := attribution.NewClickKeyring(1, map[byte][]byte{1: make([]byte, attribution.ClickKeyBytes)})
	must(err)
	server, err := redirect.New(redirect.Options{
		Links: index, Limits: limits, Rules: rules, Rates: verdict.NewRateWindow(verdict.Rate{}), Geo: places, Salts: salts, ClickKeys: keys,
		Clicks: log, Intake: taken, DescribeAgent: func(string) (string, string) { return "phone", "Android" },
		Proxies: caller.NewProxies(netip.MustParsePrefix("127.0.0.0/8")), Registerer: registry, Logger: quiet,
	})
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client := &http.Transport{}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		must(<-served)
	})
	return &tracker{t: t, base: "http://" + listener.Addr().String(), server: server, log: log, registry: registry, client: client}
}

func everybody() (all []attribution.RouteChange) {
	for _, id := range []string{"adv_1", "adv_2"} {
		all = append(all, attribution.RouteChange{Advertiser: &attribution.AdvertiserRoute{ID: id}})
	}
	for _, c := range []struct {
		attribution.Credential
		secret string
	}{
		{attribution.Credential{ID: "key_1", Kind: "key", Role: "ingest", AdvertiserID: "adv_1"}, ingestKey},
		{attribution.Credential{ID: "key_x", Kind: "key", Role: "ingest", AdvertiserID: "adv_1", ExpiresAt: 1}, expiredKey},
		{attribution.Credential{ID: "key_2", Kind: "key", Role: "advertiser", AdvertiserID: "adv_2"}, otherKey},
		{attribution.Credential{ID: "key_3", Kind: "key", Role: "admin"}, adminKey},
		{attribution.Credential{ID: "key_4", Kind: "key", Role: "creator"}, creatorKey},
		{attribution.Credential{ID: "sec_1", Kind: "hmac", AdvertiserID: "adv_1"}, hmacSecret},
		{attribution.Credential{ID: "sec_2", Kind: "hmac", AdvertiserID: "adv_1"}, nextSecret},
		{attribution.Credential{ID: "sec_3", Kind: "postback", AdvertiserID: "adv_1"}, token},
	} {
		credential := c.Credential
		if credential.Kind == attribution.CredentialHMAC {
			credential.Secret = c.secret
		} else {
			credential.Hash = attribution.SecretHash(pepper, c.secret)
		}
		all = append(all, attribution.RouteChange{Credential: &credential})
	}
	for i := range all {
		all[i].Number = int64(i + 1)
	}
	return all
}

// indexed is a link index that a follower has filled with one advertiser.
func indexed(t testing.TB) *links.Index {
	t.Helper()
	index := links.New(links.Options{Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	go links.Follow(index, links.FollowerOptions{Source: shop{}}).Run(ctx)
	t.Cleanup(cancel)
	for deadline := time.Now().Add(10 * time.Second); !index.Stats().Ready; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("links never came")
		}
	}
	return index
}

// A shop is a catalog with one advertiser.
type shop struct{}

func (shop) Routes(_ context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	return 1, yield(attribution.RouteChange{Number: 1, Advertiser: &attribution.AdvertiserRoute{
		ID: "adv_1", Domains: []string{"shop.example", "127.0.0.1"}, ClickParam: "tcid", PublicKey: publicKey}})
}

func (shop) RoutesSince(context.Context, int64, int) ([]attribution.RouteChange, error) {
	return nil, nil
}

// An answer is a response, read to its end.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (tr *tracker) send(method, path, body string, header ...string) *answer {
	tr.t.Helper()
	request, err := http.NewRequest(method, tr.base+path, strings.NewReader(body))
	if err != nil {
		tr.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := tr.client.RoundTrip(request)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		tr.t.Fatal(err)
	}
	return &answer{tr.t, response.StatusCode, response.Header, string(content)}
}

// post sends conversions with a key.
func (tr *tracker) post(key, body string) *answer {
	tr.t.Helper()
	return tr.send("POST", "/t/conversions", body, "Authorization", "Bearer "+key)
}

func (a *answer) want(status int, part string) *answer {
	a.t.Helper()
	if a.status != status || !strings.Contains(a.body, part) {
		a.t.Errorf("got %d %s\nwant %d and %s", a.status, a.body, status, part)
	}
	return a
}

type resultView struct {
	OrderID      string `json:"order_id"`
	Status       string `json:"status"`
	ReceiptID    string `json:"receipt_id"`
	Code         string `json:"code"`
	ConversionID string `json:"conversion_id"`
}

func (a *answer) results() []resultView {
	a.t.Helper()
	var view struct{ Results []resultView }
	if err := json.Unmarshal([]byte(a.body), &view); err != nil || a.status != 200 {
		a.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return view.Results
}

// taken reads the next n reports from the spool.
func (tr *tracker) taken(n int) (reports []*attribution.Report) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for len(reports) < n {
		batch, err := tr.log.Next(ctx, n-len(reports), 16<<20)
		if err != nil {
			tr.t.Fatalf("%d of %d reports: %v", len(reports), n, err)
		}
		for _, record := range batch.Records {
			report, err := attribution.DecodeReport(record)
			if err != nil {
				tr.t.Fatal(err)
			}
			reports = append(reports, report)
		}
	}
	return reports
}

// noMore fails when the spool holds reports that were not read.
func (tr *tracker) noMore() {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if batch, err := tr.log.Next(ctx, 10, 1<<20); err == nil {
		tr.t.Errorf("there are %d more reports: %s", len(batch.Records), batch.Records[0])
	}
}
