package reports

import (
	"math/big"

	"tributary/attribution"
)

// rateDigits is how many decimals rates are written with.
const rateDigits = 4

// Value is a figure of a row as it is written: uint64 for a count, text for money
// and rates, nil for what is not known of such a row, not for the asker, or would
// be divided by nothing.
func (r *Report) Value(row *Row, name string) any {
	i, known := figureIndex[name]
	if !known || !r.shows(row, &columns[i]) {
		return nil
	}
	return columns[i].write(row)
}

func (c *Column) write(row *Row) any {
	if !c.isRatio() {
		figure := row.figure(c.Name)
		if c.Unit == Count {
			return uint64(figure)
		}
		return attribution.FormatMoney(figure, row.Currency)
	}
	exact := c.exact(row)
	switch {
	case exact == nil:
		return nil
	case c.Unit == Rate:
		return exact.FloatString(rateDigits)
	}
	whole, _ := new(big.Int).SetString(exact.FloatString(0), 10) // rounds half away from zero
	return attribution.FormatMoney(whole.Int64(), row.Currency)
}

// exact is a figure without rounding, money in minor units; nil where it would be
// divided by nothing.
func (c *Column) exact(row *Row) *big.Rat {
	if !c.isRatio() {
		return new(big.Rat).SetInt64(row.figure(c.Name))
	}
	over, under := row.figure(c.over), row.figure(c.under)
	if under == 0 {
		return nil
	}
	quotient := big.NewRat(over, under)
	if c.times != 0 {
		quotient.Mul(quotient, new(big.Rat).SetInt64(c.times))
	}
	return quotient
}

// Change is by how much of the previous figure a figure has grown, as a rate; nil
// where one of them is not known or not for the asker, or the previous is nothing.
func (r *Report) Change(row *Row, name string) any {
	i, known := figureIndex[name]
	if !known || row.Previous == nil || !r.shows(row, &columns[i]) || !r.shows(row.Previous, &columns[i]) {
		return nil
	}
	now, before := columns[i].exact(row), columns[i].exact(row.Previous)
	if now == nil || before == nil || before.Sign() == 0 {
		return nil
	}
	grown := new(big.Rat).Sub(now, before)
	return grown.Quo(grown, new(big.Rat).Abs(before)).FloatString(rateDigits)
}

// shows reports whether a figure of a row is known, and for the asker to see.
func (r *Report) shows(row *Row, c *Column) bool {
	if c.inner || c.knownOf()&^r.known != 0 {
		return false
	}
	switch c.sight {
	case costSight:
		return !r.creator
	case payoutSight:
		return row.figure(hidden) == 0
	}
	return true
}

// figure is one that was added up, by name.
func (row *Row) figure(name string) int64 {
	if len(row.figures) == 0 {
		return 0
	}
	return row.figures[figureIndex[name]]
}
