package fields

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

var (
	now    = time.Date(2027, 1, 10, 9, 0, 0, 0, time.UTC)
	server = &Sender{Source: attribution.SourceServer, AdvertiserID: "adv_1", KeyID: "key_1", Signed: true}
)

func newReader() *Reader {
	return NewReader(bytes.Repeat([]byte{3}, 32), func() time.Time { return now })
}

// one reads a body of one conversion.
func one(t testing.TB, from *Sender, body string) *Item {
	t.Helper()
	var items []*Item
	if err := newReader().Conversions(from, []byte(body), false, func(i *Item) { items = append(items, i) }); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if len(items) != 1 {
		t.Fatalf("%s: %d items", body, len(items))
	}
	return items[0]
}

func TestWholeConversion(t *testing.T) {
	const body = ` {"event":"sale","order_id":1001,"amount":49.90,"currency":"usd","click_id":"c3","click_ids":["c1",null,"c2"],"code":"ANA10",
		"customer_id":" Jane@Example.com ","customer_status":"new","event_time":"2027-01-10T16:04:59.9999+07:00",
		"items":[{"sku":4006381333931,"name":"Shoe \ud83d\udc5f","category":"shoes","quantity":2,"price":"20.00","discount":0.1},{"price":"9.90"}],
		"discount":"0","tax":"3.00","shipping":"","country":"th","note":"for joe+x@mail.example!","consent":true} `
	item := one(t, server, body)
	if item.Rejected != nil || item.OrderID != "1001" {
		t.Fatalf("%+v", item.Rejected)
	}
	r := item.Report
	if !attribution.ValidID(attribution.PrefixReceipt, r.ReceiptID) || r.AdvertiserID != "adv_1" || r.KeyID != "key_1" || !r.Signed || r.ReceivedAt != attribution.InstantOf(now) {
		t.Errorf("%+v", r)
	}
	f := r.Fields
	jane := newReader().customerHash("adv_1", []byte("jane@example.com"))
	if f.CustomerID != jane || strings.Contains(f.Note, "joe") || !strings.HasPrefix(f.Note, "for h_") || !strings.HasSuffix(f.Note, "!") {
		t.Errorf("customer %q, note %q", f.CustomerID, f.Note)
	}
	if newReader().customerHash("adv_2", []byte("jane@example.com")) == jane {
		t.Error("two advertisers see the same customer")
	}
	f.CustomerID, f.Note, f.Consent = "", "", nil
	got, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"event":"sale","order_id":"1001","amount":"49.90","currency":"USD","click_id":"c3","click_ids":["c1","c2"],"code":"ANA10","customer_status":"new","event_time":"2027-01-10T09:04:59.999Z","items":[{"sku":"4006381333931","name":"Shoe 👟","category":"shoes","quantity":2,"price":"20.00","discount":"0.1"},{"quantity":1,"price":"9.90"}],"discount":"0","tax":"3.00","country":"TH"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMissingEventTimeIsTheTimeReceived(t *testing.T) {
	if r := one(t, server, `{"event":"lead","order_id":"o"}`); r.Rejected != nil || r.Report.Fields.EventTime != attribution.InstantOf(now) {
		t.Errorf("%+v", r.Report)
	}
}

func TestRejections(t *testing.T) {
	for fields, want := range map[string]string{
		`"event":"sale"`: "missing_field order_id: is required",
		`"order_id":"o"`: "missing_field event: is required",
		`"event":"sale","order_id":"o","ammount":"1"`:                                                              "unknown_field ammount:",
		`"event":"sale","order_id":"o","order_id":"p"`:                                                             "duplicate_field order_id:",
		`"event":"Sale!","order_id":"o"`:                                                                           "invalid_field event:",
		`"event":"click","order_id":"o"`:                                                                           "invalid_field event: clicks",
		`"event":"sale","order_id":"` + strings.Repeat("x", 65) + `"`:                                              "invalid_field order_id: must be at most 64 bytes",
		`"event":"sale","order_id":"o\u0000"`:                                                                      "invalid_field order_id: must not have control",
		`"event":"sale","order_id":"o\u0085x"`:                                                                     "invalid_field order_id: must not have control",
		`"event":"sale","order_id":1.5`:                                                                            "invalid_field order_id: must be a string",
		`"event":"sale","order_id":true`:                                                                           "invalid_field order_id: must be a string",
		`"event":"sale","order_id":["o"]`:                                                                          "invalid_field order_id: must be a single value",
		`"event":"sale","order_id":"o","amount":"1"`:                                                               "missing_field currency: is required with an amount",
		`"event":"sale","order_id":"o","items":[{"price":1}]`:                                                      "missing_field currency:",
		`"event":"sale","order_id":"o","amount":"1","currency":"XXX"`:                                              "invalid_currency currency:",
		`"event":"sale","order_id":"o","amount":"1","currency":"USDT"`:                                             "invalid_field currency:",
		`"event":"sale","order_id":"o","amount":"1.999","currency":"USD"`:                                          "invalid_amount amount: must be an amount of USD with at most 2 decimals",
		`"event":"sale","order_id":"o","amount":500.0,"currency":"JPY"`:                                            "invalid_amount amount:",
		`"event":"sale","order_id":"o","amount":-1,"currency":"USD"`:                                               "invalid_amount amount: must not be negative",
		`"event":"sale","order_id":"o","amount":1,"tax":"-0.01","currency":"USD"`:                                  "invalid_amount tax: must not be negative",
		`"event":"sale","order_id":"o","amount":1e2,"currency":"USD"`:                                              "invalid_amount amount:",
		`"event":"sale","order_id":"o","amount":99999999999999999999,"currency":"USD"`:                             "invalid_amount amount:",
		`"event":"sale","order_id":"o","amount":{"x":1},"currency":"USD"`:                                          "invalid_field amount:",
		`"event":"sale","order_id":"o","amount":true,"currency":"USD"`:                                             "invalid_field amount:",
		`"event":"sale","order_id":"o","event_time":"2027-01-10T09:05:00.001Z"`:                                    "event_time_in_future event_time:",
		`"event":"sale","order_id":"o","event_time":"yesterday"`:                                                   "invalid_field event_time:",
		`"event":"sale","order_id":"o","event_time":"1970-01-01T00:00:00Z"`:                                        "invalid_field event_time:",
		`"event":"sale","order_id":"o","event_time":"0000-01-01T00:00:00Z"`:                                        "invalid_field event_time:",
		`"event":"sale","order_id":"o","customer_status":"vip"`:                                                    "invalid_field customer_status:",
		`"event":"sale","order_id":"o","country":"Thailand"`:                                                       "invalid_field country:",
		`"event":"sale","order_id":"o","creator_id":"crt_01jh6000000000000000000000"`:                              "forbidden_field creator_id:",
		`"event":"sale","order_id":"o","consent":"yes"`:                                                            "invalid_field consent:",
		`"event":"sale","order_id":"o","advertiser_id":"adv_2"`:                                                    "not_found advertiser_id:",
		`"event":"sale","order_id":"o","items":{}`:                                                                 "invalid_field items:",
		`"event":"sale","order_id":"o","items":[1]`:                                                                "invalid_field items:",
		`"event":"sale","order_id":"o","items":[{"sku":"a","colour":"red"}]`:                                       "unknown_field items[0].colour:",
		`"event":"sale","order_id":"o","currency":"USD","items":[{"price":"1","quantity":0}]`:                      "invalid_field items[0].quantity:",
		`"event":"sale","order_id":"o","currency":"USD","items":[{"price":"9999999999999.99","quantity":1000000}]`: "invalid_amount items[0].price: times the quantity",
		`"event":"sale","order_id":"o","items":[` + strings.Repeat("{},", 500) + `{}]`:                             "invalid_field items:",
		`"event":"sale","order_id":"o","click_ids":[` + strings.Repeat(`"c",`, 50) + `"c"]`:                        "invalid_field click_ids: must be at most 50",
		`"event":"sale","order_id":"o","click_ids":"c"`:                                                            "invalid_field click_ids:",
		`"event":"","order_id":null,"amount":-1,"currency":"USD","colour":1`:                                       "unknown_field colour: is no field of a conversion; event: is required; order_id: is required; amount: must not be negative",
	} {
		item := one(t, server, "{"+fields+"}")
		if item.Rejected == nil {
			t.Errorf("%s was taken", fields)
			continue
		}
		if got := item.Rejected.Code + " " + item.Rejected.Reason; !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", fields, got, want)
		}
		if item.Report.Rejected != item.Rejected || !json.Valid(item.Report.Raw) {
			t.Errorf("%s: kept as %s", fields, item.Report.Raw)
		}
	}
}

