package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The same card number as people write it.
var cardNumbers = []string{"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"}

// hostileTerms pay sales by link or code.
var hostileTerms = map[string]any{
	"budget": map[string]any{"amount": "1000.00", "mode": "hard"},
	"terms": map[string]any{
		"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "lock": lockMuchLater,
	},
}

// A hostile shop has two merchants. Every report that one of them is known to
// have sent is counted: each must be found again.
type hostileShop struct {
	*shop
	acme, other *merchant
	kept        map[string]int // reports that were answered for, by the key they came with
}

func openHostileShop(t *testing.T) *hostileShop {
	h := &hostileShop{shop: openShop(t), kept: map[string]int{}}
	h.acme, h.other = h.client.makeMerchant("Acme", 1, hostileTerms), h.client.makeMerchant("Other", 1, hostileTerms)
	return h
}

// raw sends any bytes and returns the status and the answer.
func (h *hostileShop) raw(method, path, body string, headers ...string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.client.trackerListener.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.client.http.Do(request)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// posts sends a report with a merchant's key and expects it to be answered for,
// and the answer to hold some text.
func (h *hostileShop) posts(m *merchant, path, body, want string) {
	h.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	status, answer := h.raw(http.MethodPost, path+separator+"wait=10s", body, "Authorization", "Bearer "+m.ingestKey, "Content-Type", "application/json")
	if status/100 == 5 || !strings.Contains(answer, want) {
		h.t.Errorf("%.200q is answered %d %s, want %s", body, status, answer, want)
	}
	h.kept[m.ingestKey]++
}

// signs posts a signed body and returns the status and the answer.
func (h *hostileShop) signs(path, id, secret string, at time.Time, body string) (int, string) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, timestamp+"."+body)
	return h.raw(http.MethodPost, path, body, "Content-Type", "application/json",
		"Tributary-Key-Id", id, "Tributary-Timestamp", timestamp, "Tributary-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
}

// found checks that everything a merchant reported is a conversion, a refund, a
// duplicate, or in quarantine.
func (h *hostileShop) found(m *merchant, others int) {
	h.t.Helper()
	h.client.settledAll()
	filter := url.Values{"advertiser_id": {m.advertiser}}
	conversions, held := h.client.all("/v1/conversions", filter), h.client.all("/v1/quarantine", filter)
	if got := len(conversions) + len(held) + others; got != h.kept[m.ingestKey] {
		h.t.Errorf("of %d reports %d are conversions, %d in quarantine, %d duplicates and refunds", h.kept[m.ingestKey], len(conversions), len(held), others)
	}
	for _, q := range held {
		if q["code"] == "" || q["reason"] == "" {
			h.t.Errorf("quarantined without a reason: %v", q)
		}
	}
}

