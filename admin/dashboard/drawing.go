package dashboard

import (
	"html/template"
	"math/big"
	"strconv"
	"strings"
)

// sparkline draws values as one line of 100 by 28. It says nothing that the
// figures beside it do not say, and so is hidden from screen readers.
func sparkline(values []float64) template.HTML {
	if len(values) < 2 {
		return ""
	}
	const width, height, inset = 100.0, 28.0, 2.0
	highest := 0.0
	for _, v := range values {
		highest = max(highest, v)
	}
	var line strings.Builder
	for i, v := range values {
		x := width * float64(i) / float64(len(values)-1)
		y := height - inset
		if highest > 0 {
			y -= (height - 2*inset) * v / highest
		}
		if i == 0 {
			line.WriteByte('M')
		} else {
			line.WriteByte('L')
		}
		line.WriteString(strconv.FormatFloat(x, 'f', 1, 64) + " " + strconv.FormatFloat(y, 'f', 1, 64))
	}
	return template.HTML(`<svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true"><path class="spark-area" d="` + line.String() +
		`L100 28L0 28Z"/><path class="spark-line" d="` + line.String() + `"/></svg>`) // numbers and fixed text only
}

// share is how much of the whole a decimal is, in percent from 0 to 100, for the
// width of a bar.
func share(part, whole any) string {
	numerator, ok1 := ratOf(part)
	denominator, ok2 := ratOf(whole)
	if !ok1 || !ok2 || denominator.Sign() <= 0 || numerator.Sign() <= 0 {
		return "0"
	}
	hundredths := new(big.Rat).Quo(numerator.Mul(numerator, big.NewRat(100, 1)), denominator)
	if hundredths.Cmp(big.NewRat(100, 1)) > 0 {
		return "100"
	}
	return hundredths.FloatString(2)
}

func ratOf(value any) (*big.Rat, bool) {
	switch v := value.(type) {
	case uint64:
		return new(big.Rat).SetInt(new(big.Int).SetUint64(v)), true
	case int64:
		return new(big.Rat).SetInt64(v), true
	case int:
		return new(big.Rat).SetInt64(int64(v)), true
	}
	text, known := textOf(value)
	if !known {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
