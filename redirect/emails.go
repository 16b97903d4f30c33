package redirect

import (
	"bytes"
	"unicode/utf8"

	"tributary/attribution"
)

var escapedAt = []byte("%40")

// maskEmails takes e-mail addresses out of what is recorded of a click: newsletters
// put their reader's into links. The shopper is sent on with all of them.
func maskEmails(c *attribution.Click) {
	c.Destination, c.UserAgent = withoutEmails(c.Destination), withoutEmails(c.UserAgent)
	for i := range c.Sub {
		c.Sub[i] = withoutEmails(c.Sub[i])
	}
}

// withoutEmails is a text without e-mail addresses, plain or escaped; the text
// itself where there is none, as nearly always.
func withoutEmails(text []byte) []byte {
	if bytes.IndexByte(text, '@') < 0 && !bytes.Contains(text, escapedAt) {
		return text
	}
	var masked []byte
	done := 0
	for i := 0; i < len(text); i++ {
		after := i + 1
		switch {
		case text[i] == '@':
		case bytes.HasPrefix(text[i:], escapedAt):
			after = i + len(escapedAt)
		default:
			continue
		}
		start, end := i, after
		for start > done && emailLocalByte(text[start-1]) {
			start--
		}
		for end < len(text) && (emailHostByte(text[end]) || text[end] == '%') {
			end++
		}
		if start == i || end == after { // https://shop.example/@name
			continue
		}
		masked = append(append(masked, text[done:start]...), attribution.MaskedEmail...)
		done, i = end, end-1
	}
	return append(masked, text[done:]...)
}

func emailLocalByte(c byte) bool {
	return emailHostByte(c) || c == '_' || c == '+' || c == '%' || c == '\'' || c == '~'
}

func emailHostByte(c byte) bool {
	return c >= utf8.RuneSelf || c == '.' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
