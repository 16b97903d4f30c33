package fields

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"tributary/attribution"
)

// hashPrefix begins what stands for a customer id or an e-mail address.
const hashPrefix = "h_"

// hashBytes is how much of a hash is kept: 128 bits.
const hashBytes = 16

// customerHash is what is written of a customer id: the same for the same
// customer of one advertiser, and nothing to anybody else. An e-mail address is
// the same in any case.
func (r *Reader) customerHash(advertiserID string, id []byte) string {
	id = bytes.TrimSpace(id)
	if bytes.IndexByte(id, '@') >= 0 {
		id = bytes.ToLower(id)
	}
	return r.keyedHash("customer", advertiserID, id)
}

// CustomerHash is what is written of a customer id, for those who must know it
// again: a creator who is also a customer.
func (r *Reader) CustomerHash(advertiserID, id string) string {
	return r.customerHash(advertiserID, []byte(id))
}

// PersonHashes are all that may have been written of a customer id: an e-mail
// address that stood in another text has a hash of its own.
func (r *Reader) PersonHashes(advertiserID, id string) []string {
	hashes := []string{r.CustomerHash(advertiserID, id)}
	if masked := string(r.maskEmails([]byte(strings.TrimSpace(id)))); len(masked) == len(hashes[0]) && masked != strings.TrimSpace(id) {
		hashes = append(hashes, masked)
	}
	return hashes
}

func (r *Reader) keyedHash(purpose, scope string, text []byte) string {
	h := r.hash()
	defer r.hashes.Put(h)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(scope))
	h.Write([]byte{0})
	h.Write(text)
	var sum [32]byte
	return hashPrefix + hex.EncodeToString(h.Sum(sum[:0])[:hashBytes])
}

func (d *draft) hashCustomer() {
	if len(bytes.TrimSpace(d.customer)) == 0 {
		return
	}
	hashed := d.reader.customerHash(d.report.AdvertiserID, d.customer)
	if d.report.Landing != nil {
		d.report.Landing.CustomerID = hashed
	} else {
		d.report.Fields.CustomerID = hashed
	}
	d.customer = nil
}

// maskEmails puts keyed hashes in the place of e-mail addresses. A text without
// any is returned as it is.
func (r *Reader) maskEmails(text []byte) []byte {
	if bytes.IndexByte(text, '@') < 0 {
		return text
	}
	var masked []byte
	done := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '@' {
			continue
		}
		start, end := emailAround(text, i, done)
		if start == i || end == i+1 {
			continue
		}
		masked = append(masked, text[done:start]...)
		masked = append(masked, r.keyedHash("e-mail", "", bytes.ToLower(text[start:end]))...)
		done, i = end, end-1
	}
	return append(masked, text[done:]...)
}

// emailAround finds the address around an @. It takes rather too much for an
// address than too little: hosts without a dot, and letters of any script.
func emailAround(text []byte, at, from int) (start, end int) {
	for start = at; start > from && localByte(text[start-1]); start-- {
	}
	for end = at + 1; end < len(text) && (hostByte(text[end])); end++ {
	}
	for end > at+1 && (text[end-1] == '.' || text[end-1] == '-') {
		end--
	}
	return start, end
}

func localByte(c byte) bool {
	return hostByte(c) || strings.IndexByte("!#$%&'*+/=?^_`{|}~", c) >= 0
}

func hostByte(c byte) bool {
	return c >= utf8.RuneSelf || c == '.' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// personal reports whether a field's name, which no table has, says that it is
// about a person: its value is hashed even where nobody asked for it.
func personal(name string) bool {
	name = strings.ToLower(name)
	if name == "customer_status" {
		return false
	}
	for _, part := range [...]string{"customer", "user", "mail", "phone", "buyer", "client", "member"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// clean is a JSON value as it may be kept: what is about persons is hashed. It
// was read before, so that it is whole and holds no card number.
func (d *draft) clean(raw []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return d.reader.excerpt(raw)
	}
	return d.kept(d.cleanValue(v, false))
}

// kept is the JSON of a clean value, or an excerpt of it when that is too long to
// keep.
func (d *draft) kept(v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil || len(encoded) > attribution.MaxReportBytes {
		return d.reader.excerpt(encoded)
	}
	return encoded
}

func (d *draft) cleanValue(v any, about bool) any {
	switch v := v.(type) {
	case map[string]any:
		cleaned := make(map[string]any, len(v))
		for name, member := range v {
			cleaned[string(d.reader.maskEmails([]byte(name)))] = d.cleanValue(member, about || personal(name))
		}
		return cleaned
	case []any:
		for i := range v {
			v[i] = d.cleanValue(v[i], about)
		}
		return v
	case string:
		if about {
			return d.reader.customerHash(d.report.AdvertiserID, []byte(v))
		}
		return d.reader.cleanText(v)
	case json.Number:
		if about {
			return d.reader.customerHash(d.report.AdvertiserID, []byte(v))
		}
	}
	return v
}

// cleanText is a text as it may be kept. One that is JSON itself, as items of a
// form are, may hide something behind its own escapes and names.
func (r *Reader) cleanText(text string) string {
	if strings.Contains(text, `\u`) {
		return removed
	}
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		text = personalText.ReplaceAllString(text, removed)
	}
	return string(r.maskEmails([]byte(text)))
}

// removed stands where something was that must not be kept.
const removed = "[removed]"

// maxExcerptBytes is how much is kept of what could not be read at all.
const maxExcerptBytes = 4 << 10

// personalText finds fields about persons in what is not JSON or no form.
var personalText = regexp.MustCompile(`(?i)[\w-]*(?:customer|user|mail|phone|buyer|client|member)[\w-]*["']?\s*[:=]\s*("[^"]*"?|'[^']*'?|[^\s,;&}\]]+)`)

// excerpt is the beginning of a text that could not be read, as a JSON string,
// without what must not be kept.
func (r *Reader) excerpt(text []byte) json.RawMessage {
	text = text[:min(len(text), maxExcerptBytes)]
	text = []byte(strings.ToValidUTF8(string(text), "\uFFFD"))
	if hasCard(text) || bytes.Contains(text, []byte(`\u`)) { // an escape may hide either
		return nil
	}
	text = personalText.ReplaceAll(r.maskEmails(text), []byte(removed))
	encoded, err := json.Marshal(string(text))
	if err != nil {
		return nil
	}
	return encoded
}

// Shown is a text from a request's headers as it may be kept or repeated: cut to
// at most so many bytes, without e-mail addresses, and empty when it holds a card
// number or is no text at all.
func (r *Reader) Shown(text []byte, most int) string {
	text = text[:min(len(text), most)]
	if hasCard(text) || !utf8.Valid(text) || hasControl(text) {
		return ""
	}
	return string(r.maskEmails(text))
}
