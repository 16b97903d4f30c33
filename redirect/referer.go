package redirect

import "bytes"

// appendRefererHost appends the host of a Referer in lower case; of the page's
// path, which may say more than a shopper means to, nothing is kept. What is no
// URL with a host adds nothing.
func appendRefererHost(dst, referer []byte) []byte {
	_, host, found := bytes.Cut(referer, []byte("://"))
	if !found {
		return dst
	}
	start := len(dst)
	for _, c := range host {
		switch {
		case c == '/' || c == '?' || c == '#' || c == '\\':
			return withoutPort(dst, start)
		case c == '@': // what stood before was a user's name and password
			dst = dst[:start]
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c|0x20)
		default:
			dst = append(dst, c)
		}
	}
	return withoutPort(dst, start)
}

// withoutPort cuts the port off the host that dst ends in, and a host that is
// none off dst.
func withoutPort(dst []byte, start int) []byte {
	host := dst[start:]
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 && host[len(host)-1] != ']' {
		host = host[:colon]
	}
	if len(host) > maxRefererBytes || !validHost(host) {
		return dst[:start]
	}
	return dst[:start+len(host)]
}

// firstLanguage is the first tag of an Accept-Language header, where browsers
// put the shopper's own; nil when it is none.
func firstLanguage(header []byte) []byte {
	if end := bytes.IndexAny(header, ",;"); end >= 0 {
		header = header[:end]
	}
	tag := trimSpace(header)
	if len(tag) > maxLanguageBytes {
		return nil
	}
	for _, c := range tag {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return nil
		}
	}
	return tag
}
