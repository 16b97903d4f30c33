package redirect

import "bytes"

// appendRefererHost appends the host of a Referer in lower case; of the page's
// path, which may say more than a shopper means to, nothing is kept. What is no
// URL with a host adds nothing.
func appendRefererHost(dst, referer []byte) []byte {
	_, rest, found := bytes.Cut(referer, []byte("://"))
	if !found {
		return dst
	}
	if end := bytes.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	if at := bytes.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	if colon := bytes.LastIndexByte(rest, ':'); colon >= 0 && !bytes.HasSuffix(rest, []byte{']'}) {
		rest = rest[:colon]
	}
	if len(rest) > maxRefererBytes || !validHost(rest) {
		return dst
	}
	for _, c := range rest {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
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
