package attribution

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// A Fraction is an exact share, in lowest terms.
type Fraction struct{ Num, Den int64 }

// whole is all of it.
var whole = Fraction{1, 1}

// reduced returns num/den in lowest terms.
func reduced(num, den int64) Fraction {
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	return Fraction{num / a, den / a}
}

// String is the fraction as an action shows it: "1", "1/3", "2/5".
func (f Fraction) String() string {
	var memory [41]byte
	text := strconv.AppendInt(memory[:0], f.Num, 10)
	if f.Den != 1 {
		text = strconv.AppendInt(append(text, '/'), f.Den, 10)
	}
	return string(text)
}

// ParseFraction reads what Fraction.String wrote; anything else is zero.
func ParseFraction(text string) Fraction {
	num, den, split := strings.Cut(text, "/")
	f := Fraction{Den: 1}
	var err error
	if f.Num, err = strconv.ParseInt(num, 10, 64); err != nil {
		return Fraction{Den: 1}
	}
	if split {
		if f.Den, err = strconv.ParseInt(den, 10, 64); err != nil || f.Den <= 0 {
			return Fraction{Den: 1}
		}
	}
	return f
}

// MarshalText writes the fraction; the zero Fraction is none, written as "".
func (f Fraction) MarshalText() ([]byte, error) {
	if f.Den == 0 {
		return nil, nil
	}
	return []byte(f.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (f *Fraction) UnmarshalText(text []byte) error {
	if *f = (Fraction{}); len(text) == 0 {
		return nil
	}
	if *f = ParseFraction(string(text)); *f == (Fraction{Den: 1}) && string(text) != "0" {
		return fmt.Errorf("must be a fraction such as 1/3")
	}
	return nil
}

// splitByWeight divides a non-negative total over weights by largest remainder,
// ties to the earlier: the parts sum to the total. Weights are not negative; where
// all are zero they count as equal.
func splitByWeight(total int64, weights []int64) []int64 {
	return appendSplit(make([]int64, 0, len(weights)), total, weights)
}

// appendSplit appends the parts of splitByWeight to dst.
func appendSplit(dst []int64, total int64, weights []int64) []int64 {
	sum := uint64(0)
	for _, w := range weights {
		sum += uint64(w)
	}
	if sum == 0 {
		sum = uint64(len(weights))
		weights = slices.Repeat([]int64{1}, len(weights))
	}
	var memory [usualTouches]remainder
	remainders := memory[:0]
	left := total
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(total), uint64(w))
		part, rest := bits.Div64(hi, lo, sum)
		dst = append(dst, int64(part))
		remainders = append(remainders, remainder{rest, i})
		left -= int64(part)
	}
	if left == 0 {
		return dst
	}
	slices.SortStableFunc(remainders, func(a, b remainder) int { return cmp.Compare(b.rest, a.rest) })
	parts := dst[len(dst)-len(weights):]
	for _, r := range remainders[:left] {
		parts[r.of]++
	}
	return dst
}

// A remainder is what the division of one part left.
type remainder struct {
	rest uint64
	of   int
}
