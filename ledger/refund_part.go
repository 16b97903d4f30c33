package ledger

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"

	"tributary/attribution"
)

func wholePart() *big.Rat { return big.NewRat(1, 1) }

// A refundPart is what a refund takes of an order.
type refundPart struct {
	named       string   // what the refund says it takes: two that name the same are alike
	amountMinor int64    // of the order's amount
	ofAmount    *big.Rat // the part of what is left of the amount
	ofPayout    *big.Rat // the part of what is left of payouts and their cost
}

// partOf is what a refund takes of an order, or why it cannot be told. Of an order
// that said what its articles cost, articles take their part of what all of them
// cost: that is what commission was paid on, without tax and shipping.
func partOf(f *attribution.RefundFields, order *ConversionRecord) (*refundPart, error) {
	left := order.AmountMinor - order.RefundedMinor
	switch {
	case f.Amount != "":
		minor, err := attribution.ParseMoney(f.Amount, order.Currency)
		if err != nil || minor < 0 {
			return nil, invalid("amount", "must be an amount of the order's currency %s, and not negative", order.Currency)
		}
		p := partOfAmount(minor, left)
		p.named, err = named(attribution.FormatMoney(minor, order.Currency), f.Items)
		return p, err
	case len(f.Items) > 0:
		return partOfItems(f.Items, order, left)
	}
	p := partOfAmount(left, left)
	p.named = "whole"
	return p, nil
}

func partOfAmount(minor, leftMinor int64) *refundPart {
	part := wholePart()
	if minor != leftMinor && leftMinor > 0 {
		part = big.NewRat(minor, leftMinor)
	}
	return &refundPart{amountMinor: minor, ofAmount: part, ofPayout: part}
}

func partOfItems(items []attribution.ReportItem, order *ConversionRecord, leftMinor int64) (*refundPart, error) {
	var fields attribution.ReportFields
	if err := decode(order.fields, &fields); err != nil {
		return nil, err
	}
	var minor, linesMinor int64
	for i, item := range items {
		line, err := itemMinor(item, fields.Items, order.Currency)
		if err != nil {
			return nil, invalid(fmt.Sprintf("items[%d]", i), "%v", err)
		}
		minor += line
	}
	for _, line := range fields.Items {
		if line.Price == "" {
			continue
		}
		worth, err := itemMinor(line, nil, order.Currency)
		if err != nil {
			return nil, fmt.Errorf("ledger: adding up order %s: %w", order.ID, err)
		}
		linesMinor += worth
	}
	p := partOfAmount(minor, leftMinor)
	if linesMinor > 0 {
		lines := order.leftPart()
		lines.Mul(lines, big.NewRat(linesMinor, 1))
		taken := big.NewRat(minor, 1)
		if taken.Cmp(lines) <= 0 { // the order's articles may cost more than it does: a discount on all of them
			p = partOfAmount(min(minor, leftMinor), leftMinor)
		}
		p.ofPayout = wholePart()
		if taken.Cmp(lines) < 0 {
			p.ofPayout = taken.Quo(taken, lines)
		}
	}
	var err error
	p.named, err = named("", items)
	return p, err
}

// named is what a refund says it takes, in few bytes.
func named(amount string, items []attribution.ReportItem) (string, error) {
	if len(items) == 0 {
		return amount, nil
	}
	text, err := encode(items)
	return strings.TrimSpace(fmt.Sprintf("%s items %x", amount, sha256.Sum256([]byte(text)))), err
}

// itemMinor is what a refunded item cost; where the refund does not say, what the
// order said of its SKU.
func itemMinor(item attribution.ReportItem, ordered []attribution.ReportItem, currency string) (int64, error) {
	quantity := max(item.Quantity, 1)
	unit, off := item.Price, item.Discount
	share := wholePart()
	for _, line := range ordered {
		if unit == "" && line.SKU != "" && strings.EqualFold(line.SKU, item.SKU) {
			unit, off = line.Price, line.Discount
			share = big.NewRat(quantity, max(line.Quantity, 1)) // of the line's discount
		}
	}
	if unit == "" {
		return 0, fmt.Errorf("needs a price: the order has no item %.64q with one", item.SKU)
	}
	price, err := attribution.ParseMoney(unit, currency)
	if err != nil || price < 0 || price > maxLineMinor/quantity {
		return 0, fmt.Errorf("the price is no amount of %s", currency)
	}
	var discount int64
	if off != "" {
		if discount, err = attribution.ParseMoney(off, currency); err != nil {
			return 0, fmt.Errorf("the discount is no amount of %s", currency)
		}
	}
	return max(0, price*quantity-proportion(discount, share)), nil
}

// refundedPart is the part of an order's payouts that refunds took.
func (c *ConversionRecord) refundedPart() *big.Rat {
	return big.NewRat(c.refunded.Num, max(c.refunded.Den, 1))
}

// leftPart is what that leaves.
func (c *ConversionRecord) leftPart() *big.Rat {
	part := c.refundedPart()
	return part.Sub(wholePart(), part)
}

// unrefunded is what refunds leave of what the whole order is credited with.
func (c *ConversionRecord) unrefunded(amountMinor, payoutMinor int64) (leftAmountMinor, leftPayoutMinor int64) {
	if c.RefundedMinor > 0 {
		amountMinor -= proportion(amountMinor, big.NewRat(c.RefundedMinor, c.AmountMinor))
	}
	return amountMinor, payoutMinor - proportion(payoutMinor, c.refundedPart())
}

// refund takes a part of the order.
func (c *ConversionRecord) refund(p *refundPart) {
	taken := c.leftPart()
	taken.Mul(taken, p.ofPayout)
	c.RefundedMinor += p.amountMinor
	c.setRefunded(taken.Add(taken, c.refundedPart()))
}

// become gives the order another amount. What was refunded of it stays refunded.
func (c *ConversionRecord) become(amountMinor int64, currency string) {
	part := c.refundedPart()
	if c.AmountMinor > 0 && amountMinor > 0 {
		c.RefundedMinor = min(c.RefundedMinor, amountMinor)
		part.Mul(part, big.NewRat(c.AmountMinor, amountMinor))
	} else {
		c.RefundedMinor = proportion(amountMinor, part)
	}
	c.AmountMinor, c.Currency = amountMinor, currency
	c.setRefunded(part)
}

// finestPart is how exactly a part is kept that many refunds, by amounts and by
// articles in turn, made too long to write down.
const finestPart = 1_000_000_000_000_000_000

func (c *ConversionRecord) setRefunded(part *big.Rat) {
	if part.Cmp(wholePart()) > 0 {
		part = wholePart()
	}
	if !part.Num().IsInt64() || !part.Denom().IsInt64() {
		part = big.NewRat(proportion(finestPart, part), finestPart)
	}
	c.refunded = attribution.Fraction{Num: part.Num().Int64(), Den: part.Denom().Int64()}
}