func TestUnreadableBodies(t *testing.T) {
	deep := strings.Repeat("[", 50_000)
	for body, want := range map[string]string{
		"":                          "must be a JSON object",
		"x":                         "must be a JSON object",
		`"sale"`:                    "must be a JSON object",
		`{"event":"sale"`:           "not JSON",
		`{"event":"sale",}`:         "not JSON",
		`{"event":"sale"} x`:        "not JSON",
		`{"event":'sale'}`:          "not JSON",
		`{"note":"\ud800"}`:         "not JSON",
		`{"note":"\x41"}`:           "not JSON",
		"{\"note\":\"\xff\"}":       "not UTF-8",
		"{\"note\":\"a\nb\"}":       "not JSON",
		`{"amount":01}`:             "not JSON",
		`{"amount":1.}`:             "not JSON",
		`{"amount":NaN}`:            "not JSON",
		`[{"event":"sale"},`:        "not JSON",
		deep:                        "nested too deeply",
		`{"x":` + deep + `}`:        "nested too deeply",
		`{"event":"sale"}` + "\x00": "not JSON",
		`[` + strings.Repeat("{},", 1000) + `{}]`:        "at most 1000",
		strings.Repeat("{}\n", 1001):                     "at most 1000",
		`{"note":"` + strings.Repeat("x", 70_000) + `"}`: "at most 65536 bytes",
		`{"amount":` + strings.Repeat("9", 1000) + `}`:   "too long",
	} {
		err := newReader().Conversions(server, []byte(body), false, func(*Item) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %s", body, err, want)
		}
	}
}

