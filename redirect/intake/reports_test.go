package intake_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"tributary/attribution"
	"tributary/redirect/credentials"
	"tributary/redirect/intake"
)

const sale = `{"event":"sale","order_id":"o1","amount":"49.90","currency":"USD","click_id":"forged"}`

func TestConversionIsOnDiskBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	results := tr.post(ingestKey, sale).results()
	report := tr.taken(1)[0]
	if len(results) != 1 || results[0] != (resultView{OrderID: "o1", Status: "accepted", ReceiptID: report.ReceiptID}) {
		t.Errorf("%+v", results)
	}
	if report.AdvertiserID != "adv_1" || report.KeyID != "key_1" || !report.Signed || report.Source != attribution.SourceServer ||
		report.Kind != attribution.ReportConversion || report.Network != "" || report.Fields.ClickID != "forged" {
		t.Errorf("%+v", report)
	}
	tr.log.full = true
	if a := tr.post(ingestKey, sale).want(503, `"code":"unavailable"`); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	tr.log.full = false
	tr.post(ingestKey, sale).want(200, "accepted")
	const want = `
# HELP tributary_conversions_total Conversions reported: accepted and rejected ones are on disk, unavailable ones were answered 503.
# TYPE tributary_conversions_total counter
tributary_conversions_total{result="accepted"} 2
tributary_conversions_total{result="rejected"} 0
tributary_conversions_total{result="unavailable"} 1
`
	if err := testutil.GatherAndCompare(tr.registry, strings.NewReader(want), "tributary_conversions_total"); err != nil {
		t.Error(err)
	}
}

func TestArrayAndLines(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	bad := `{"event":"sale","order_id":"o2","amount":"-1","currency":"USD"}`
	for _, body := range []string{"[" + sale + "," + bad + "]", sale + "\n" + bad + "\n"} {
		results := tr.post(ingestKey, body).results()
		reports := tr.taken(2)
		if len(results) != 2 || results[0].Status != "accepted" || results[1].Status != "rejected" || results[1].Code != "invalid_amount" || results[1].OrderID != "o2" {
			t.Errorf("%+v", results)
		}
		if reports[0].Rejected != nil || reports[1].Rejected == nil || string(reports[1].Raw) != `{"amount":"-1","currency":"USD","event":"sale","order_id":"o2"}` {
			t.Errorf("%+v %s", reports[1].Rejected, reports[1].Raw)
		}
	}
	many := "[" + strings.Repeat(sale+",", 999) + sale + "]"
	if results := tr.post(ingestKey, many).results(); len(results) != 1000 {
		t.Errorf("%d results", len(results))
	}
	tr.taken(1000)
	tr.post(ingestKey, "["+strings.Repeat(sale+",", 1000)+sale+"]").want(413, "at most 1000 reports")
	tr.post(ingestKey, "[]").want(200, `{"results":[]}`)
	if report := tr.taken(1)[0]; report.Rejected == nil || report.Rejected.Code != "too_large" {
		t.Errorf("%+v", report)
	}
	tr.noMore()
}

func TestWhoMayReport(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	for key, want := range map[string]int{"": 401, "x": 401, expiredKey: 401, hmacSecret: 401, token: 401, strings.Repeat("x", 5000): 401, creatorKey: 403, otherKey: 200} {
		a := tr.post(key, sale).want(want, "")
		if want == 401 && a.header.Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	}
	if report := tr.taken(1)[0]; report.AdvertiserID != "adv_2" {
		t.Errorf("%+v", report)
	}
	tr.send("POST", "/t/conversions?advertiser_id=adv_1", sale, "Authorization", "Bearer "+otherKey).want(404, "not_found")
	tr.post(otherKey, `{"event":"sale","order_id":"o","advertiser_id":"adv_1"}`).want(200, "not_found")
	tr.post(ingestKey, `{"event":"sale","order_id":"o","creator_id":"crt_01jh6000000000000000000000"}`).want(200, "forbidden_field")
	for i, report := range tr.taken(2) {
		if want := []string{"adv_2", "adv_1"}[i]; report.Rejected == nil || report.AdvertiserID != want {
			t.Errorf("%+v", report)
		}
	}

	forced := `{"event":"sale","order_id":"o","creator_id":"crt_01jh6000000000000000000000"%s}`
	tr.post(adminKey, fmt.Sprintf(forced, "")).want(200, `"code":"not_found"`)
	tr.post(adminKey, fmt.Sprintf(forced, `,"advertiser_id":"adv_9"`)).want(200, `"code":"not_found"`)
	tr.post(adminKey, fmt.Sprintf(forced, `,"advertiser_id":"adv_2"`)).want(200, "accepted")
	tr.send("POST", "/t/conversions?advertiser_id=adv_1", fmt.Sprintf(forced, ""), "Authorization", "bearer "+adminKey).want(200, "accepted")
	tr.send("POST", "/t/conversions?advertiser_id=adv_9", sale, "Authorization", "Bearer "+adminKey).want(404, "not_found")
	if reports := tr.taken(2); reports[0].AdvertiserID != "adv_2" || reports[1].AdvertiserID != "adv_1" || reports[1].Fields.CreatorID == "" {
		t.Errorf("%+v %+v", reports[0], reports[1])
	}
	tr.noMore()
}

