package ledger

import (
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

// TestReportsFromBeforeAnErasureComeWithoutThePerson settles reports of a customer
// who was erased after they were received, at once and out of quarantine; reports
// received later are a new customer's.
func TestReportsFromBeforeAnErasureComeWithoutThePerson(t *testing.T) {
	w := newShop(t, "")
	link := w.link
	hash, other := "h_"+strings.Repeat("ab", 16), "h_"+strings.Repeat("cd", 16)
	early := w.report(`{"event":"sale","order_id":"early","amount":"10","currency":"USD","customer_id":"` + hash + `","note":"for ` + other + `","click_id":"` + w.click(link, attribution.Valid) + `"}`)
	others := w.report(`{"event":"sale","order_id":"others","amount":"10","currency":"USD","customer_id":"` + other + `"}`)
	landing := w.report(`{}`)
	landing.Kind, landing.Landing = attribution.ReportLanding, &attribution.Landing{ClickID: w.click(link, attribution.Valid), CustomerID: hash}
	held := w.report(`{"event":"sale","order_id":"held","amount":"10","currency":"USD","customer_id":"` + hash + `"}`)
	held.Rejected, held.Raw = &attribution.Rejection{Code: "invalid_field", Reason: "it was"}, []byte(`{"who":"`+hash+`"}`)

	w.nowMs.Add(time.Minute.Milliseconds())
	erasedAt := w.nowMs.Load()
	must(w.raw().Exec("INSERT INTO erased_customers (mark, at_ms) VALUES ($1, $2)", ErasureMark(early.AdvertiserID, hash), erasedAt))(t)
	w.nowMs.Add(time.Minute.Milliseconds())
	late := w.report(`{"event":"sale","order_id":"late","amount":"10","currency":"USD","customer_id":"` + hash + `"}`)

	results := w.settle(early, others, landing, held)
	equal(t, "the early order", results[0].Status, Accepted)
	equal(t, "its credit", results[0].Attributed, true)
	count := func(query string) (n int) {
		ok(t, w.raw().QueryRow(query, "%"+hash+"%").Scan(&n))
		return n
	}
	for _, query := range []string{
		"SELECT COUNT(*) FROM conversions WHERE customer LIKE $1 OR fields LIKE $1", "SELECT COUNT(*) FROM actions WHERE customer LIKE $1",
		"SELECT COUNT(*) FROM customers WHERE customer LIKE $1", "SELECT COUNT(*) FROM customer_touches WHERE customer LIKE $1",
		"SELECT COUNT(*) FROM quarantine WHERE report LIKE $1 OR raw LIKE $1", "SELECT COUNT(*) FROM outbox WHERE payload LIKE $1",
	} {
		equal(t, query, count(query), 0)
	}
	var customer, fields string
	ok(t, w.raw().QueryRow("SELECT customer FROM conversions WHERE order_id = 'others'").Scan(&customer))
	equal(t, "another customer", customer, other)
	ok(t, w.raw().QueryRow("SELECT fields FROM conversions WHERE order_id = 'early'").Scan(&fields))
	if strings.Contains(fields, "note") {
		t.Errorf("the note of an erased customer is kept: %s", fields)
	}
	w.settle(late)
	equal(t, "who came back", count("SELECT COUNT(*) FROM conversions WHERE customer LIKE $1"), 1)
}
