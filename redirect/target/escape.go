package target

import "unicode/utf8"

// What percent-encoding leaves alone, by byte.
var (
	// unreserved are the characters RFC 3986 never gives a meaning. A macro's
	// value is made of nothing else.
	unreserved = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
	// querySafe are the characters that a query may hold as they are. White space,
	// controls, '#', quotes, angle brackets and everything beyond ASCII are not
	// among them.
	querySafe = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" +
		"!$&()*+,;=:@/?%[]'")
	// urlSafe are those of querySafe, the mark of a fragment, and the backslash,
	// which is left for the check of the host to refuse.
	urlSafe = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" +
		"!$&()*+,;=:@/?%[]'#\\")
)

func byteSet(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

const upperHex = "0123456789ABCDEF"

// appendEscaped appends text with every byte outside keep percent-encoded.
func appendEscaped[T string | []byte](dst []byte, text T, keep *[256]bool) []byte {
	for i := range len(text) {
		if c := text[i]; keep[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// decodeAt reads one byte of a form-encoded text (WHATWG URL,
// application/x-www-form-urlencoded) and returns where the next one begins. A
// percent sign without two hex digits is itself.
func decodeAt(text []byte, i int) (c byte, next int) {
	switch c = text[i]; {
	case c == '+':
		return ' ', i + 1
	case c == '%' && i+2 < len(text):
		high, low := hexValue(text[i+1]), hexValue(text[i+2])
		if high < 16 && low < 16 {
			return high<<4 | low, i + 3
		}
	}
	return c, i + 1
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	default:
		return 16
	}
}

// appendDecoded appends what a form-encoded text says.
func appendDecoded(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		var c byte
		c, i = decodeAt(text, i)
		dst = append(dst, c)
	}
	return dst
}

// says reports whether a form-encoded text says plain.
func says[T string | []byte](text []byte, plain T) bool {
	i := 0
	for j := range len(plain) {
		if i >= len(text) {
			return false
		}
		var c byte
		if c, i = decodeAt(text, i); c != plain[j] {
			return false
		}
	}
	return i == len(text)
}

// sayTheSame reports whether two form-encoded texts say the same.
func sayTheSame(a, b []byte) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		var x, y byte
		x, i = decodeAt(a, i)
		if y, j = decodeAt(b, j); x != y {
			return false
		}
	}
	return i == len(a) && j == len(b)
}

// cleanText drops from text, in place, what is not UTF-8 or not printable, and
// cuts it to limit bytes between two characters.
func cleanText(text []byte, limit int) []byte {
	kept := text[:0]
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		control := r < ' ' || 0x7f <= r && r < 0xa0
		if !control && !(r == utf8.RuneError && size <= 1) {
			if len(kept)+size > limit {
				break
			}
			kept = append(kept, text[:size]...)
		}
		text = text[size:]
	}
	return kept
}
