package target

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// browserHost is the host a browser opens for a URL that is typed, linked or
// sent as a Location: the parts of the WHATWG URL Standard's parser that decide
// it, written apart from the code under test and as lenient as browsers are. It
// is empty for a URL that has none or cannot be opened.
func browserHost(raw string) (scheme, host string) {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(raw)
	scheme, rest, found := strings.Cut(raw, ":")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return scheme, ""
	}
	rest = strings.TrimLeft(rest, `/\`)
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	if strings.HasPrefix(rest, "[") {
		host, _, _ = strings.Cut(rest, "]")
		return scheme, host + "]"
	}
	host, _, _ = strings.Cut(rest, ":")
	decoded, err := url.PathUnescape(host)
	if err != nil {
		decoded = host
	}
	host = strings.Map(mapHostRune, strings.ToLower(decoded))
	if strings.ContainsAny(host, "\x00\t\n\r #/:<>?@[\\]^|%") {
		return scheme, ""
	}
	return scheme, canonicalIPv4(host)
}

// mapHostRune is the part of UTS #46 that turns other characters into ASCII.
func mapHostRune(r rune) rune {
	switch {
	case r == '。' || r == '｡' || r == '．':
		return '.'
	case '！' <= r && r <= '～': // full width forms of ASCII
		return r - '！' + '!'
	case r == '\u00ad' || '\u200b' <= r && r <= '\u200d' || r == '\ufeff':
		return -1
	case r == 'ſ':
		return 's'
	case 'ⓐ' <= r && r <= 'ⓩ':
		return r - 'ⓐ' + 'a'
	}
	return r
}

// canonicalIPv4 is a host that ends in a number as the address it is.
func canonicalIPv4(host string) string {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if _, err := strconv.ParseUint(parts[len(parts)-1], 0, 64); err != nil || len(parts) > 4 {
		return host
	}
	var address uint64
	for i, part := range parts {
		if len(part) > 1 && part[0] == '0' && part[1]|0x20 != 'x' {
			part = "0o" + part[1:]
		}
		number, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			return ""
		}
		if i == len(parts)-1 {
			address |= number
		} else {
			address |= number << (24 - 8*i)
		}
	}
	return fmt.Sprintf("%d.%d.%d.%d", byte(address>>24), byte(address>>16), byte(address>>8), byte(address))
}

// within reports whether a host is one of the domains, ports aside, or below one.
func within(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool {
		name, _, _ := strings.Cut(domain, ":")
		return host == name || strings.HasSuffix(host, "."+name)
	})
}

// escapes says how a URL leads away from the domains, for a browser or for
// net/url, or returns "".
func escapes(location string, domains []string) string {
	if scheme, host := browserHost(location); scheme != "http" && scheme != "https" || !within(host, domains) {
		return fmt.Sprintf("a browser opens %q, scheme %q", host, scheme)
	}
	parsed, err := url.Parse(location)
	if err != nil {
		// net/url is stricter about percent signs behind the host; only the host is
		// of interest here.
		end := strings.IndexAny(location[len("https://"):], "/?#")
		if end < 0 {
			return "net/url: " + err.Error()
		}
		if parsed, err = url.Parse(location[:len("https://")+end]); err != nil {
			return "net/url: " + err.Error()
		}
	}
	if parsed.User != nil || !within(strings.ToLower(parsed.Hostname()), domains) {
		return fmt.Sprintf("net/url opens %q", parsed.Host)
	}
	return ""
}

// unsafeByte is the first byte of a Location that could end the header or that
// one client would read differently from another, or -1.
func unsafeByte(location []byte) int {
	return slices.IndexFunc(location, func(c byte) bool { return c <= ' ' || c >= 0x7f })
}
