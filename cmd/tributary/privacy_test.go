package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/ingest"
)

// A shopper's secrets: what must not be written anywhere as it is.
var personal = []string{
	"203.0.113.77", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:7777", "2001:db8:aaaa:bbbb:", "mali.srisai@mail.example", "mali.srisai%40mail.example",
	"MALI.SRISAI@Mail.Example", "CUST-98765-0001", "+66812345678", "66812345678", "5555555555554444",
}

// TestNothingRawOfAPersonIsStored sends full addresses, e-mail addresses, customer
// ids, a phone and a card number by every way there is, kills the process while all
// of it still waits in spools, and looks for them in every file and every store,
// before and after it is shipped, and in everything the process said.
func TestNothingRawOfAPersonIsStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	waiting := []string{"--clickhouse", noClickHouse, "--trusted-proxies", "127.0.0.0/8", "--log-level", "debug"}
	life := startServe(t, dir, waiting...)
	client := life.client()
	link := client.makeLink()
	advertiser := link["advertiser_id"].(string)
	publicKey := client.call(http.MethodGet, "/v1/advertisers/"+advertiser, nil, http.StatusOK)["public_key"].(string)
	token := client.call(http.MethodPost, "/v1/advertisers/"+advertiser+"/secrets", map[string]any{"kind": "postback"}, http.StatusCreated)["secret"].(string)
	client.clicked(link, phone)
	tracker := "http://" + client.trackerListener.Addr().String()
	send := func(method, address, contentType, body string, headers ...string) (status int) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("User-Agent", phone)
		if contentType != "" {
			request.Header.Set("Content-Type", contentType)
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := client.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	expect := func(want, got int) {
		t.Helper()
		if got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
	email := url.QueryEscape(personal[3])
	for _, address := range personal[:2] {
		expect(302, send("GET", tracker+"/"+link["slug"].(string)+"?e="+email+"&sub1="+email, "", "", "X-Forwarded-For", address, "Referer", "https://l.example/?m="+email))
		expect(302, send("GET", tracker+"/"+link["slug"].(string), "", "", "X-Forwarded-For", address, "Sec-GPC", "1", "User-Agent", phone+" "+personal[3]))
		expect(200, send("GET", tracker+"/t/pixel.gif?adv="+publicKey+"&event=sale&order_id=px&amount=5&currency=USD&customer_id="+email, "", "", "X-Forwarded-For", address, "Referer", "https://shop.example/thanks?m="+email))
		send("POST", tracker+"/t/event?adv="+publicKey, "application/json", `{"event":"sale","order_id":"tag","amount":"5","currency":"USD","customer_id":"CUST-98765-0001"}`, "X-Forwarded-For", address, "Origin", "https://shop.example")
	}
	bearer := []string{"Authorization", "Bearer " + adminKeyOfTests}
	to := func(kind string) string { return tracker + "/t/" + kind + "?wait=5s&advertiser_id=" + advertiser }
	eventually(t, func() error {
		if status := send("POST", to("conversions"), "application/json", `{"event":"sale","order_id":"s1","amount":"10","currency":"USD","customer_id":"`+personal[5]+`","note":"for mali.srisai@mail.example"}`, bearer...); status != 200 {
			return fmt.Errorf("answered %d", status)
		}
		return nil
	})
	for _, body := range []string{
		`{"event":"sale","order_id":"s1","amount":"11","currency":"USD","customer_id":"CUST-98765-0001"}`, // conflict
		`{"event":"sale","order_id":"s2","amount":"-1","currency":"USD","customer_id":"CUST-98765-0001","user_phone":"+66812345678","buyer":{"mail":"mali.srisai@mail.example"}}`,
		`{"event":"sale","order_id":"mali.srisai@mail.example","amount":"1","currency":"USD"}`,
		`{"event":"sale","order_id":"s3","amount":"1","currency":"USD","note":"5555555555554444"}`,
		`{"event":"lead","order_id":"s4","customer_id":"CUST-98765-0001","code":"mali.srisai@mail.example"}`,
		`[{"event":"sale","order_id":"s5","customer_email":"mali.srisai@mail.example"`, // cut off
	} {
		send("POST", to("conversions"), "application/json", body, bearer...)
	}
	send("POST", to("refunds"), "application/json", `{"order_id":"s1","amount":"1","reason":"mali.srisai@mail.example"}`, bearer...)
	send("GET", tracker+"/t/postback?key="+token+"&event=sale&order_id=pb&amount=3&currency=USD&customer_id="+email+"&note="+email, "", "", "X-Forwarded-For", personal[0])
	var form bytes.Buffer
	file := multipart.NewWriter(&form)
	part, err := file.CreateFormFile("file", "sales.csv")
	if err == nil {
		_, err = io.WriteString(part, "event,order_id,amount,currency,customer_id,note\nsale,c1,4,USD,CUST-98765-0001,for mali.srisai@mail.example\nsale,c2,x,USD,mali.srisai@mail.example,\n")
	}
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	send("POST", "http://"+client.adminListener.Addr().String()+"/v1/conversions/import?advertiser_id="+advertiser, file.FormDataContentType(), form.String(), append(bearer, "Idempotency-Key", "file")...)
	client.settledAll()
	life.signal(syscall.SIGKILL) // clicks are in the spool
	life.ended()

	full := netip.MustParseAddr(personal[1]).As16()
	nowhere := func(when string) {
		t.Helper()
		for _, secret := range append(personal, string(full[:])) {
			if found := inFiles(t, dir, secret); len(found) > 0 {
				t.Errorf("%s %q is in %v", when, secret, found)
			}
			if found := inSQL(t, dir, secret); len(found) > 0 {
				t.Errorf("%s %q is in %v", when, secret, found)
			}
		}
	}
	nowhere("in a killed process's directory")
	if found := inFiles(t, dir, "203.0.113.0/24"); len(found) == 0 {
		t.Error("the search finds no truncated address in the spool: it searches nothing")
	}

	second := startServe(t, dir, "--trusted-proxies", "127.0.0.0/8", "--log-level", "debug")
	client = second.client()
	eventually(t, func() error {
		var e map[string]any
		status, answer := client.send("http://"+client.adminListener.Addr().String()+"/v1/erasures", adminKeyOfTests, map[string]any{"advertiser_id": advertiser, "customer_id": "CUST-98765-0001", "dry_run": false})
		if err := json.Unmarshal(answer, &e); err != nil || status != 200 || e["state"] != "done" {
			return fmt.Errorf("an erasure is answered %d %s", status, answer)
		}
		return nil
	})
	second.stops()
	nowhere("after it was shipped")
	a := startTestApp(t, testOptions(t, dir))
	<-a.migrated
	a.caughtUp()
	for _, secret := range personal {
		if found := a.inClickHouse(secret); len(found) > 0 {
			t.Errorf("%q is in %v", secret, found)
		}
		for _, said := range []string{life.out.String(), life.err.String(), second.out.String(), second.err.String()} {
			if strings.Contains(said, secret) {
				t.Errorf("%q was logged", secret)
			}
		}
	}
	if found := a.inClickHouse("203.0.113.0/24"); len(found) == 0 {
		t.Error("no truncated address is in ClickHouse: the search searches nothing")
	}
	var recognised uint64
	if err := a.clickhouse.QueryRow(t.Context(), "SELECT countIf(gpc = 1 AND visitor != 0) FROM clicks").Scan(&recognised); err != nil || recognised != 0 {
		t.Errorf("%d clicks with Sec-GPC have a visitor, %v", recognised, err)
	}
}

// TestOldClicksGo stores clicks older than the retention beside young ones: the old
// partitions are dropped, their sums stay.
func TestOldClicksGo(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	<-a.migrated
	for months, age := range map[string]int{"old": 27, "young": 2} {
		at := time.Now().AddDate(0, -age, 0).UTC()
		if err := a.clickhouse.Exec(t.Context(), "INSERT INTO clicks (click_id, time, advertiser_id, verdict) VALUES (?, ?, 'adv_x', 'valid')", months, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.clickhouse.Exec(t.Context(), "ALTER TABLE clicks MATERIALIZE TTL SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		var old, young, summed uint64
		err := a.clickhouse.QueryRow(t.Context(), "SELECT countIf(click_id = 'old'), countIf(click_id = 'young'), (SELECT sum(hits) FROM clicks_15m) FROM clicks").Scan(&old, &young, &summed)
		if err == nil && (old != 0 || young != 1 || summed != 2) {
			err = fmt.Errorf("%d old and %d young clicks are left, %d are summed; want 0, 1 and 2", old, young, summed)
		}
		return err
	})
}

// TestWhatIsKeptForATimeGoes looks from three and from eight years later: reports
// and clicks in quarantine are empty but still counted, and the audit log begins anew.
func TestWhatIsKeptForATimeGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startTestApp(t, testOptions(t, dir))
	<-a.migrated
	link := a.makeLink()
	a.clicked(link, phone)
	advertiser := link["advertiser_id"].(string)
	a.sold(advertiser, map[string]any{"event": "sale", "order_id": "q", "amount": "-1", "currency": "USD", "customer_id": "somebody"})
	if err := a.quarantine.Put(ingest.QuarantineEntry{Source: "clicks", Reason: ingest.ReasonUndecodable, Record: []byte("torn")}); err != nil {
		t.Fatal(err)
	}
	hash := hashesOf(t, dir, advertiser, "somebody")[0]
	a.caughtUp()
	if len(inSQL(t, dir, hash)) == 0 {
		t.Fatal("nothing is in quarantine")
	}
	years := func(n int) {
		t.Helper()
		if err := a.forget(t.Context(), time.Now().AddDate(n, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	entries := func() int {
		return len(a.call(http.MethodGet, "/v1/audit-log", nil, http.StatusOK)["items"].([]any))
	}
	kept := entries()
	years(1)
	if len(inSQL(t, dir, hash)) == 0 {
		t.Error("what is in quarantine was forgotten after a year")
	}
	years(3)
	if found := inSQL(t, dir, hash); len(found) > 0 || entries() != kept {
		t.Errorf("after three years %v still has the customer, and %d of %d entries of the audit log are left", found, entries(), kept)
	}
	if left, _, err := a.quarantine.List(t.Context(), ingest.QuarantineFilter{}); err != nil || len(left) != 1 || len(left[0].Record) != 0 || a.quarantine.Counts()[ingest.ReasonUndecodable] != 1 {
		t.Errorf("in quarantine are %v, %v", left, err)
	}
	if listed := a.call(http.MethodGet, "/v1/quarantine", nil, http.StatusOK)["items"].([]any); len(listed) != 1 {
		t.Errorf("the quarantine lists %v", listed)
	}
	years(8)
	if left := entries(); left != 0 {
		t.Errorf("after eight years %d entries of the audit log are left", left)
	}
}

// TestTwoCredentialsLiveAtATime makes the second of each kind before it takes the
// first away: reports are taken all the while, and the first is refused in the end.
func TestTwoCredentialsLiveAtATime(t *testing.T) {
	h := openHostileShop(t)
	const path = "/t/conversions"
	shop := h.acme.advertiser
	orders := 0
	body := func() string {
		orders++
		return fmt.Sprintf(`{"event":"sale","order_id":"two-%d","amount":"1.00","currency":"USD"}`, orders)
	}
	byKey := func(key string) int {
		status, _ := h.raw(http.MethodPost, path, body(), "Authorization", "Bearer "+key)
		return status
	}
	byToken := func(token string) int {
		status, answer := h.raw(http.MethodGet, "/t/postback?key="+token+"&event=sale&amount=1&currency=USD&order_id=p-"+fmt.Sprint(orders), "")
		if orders++; strings.HasPrefix(answer, "error") {
			return http.StatusUnauthorized
		}
		return status
	}
	type credential struct{ id, secret string }
	secret := func(kind string) credential {
		made := h.client.call(http.MethodPost, "/v1/advertisers/"+shop+"/secrets", map[string]any{"kind": kind}, http.StatusCreated)
		return credential{made["id"].(string), made["secret"].(string)}
	}
	for name, kind := range map[string]struct {
		make func() credential
		take func(credential) int
		end  func(credential)
	}{
		"ingest key": {
			func() credential {
				made := h.client.call(http.MethodPost, "/v1/keys", map[string]any{"role": "ingest", "advertiser_id": shop}, http.StatusCreated)
				return credential{made["id"].(string), made["key"].(string)}
			},
			func(c credential) int { return byKey(c.secret) },
			func(c credential) { h.client.call(http.MethodDelete, "/v1/keys/"+c.id, nil, http.StatusNoContent) },
		},
		"HMAC secret": {
			func() credential { return secret("hmac") },
			func(c credential) int { status, _ := h.signs(path, c.id, c.secret, time.Now(), body()); return status },
			func(c credential) {
				h.client.call(http.MethodDelete, "/v1/advertisers/"+shop+"/secrets/"+c.id, nil, http.StatusNoContent)
			},
		},
		"postback token": {
			func() credential { return secret("postback") },
			func(c credential) int { return byToken(c.secret) },
			func(c credential) {
				h.client.call(http.MethodDelete, "/v1/advertisers/"+shop+"/secrets/"+c.id, nil, http.StatusNoContent)
			},
		},
	} {
		takes := func(c credential, want int) {
			t.Helper()
			eventually(t, func() error {
				if got := kind.take(c); got != want {
					return fmt.Errorf("%s is answered %d, want %d", name, got, want)
				}
				return nil
			})
		}
		first := kind.make()
		takes(first, http.StatusOK)
		second := kind.make()
		takes(second, http.StatusOK)
		takes(first, http.StatusOK)
		kind.end(first)
		takes(first, http.StatusUnauthorized)
		if got := kind.take(second); got != http.StatusOK {
			t.Errorf("behind the rotation the second %s is answered %d", name, got)
		}
	}
	h.life.stops()
}
