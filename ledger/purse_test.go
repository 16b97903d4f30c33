package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tributary/attribution"
)

// told is which parts of budgets were told of so far: "50/100.00 80/70.00".
func (s *shop) told() string {
	s.Helper()
	var told []string
	for _, m := range must(s.Ledger.Outbox(s.ctx, ReaderEvents, 1000))(s).Messages {
		if m.Kind == OutboxBudget {
			var e BudgetEvent
			ok(s, json.Unmarshal(m.Payload, &e))
			told = append(told, fmt.Sprint(e.Percent, "/", attribution.FormatMoney(e.BudgetMinor, e.Currency)))
		}
	}
	return strings.Join(told, " ")
}

func TestEveryPartOfABudgetIsToldOnce(t *testing.T) {
	t.Parallel()
	budget := func(amount, mode string) string {
		return fmt.Sprintf(`{"margin_rate":"0","budget":{"amount":%q,"mode":%q}}`, amount, mode)
	}
	for _, mode := range []string{"hard", "soft"} {
		s := newShop(t, budget("100.00", mode))
		click := s.click(s.link, attribution.Valid)
		orders := 0
		sell := func(payout int) { // ten times that is the order's amount
			t.Helper()
			orders++
			equal(t, "accepted", s.sale(fmt.Sprint("o", orders), fmt.Sprint(10*payout), click).Status, Accepted)
		}
		told := ""
		tells := func(what, more string) {
			t.Helper()
			told = strings.TrimSpace(told + " " + more)
			equal(t, mode+": "+what, s.told(), told)
		}
		sell(40)
		tells("40 of 100", "")
		sell(50)
		tells("90 of 100, at once", "50/100.00 80/100.00")
		must(s.Reverse(s.ctx, adminScope, s.actions("o2")[0].ID, "returned", ""))(t)
		sell(45)
		tells("40, then 85 of 100 again", "")
		s.patch(s.campaignID, budget("1000.00", mode))
		tells("85 of 1000", "")
		sell(420)
		tells("505 of 1000", "50/1000.00")
		s.patch(s.campaignID, budget("600.00", mode))
		tells("505 of 600: 50 % was told", "80/600.00")
		s.patch(s.campaignID, budget("500.00", mode))
		tells("505 of 500", "100/500.00")
		s.patch(s.campaignID, `{"max_creator_payout":"10000.00"}`)
		ok(t, s.Tick(s.ctx))
		tells("nothing new", "")
		s.patch(s.campaignID, budget("510.00", mode))
		tells("505 of 510", "")
		s.patch(s.campaignID, budget("504.00", mode))
		tells("505 of 504", "100/504.00")
	}
}
