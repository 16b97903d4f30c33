package intake_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

// shopPages are pages of a shop that has the tag. %s is the tracker.
var shopPages = map[string]string{
	"/plain":   `<script async src="%s/t/tag.js" data-adv="pub_shop"></script>`,
	"/param":   `<script src="%s/t/tag.js" data-adv="pub_shop" data-param="cid"></script>`,
	"/consent": `<script async src="%s/t/tag.js" data-adv="pub_shop" data-consent="required"></script>`,
	"/framing": `<iframe sandbox="allow-scripts" src="/plain?tcid=framed0000000000000000000000000000000000000" data-of="%s"></iframe>`,
	"/early": `<script>
		window.dataLayer = window.dataLayer || [];
		function gtag() { dataLayer.push(arguments); }
		dataLayer.push({ event: 'purchase', ecommerce: { transaction_id: 'layer', value: '10.00', currency: 'USD' } });
		gtag('js', new Date());
		window.tributary = window.tributary || function () { (tributary.q = tributary.q || []).push(arguments); };
		tributary('track', 'sale', { order_id: 'queued' });
		(function (d) { // as a tag manager inserts it
			var s = d.createElement('script'); s.async = true; s.src = '%s/t/tag.js'; s.setAttribute('data-adv', 'pub_shop'); d.head.appendChild(s);
		})(document);
	</script>`,
}

// needs finds a program the test runs, or fails with how to install it.
func needs(t *testing.T, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing. Install it: %s", names[0], install)
	return ""
}

// TestTagInBrowser holds the tag to what it promises, on a shop's pages in a real
// browser, against a real tracker on another origin.
func TestTagInBrowser(t *testing.T) {
	t.Parallel()
	node := needs(t, "'apt-get install nodejs npm' or 'brew install node', and 'make deps'", "node")
	chromium := needs(t, "'apt-get install chromium' or 'brew install chromium'", "chromium", "chromium-browser", "google-chrome")
	tr := start(t, nil)
	tracker := strings.Replace(tr.base, "127.0.0.1", "localhost", 1)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, known := shopPages[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>Shop</title>"+page, tracker)
	}))
	defer shop.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, node, "testdata/tag.mjs", shop.URL, chromium)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	reports, err := tr.until(wantedReports, ended)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	tr.noMore()
	checkReports(t, reports)
}

// until reads so many reports; the browser must not give up before.
func (tr *tracker) until(n int, ended <-chan error) (reports []*attribution.Report, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var failed error
	go func() {
		select {
		case failed = <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	for len(reports) < n {
		batch, err := tr.log.Next(ctx, n-len(reports), 1<<20)
		if err != nil {
			return nil, fmt.Errorf("%d of %d reports: %w (browser: %v); last %+v", len(reports), n, err, failed, reports[max(0, len(reports)-1):])
		}
		for _, record := range batch.Records {
			report, err := attribution.DecodeReport(record)
			if err != nil {
				return nil, err
			}
			reports = append(reports, report)
		}
	}
	return reports, nil
}

// What the pages of tag.mjs report.
const (
	wantedSales    = 11
	wantedLandings = 2 + 1 + 1 + 4 + 1 + 1 + 1 // two landings and a customer, early, the last twenty, consent, bare, framed
	wantedReports  = wantedSales + wantedLandings
)

func clickID(name string) string { return name + strings.Repeat("0", 43-len(name)) }

func checkReports(t *testing.T, reports []*attribution.Report) {
	t.Helper()
	sales, landings := map[string]attribution.ReportFields{}, map[string]int{}
	for _, r := range reports {
		if r.Rejected != nil || r.Source != attribution.SourceTag || r.Signed || r.AdvertiserID != "adv_1" || r.UserAgent == "" {
			t.Errorf("%+v %+v", r.Rejected, r)
		}
		if r.Landing == nil {
			sales[r.Fields.OrderID] = r.Fields
			continue
		}
		landings[r.Landing.ClickID]++
		if framed := r.Landing.ClickID == clickID("framed"); r.Landing.PageHost != "127.0.0.1" && !framed { // a sandboxed page has no host
			t.Errorf("landed on %q", r.Landing.PageHost)
		}
	}
	for order, want := range map[string]attribution.ReportFields{
		"tracked":   {Event: "sale", Amount: "49.90", Currency: "USD", ClickID: clickID("second"), ClickIDs: []string{clickID("landing")}},
		"queued":    {Event: "sale", ClickID: clickID("early")},
		"layer":     {Event: "sale", Amount: "10.00", Currency: "USD", ClickID: clickID("early")},
		"gtag":      {Event: "sale", Amount: "0.30", Currency: "USD", ClickID: clickID("early")},
		"9001":      {Event: "sale", Amount: "500", Currency: "JPY", Code: "ANA10", ClickID: clickID("early"), Items: []attribution.ReportItem{{SKU: "sku1", Name: "Shoe", Category: "shoes", Quantity: 2, Price: "250"}}},
		"consented": {Event: "lead", ClickID: clickID("consent")},
		"gpc-here":  {Event: "sale", ClickID: clickID("gpc")},
		"gpc-later": {Event: "sale"},
		"fetched":   {Event: "sale"},
		"requested": {Event: "sale", ClickID: clickID("bare")},
		"framed":    {Event: "sale", ClickID: clickID("framed")},
	} {
		got := sales[order]
		want.OrderID, want.EventTime = order, got.EventTime
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("order %s:\n got %+v\nwant %+v", order, got, want)
		}
	}
	for name, want := range map[string]int{"landing": 1, "second": 2, "early": 1, "n10": 1, "n15": 1, "n31": 1, "consent": 1, "bare": 1, "framed": 1, "gpc": 0} {
		if got := landings[clickID(name)]; got != want {
			t.Errorf("landing %s was reported %d times, want %d", name, got, want)
		}
	}
	if len(sales) != wantedSales {
		t.Errorf("%d orders: %+v", len(sales), sales)
	}
}
