package webhooks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tributary/attribution"
)

// closedNetworks are the IPv4 addresses that are not public, or that answer to
// machines of a cloud only (RFC 6890 and the IANA special-purpose registry).
var closedNetworks = [...]netip.Prefix{
	prefix("0.0.0.0/8"),        // this network
	prefix("10.0.0.0/8"),       // private
	prefix("100.64.0.0/10"),    // carriers' NAT, and a cloud's metadata
	prefix("127.0.0.0/8"),      // loopback
	prefix("168.63.129.16/32"), // a cloud's metadata
	prefix("169.254.0.0/16"),   // link-local, and clouds' metadata
	prefix("172.16.0.0/12"),    // private
	prefix("192.0.0.0/24"),     // protocol assignments, and a cloud's metadata
	prefix("192.0.2.0/24"),     // documentation
	prefix("192.88.99.0/24"),   // 6to4 relays
	prefix("192.168.0.0/16"),   // private
	prefix("198.18.0.0/15"),    // benchmarks
	prefix("198.51.100.0/24"),  // documentation
	prefix("203.0.113.0/24"),   // documentation
	prefix("224.0.0.0/4"),      // multicast
	prefix("240.0.0.0/4"),      // reserved, broadcast
}

// publicSix are the IPv6 addresses that are public; closedSix are those of them
// that are not, or that stand for an IPv4 address.
var (
	publicSix = prefix("2000::/3")
	closedSix = [...]netip.Prefix{
		prefix("2001::/23"),     // Teredo, benchmarks, ORCHID and other assignments
		prefix("2001:db8::/32"), // documentation
		prefix("2002::/16"),     // 6to4
		prefix("3fff::/20"),     // documentation
	}
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// public reports whether an address is anybody's on the internet. IPv4 addresses
// in the form of IPv6 count as what they are.
func public(address netip.Addr) bool {
	address = address.Unmap()
	closed := closedSix[:]
	if address.Is4() {
		closed = closedNetworks[:]
	} else if address.Zone() != "" || !publicSix.Contains(address) {
		return false
	}
	for _, network := range closed {
		if network.Contains(address) {
			return false
		}
	}
	return address.IsValid()
}

func within(networks []netip.Prefix, address netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(address.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// A refusedTarget is an address that no request goes to.
type refusedTarget struct{ address string }

func (r refusedTarget) Error() string {
	return fmt.Sprintf("the target's address %s is not public: webhooks go to public addresses only (or to --webhook-networks)", r.address)
}

// guard is called with the very address a connection is about to be made to, so
// that it does not matter what a name resolved to before.
func guard(allowed []netip.Prefix, insecure bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return refusedTarget{address}
		}
		if within(allowed, target.Addr()) || !insecure && public(target.Addr()) {
			return nil
		}
		return refusedTarget{target.Addr().String()}
	}
}

// The bounds of a connection.
const (
	dialTimeout      = 5 * time.Second
	attemptTimeout   = 15 * time.Second // of a whole request and its answer
	maxAnswerHeaders = 16 << 10         // bytes
	maxAnswerRead    = 64 << 10         // bytes
	keptAnswer       = 1 << 10          // bytes of an answer that are kept
	idleTimeout      = 30 * time.Second
)

// newClient makes a client that reaches public addresses and allowed networks;
// an insecure one, for http, allowed networks only.
func newClient(allowed []netip.Prefix, insecure bool, resolver *net.Resolver) *http.Client {
	dialer := net.Dialer{Timeout: dialTimeout, Control: guard(allowed, insecure), Resolver: resolver}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // a proxy would connect for us, wherever the name leads
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: attemptTimeout,
			MaxResponseHeaderBytes: maxAnswerHeaders, MaxIdleConns: maxUnderWay, MaxIdleConnsPerHost: perWebhook, IdleConnTimeout: idleTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const maxURLBytes = 2_000

// checkURL checks where a client wants requests sent. Names are judged when they
// are connected to.
func checkURL(c *attribution.Checker, location, text string, allowed []netip.Prefix) {
	if text == "" {
		c.Add(location, "is required")
		return
	}
	c.Require(len(text) <= maxURLBytes, location, "must be at most %d bytes", maxURLBytes)
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || strings.ContainsAny(text, " \t\r\n") {
		c.Add(location, "must be an address such as https://hooks.example.com/tributary")
		return
	}
	c.Require(u.Scheme == "https" || u.Scheme == "http" && len(allowed) > 0, location, "must begin with https://")
	c.Require(u.User == nil, location, "must not hold a user name or password: check the signature instead")
	c.Require(u.Fragment == "", location, "must not have a #fragment")
	if port := u.Port(); port != "" {
		number, err := strconv.Atoi(port)
		c.Require(err == nil && (number == 80 || number == 443 || number > 1023 && number < 65536), location, "must have port 80, 443 or one above 1023")
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil {
		c.Require(public(address) || within(allowed, address), location, "must not name an address that is not public")
	}
}
