package target

import "bytes"

// The bounds of what is read out of a tracking URL's query.
const (
	maxParams   = 64  // parameters beyond are ignored and not forwarded
	maxSubBytes = 256 // of a sub1…sub5, decoded
)

// The parameters that are for the tracker and go no further.
const (
	overrideParam = "u"
	testParam     = "_test"
)

var subNames = [5]string{"sub1", "sub2", "sub3", "sub4", "sub5"}

// A Query is the query of a tracking URL. It keeps its memory from one Parse to
// the next; its texts are valid until then and as long as the bytes it was
// parsed from.
type Query struct {
	Test       bool // ?_test=1
	PaidSearch bool // a parameter that only paid search adds

	params   []param
	override []byte // u, decoded; nil when absent or empty
	sub      [5][]byte
	decoded  []byte // memory of override and sub
}

// A param is one name=value of a query, as it was sent.
type param struct {
	name, value []byte
	text        []byte // both and what is between them
	forward     bool
}

// Parse reads a raw query, without its question mark. Of a parameter that is
// for the tracker and comes twice, the first counts.
func (q *Query) Parse(raw []byte) {
	*q = Query{params: q.params[:0], decoded: q.decoded[:0]}
	if len(raw) == 0 {
		return
	}
	if cap(q.decoded) < len(raw) {
		q.decoded = make([]byte, 0, len(raw)) // texts point into it: it must not move
	}
	for len(raw) > 0 && len(q.params) < maxParams {
		var text []byte
		text, raw, _ = bytes.Cut(raw, []byte{'&'})
		if len(text) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(text, []byte{'='})
		q.PaidSearch = q.PaidSearch || len(value) > 0 && ofPaidSearch(name)
		q.params = append(q.params, param{name: name, value: value, text: text, forward: !q.consume(name, value)})
	}
}

// ofPaidSearch reports whether search engines name a parameter so that they add
// to the address of an advertisement, and to no other: Google Ads (gclid, gbraid,
// wbraid, gad_source), Microsoft Advertising (msclkid) and Yandex Direct (yclid).
func ofPaidSearch(name []byte) bool {
	switch string(name) {
	case "gclid", "gbraid", "wbraid", "gad_source", "msclkid", "yclid":
		return true
	}
	return false
}

// Sub is sub1…sub5 of the query, i from 0; empty when not given.
func (q *Query) Sub(i int) []byte { return q.sub[i] }

// consume takes what is for the tracker.
func (q *Query) consume(name, value []byte) bool {
	if says(name, overrideParam) {
		if q.override == nil && len(value) > 0 {
			q.override = q.decode(value)
		}
		return true
	}
	if says(name, testParam) {
		q.Test = q.Test || says(value, "1")
		return true
	}
	for i, sub := range subNames {
		if says(name, sub) {
			if q.sub[i] == nil && len(value) > 0 {
				q.sub[i] = cleanText(q.decode(value), maxSubBytes)
			}
			return true
		}
	}
	return false
}

// decode returns what a value says, in q's own memory.
func (q *Query) decode(value []byte) []byte {
	start := len(q.decoded)
	q.decoded = appendDecoded(q.decoded, value)
	return q.decoded[start:len(q.decoded):len(q.decoded)]
}

// has reports whether the query has a parameter with a value; an empty value
// stands for any.
func (q *Query) has(name, value string) bool {
	for i := range q.params {
		p := &q.params[i]
		if says(p.name, name) && (value == "" || says(p.value, value)) {
			return true
		}
	}
	return false
}
