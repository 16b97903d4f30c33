package attribution

import "math/bits"

// An exactPayout is a payout before rounding, in millionths of a minor unit: the
// sum over an order's lines of a share of each line, or of flat amounts. It is a
// number of 128 bits, and at most maxMinor minor units: no order pays more.
type exactPayout struct{ hi, lo uint64 }

// microPerMinor is how many parts of an exactPayout make a minor unit.
const microPerMinor = int64(RateOne)

// The largest payout, maxMinor minor units, in two words.
const (
	mostMicro = maxMinor * 1_000_000
	mostHigh  = mostMicro >> 64
	mostLow   = mostMicro & (1<<64 - 1)
)

// microProduct is a × b × c, which are not negative.
func microProduct(a, b, c int64) exactPayout {
	hi, lo := bits.Mul64(uint64(max(a, 0)), uint64(max(b, 0)))
	over, hi := bits.Mul64(hi, uint64(c))
	carry, lo := bits.Mul64(lo, uint64(c))
	hi, carried := bits.Add64(hi, carry, 0)
	if over != 0 || carried != 0 {
		return exactPayout{mostHigh, mostLow}
	}
	return exactPayout{hi, lo}.bounded()
}

func (e exactPayout) bounded() exactPayout {
	if e.hi > mostHigh || e.hi == mostHigh && e.lo > mostLow {
		return exactPayout{mostHigh, mostLow}
	}
	return e
}

func (e *exactPayout) add(more exactPayout) {
	lo, carry := bits.Add64(e.lo, more.lo, 0)
	hi, _ := bits.Add64(e.hi, more.hi, carry) // two payouts are far below 128 bits
	*e = exactPayout{hi, lo}.bounded()
}

// minor rounds credit × the payout to minor units, half away from zero. The
// credit is at most the whole.
func (e exactPayout) minor(credit Fraction) int64 {
	num, den := uint64(max(credit.Num, 0)), uint64(max(credit.Den, 1))
	// A product of three words: the payout's two by the credit's one.
	carry, low := bits.Mul64(e.lo, num)
	high, mid := bits.Mul64(e.hi, num)
	mid, carried := bits.Add64(mid, carry, 0)
	high += carried
	// Rounding half up adds half of the divisor, den × a million, and a quotient
	// by a product is that by its factors, one behind the other.
	halfHigh, halfLow := bits.Mul64(den, uint64(microPerMinor/2))
	low, carried = bits.Add64(low, halfLow, 0)
	mid, carried = bits.Add64(mid, halfHigh, carried)
	high += carried
	for _, by := range [...]uint64{den, uint64(microPerMinor)} {
		var rest uint64
		high, rest = high/by, high%by
		mid, rest = bits.Div64(rest, mid, by)
		low, _ = bits.Div64(rest, low, by)
	}
	if high != 0 || mid != 0 || low > maxMinor { // a credit beyond the whole
		return maxMinor
	}
	return int64(low)
}

// divideHalfUp is a × b ÷ by, rounded half up and at most limit. by is positive.
func divideHalfUp(a, b, by, limit uint64) int64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, by/2, 0)
	hi += carry
	if hi >= by {
		return int64(limit)
	}
	quotient, _ := bits.Div64(hi, lo, by)
	return int64(min(quotient, limit))
}
