package fields

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

// The card schemes' own test numbers.
var cards = []string{
	"4111111111111111", "4242 4242 4242 4242", "4000-0566-5566-5556", "4222222222222", "5555555555554444", "2223003122003222",
	"378282246310005", "3782 822463 10005", "6011111111111117", "3530111333300000", "30569309025904", "38520000023237", "36227206271667",
	"6200000000000005", "6304000000000000", "6759649826438453", "４１１１１１１１１１１１１１１１", "4111\u00a01111\u00a01111\u00a01111", "4111–1111–1111–1111",
	"pay with 4111111111111111.", "x4111111111111111y", "exp 12 25 4111 1111 1111 1111 123",
}

func TestCardNumbersAreSeen(t *testing.T) {
	for _, text := range cards {
		if !hasCard([]byte(text)) {
			t.Errorf("%q was not seen", text)
		}
	}
	for _, text := range []string{
		"", "4111111111111112", "1767225600000", "1767225600000123", "5123456789012", "4006381333931", "+66 81 234 5678 900",
		"41111111111111111111111111", "4111 1111", "4111  1111  1111  1111", "2027-01-10T09:00:00Z", "0-1-2-3-4-5-6-7-8-9-0-1-2-3-4-5",
		"00000000000000000000", "h_0123456789abcdef0123456789abcdef", "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcde",
	} {
		if hasCard([]byte(text)) {
			t.Errorf("%q was taken for a card", text)
		}
	}
}

// TestCardNumbersAreKeptNowhere puts a card number in every field, one at a time,
// and looks for it in everything that leaves.
func TestCardNumbersAreKeptNowhere(t *testing.T) {
	const card = "4242424242424242"
	bodies := []string{
		`{"event":"sale","order_id":"o1","amount":%s,"currency":"USD"}`,
		`{"event":"sale","order_id":"o1","%s":"x"}`,
		`{"event":"sale","order_id":"o1","unknown":{"deep":["%s"]}}`,
		`{"event":"sale","order_id":"o1","unknown":{"%s":1}}`,
		`{"event":"sale","order_id":"o1","order_id":"%s"}`,
		`{"event":"sale","order_id":"o1","note":{"x":"%s"}}`,
		`{"event":"sale","order_id":"o1","click_ids":["a","%s"]}`,
		`{"event":"sale","order_id":"o1","click_ids":{"a":"%s"}}`,
		`{"event":"sale","order_id":"o1","items":[{"sku":"a"},{"name":"%s"}]}`,
		`{"event":"sale","order_id":"o1","items":"%s"}`,
		`{"event":"sale","order_id":"o1","items":[{"x":%s}]}`,
		`{"event":"sale","order_id":"o1","colour":"red","note":"%s"}`,
	}
	for _, r := range conversionTable.rules {
		bodies = append(bodies, `{"event":"sale","order_id":"o1","`+r.name+`":"%s"}`)
	}
	for _, body := range bodies {
		for _, number := range []string{card, "\\u0034242424242424242", "4242 4242 4242 4242"} {
			if strings.Contains(body, ":%s") && strings.ContainsAny(number, `\ `) {
				continue
			}
			item := one(t, server, fmt.Sprintf(body, number))
			encoded, err := attribution.AppendReport(nil, item.Report)
			if err != nil {
				t.Fatal(err)
			}
			if item.Rejected == nil || item.Rejected.Code != CodeCardNumber || item.Report.Raw != nil {
				t.Errorf("%s: %+v, kept %s", body, item.Rejected, item.Report.Raw)
			}
			if left := string(encoded) + item.OrderID; strings.Contains(strings.ReplaceAll(left, " ", ""), "424242") {
				t.Errorf("%s left in %s", body, left)
			}
		}
	}
}