func TestLists(t *testing.T) {
	const a, bad, c = `{"event":"sale","order_id":"a"}`, `{"event":"sale"}`, `{"event":"sale","order_id":"c"}`
	for name, body := range map[string]string{"array": "[" + a + "," + bad + ",\n" + c + "]", "lines": a + "\n" + bad + "\r\n\n" + c} {
		var got []string
		err := newReader().Conversions(server, []byte(body), false, func(i *Item) {
			got = append(got, i.OrderID, fmt.Sprint(i.Rejected != nil))
		})
		if err != nil || strings.Join(got, " ") != "a false  true c false" {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	body := a + "\n{\"event\":\n\xff\n" + `{"event":"sale","order_id":"` + strings.Repeat("x", 70_000) + "\"}\n" + c + " x\n" + c
	var codes []string
	err := newReader().Conversions(server, []byte(body), true, func(i *Item) {
		code := "ok"
		if i.Rejected != nil {
			code = i.Rejected.Code
			if i.Report == nil || i.Report.Rejected == nil {
				t.Errorf("a rejected line is not kept: %+v", i)
			}
		}
		codes = append(codes, code)
	})
	if err != nil || strings.Join(codes, " ") != "ok malformed_json malformed_json too_large malformed_json ok" {
		t.Errorf("%v %v", codes, err)
	}
}

func TestAdminNamesTheAdvertiser(t *testing.T) {
	root := &Sender{Source: attribution.SourceServer, KeyID: "key_a", Signed: true, Admin: true, Knows: func(id string) bool { return id == "adv_1" }}
	if item := one(t, root, `{"event":"sale","order_id":"o","customer_id":"u","advertiser_id":"adv_1","creator_id":"crt_01jh6000000000000000000000"}`); item.Rejected != nil ||
		item.Report.AdvertiserID != "adv_1" || item.Report.Fields.CreatorID == "" || item.Report.Fields.CustomerID != newReader().customerHash("adv_1", []byte("u")) {
		t.Errorf("%+v %+v", item.Rejected, item.Report)
	}
	for _, body := range []string{`{"event":"sale","order_id":"o","advertiser_id":"adv_2"}`, `{"event":"sale","order_id":"o"}`} {
		if item := one(t, root, body); item.Report != nil || item.Rejected == nil || item.Rejected.Code != attribution.CodeNotFound {
			t.Errorf("%s: %+v", body, item)
		}
	}
}

func TestRefunds(t *testing.T) {
	signed := *server
	signed.Signature = "abc"
	for body, want := range map[string]string{
		`{"order_id":"o"}`: `{"refund_id":"sig_abc_0","order_id":"o","event":"sale"}`,
		`{"order_id":7,"amount":10.5,"refund_id":"r1"}`:                                             `{"refund_id":"r1","order_id":"7","event":"sale","amount":"10.5"}`,
		`{"order_id":"o","refund_id":"r","items":[{"sku":"a"}],"reason":"returned by a@b.example"}`: `{"refund_id":"r","order_id":"o","event":"sale","items":[{"sku":"a","quantity":1}],"reason":"returned by h_`,
		`{}`:                                       "missing_field",
		`{"order_id":"o","amount":-1}`:             "invalid_amount",
		`{"order_id":"o","amount":0}`:              "invalid_amount",
		`{"order_id":"o","amount":"x"}`:            "invalid_amount",
		`{"order_id":"o","currency":"USD"}`:        "unknown_field",
		`{"order_id":"o","amount":1,"items":[{}]}`: "invalid_field",
		`{"order_id":"4111 1111 1111 1111"}`:       "card_number",
	} {
		err := newReader().Refunds(&signed, []byte(body), false, func(i *Item) {
			got, err := json.Marshal(i.Report.Refund)
			if err != nil {
				t.Fatal(err)
			}
			if i.Rejected != nil {
				got = []byte(i.Rejected.Code)
			}
			if !strings.HasPrefix(string(got), want) {
				t.Errorf("%s: got %s, want %s", body, got, want)
			}
			if i.Report.Kind != attribution.ReportRefund {
				t.Errorf("kind %s", i.Report.Kind)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestForm(t *testing.T) {
	pairs := func(list ...string) func(func(a, b []byte) bool) {
		return func(yield func(a, b []byte) bool) {
			for i := 0; i < len(list); i += 2 {
				if !yield([]byte(list[i]), []byte(list[i+1])) {
					return
				}
			}
		}
	}
	r := newReader()
	item := r.Form(server, pairs("event", "sale", "order_id", "o1", "amount", "9.90", "currency", "USD", "click_ids", "a, b", "consent", "1",
		"items", `[{"sku":"x","price":9.9}]`, "_cb", "123", "code", ""))
	if item.Rejected != nil || len(item.Report.Fields.ClickIDs) != 2 || !*item.Report.Fields.Consent || len(item.Report.Fields.Items) != 1 {
		t.Errorf("%+v %+v", item.Rejected, item.Report)
	}
	for want, list := range map[string][]string{
		"unknown_field":   {"event", "sale", "order_id", "o", "x", "1", "customer", "u1", "mail", "a@b.example"},
		"duplicate_field": {"event", "sale", "order_id", "o", "event", "lead"},
		"invalid_field":   {"event", "sale", "order_id", "o\xff"},
		"card_number":     {"event", "sale", "order_id", "o", "items", `[{"sku":"4242-4242-4242-4242"}]`},
	} {
		item := r.Form(server, pairs(list...))
		if item.Rejected == nil || item.Rejected.Code != want {
			t.Errorf("%v: %+v", list, item.Rejected)
		}
		if raw := string(item.Report.Raw); strings.Contains(raw, `"u1"`) || strings.Contains(raw, "a@b") || strings.Contains(raw, "4242") {
			t.Errorf("kept %s", raw)
		}
	}
}

func TestBeacon(t *testing.T) {
	from := &Sender{Source: attribution.SourceTag, AdvertiserID: "adv_1", PageHost: "shop.example"}
	r := newReader()
	item, err := r.Beacon(from, []byte(`{"type":"landing","click_id":"c1","customer_id":"u1"}`))
	if err != nil || item.Rejected != nil || item.Report.Kind != attribution.ReportLanding ||
		*item.Report.Landing != (attribution.Landing{ClickID: "c1", CustomerID: r.customerHash("adv_1", []byte("u1")), PageHost: "shop.example"}) {
		t.Errorf("%+v %v", item, err)
	}
	item, err = r.Beacon(from, []byte(`{"type":"track","event":"sale","order_id":"o","click_id":"c2","click_ids":["c1"]}`))
	if err != nil || item.Rejected != nil || item.Report.Kind != attribution.ReportConversion || item.Report.Landing != nil || item.Report.Fields.ClickIDs[0] != "c1" {
		t.Errorf("%+v %v", item, err)
	}
	for body, code := range map[string]string{`{}`: CodeInvalidField, `{"type":"landing"}`: CodeMissingField, `{"type":"track"}`: CodeMissingField} {
		if item, err := r.Beacon(from, []byte(body)); err != nil || item.Rejected == nil || item.Rejected.Code != code {
			t.Errorf("%s: %+v %v", body, item, err)
		}
	}
	if _, err := r.Beacon(from, []byte(`{`)); err == nil {
		t.Error("half an object was read")
	}
}

func TestCSV(t *testing.T) {
	const file = "\xef\xbb\xbfOrder_ID, event,amount,currency,items,customer_id\r\n" +
		"o1,sale,10.00,USD,\"[{\"\"sku\"\":\"\"a\"\"}]\",u1\r\n" +
		"o2,sale,10.005,USD,,\n" +
		"o3,sale,1\n" +
		"\"multi\nline\",sale,1,USD,,\n" +
		"o5,sa\"le,1,USD,,\n" +
		"o6,sale,1,USD,,4111111111111111\n" +
		"o7,lead,,,,\n"
	imported := &Sender{Source: attribution.SourceImport, AdvertiserID: "adv_1", Signed: true}
	read := func(after int) (got []string) {
		for line, err := range newReader().CSV(imported, strings.NewReader(file), after) {
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprint(line.Number, " ok")
			if line.Rejected != nil {
				what = fmt.Sprint(line.Number, " ", line.Rejected.Code)
			} else if line.Report.Source != attribution.SourceImport || !line.Report.Signed {
				t.Errorf("%+v", line.Report)
			}
			got = append(got, what)
		}
		return got
	}
	const want = "2 ok,3 invalid_amount,4 malformed_csv,5 invalid_field,7 malformed_csv,8 card_number,9 ok"
	if got := strings.Join(read(0), ","); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := strings.Join(read(7), ","); got != "8 card_number,9 ok" {
		t.Errorf("resumed: %s", got)
	}
	for file, want := range map[string]string{
		"":                       "empty",
		"order_id,event,price\n": "no field",
		"order_id\n":             "event is missing",
		"order_id,event,event\n": "there twice",
		"\"order_id,event\n":     "not CSV",
		"order_id,event\no1,\"" + strings.Repeat("x\n", 200_000): "a quote not closed",
	} {
		var last error
		for _, err := range newReader().CSV(imported, strings.NewReader(file), 0) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) {
			t.Errorf("%.40q: %v", file, last)
		}
	}
}