func TestCredentialsNotLoaded(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) { o.Credentials = credentials.NewStore(pepper) })
	if a := tr.post(ingestKey, sale).want(503, "unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	tr.send("GET", "/t/postback?key="+token+"&event=sale&order_id=o", "").want(503, "error=unavailable")
	tr.send("GET", "/t/pixel.gif?adv="+publicKey+"&event=sale&order_id=o", "").want(200, "GIF89a")
	tr.taken(1) // advertisers are known from the links' snapshot
}

func sign(secret string, at time.Time, body string) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "." + body))
	return timestamp, "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func TestSignedRequests(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) {
		o.Now = func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) } // a rehearsal's; signatures keep real time
	})
	post := func(path, id, secret string, at time.Time, body string) *answer {
		t.Helper()
		timestamp, signature := sign(secret, at, body)
		return tr.send("POST", path, body, "Tributary-Key-Id", id, "Tributary-Timestamp", timestamp, "Tributary-Signature", signature)
	}
	now := time.Now()
	for _, id := range []string{"sec_1", "adv_1"} {
		post("/t/conversions", id, hmacSecret, now, sale).want(200, "accepted")
	}
	post("/t/conversions", "adv_1", nextSecret, now.Add(-4*time.Minute), sale).want(200, "accepted")
	for _, report := range tr.taken(3) {
		if report.AdvertiserID != "adv_1" || !report.Signed || !strings.HasPrefix(report.KeyID, "sec_") {
			t.Errorf("%+v", report)
		}
	}
	post("/t/conversions", "adv_1", hmacSecret, now.Add(6*time.Minute), sale).want(401, "stale_timestamp")
	post("/t/conversions", "adv_1", hmacSecret, now.Add(-6*time.Minute), sale).want(401, "stale_timestamp")
	post("/t/conversions", "sec_2", hmacSecret, now, sale).want(401, "invalid_signature")
	post("/t/conversions", "adv_2", hmacSecret, now, sale).want(401, "invalid_signature")
	post("/t/conversions", "", hmacSecret, now, sale).want(401, "invalid_signature")
	timestamp, signature := sign(hmacSecret, now, sale)
	for _, wrong := range [][3]string{
		{timestamp, signature, sale + " "}, {timestamp + "0", signature, sale}, {timestamp, signature[:20], sale}, {timestamp, "v2=" + signature[3:], sale},
		{timestamp, "v1=", sale}, {timestamp, strings.Repeat("v1=00,", 5000) + signature, sale}, {"", signature, sale}, {"now", signature, sale},
	} {
		a := tr.send("POST", "/t/conversions", wrong[2], "Tributary-Key-Id", "sec_1", "Tributary-Timestamp", wrong[0], "Tributary-Signature", wrong[1])
		if a.status != 401 && a.status != 431 {
			t.Errorf("%.60q: %d %s", wrong, a.status, a.body)
		}
	}
	tr.send("POST", "/t/conversions", sale, "Tributary-Key-Id", "sec_1", "Tributary-Timestamp", timestamp, "Tributary-Signature", "v1=00, "+signature).want(200, "accepted")
	tr.taken(1)

	// The same signature again: an order counts once by itself, a refund is named.
	post("/t/refunds", "sec_1", hmacSecret, now, `[{"order_id":"o1"},{"order_id":"o1","amount":"1"}]`).want(200, "accepted")
	post("/t/refunds", "sec_1", hmacSecret, now, `[{"order_id":"o1"},{"order_id":"o1","amount":"1"}]`).want(200, "accepted")
	refunds := tr.taken(4)
	if a, b, c := refunds[0].Refund.RefundID, refunds[1].Refund.RefundID, refunds[2].Refund.RefundID; a == "" || a == b || a != c {
		t.Errorf("refunds %s %s %s", a, b, c)
	}
	tr.noMore()
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	auth := []string{"Authorization", "Bearer " + ingestKey}
	results := tr.send("POST", "/t/refunds", `{"order_id":"o1","refund_id":"r1","amount":"5"}`, auth...).results()
	report := tr.taken(1)[0]
	if results[0].Status != "accepted" || results[0].ReceiptID != report.ReceiptID || report.Kind != attribution.ReportRefund ||
		report.Refund.RefundID != "r1" || report.Refund.Event != "sale" || report.Refund.Amount != "5" {
		t.Errorf("%+v %+v", results, report.Refund)
	}
	tr.send("POST", "/t/refunds", `{"amount":"5"}`, auth...).want(200, "missing_field")
	tr.send("POST", "/t/refunds", `{}`).want(401, "unauthorized")
	tr.send("GET", "/t/refunds", "", auth...).want(405, "method_not_allowed")
	tr.send("GET", "/t/conversions", "", auth...).want(405, "method_not_allowed")
	tr.send("GET", "/t/nothing", "").want(404, "not_found")
}

