package attribution

import (
	"errors"
	"fmt"
	"strings"
)

// MaxDestinationBytes is the length of the longest destination.
const MaxDestinationBytes = 2048

// text is a destination as the catalog and as the redirect path hold it.
type text interface{ ~string | ~[]byte }

// What can be wrong with a destination, as a client is told behind the field's
// name.
var (
	errDestinationLength    = fmt.Errorf("must be at most %d bytes", MaxDestinationBytes)
	errDestinationScheme    = errors.New("must begin with http:// or https://")
	errDestinationByte      = errors.New("must not contain spaces or control characters: percent-encode them")
	errDestinationBackslash = errors.New("must not contain a backslash: browsers read it as a slash; write %5C")
	errDestinationUser      = errors.New("must not contain a user name or an @ before the path")
	errDestinationHost      = errors.New("must have a host of letters, digits, dots and hyphens behind http:// or https://, such as shop.example; write an international name in its xn-- form")
	errDestinationPort      = errors.New("must have a port of 1 to 65535, without leading zeros, or none")
)

// CheckDestination returns why raw may not be a destination of an advertiser
// with these domains, in words for whoever wrote it, or nil.
//
// A destination is an http or https URL in the form every parser reads alike:
// two slashes, no user, a host of ASCII letters, digits, dots and hyphens (so no
// percent-encoding and no character a browser would map to another), an optional
// port, no backslash, no white space, no control character. What is checked here
// is therefore the host a browser opens. Behind the host anything goes, braces of
// macros included.
//
// A domain allows itself and its subdomains, at any port; one written with a
// port allows that port only; an IP address has no subdomains.
func CheckDestination(raw string, domains []string) error {
	host, port, err := destinationHost(raw)
	if err != nil {
		return err
	}
	if !allowed(host, port, defaultPort(raw), domains) {
		return fmt.Errorf("must lead to one of the advertiser's domains (%s) or a subdomain, not to %s", strings.Join(domains, ", "), host)
	}
	return nil
}

// DestinationAllowed reports whether CheckDestination accepts raw. It allocates
// nothing.
func DestinationAllowed(raw []byte, domains []string) bool {
	host, port, err := destinationHost(raw)
	return err == nil && allowed(host, port, defaultPort(raw), domains)
}

// destinationHost returns the host and port of a well-formed destination.
func destinationHost[T text](raw T) (host, port T, err error) {
	if len(raw) > MaxDestinationBytes {
		return host, port, errDestinationLength
	}
	start := schemeLength(raw)
	if start == 0 {
		return host, port, errDestinationScheme
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f {
			return host, port, errDestinationByte
		} else if c == '\\' {
			return host, port, errDestinationBackslash
		}
	}
	end := start
	for end < len(raw) && raw[end] != '/' && raw[end] != '?' && raw[end] != '#' {
		end++
	}
	return splitAuthority(raw[start:end])
}

// schemeLength is the length of a leading "http://" or "https://", or 0.
func schemeLength[T text](raw T) int {
	for _, scheme := range [...]string{"https://", "http://"} {
		if len(raw) >= len(scheme) && equalFoldASCII(raw[:len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// splitAuthority reads "host" or "host:port".
func splitAuthority[T text](authority T) (host, port T, err error) {
	hostEnd := len(authority)
	for i := range len(authority) {
		if authority[i] == '@' {
			return host, port, errDestinationUser
		}
		if authority[i] == ':' && hostEnd == len(authority) {
			hostEnd = i
		}
	}
	if !validHost(authority[:hostEnd]) {
		return host, port, errDestinationHost
	}
	if hostEnd < len(authority) {
		port = authority[hostEnd+1:]
		if !validPort(port) {
			return host, port, errDestinationPort
		}
	}
	return authority[:hostEnd], port, nil
}

const (
	maxHostBytes  = 253
	maxLabelBytes = 63
)

// validHost reports whether host is dot-separated labels of letters, digits,
// hyphens and underscores, none empty. A trailing dot would make it another
// origin in a browser.
func validHost[T text](host T) bool {
	if len(host) == 0 || len(host) > maxHostBytes {
		return false
	}
	label := 0
	for i := range len(host) {
		c := host[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > maxLabelBytes {
			return false
		}
	}
	return label > 0
}

func validPort[T text](port T) bool {
	if len(port) == 0 || len(port) > 5 || port[0] == '0' {
		return false
	}
	number := 0
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
		number = number*10 + int(port[i]-'0')
	}
	return number <= 65535
}

// defaultPort is the port of a well-formed destination that names none.
func defaultPort[T text](raw T) string {
	if schemeLength(raw) == len("https://") {
		return "443"
	}
	return "80"
}

// allowed reports whether one of the domains covers host and port.
func allowed[T text](host, port T, whenNone string, domains []string) bool {
	for _, domain := range domains {
		name, wantPort, withPort := strings.Cut(domain, ":")
		if withPort && !equalFoldASCII(port, wantPort) && (len(port) > 0 || wantPort != whenNone) {
			continue
		}
		if covers(name, host) {
			return true
		}
	}
	return false
}

// covers reports whether host is name or a subdomain of it.
func covers[T text](name string, host T) bool {
	below := len(host) - len(name)
	switch {
	case name == "" || below < 0 || !equalFoldASCII(host[below:], name):
		return false
	case below == 0:
		return true
	default:
		return host[below-1] == '.' && !endsInNumber(name)
	}
}

// endsInNumber reports whether browsers read a host as an IPv4 address (WHATWG
// URL, "ends in a number checker"). A name that was registered never does.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if len(last) > 1 && (strings.HasPrefix(last, "0x") || strings.HasPrefix(last, "0X")) {
		return strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// equalFoldASCII compares ignoring ASCII case; no other characters fold.
func equalFoldASCII[T text](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}