func TestPersonsAreKeptAsHashes(t *testing.T) {
	r := newReader()
	for text, want := range map[string]string{
		"no address":                          "no address",
		"a@b":                                 "*",
		"jane.doe+tag@mail.example":           "*",
		"<JANE@mail.example>, bob@x.example.": "<*>, *.",
		"@home and me@":                       "@home and me@",
		"jürgen@münchen.example;x":            "*;x",
		"a@b@c.example":                       "*@c.example",
	} {
		masked := string(r.maskEmails([]byte(text)))
		for _, word := range strings.FieldsFunc(masked, func(c rune) bool { return strings.ContainsRune("<>,.; @", c) }) {
			if strings.HasPrefix(word, hashPrefix) {
				masked = strings.ReplaceAll(masked, word, "*")
			}
		}
		if masked != want {
			t.Errorf("%q: got %q, want %q", text, masked, want)
		}
	}
	item := one(t, server, `{"event":"sale","order_id":"o","colour":1,"customer_id":"u77","customerName":"Jane","buyer":{"tel":[66123]},"x":"to jane@x.example","customer_status":"new"}`)
	if raw := string(item.Report.Raw); strings.Contains(raw, "u77") || strings.Contains(raw, "Jane") || strings.Contains(raw, "66123") || strings.Contains(raw, "jane") || !strings.Contains(raw, `"colour":1`) {
		t.Errorf("kept %s", raw)
	}
	if item.Report.Fields.CustomerID != r.customerHash("adv_1", []byte("u77")) {
		t.Error("what could be read of a rejected report is not kept")
	}
	kept := string(r.Reject("conversion", server, CodeMalformedJSON, "x", []byte(`{"order_id":"o1","customer_id":"u77","email":jane@x.example,"phone":"123`)).Raw)
	if strings.Contains(kept, "u77") || strings.Contains(kept, "jane") || strings.Contains(kept, "123") || !strings.Contains(kept, "o1") {
		t.Errorf("kept %s", kept)
	}
	for _, hidden := range []string{`{"x":"4111111111111111`, `{"c\u0075stomer_id":"u77`} {
		if kept := r.Reject("conversion", server, CodeMalformedJSON, "x", []byte(hidden)).Raw; kept != nil {
			t.Errorf("kept %s", kept)
		}
	}
}

// FuzzConversions holds the scanner to encoding/json: what it takes is JSON, and
// what it yields can be written and read.
func FuzzConversions(f *testing.F) {
	for _, seed := range []string{
		`{"event":"sale","order_id":"o1","amount":"1.00","currency":"USD","items":[{"sku":"a","quantity":2}],"click_ids":["a"]}`,
		`[{"event":"sale"},{"x":[{}]}]`, "{}\n{}", `{"note":"\ud83d\udc5f\u0000"}`, `{"amount":-0.0e+9}`, `[[[[`, `{"a":1}{"b":2}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	r := NewReader(make([]byte, 32), func() time.Time { return now })
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		err := r.Conversions(server, body, lines, func(i *Item) {
			if i.Report == nil {
				return
			}
			encoded, err := attribution.AppendReport(nil, i.Report)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := attribution.DecodeReport(encoded); err != nil {
				t.Fatal(err)
			}
			if hasCard(i.Report.Raw) {
				t.Fatalf("a card number is kept: %s", i.Report.Raw)
			}
		})
		if err == nil && !lines && !isLines(body) && !json.Valid(body) {
			t.Fatalf("not JSON, and taken: %q", body)
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("order_id,event,items\no1,sale,\"[{\"\"sku\"\":1}]\"\n"))
	r := NewReader(make([]byte, 32), func() time.Time { return now })
	f.Fuzz(func(t *testing.T, file []byte) {
		last := 0
		for line, err := range r.CSV(server, strings.NewReader(string(file)), 0) {
			if err != nil {
				return
			}
			if line.Number <= last {
				t.Fatalf("line %d follows %d", line.Number, last)
			}
			last = line.Number
		}
	})
}

func BenchmarkConversions(b *testing.B) {
	const body = `{"event":"sale","order_id":"o-1234567","amount":"49.90","currency":"USD","click_id":"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdef","customer_id":"u-1234"}`
	r := newReader()
	var record []byte
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Conversions(server, []byte(body), false, func(i *Item) {
			record, _ = attribution.AppendReport(record[:0], i.Report)
		}); err != nil {
			b.Fatal(err)
		}
	}
}