func TestNonsenseIsAnsweredWithAReasonAndKept(t *testing.T) {
	h := openHostileShop(t)
	sale := func(order, more string) string {
		return fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":"10.00","currency":"USD"%s}`, order, more)
	}
	const path = "/t/conversions"
	for body, want := range map[string]string{
		`{"event":"sale","order_id":"w1","amount":"10.00","currency":"XXQ"}`:                         `"code":"invalid_currency"`,
		`{"event":"sale","order_id":"w2","amount":"10.00"}`:                                          `"rejected"`,
		`{"event":"sale","order_id":"w3","amount":"-10.00","currency":"USD"}`:                        `"code":"invalid_amount"`,
		`{"event":"sale","order_id":"w4","amount":"10.001","currency":"USD"}`:                        `"code":"invalid_amount"`,
		`{"event":"sale","order_id":"w5","amount":1e400,"currency":"USD"}`:                           `"rejected"`,
		`{"event":"sale","order_id":"w6","amount":"99999999999999999999","currency":"USD"}`:          `"code":"invalid_amount"`,
		`{"event":"sale","order_id":"` + strings.Repeat("o", 65) + `"}`:                              `"code":"invalid_field"`,
		`{"event":"sale","order_id":"w7","amount":"10.00","currency":"USD","tax":"-1.00"}`:           `"code":"invalid_amount"`,
		"{\"event\":\"sale\",\"order_id\":\"w8\xff\xfe\",\"amount\":\"10.00\",\"currency\":\"USD\"}": `code`,
		"\xff\xfe\x00":                                           `"code":"malformed_json"`,
		`{"event":"sale"`:                                        `"code":"malformed_json"`,
		strings.Repeat("[", 50_000):                              `code`,
		sale("w9", `,"colour":"red"`):                            `"code":"unknown_field"`,
		sale("w10", `,"amount":"1.00"`):                          `"code":"duplicate_field"`,
		sale("w11", `,"event_time":"2099-01-01T00:00:00Z"`):      `"rejected"`,
		sale("w12", `,"creator_id":"`+h.other.creators[0]+`"`):   `"code":"forbidden_field"`,
		sale("w13", `,"advertiser_id":"`+h.other.advertiser+`"`): `"code":"not_found"`,
		sale("euro", "")[:len(sale("euro", ""))-6] + `"EUR","click_id":"` + h.acme.clickIDs[0] + `"}`: `"attributed":false`,
		sale("forged", `,"click_id":"`+alter(h.acme.clickIDs[0])+`"`):                                 `"attributed":false`,
		sale("theirs", `,"click_id":"`+h.other.clickIDs[0]+`"`):                                       `"attributed":false`,
	} {
		h.posts(h.acme, path, body, want)
	}
	h.found(h.acme, 0)
	for order, want := range map[string]string{"euro": "currency_mismatch", "forged": "click_forged"} {
		if c := h.client.all("/v1/conversions", url.Values{"order_id": {order}}); len(c) != 1 || c[0]["reason"] != want {
			t.Errorf("the order %s is %v, want the reason %s", order, c, want)
		}
	}
	if theirs := h.client.all("/v1/actions", nil); len(theirs) != 0 {
		t.Errorf("nonsense made the actions %v", theirs)
	}
	h.life.stops()
}

// alter changes one character in the middle of a click id.
func alter(id string) string {
	middle, replacement := len(id)/2, "A"
	if id[middle] == 'A' {
		replacement = "B"
	}
	return id[:middle] + replacement + id[middle+1:]
}

func TestBodyOfTenMegabytesIsRefused(t *testing.T) {
	h := openHostileShop(t)
	const length = 10 << 20
	for _, key := range []string{h.acme.ingestKey, "nobody"} {
		// Only the beginning is sent: the answer must not wait for the rest.
		conn, err := net.DialTimeout("tcp", h.client.trackerListener.Addr().String(), shopperPatience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(shopperPatience))
		fmt.Fprintf(conn, "POST /t/conversions HTTP/1.1\r\nHost: links.example\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n[", key, length)
		answer, err := io.ReadAll(io.LimitReader(conn, 4096))
		if !bytes.Contains(answer, []byte(" 413 ")) {
			t.Errorf("10 MB are answered %q (%v)", answer, err)
		}
		// Who sends all of it is answered or cut off.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.client.trackerListener.Addr().String()+"/t/conversions", bytes.NewReader(make([]byte, length)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		if response, err := h.client.http.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("10 MB are answered %s", response.Status)
			}
		}
	}
	h.posts(h.acme, "/t/conversions", `{"event":"sale","order_id":"after","amount":"10.00","currency":"USD"}`, `"status":"accepted"`)
	h.found(h.acme, 0)
	h.life.stops()
}

