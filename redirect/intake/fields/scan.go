package fields

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON (RFC 8259) and nothing near it. Texts it returns are valid
// until the next one is read. After a syntax error it stands at the end and
// returns nothing more; the first error is kept. What it scans is valid UTF-8,
// which is the caller's to check.
type scanner struct {
	data  []byte
	at    int
	wrong string // empty: no error yet
	text  []byte // of strings with escapes
}

// maxDepth bounds nesting. Reports have three levels.
const maxDepth = 16

// maxNumberBytes bounds the text of a number; no amount has as many digits.
const maxNumberBytes = 64

func (s *scanner) fail(what string) {
	if s.wrong == "" {
		s.wrong = fmt.Sprintf("%s at byte %d", what, s.at+1)
	}
	s.at = len(s.data)
}

// peek skips white space and returns the byte behind it, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		case 0:
			s.fail("a zero byte")
			return 0
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expect(c byte, what string) {
	if !s.take(c) {
		s.fail("want " + what)
	}
}

// members calls each with the name of every member of an object, standing before
// its value, which each must read.
func (s *scanner) members(each func(name []byte)) {
	s.expect('{', "an object")
	if s.take('}') {
		return
	}
	for s.wrong == "" {
		name := s.string()
		s.expect(':', "a colon behind a field's name")
		if s.wrong != "" {
			return
		}
		each(name)
		if s.take('}') {
			return
		}
		s.expect(',', "a comma or } behind a field")
	}
}

// elements calls each before every element of an array, which each must read.
func (s *scanner) elements(each func()) {
	s.expect('[', "an array")
	if s.take(']') {
		return
	}
	for s.wrong == "" {
		each()
		if s.take(']') {
			return
		}
		s.expect(',', "a comma or ] behind an element")
	}
}

// A value is one JSON value that is no object and no array; the text of a string
// is unescaped, that of a number as written.
type value struct {
	kind kind
	text []byte
}

type kind byte

const (
	kindText kind = iota
	kindNumber
	kindBool
	kindNull
)

// scalar reads a value. An object or array there is an error.
func (s *scanner) scalar() value {
	switch c := s.peek(); {
	case c == '"':
		return value{kindText, s.string()}
	case c == '-' || c >= '0' && c <= '9':
		return value{kindNumber, s.number()}
	case c == 't':
		return value{kindBool, s.word("true")}
	case c == 'f':
		return value{kindBool, s.word("false")}
	case c == 'n':
		return value{kindNull, s.word("null")}
	}
	s.fail("want a value")
	return value{kind: kindNull}
}

// compound reports whether an object or an array comes next.
func (s *scanner) compound() bool {
	c := s.peek()
	return c == '{' || c == '['
}

// skip reads a value of any kind and shows every text and number in it, names of
// members included.
func (s *scanner) skip(depth int, show func(value)) {
	switch {
	case depth > maxDepth:
		s.fail("nested too deeply")
	case s.peek() == '{':
		s.members(func(name []byte) {
			show(value{kindText, name})
			s.skip(depth+1, show)
		})
	case s.peek() == '[':
		s.elements(func() { s.skip(depth+1, show) })
	default:
		show(s.scalar())
	}
}

func (s *scanner) word(word string) []byte {
	if end := s.at + len(word); end <= len(s.data) && string(s.data[s.at:end]) == word {
		s.at = end
		return []byte(word)
	}
	s.fail("want a value")
	return nil
}

func (s *scanner) number() []byte {
	start := s.at
	s.skipByte('-')
	if !s.skipByte('0') && !s.digits() {
		s.fail("want a digit")
		return nil
	}
	if s.skipByte('.') && !s.digits() {
		s.fail("want a digit behind the point")
		return nil
	}
	if s.skipByte('e') || s.skipByte('E') {
		if !s.skipByte('+') {
			s.skipByte('-')
		}
		if !s.digits() {
			s.fail("want a digit in the exponent")
			return nil
		}
	}
	if s.at-start > maxNumberBytes {
		s.fail("a number that is too long")
		return nil
	}
	return s.data[start:s.at]
}

func (s *scanner) skipByte(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() (some bool) {
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		s.at++
		some = true
	}
	return some
}

// string reads a string. Most have no escapes and are returned as they stand.
func (s *scanner) string() []byte {
	if s.peek() != '"' {
		s.fail("want a string")
		return nil
	}
	s.at++
	start := s.at
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[start : s.at-1]
		case c == '\\':
			s.text = append(s.text[:0], s.data[start:s.at]...)
			return s.escaped()
		case c < ' ':
			s.fail("a control character in a string")
			return nil
		}
	}
	s.fail("a string without an end")
	return nil
}

// escaped reads on behind the first backslash of a string.
func (s *scanner) escaped() []byte {
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			return s.text
		case c < ' ':
			s.fail("a control character in a string")
			return nil
		case c != '\\':
			s.text = append(s.text, c)
		case !s.escape():
			s.fail("an escape that does not exist")
			return nil
		}
	}
	s.fail("a string without an end")
	return nil
}

func (s *scanner) escape() bool {
	if s.at >= len(s.data) {
		return false
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		s.text = append(s.text, c)
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'n':
		s.text = append(s.text, '\n')
	case 'r':
		s.text = append(s.text, '\r')
	case 't':
		s.text = append(s.text, '\t')
	case 'u':
		return s.unicode()
	default:
		return false
	}
	return true
}

// unicode reads the digits of \u, and the second half of a surrogate pair. Half a
// pair is no character.
func (s *scanner) unicode() bool {
	r, ok := s.hex()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if ok = s.skipByte('\\') && s.skipByte('u'); ok {
			low, ok = s.hex()
		}
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
	}
	if ok {
		s.text = utf8.AppendRune(s.text, r)
	}
	return ok
}

func (s *scanner) hex() (r rune, ok bool) {
	if s.at+4 > len(s.data) {
		return 0, false
	}
	for _, c := range s.data[s.at : s.at+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.at += 4
	return r, true
}