// A ledger settles the first three reports of a request at once, and no others. One
// payout is an admin's to see.
type ledger struct{}

func (l ledger) Wait(ctx intake.Context, receipts []string, admin bool) (all []intake.Settled) {
	for i, id := range receipts {
		switch i {
		case 0:
			hidden := intake.Action{ID: "act_2", CreatorID: "crt_2", State: "held"}
			if admin {
				hidden.Payout = "3.00"
			}
			all = append(all, intake.Settled{ReceiptID: id, Status: "accepted", ConversionID: "cnv_1", Attributed: true,
				Actions: []intake.Action{{ID: "act_1", CreatorID: "crt_1", Payout: "12.00", State: "pending"}, hidden}})
		case 1:
			all = append(all, intake.Settled{ReceiptID: id, Status: "duplicate", ConversionID: "cnv_0"})
		case 2:
			all = append(all, intake.Settled{ReceiptID: id, Status: "conflict", Code: "conflict", Reason: "another amount", ConversionID: "cnv_0"})
		default:
			<-ctx.Done()
		}
	}
	return all
}

func TestWaitJoinsTheSettler(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) { o.Waiter = ledger{} })
	auth := []string{"Authorization", "Bearer " + ingestKey}
	order := func(id string) string { return `{"event":"sale","order_id":"` + id + `"}` }
	body := "[" + order("a") + "," + order("") + "," + order("b") + "," + order("c") + "," + order("d") + "]"
	a := tr.send("POST", "/t/conversions?wait=50ms", body, auth...)
	for _, part := range []string{
		`"conversion_id":"cnv_1","attributed":true,"actions":[{"id":"act_1","creator_id":"crt_1","payout":"12.00","state":"pending"},{"id":"act_2","creator_id":"crt_2","state":"held"}]}`,
		`"code":"missing_field"`, `"status":"duplicate"`, `"attributed":false,"actions":[]}`, `"status":"conflict"`, `"reason":"another amount"`,
		`{"order_id":"d","status":"accepted","receipt_id":"rcp_`,
	} {
		a.want(200, part)
	}
	tr.send("POST", "/t/conversions?wait=0s", body, auth...).want(200, `{"order_id":"a","status":"accepted","receipt_id"`)
	tr.send("POST", "/t/conversions?wait=1", order("a"), auth...).want(200, "cnv_1")
	tr.send("POST", "/t/conversions?wait=1", `{"event":"sale","order_id":"a","advertiser_id":"adv_1"}`, "Authorization", "Bearer "+adminKey).want(200, `"payout":"3.00"`)
	tr.send("POST", "/t/conversions?wait=soon", body, auth...).want(400, "validation")
	tr.send("POST", "/t/conversions?wait=-1s", body, auth...).want(400, "validation")
}

// A patientLedger settles nothing, and says when somebody waits.
type patientLedger struct{ waited chan struct{} }