func TestOneTenantsOrdersClicksCodesAndKeysAreNotAnothers(t *testing.T) {
	h := openHostileShop(t)
	h.client.call(http.MethodPost, "/v1/tasks/"+h.acme.tasks[0]+"/codes", map[string]any{"code": "MALI10"}, http.StatusCreated)
	sale := func(order, more string) string {
		return fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":"10.00","currency":"USD"%s}`, order, more)
	}
	const path = "/t/conversions"
	click, code := `,"click_id":"`+h.acme.clickIDs[0]+`"`, `,"code":"mali10"`
	h.posts(h.acme, path, sale("o1", click), `"attributed":true`)
	h.posts(h.acme, path, sale("o2", code), `"attributed":true`)
	h.posts(h.other, path, sale("o1", click), `"attributed":false`)
	h.posts(h.other, path, sale("o3", code), `"attributed":false`)
	h.posts(h.other, "/t/refunds", `{"order_id":"o2","reason":"returned"}`, `"rejected"`)
	for query, want := range map[string]int{"?advertiser_id=" + h.acme.advertiser: http.StatusNotFound} {
		if status, answer := h.raw(http.MethodPost, path+query, sale("o4", ""), "Authorization", "Bearer "+h.other.ingestKey); status != want {
			t.Errorf("another's advertiser id is answered %d %s", status, answer)
		}
	}
	secrets := map[*merchant][2]string{}
	for _, m := range []*merchant{h.acme, h.other} {
		made := h.client.call(http.MethodPost, "/v1/advertisers/"+m.advertiser+"/secrets", map[string]any{"kind": "hmac"}, http.StatusCreated)
		secrets[m] = [2]string{made["id"].(string), made["secret"].(string)}
	}
	acme, other := secrets[h.acme], secrets[h.other]
	if status, answer := h.signs(path, acme[0], other[1], time.Now(), sale("o5", "")); status != http.StatusUnauthorized {
		t.Errorf("another's signature is answered %d %s", status, answer)
	}
	if status, answer := h.signs(path, acme[0], acme[1], time.Now().Add(-6*time.Minute), sale("o6", "")); status != http.StatusUnauthorized || !strings.Contains(answer, "stale_timestamp") {
		t.Errorf("an old signature is answered %d %s", status, answer)
	}
	// Replayed within the window, what was signed counts once.
	at := time.Now()
	for _, want := range []string{"accepted", "duplicate", "duplicate"} {
		status, answer := h.signs(path+"?wait=10s", acme[0], acme[1], at, sale("o7", click))
		if status != http.StatusOK || !strings.Contains(answer, `"status":"`+want+`"`) {
			t.Errorf("a replayed signature is answered %d %s, want %s", status, answer, want)
		}
		h.kept[h.acme.ingestKey]++
	}
	for range 3 {
		status, answer := h.signs("/t/refunds?wait=10s", acme[0], acme[1], at, `{"order_id":"o7","amount":"4.00","reason":"returned"}`)
		if status != http.StatusOK || strings.Contains(answer, "rejected") {
			t.Errorf("a refund is answered %d %s", status, answer)
		}
		h.kept[h.acme.ingestKey]++
	}
	h.found(h.acme, 2+3)
	h.found(h.other, 0)
	if left := h.client.all("/v1/actions", url.Values{"order_id": {"o7"}}); len(left) != 1 || left[0]["payout"] != "0.60" {
		t.Errorf("after a refund of 4.00 that was replayed, 10.00 pay %v", left)
	}
	if committed := h.client.committed(h.acme.campaign); committed != 149+149+90 {
		t.Errorf("%d cents are committed, want what 1.00, 1.00 and 0.60 cost under a margin of 33 %%", committed)
	}
	if committed := h.client.committed(h.other.campaign); committed != 0 {
		t.Errorf("%d cents of the other are committed", committed)
	}
	h.life.stops()
}

