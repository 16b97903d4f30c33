package attribution

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
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
	if f.Den == 1 {
		return strconv.FormatInt(f.Num, 10)
	}
	return strconv.FormatInt(f.Num, 10) + "/" + strconv.FormatInt(f.Den, 10)
}

// splitByWeight divides a non-negative total over weights by largest remainder,
// ties to the earlier: the parts sum to the total. Weights are not negative; where
// all are zero they count as equal.
func splitByWeight(total int64, weights []int64) []int64 {
	parts := make([]int64, len(weights))
	sum := uint64(0)
	for _, w := range weights {
		sum += uint64(w)
	}
	if sum == 0 {
		sum = uint64(len(weights))
		weights = slices.Repeat([]int64{1}, len(weights))
	}
	left := total
	remainders := make([]uint64, len(weights))
	order := make([]int, len(weights))
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(total), uint64(w))
		part, remainder := bits.Div64(hi, lo, sum)
		parts[i], remainders[i], order[i] = int64(part), remainder, i
		left -= int64(part)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}
