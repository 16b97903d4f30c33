package verdict

import (
	"bytes"

	"tributary/attribution"
)

// A Hit is what is known of a request for a tracking link before its verdict.
// The byte slices are read during Classify and not kept.
type Hit struct {
	Head         bool   // HEAD instead of GET
	TestParam    bool   // ?_test=1
	SecPurpose   []byte // the headers browsers name a speculative request with
	Purpose      []byte
	XMoz         []byte
	UserAgent    []byte
	Datacenter   bool // Rules.Datacenter of the address's network number
	RateExceeded bool // RateWindow.Exceeded
}

// Classify returns everything noticed about a hit; Reasons.Verdict of it is the
// hit's verdict. It is safe for concurrent use and allocates nothing.
func (r *Rules) Classify(h *Hit) attribution.Reasons {
	reasons := r.userAgent(h.UserAgent)
	if h.TestParam {
		reasons |= attribution.ReasonTest
	}
	if h.Head {
		reasons |= attribution.ReasonProbe
	}
	if speculative(h.SecPurpose) || speculative(h.Purpose) || speculative(h.XMoz) {
		reasons |= attribution.ReasonPrefetch
	}
	if h.Datacenter {
		reasons |= attribution.ReasonDatacenter
	}
	if h.RateExceeded {
		reasons |= attribution.ReasonRate
	}
	return reasons
}

// fromLists are the reasons the lists decide. The others are known only at the
// moment of the hit.
const fromLists = attribution.ReasonPreview | attribution.ReasonCrawler | attribution.ReasonTool |
	attribution.ReasonEmptyUserAgent | attribution.ReasonDatacenter

// Reclassify is Classify for a hit that was stored: what only its moment knew
// stays, what the lists decide is decided anew. Crawlers are known by their owners'
// e-mail addresses too: of a user agent that was stored without one, what the
// lists said when it was whole stays. An asn of 0 is unknown.
func (r *Rules) Reclassify(stored attribution.Reasons, userAgent []byte, asn uint32) attribution.Reasons {
	anew := fromLists
	if bytes.Contains(userAgent, []byte(attribution.MaskedEmail)) {
		anew = attribution.ReasonDatacenter
	}
	reasons := stored&^anew | r.userAgent(userAgent)
	if r.Datacenter(asn) {
		reasons |= attribution.ReasonDatacenter
	}
	return reasons
}

// speculative reports whether a purpose header says that nobody has asked to see
// the page yet: "prefetch", "prefetch;prerender", "preview" and their like, in
// the Fetch standard's Sec-Purpose, WebKit's and old Chrome's Purpose, and
// Firefox's X-Moz.
func speculative(purpose []byte) bool {
	for len(purpose) > 0 {
		var token []byte
		token, purpose = nextToken(purpose)
		if equalFold(token, "prefetch") || equalFold(token, "prerender") || equalFold(token, "preview") {
			return true
		}
	}
	return false
}

// nextToken cuts the first item or parameter off a structured header.
func nextToken(header []byte) (token, rest []byte) {
	if i := bytes.IndexAny(header, ";,"); i >= 0 {
		return bytes.TrimSpace(header[:i]), header[i+1:]
	}
	return bytes.TrimSpace(header), nil
}

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