func TestNoCardNumberIsWrittenAnywhere(t *testing.T) {
	h := openHostileShop(t)
	token := h.client.call(http.MethodPost, "/v1/advertisers/"+h.acme.advertiser+"/secrets", map[string]any{"kind": "postback"}, http.StatusCreated)["secret"].(string)
	const path = "/t/conversions"
	fields := []string{"event", "order_id", "amount", "currency", "click_id", "code", "customer_id", "customer_status", "event_time", "discount", "tax",
		"shipping", "country", "creator_id", "note", "consent", "items", "click_ids", "card"}
	sent := 0
	for n, card := range cardNumbers {
		for _, field := range fields {
			report := map[string]any{"event": "sale", "order_id": fmt.Sprint("c-", n, "-", field), "amount": "10.00", "currency": "USD"}
			report[field] = card
			h.posts(h.acme, path, asText(report), `"code":"card_number"`)
			sent++
		}
		pan := strings.NewReplacer(" ", "%20").Replace(card)
		for _, body := range []string{
			`{"event":"sale","order_id":"i1","items":[{"sku":"` + card + `"}]}`, `{"event":"sale","order_id":"i2","items":[{"name":"` + card + `"}]}`,
			`{"event":"sale","order_id":"i3","click_ids":["` + card + `"]}`, `{"event":"sale","order_id":"i4","` + card + `":"x"}`,
			`{"event":"sale","order_id":"i5","x":{"deep":[{"er":"` + card + `"}]}}`,
		} {
			h.posts(h.acme, path, body, `"code":"card_number"`)
		}
		for _, body := range []string{`{"event":"sale","order_id":"` + card, "{\"note\":\"\xff" + card + "\"}", `[{"note":"` + card + `"`, card} {
			h.posts(h.acme, path, body, `code`)
		}
		for _, field := range []string{"order_id", "reason", "refund_id", "amount", "event"} {
			refund := map[string]any{"order_id": "r", "reason": "returned"}
			refund[field] = card
			h.posts(h.acme, "/t/refunds", asText(refund), `code`)
		}
		h.raw(http.MethodGet, "/t/pixel.gif?adv="+h.acme.publicKey+"&event=sale&order_id=p&note="+pan, "", "Referer", "https://shop.example/?card="+pan)
		h.raw(http.MethodPost, "/t/event?adv="+h.acme.publicKey, `{"event":"sale","order_id":"`+card+`"}`, "Origin", "https://shop.example")
		h.raw(http.MethodGet, "/t/postback?key="+token+"&event=sale&order_id="+pan, "")
		h.raw(http.MethodPost, path+"?advertiser_id="+pan, `{"event":"sale","order_id":"q"}`, "Authorization", "Bearer "+h.acme.ingestKey)
		h.kept[h.acme.ingestKey] += 3
		h.importsCard(card)
	}
	h.posts(h.acme, path, `{"event":"sale","order_id":"order-that-is-found","amount":"10.00","currency":"USD"}`, `"status":"accepted"`)
	h.client.settledAll()
	if held := h.client.all("/v1/quarantine", url.Values{"code": {"card_number"}}); len(held) < sent {
		t.Errorf("%d reports with a card number were refused, %d are in quarantine", sent, len(held))
	}
	h.found(h.acme, 0)
	if len(h.filesWith("order-that-is-found")) == 0 {
		t.Error("an order cannot be found in the data directory: the search finds nothing")
	}
	h.holdsNoCard("while it serves")
	h.kill()
	h.attend()
	h.holdsNoCard("after a kill")
	h.life.stops()
	h.holdsNoCard("after it stopped")
	for _, card := range cardNumbers {
		if strings.Contains(h.life.err.String()+h.life.out.String(), card) {
			t.Error("a card number is in the log")
		}
	}
}

// importsCard imports a file that has a card number in a line.
func (h *hostileShop) importsCard(card string) {
	h.t.Helper()
	file := "event,order_id,amount,currency,note\nsale,csv,10.00,USD," + card + "\n"
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.client.adminListener.Addr().String()+"/v1/conversions/import?advertiser_id="+h.acme.advertiser, strings.NewReader(file))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.client.key)
	request.Header.Set("Content-Type", "text/csv")
	response, err := h.client.http.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || !bytes.Contains(answer, []byte("card_number")) {
		h.t.Errorf("a file with a card number is answered %s %s (%v)", response.Status, answer, err)
	}
	h.kept[h.acme.ingestKey]++
}

func (h *hostileShop) holdsNoCard(when string) {
	h.t.Helper()
	for _, card := range append(cardNumbers, strings.ReplaceAll(cardNumbers[1], " ", "%20"), strings.ReplaceAll(cardNumbers[1], " ", "+")) {
		if files := h.filesWith(card); len(files) > 0 {
			h.t.Errorf("%s, %q is in %v", when, card, files)
		}
	}
}

// filesWith are the files of the data directory that hold a text.
func (h *hostileShop) filesWith(text string) (files []string) {
	h.t.Helper()
	err := filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreGone(err)
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			files = append(files, path)
		}
		return ignoreGone(err)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return files
}

// ignoreGone lets a file go that a process has removed meanwhile.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
