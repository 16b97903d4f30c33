package intake_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"tributary/attribution"
	"tributary/redirect/intake"
	"tributary/redirect/verdict"
)

func TestPostback(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	const fields = "&event=sale&order_id=o1&amount=10.00&currency=USD&click_id=c"
	a := tr.send("GET", "/t/postback?key="+token+fields, "").want(200, "ok")
	if a.body != "ok" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%q %v", a.body, a.header)
	}
	tr.send("POST", "/t/postback", "key="+token+fields, "Content-Type", "application/x-www-form-urlencoded").want(200, "ok")
	tr.send("POST", "/t/postback?key="+token, "event=sale&order_id=o%2F1&note=%E2%82%AC").want(200, "ok")
	for i, report := range tr.taken(3) {
		if report.AdvertiserID != "adv_1" || report.Source != attribution.SourcePostback || !report.Signed || report.KeyID != "sec_3" || i == 2 && report.Fields.Note != "€" {
			t.Errorf("%+v", report)
		}
	}
	for query, want := range map[string]string{
		"":                                      "401 error=unauthorized",
		"key=x" + fields:                        "401 error=unauthorized",
		"key=" + ingestKey + fields:             "401 error=unauthorized",
		"key=" + token + "&event=sale":          "400 error=missing_field",
		"key=" + token + fields + "&colour=red": "400 error=unknown_field",
		"key=" + token + fields + "&event=lead": "400 error=duplicate_field",
		"key=" + token + fields + "&note=4111111111111111":               "400 error=card_number",
		"key=" + token + "&event=sale&order_id=%ff":                      "400 error=invalid_field",
		"key=" + token + "&event=sale&order_id=o&amount=-1&currency=USD": "400 error=invalid_amount",
	} {
		a := tr.send("GET", "/t/postback?"+query, "")
		if got := a.header.Get("Status") + strings.TrimSpace(strings.Join([]string{itoa(a.status), a.body}, " ")); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	for _, report := range tr.taken(6) {
		if report.Rejected == nil || strings.Contains(string(report.Raw), token) || strings.Contains(string(report.Raw), "4111") {
			t.Errorf("%+v %s", report.Rejected, report.Raw)
		}
	}
	tr.log.full = true
	if a := tr.send("GET", "/t/postback?key="+token+fields, "").want(503, "error=unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	tr.send("DELETE", "/t/postback?key="+token+fields, "").want(405, "")
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestPixel(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	get := func(query string, header ...string) {
		t.Helper()
		a := tr.send("GET", "/t/pixel.gif?"+query, "", header...).want(200, "GIF89a")
		if len(a.body) != 43 || a.header.Get("Content-Type") != "image/gif" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d bytes, %v", len(a.body), a.header)
		}
	}
	const order = "adv=" + publicKey + "&event=sale&order_id=o1&amount=9.90&currency=USD&_=123"
	get(order, "X-Forwarded-For", "133.11.77.9", "User-Agent", "Mozilla bob@x.example")
	get(order, "X-Forwarded-For", "2001:db8:1:2::9", "Referer", "https://www.shop.example/thanks?x=1", "User-Agent", "4111111111111111")
	get(order, "Origin", "https://shop.example:8443")
	get(order, "Origin", "null")
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS"} { // are answered, and report nothing
		if a := tr.send(method, "/t/pixel.gif?"+order, "").want(200, ""); a.header.Get("Content-Type") != "image/gif" {
			t.Errorf("%s: %v", method, a.header)
		}
	}
	reports := tr.taken(4)
	for i, want := range []struct{ network, agent string }{{"133.11.77.0/24", "Mozilla h_"}, {"2001:db8:1::/48", ""}, {"127.0.0.0/24", "Go"}, {"127.0.0.0/24", "Go"}} {
		r := reports[i]
		if r.Signed || r.Source != attribution.SourcePixel || r.Rejected != nil || r.Network != want.network || !strings.HasPrefix(r.UserAgent, want.agent) {
			t.Errorf("%+v", r)
		}
	}
	for _, header := range [][2]string{{"Origin", "https://evil.example"}, {"Referer", "https://shop.example.evil.example/"}, {"Origin", "https://4111111111111111.example"},
		{"Referer", "https://shop.example@evil.example/"}, {"Origin", "nonsense"}, {"Referer", strings.Repeat("x", 3000)}} {
		get(order, header[0], header[1])
		r := tr.taken(1)[0]
		if r.Rejected == nil || r.Rejected.Code != "origin_not_allowed" || r.Fields.OrderID != "o1" || !strings.Contains(string(r.Raw), `"o1"`) || strings.Contains(r.Rejected.Reason, "4111") {
			t.Errorf("%v: %+v", header, r.Rejected)
		}
	}
	get("adv=" + publicKey + "&event=sale&order_id=" + strings.Repeat("o", 100))
	if r := tr.taken(1)[0]; r.Rejected == nil || r.Rejected.Code != "invalid_field" {
		t.Errorf("%+v", r)
	}
	for _, nonsense := range []string{"", "adv=", "adv=pub_unknown&event=sale&order_id=o", "%%%", "adv=" + strings.Repeat("x", 4000), "adv=%00&x=" + url.QueryEscape("\xff")} {
		get(nonsense)
	}
	tr.log.full = true
	get(order)
	tr.log.full = false
	tr.noMore()
}