func (l patientLedger) Wait(ctx intake.Context, _ []string, _ bool) []intake.Settled {
	l.waited <- struct{}{}
	<-ctx.Done()
	return nil
}

// TestAStopAnswersThoseWhoWait stops the tracker while a shop waits longer than a stop
// may take for what became of its report.
func TestAStopAnswersThoseWhoWait(t *testing.T) {
	t.Parallel()
	waited := make(chan struct{}, 1)
	tr := start(t, func(o *intake.Options) { o.Waiter = patientLedger{waited} })
	conn := tr.dial()
	fmt.Fprintf(conn, "POST /t/conversions?wait=10s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", ingestKey, len(sale), sale)
	<-waited
	if err := tr.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), " 200 ") || !strings.Contains(string(answer), `"status":"accepted"`) {
		t.Errorf("answered %q, %v", answer, err)
	}
	tr.taken(1)
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	long := `{"event":"sale","order_id":"o","note":"` + strings.Repeat("x", 70<<10) + `"}`
	tr.post(ingestKey, long).want(413, "too_large")
	tr.post(ingestKey, "["+sale+","+long+"]").want(200, `"code":"too_large"`)
	reports := tr.taken(3)
	for _, report := range []*attribution.Report{reports[0], reports[2]} {
		if report.Rejected == nil || report.Rejected.Code != "too_large" || len(report.Raw) > 8<<10 {
			t.Errorf("%+v", report.Rejected)
		}
	}
	escaped := `{"event":"sale","order_id":"o","colour":"` + strings.Repeat("<", 65000) + `"}` // six times as long once encoded
	tr.post(ingestKey, escaped).want(200, "unknown_field")
	tr.taken(1)
	items := `{"event":"sale","order_id":"o","items":[` + strings.Repeat(`{"sku":"`+strings.Repeat("<", 110)+`"},`, 500) + `{"sku":"a"}]}`
	tr.post(ingestKey, items[:len(items)-14]+"]}").want(200, "")
	for _, c := range []struct {
		key  string
		size int
		want string
	}{{ingestKey, 10 << 20, "413"}, {"trb_unknown", 100 << 10, "401"}, {ingestKey, 8<<20 + 1, "413"}} {
		if got := rawPost(t, tr, "/t/conversions", c.key, c.size); !strings.Contains(got, " "+c.want+" ") {
			t.Errorf("%d bytes with %s: %.100q", c.size, c.key, got)
		}
	}
	if got := rawPost(t, tr, "/t/event?adv="+publicKey, "", 100<<10); !strings.Contains(got, " 413 ") {
		t.Errorf("a long beacon: %.100q", got)
	}
	tr.send("POST", "/t/conversions", "x", "Authorization", "Bearer "+ingestKey, "Content-Encoding", "gzip").want(415, "unsupported_encoding")
	tr.post(ingestKey, sale).want(200, "accepted")
}

// rawPost sends a long body as fast as it is taken and returns what is answered.
func rawPost(t *testing.T, tr *tracker, path, key string, size int) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(tr.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: t.example\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", path, key, size)
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := conn.Write(chunk[:min(len(chunk), size-sent)]); err != nil {
				return
			}
		}
	}()
	answer, _ := io.ReadAll(conn) // a reset behind the answer is no matter
	return string(answer)
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	for body, code := range map[string]string{
		"": "malformed_json", "{": "malformed_json", "\xff": "malformed_json", `{"event":"` + "\xff" + `"}`: "malformed_json",
		strings.Repeat("[", 60_000): "malformed_json", `{"x":` + strings.Repeat(`{"x":`, 10_000): "malformed_json",
	} {
		tr.post(ingestKey, body).want(400, code)
	}
	for _, report := range tr.taken(6) {
		if report.Rejected == nil || report.Rejected.Code != "malformed_json" {
			t.Errorf("%+v", report)
		}
	}
	tr.post(ingestKey, `{"event":"sale","order_id":"4111-1111-1111-1111","note":"x"}`).want(200, `[{"status":"rejected","receipt_id"`)
	if report := tr.taken(1)[0]; report.Rejected.Code != "card_number" || report.Raw != nil || report.Fields.OrderID != "" {
		t.Errorf("%+v", report)
	}
}

func TestSlowBodyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(tr.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /t/conversions HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", ingestKey)
	tr.post(ingestKey, sale).want(200, "accepted")
}
