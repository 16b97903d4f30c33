package attribution

import (
	"slices"
	"strings"
)

// wholePayout is what terms would pay one creator for the whole conversion. Of
// the rules for a line, the matching group of the lowest rank wins, then the
// creator's override, then the event's rule.
func wholePayout(c *Conversion, terms *Terms, override *TermsOverride, code, currency string) exactPayout {
	standard := terms.Events[c.Event]
	if override != nil {
		if own, given := override.Events[c.Event]; given {
			standard = own
		}
	}
	var sum exactPayout
	if len(c.Items) == 0 {
		rule := terms.ruleFor(&standard, c, code, nil)
		sum.add(rule.of(c.BaseMinor(), 1, currency))
		return sum
	}
	weights := make([]int64, len(c.Items))
	for i := range c.Items {
		weights[i] = max(0, c.Items[i].PriceMinor*c.Items[i].Quantity-c.Items[i].DiscountMinor)
	}
	for i, base := range splitByWeight(c.BaseMinor(), weights) {
		rule := terms.ruleFor(&standard, c, code, &c.Items[i])
		sum.add(rule.of(base, c.Items[i].Quantity, currency))
	}
	return sum
}

// ruleFor finds the matching group of the lowest rank, or the standard.
func (t *Terms) ruleFor(standard *Payout, c *Conversion, code string, item *Item) *Payout {
	best := standard
	lowest := 0
	for i := range t.Groups {
		g := &t.Groups[i]
		if (best == standard || g.Rank < lowest) && g.Match.matches(c, code, item) {
			best, lowest = &g.Payout, g.Rank
		}
	}
	return best
}

// matches reports whether every given field of the group has the conversion's,
// or the item's, value.
func (m *GroupMatch) matches(c *Conversion, code string, item *Item) bool {
	var category, sku string
	if item != nil {
		category, sku = item.Category, item.SKU
	}
	return among(m.Category, category) && among(m.SKU, sku) && among(m.CustomerStatus, c.CustomerStatus) &&
		among(m.Country, c.Country) && among(m.Code, code)
}

func among(allowed []string, value string) bool {
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, value) })
}

// of is what a rule pays for a base, or for units at a flat amount. The rule was
// checked when its terms were made; neither base nor units are negative.
func (p *Payout) of(baseMinor, units int64, currency string) exactPayout {
	switch p.Type {
	case "percent":
		rate, _ := ParseRate(p.Rate)
		return microProduct(baseMinor, int64(rate), 1)
	case "flat":
		flat, _ := ParseMoney(p.Amount, currency)
		return microProduct(flat, units, microPerMinor)
	}
	return exactPayout{}
}

// CostMinor is what a payout costs the advertiser: payout ÷ (1 − margin rate −
// agency margin rate), rounded half away from zero. The rates leave something.
func CostMinor(payoutMinor int64, margin, agency Rate) int64 {
	cost := divideHalfUp(magnitude(payoutMinor), uint64(RateOne), uint64(RateOne-margin-agency), maxCostMinor)
	if payoutMinor < 0 {
		return -cost
	}
	return cost
}

// maxCostMinor keeps the cost of the largest payout under the smallest rest of
// margins from overflow.
const maxCostMinor = 1_000 * maxMinor

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
