package target

import (
	"bytes"
	"iter"
)

// maxSubBytes bounds a sub1…sub5, decoded.
const maxSubBytes = 256

var subNames = [5]string{"sub1", "sub2", "sub3", "sub4", "sub5"}

// The parameters that are for the tracker and go no further: sub1…sub5, by their
// place in subNames, and these.
const (
	overrideParam = len(subNames) + iota // u
	testParam                            // _test
	noneOfOurs
)

// ours is which of the tracker's parameters a name is.
func ours(name []byte) int {
	if len(name) == 0 {
		return noneOfOurs
	}
	switch name[0] {
	case 's', 'u', '_', '%': // or else it is none, however it is spelt
	default:
		return noneOfOurs
	}
	for i, sub := range subNames {
		if says(name, sub) {
			return i
		}
	}
	switch {
	case says(name, "u"):
		return overrideParam
	case says(name, "_test"):
		return testParam
	}
	return noneOfOurs
}

// A Query is the query of a tracking URL, of as many parameters as the request
// line holds. It keeps its memory from one Parse to the next; its texts are valid
// until then and as long as the bytes it was parsed from.
type Query struct {
	Test       bool // ?_test=1
	PaidSearch bool // a parameter that only paid search adds

	raw      []byte
	override []byte // u, decoded; nil when absent or empty
	sub      [5][]byte
	decoded  []byte // memory of override and sub
}

// A param is one name=value of a query, as it was sent.
type param struct {
	name, value []byte
	text        []byte // both and what is between them
}

// params yields the parameters of a query; those that are empty are none.
func params(query []byte) iter.Seq[param] {
	return func(yield func(param) bool) {
		for len(query) > 0 {
			var p param
			p.text, query, _ = bytes.Cut(query, []byte{'&'})
			p.name, p.value, _ = bytes.Cut(p.text, []byte{'='})
			if len(p.text) > 0 && !yield(p) {
				return
			}
		}
	}
}

// Parse reads a raw query, without its question mark. Of a parameter that is
// for the tracker and comes twice, the first counts.
func (q *Query) Parse(raw []byte) {
	*q = Query{raw: raw, decoded: q.decoded[:0]}
	if cap(q.decoded) < len(raw) {
		q.decoded = make([]byte, 0, len(raw)) // texts point into it: it must not move
	}
	for p := range params(raw) {
		q.PaidSearch = q.PaidSearch || len(p.value) > 0 && ofPaidSearch(p.name)
		q.consume(p.name, p.value)
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
func (q *Query) consume(name, value []byte) {
	switch i := ours(name); i {
	case noneOfOurs:
	case overrideParam:
		if q.override == nil && len(value) > 0 {
			q.override = q.decode(value)
		}
	case testParam:
		q.Test = q.Test || says(value, "1")
	default:
		if q.sub[i] == nil && len(value) > 0 {
			q.sub[i] = cleanText(q.decode(value), maxSubBytes)
		}
	}
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
	for p := range params(q.raw) {
		if says(p.name, name) && (value == "" || says(p.value, value)) {
			return true
		}
	}
	return false
}
