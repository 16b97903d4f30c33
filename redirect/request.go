package redirect

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// requestHeaders are the headers a click looks at, as sent. They point into the
// request and die with it.
type requestHeaders struct {
	userAgent      []byte
	referer        []byte
	acceptLanguage []byte
	forwardedFor   []byte
	secPurpose     []byte
	purpose        []byte
	xMoz           []byte
	globalPrivacy  bool // Sec-GPC: 1
	contentLength  bool
	transferCoding bool
	ambiguous      string // a line that two parsers may read differently
}

// scan reads the headers in one pass over their raw bytes. Several
// X-Forwarded-For lines are one list, as RFC 9110 section 5.3 has it; of any
// other header the first line counts.
func (h *requestHeaders) scan(raw []byte) {
	*h = requestHeaders{}
	for len(raw) > 0 {
		line := raw
		if end := bytes.IndexByte(raw, '\n'); end >= 0 {
			line, raw = raw[:end], raw[end+1:]
		} else {
			raw = nil
		}
		if why := ambiguity(line); why != "" {
			h.ambiguous = why
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			continue
		}
		name, value := line[:colon], line[colon+1:]
		switch len(name) {
		case len("x-moz"):
			keepFirst(&h.xMoz, name, "x-moz", value)
		case len("purpose"): // and referer, sec-gpc
			keepFirst(&h.purpose, name, "purpose", value)
			keepFirst(&h.referer, name, "referer", value)
			if hasName(name, "sec-gpc") && string(trimSpace(value)) == "1" {
				h.globalPrivacy = true
			}
		case len("x-purpose"): // Facebook's app
			keepFirst(&h.purpose, name, "x-purpose", value)
		case len("user-agent"):
			keepFirst(&h.userAgent, name, "user-agent", value)
		case len("sec-purpose"):
			keepFirst(&h.secPurpose, name, "sec-purpose", value)
		case len("content-length"):
			h.contentLength = h.contentLength || hasName(name, "content-length")
		case len("accept-language"): // and x-forwarded-for
			keepFirst(&h.acceptLanguage, name, "accept-language", value)
			if hasName(name, "x-forwarded-for") {
				h.forwardedFor = joinList(h.forwardedFor, trimSpace(value))
			}
		case len("transfer-encoding"):
			if hasName(name, "transfer-encoding") {
				h.transferCoding = true
				if !hasName(trimSpace(value), "chunked") {
					h.ambiguous = "Transfer-Encoding is not chunked"
				}
			}
		}
	}
}

// ambiguity says how two parsers may read a header line differently: one joins a
// folded line to the one before, the other takes it for a header of its own; one
// ends a line at a bare CR, the other reads on (RFC 9112 sections 2.2 and 5.2).
func ambiguity(line []byte) string {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return "folded header line"
	}
	if cr := bytes.IndexByte(line, '\r'); cr >= 0 && cr < len(line)-1 {
		return "bare CR in a header"
	}
	return ""
}

func keepFirst(field *[]byte, name []byte, want string, value []byte) {
	if *field == nil && hasName(name, want) {
		*field = trimSpace(value)
	}
}

// hasName compares a header name, or a word that has no case, with one in lower
// case.
func hasName(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range name {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trimSpace(value []byte) []byte {
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t' || value[len(value)-1] == '\r') {
		value = value[:len(value)-1]
	}
	return value
}

func joinList(list, entry []byte) []byte {
	if list == nil {
		return entry
	}
	joined := make([]byte, 0, len(list)+2+len(entry))
	joined = append(joined, list...)
	joined = append(joined, ", "...)
	return append(joined, entry...)
}

// refusal says why a request is not looked at any further; empty when it is.
// These are forms two parsers may read differently, which is how requests are
// smuggled past a proxy (RFC 9112 sections 3.2, 6.1 and 11.2).
func refusal(header *fasthttp.RequestHeader, seen *requestHeaders) string {
	if seen.contentLength && seen.transferCoding {
		return "both Content-Length and Transfer-Encoding"
	}
	if seen.ambiguous != "" {
		return seen.ambiguous
	}
	if version := string(header.Protocol()); version != "HTTP/1.1" && version != "HTTP/1.0" {
		return "HTTP version is neither 1.0 nor 1.1"
	}
	if !validHost(header.Host()) {
		return "malformed Host"
	}
	target := header.RequestURI()
	if len(target) == 0 || target[0] == '/' {
		return ""
	}
	authority, ok := absoluteAuthority(target)
	if !ok || !bytes.EqualFold(authority, header.Host()) {
		return "request target is not a path"
	}
	return ""
}

// hostByte says which bytes a host with an optional port is made of.
var hostByte = func() (ok [256]bool) {
	for _, c := range []byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_:[]") {
		ok[c] = true
	}
	return ok
}()

// validHost reports whether host is a name or address with an optional port.
func validHost(host []byte) bool {
	for _, c := range host {
		if !hostByte[c] {
			return false
		}
	}
	return true
}

// absoluteAuthority returns the host of a request target in absolute form.
func absoluteAuthority(target []byte) ([]byte, bool) {
	_, rest, found := bytes.Cut(target, []byte("://"))
	if !found {
		return nil, false
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest, true
}

// pathAndQuery splits a request target of either form; query is without its "?".
func pathAndQuery(target []byte) (path, query []byte) {
	if target[0] != '/' {
		_, rest, _ := bytes.Cut(target, []byte("://"))
		start := bytes.IndexByte(rest, '/')
		if start < 0 {
			return []byte("/"), nil
		}
		target = rest[start:]
	}
	path, query, _ = bytes.Cut(target, []byte{'?'})
	return path, query
}
