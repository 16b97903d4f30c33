package ledger

import (
	"fmt"
	"testing"

	"tributary/attribution"
)

// TestUpgradeReprices has a signed report of the same amount follow an unsigned
// one: what it says of tax, shipping and articles counts.
func TestUpgradeReprices(t *testing.T) {
	t.Parallel()
	const terms = `{"terms":{"events":{"sale":{"type":"percent","rate":"0.10"}},"groups":[{"name":"shoes","rank":1,"match":{"category":["shoes"]},"payout":{"type":"percent","rate":"0.20"}}]}}`
	for name, c := range map[string]struct {
		signed, adjusted string
		status, payout   string
	}{
		"tax":                   {signed: `,"tax":"20.00"`, status: Accepted, payout: "10.00"},
		"shipping":              {signed: `,"shipping":"10.00"`, status: Accepted, payout: "11.00"},
		"items":                 {signed: `,"items":[{"category":"shoes","price":"120.00"}]`, status: Accepted, payout: "24.00"},
		"items of no group":     {signed: `,"items":[{"category":"hats","price":"120.00"}]`, adjusted: "7.00", status: Duplicate, payout: "7.00"},
		"nothing else":          {adjusted: "7.00", status: Duplicate, payout: "7.00"},
		"tax, over a hand's":    {signed: `,"tax":"20.00"`, adjusted: "7.00", status: Accepted, payout: "10.00"},
		"a country of no group": {signed: `,"country":"TH"`, status: Duplicate, payout: "12.00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, terms)
			pixel := s.report(fmt.Sprintf(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD","click_id":%q}`, s.click(s.link, attribution.Valid)))
			pixel.Signed, pixel.Source = false, attribution.SourcePixel
			id := s.settle(pixel)[0].Actions[0].ID
			if c.adjusted != "" {
				s.toPayout(id, c.adjusted)
			}
			now := s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD"` + c.signed + `}`))[0]
			equal(t, "status", now.Status, c.status)
			equal(t, "payout", *s.actions("o1")[0].Payout, c.payout)
		})
	}
	t.Run("refunded without an amount", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, `{"terms":{"events":{"sale":{"type":"flat","amount":"4.00"}}}}`)
		pixel := s.report(fmt.Sprintf(`{"event":"sale","order_id":"o1","click_id":%q}`, s.click(s.link, attribution.Valid)))
		pixel.Signed, pixel.Source = false, attribution.SourcePixel
		s.settle(pixel)
		s.refund("o1", `{}`)
		s.settle(s.report(`{"event":"sale","order_id":"o1","amount":"120.00","currency":"USD"}`))
		equal(t, "left", s.left("o1"), "0.00 0.00 0.00")
		equal(t, "of the order", s.refund("o1", `{"amount":"1.00"}`).Code, CodeRefundExceeds)
	})
}
