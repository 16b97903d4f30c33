package fields

import (
	"unicode"
	"unicode/utf8"
)

// A card number (PAN, ISO/IEC 7812) is 13 to 19 digits, with or without spaces or
// dashes between groups, of a card scheme's range, with a Luhn check digit. One in
// ten of all other numbers of a scheme's range and length has that check digit
// too: the ranges keep shops' order numbers and times in milliseconds out, and
// numbers of 13 and 14 digits that are right as article numbers (GTIN, which has
// another check digit) are taken for those.
const (
	minCardDigits = 13
	maxCardDigits = 19
)

// hasCard reports whether a text holds what looks like a card number.
func hasCard(text []byte) bool {
	if len(text) < minCardDigits {
		return false
	}
	var run cardRun
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			run.digit(c - '0')
			i++
		case c == ' ' || c == '-':
			run.gap()
			i++
		case c < utf8.RuneSelf:
			if run.ended() {
				return true
			}
			i++
		default:
			r, size := utf8.DecodeRune(text[i:])
			if run.other(r) {
				return true
			}
			i += size
		}
	}
	return run.ended()
}

// A cardRun is digits in groups, of which the last maxCardDigits are kept.
type cardRun struct {
	digits [maxCardDigits]byte
	starts [maxCardDigits]bool // a group begins at this digit
	count  int                 // digits kept
	long   int                 // digits of the group that is being read
	gaps   int                 // separators since the last digit
	found  bool
}

// digit adds a digit. A group of more digits than a card has is none's part.
func (r *cardRun) digit(d byte) {
	begins := r.long == 0
	r.gaps = 0
	if r.count == maxCardDigits {
		copy(r.digits[:], r.digits[1:])
		copy(r.starts[:], r.starts[1:])
		r.count--
	}
	r.digits[r.count], r.starts[r.count] = d, begins
	r.count++
	r.long++
}

// gap ends a group. More than one separator ends the run.
func (r *cardRun) gap() {
	if r.long > 0 {
		r.look()
	}
	r.long = 0
	if r.gaps++; r.gaps > 1 {
		r.count = 0
	}
}

// other handles what is not ASCII: digits of other scripts are digits, and spaces
// and dashes of typesetters are separators.
func (r *cardRun) other(c rune) bool {
	switch {
	case unicode.Is(unicode.Nd, c):
		r.digit(digitOf(c))
	case unicode.Is(unicode.Zs, c), unicode.Is(unicode.Pd, c):
		r.gap()
	default:
		return r.ended()
	}
	return false
}

// digitOf is the value of a decimal digit: Unicode encodes each script's ten in a
// row.
func digitOf(c rune) byte {
	zero := c
	for zero > 0 && c-zero < 9 && unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	if c >= 0xff10 && c <= 0xff19 {
		zero = 0xff10
	}
	return byte((c - zero) % 10)
}

// ended ends the run and says whether it, or one before it, held a card number.
func (r *cardRun) ended() bool {
	if r.long > 0 {
		r.look()
	}
	r.count, r.long, r.gaps = 0, 0, 0
	return r.found
}

// look tests every stretch that ends here and begins with a group.
func (r *cardRun) look() {
	if r.long > maxCardDigits {
		return
	}
	for i := range r.count - minCardDigits + 1 {
		if r.starts[i] && isCard(r.digits[i:r.count]) {
			r.found = true
			return
		}
	}
}

func isCard(digits []byte) bool {
	return inRange(digits) && luhn(digits) && !(len(digits) <= 14 && gtin(digits))
}

// inRange reports whether a card scheme has numbers that begin so and are as long.
func inRange(digits []byte) bool {
	first := 0
	for _, d := range digits[:4] {
		first = first*10 + int(d)
	}
	n := len(digits)
	in := func(low, high int) bool { return first >= low && first <= high }
	switch {
	case in(4000, 4999): // Visa
		return n == 13 || n >= 16
	case in(3400, 3499), in(3700, 3799): // American Express
		return n == 15
	case in(3000, 3059), in(3095, 3095), in(3600, 3699), in(3800, 3999): // Diners Club
		return n >= 14
	case in(1800, 1800), in(2131, 2131): // JCB of old
		return n == 15
	case in(2200, 2204), in(2221, 2720), in(3528, 3589), in(5000, 6999), in(8100, 8299), in(9792, 9792):
		return n >= 16 // Mir, Mastercard, JCB, Maestro, Discover, UnionPay, RuPay, Troy
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		v := int(d)
		if (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// gtin reports a right check digit of an article number (GS1).
func gtin(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		weight := 1
		if (len(digits)-i)%2 == 0 {
			weight = 3
		}
		sum += weight * int(d)
	}
	return sum%10 == 0
}
