package attribution

import (
	"math/big"
	"slices"
	"strings"
)

// An exactPayout is a payout before rounding, in millionths of a minor unit: the
// sum over an order's lines of a share of each line, or of flat amounts.
type exactPayout struct{ micro big.Int }

// microPerMinor is how many parts of an exactPayout make a minor unit.
const microPerMinor = int64(RateOne)

// wholePayout is what terms would pay one creator for the whole conversion. Of
// the rules for a line, the matching group of the lowest rank wins, then the
// creator's override, then the event's rule.
func wholePayout(c *Conversion, terms *Terms, override *TermsOverride, code, currency string) *exactPayout {
	standard := terms.Events[c.Event]
	if override != nil {
		if own, given := override.Events[c.Event]; given {
			standard = own
		}
	}
	groups := slices.SortedFunc(slices.Values(terms.Groups), func(a, b PayoutGroup) int { return a.Rank - b.Rank })
	sum := new(exactPayout)
	if len(c.Items) == 0 {
		sum.add(ruleFor(groups, standard, c, code, nil), c.BaseMinor(), 1, currency)
		return sum
	}
	weights := make([]int64, len(c.Items))
	for i, item := range c.Items {
		weights[i] = max(0, item.PriceMinor*item.Quantity-item.DiscountMinor)
	}
	for i, base := range splitByWeight(c.BaseMinor(), weights) {
		item := &c.Items[i]
		sum.add(ruleFor(groups, standard, c, code, item), base, item.Quantity, currency)
	}
	return sum
}

func ruleFor(groups []PayoutGroup, standard Payout, c *Conversion, code string, item *Item) Payout {
	for _, g := range groups {
		if g.Match.matches(c, code, item) {
			return g.Payout
		}
	}
	return standard
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

// add adds what a rule pays for a base, or for units at a flat amount. The rule
// was checked when its terms were made.
func (e *exactPayout) add(rule Payout, baseMinor, units int64, currency string) {
	var term big.Int
	switch rule.Type {
	case "percent":
		rate, _ := ParseRate(rule.Rate)
		term.Mul(big.NewInt(baseMinor), big.NewInt(int64(rate)))
	case "flat":
		flat, _ := ParseMoney(rule.Amount, currency)
		term.Mul(big.NewInt(flat), big.NewInt(units))
		term.Mul(&term, big.NewInt(microPerMinor))
	}
	e.micro.Add(&e.micro, &term)
}

// minor rounds credit × the payout to minor units, half away from zero.
func (e *exactPayout) minor(credit Fraction) int64 {
	var num, den, twice big.Int
	num.Mul(&e.micro, big.NewInt(credit.Num))
	den.Mul(big.NewInt(microPerMinor), big.NewInt(credit.Den))
	// floor((2·num + den) / (2·den)) rounds a non-negative quotient half up.
	twice.Lsh(&num, 1)
	twice.Add(&twice, &den)
	den.Lsh(&den, 1)
	return twice.Quo(&twice, &den).Int64()
}

// CostMinor is what a payout costs the advertiser: payout ÷ (1 − margin rate −
// agency margin rate), rounded half away from zero. The rates leave something.
func CostMinor(payoutMinor int64, margin, agency Rate) int64 {
	kept := int64(RateOne - margin - agency)
	var num, quotient, remainder big.Int
	num.Mul(big.NewInt(payoutMinor), big.NewInt(int64(RateOne)))
	quotient.QuoRem(&num, big.NewInt(kept), &remainder)
	if remainder.Abs(&remainder); remainder.Int64()*2 >= kept {
		quotient.Add(&quotient, big.NewInt(int64(num.Sign())))
	}
	return quotient.Int64()
}