func TestUnsignedReportsAreRateLimited(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) { o.RateLimit = verdict.Rate{Hits: 3, WindowMs: 3_600_000} })
	const order = "/t/pixel.gif?adv=" + publicKey + "&event=lead&order_id=o"
	for range 5 {
		tr.send("GET", order, "", "X-Forwarded-For", "133.11.77.9").want(200, "GIF")
	}
	if a := tr.send("POST", "/t/event?adv="+publicKey, `{"type":"landing","click_id":"c"}`, "X-Forwarded-For", "133.11.77.200").want(429, "rate_limited"); a.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	tr.send("GET", order, "", "X-Forwarded-For", "133.11.78.9").want(200, "GIF") // another network
	tr.taken(4)
	tr.noMore()
}

func TestEvent(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	const path = "/t/event?adv=" + publicKey
	a := tr.send("POST", path, `{"type":"landing","click_id":"c1"}`, "Origin", "https://www.shop.example", "Content-Type", "text/plain;charset=UTF-8").want(200, "accepted")
	if a.header.Get("Access-Control-Allow-Origin") != "https://www.shop.example" || a.header.Get("Vary") != "Origin" {
		t.Errorf("%v", a.header)
	}
	tr.send("POST", path, `{"type":"track","event":"sale","order_id":"o1","click_id":"c2","click_ids":["c1"]}`, "Content-Type", "application/json").want(200, `"order_id":"o1"`)
	reports := tr.taken(2)
	if l := reports[0].Landing; l == nil || l.ClickID != "c1" || l.PageHost != "www.shop.example" || reports[0].Kind != attribution.ReportLanding || reports[0].Signed {
		t.Errorf("%+v", reports[0])
	}
	if reports[1].Fields.OrderID != "o1" || reports[1].Source != attribution.SourceTag || reports[1].Signed {
		t.Errorf("%+v", reports[1])
	}
	a = tr.send("POST", path, `{"type":"track","event":"sale","order_id":"o1"}`, "Origin", "https://evil.example").want(200, "origin_not_allowed")
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a stranger's page may read the answer")
	}
	tr.taken(1)
	tr.send("POST", path, `{`).want(400, "malformed_json")
	tr.taken(1)
	tr.send("POST", "/t/event?adv=x", `{}`).want(404, "not_found")
	tr.send("GET", path, "").want(405, "")

	a = tr.send("OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST").want(204, "")
	if a.header.Get("Access-Control-Allow-Origin") != "https://shop.example" || a.header.Get("Access-Control-Allow-Headers") != "content-type" {
		t.Errorf("%v", a.header)
	}
	for _, c := range [][2]string{{path, "https://evil.example"}, {"/t/event", "https://shop.example"}} {
		if a := tr.send("OPTIONS", c[0], "", "Origin", c[1]).want(204, ""); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %v", c, a.header)
		}
	}
	tr.log.full = true
	tr.send("POST", path, `{"type":"landing","click_id":"c1"}`).want(503, "unavailable")
}

func TestTagIsSmall(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	plain := tr.send("GET", "/t/tag.js", "", "Accept-Encoding", "identity").want(200, "tributary")
	small := tr.send("GET", "/t/tag.js", "", "Accept-Encoding", "br, gzip").want(200, "")
	if small.header.Get("Content-Encoding") != "gzip" || len(small.body) >= intake.MaxTagBytes {
		t.Errorf("%s, %d bytes compressed", small.header.Get("Content-Encoding"), len(small.body))
	}
	unpacked, err := gzip.NewReader(strings.NewReader(small.body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unpacked); err != nil || string(text) != plain.body {
		t.Errorf("the two forms differ: %v", err)
	}
	t.Logf("%d bytes, %d compressed", len(plain.body), len(small.body))
	if cache := small.header.Get("Cache-Control"); cache != "public, max-age=3600" || small.header.Get("Vary") != "Accept-Encoding" || !strings.HasPrefix(small.header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%v", small.header)
	}
	if a := tr.send("GET", "/t/tag.js", "", "If-None-Match", small.header.Get("ETag")); a.status != 304 || a.body != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, modern := range []string{"=>", "`", "let ", "const ", "class ", "?.", "??", "async ", "..."} {
		if strings.Contains(plain.body, modern) {
			t.Errorf("the tag is not ECMAScript 5: it has %q", modern)
		}
	}
}
