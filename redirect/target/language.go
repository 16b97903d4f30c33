package target

import "bytes"

// preferredLanguage is the language tag an Accept-Language header prefers: the
// one with the highest quality, and of equals the first (RFC 9110 section
// 12.5.4). It is nil when the header names none, or only "*".
//
// A rule for a language asks what the shopper reads best, not what they can
// read: whoever sends "en-US, th;q=0.8" gets the English page, wherever in the
// list of rules the Thai one stands.
func preferredLanguage(header []byte) []byte {
	var best []byte
	bestQuality := 0
	for len(header) > 0 {
		var item []byte
		item, header, _ = bytes.Cut(header, []byte{','})
		tag, parameters, _ := bytes.Cut(item, []byte{';'})
		tag = bytes.TrimSpace(tag)
		if len(tag) == 0 || string(tag) == "*" {
			continue
		}
		if q := quality(parameters); q > bestQuality {
			best, bestQuality = tag, q
		}
	}
	return best
}

// quality reads "q=0.8" as 800. Without it the quality is 1000; one that cannot
// be read is 0, so that it is never preferred.
func quality(parameters []byte) int {
	parameters = bytes.TrimSpace(parameters)
	if len(parameters) == 0 {
		return 1000
	}
	name, value, _ := bytes.Cut(parameters, []byte{'='})
	value = bytes.TrimSpace(value)
	if name = bytes.TrimSpace(name); len(name) != 1 || name[0]|0x20 != 'q' || len(value) == 0 {
		return 0
	}
	total := 0
	for i, unit := 0, 1000; i < len(value) && unit > 0; i++ {
		switch c := value[i]; {
		case i == 1 && c == '.':
			continue
		case i == 1 || c < '0' || c > '9':
			return 0
		default:
			total += int(c-'0') * unit
			unit /= 10
		}
	}
	return min(total, 1000)
}

// speaks reports whether a language tag is the wanted one or more specific: en
// is spoken by en and en-GB, en-gb by en-GB only. wanted is in lower case.
func speaks(tag []byte, wanted string) bool {
	if len(tag) < len(wanted) || len(tag) > len(wanted) && tag[len(wanted)] != '-' {
		return false
	}
	return equalFold(tag[:len(wanted)], wanted)
}

// equalFold compares ignoring ASCII case with a text in lower case.
func equalFold[T string | []byte](text T, lower string) bool {
	if len(text) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
