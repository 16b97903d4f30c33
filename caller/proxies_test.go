package caller

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddressReadsTrustedProxiesFromTheRight(t *testing.T) {
	proxies := NewProxies(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8:aa::/48"))
	for _, c := range []struct{ peer, forwardedFor, want string }{
		{"198.51.100.1:1", "", "198.51.100.1"},
		{"198.51.100.1:1", "203.0.113.9", "198.51.100.1"}, // peer is nobody we trust
		{"10.1.1.1:1", "203.0.113.9", "203.0.113.9"},
		{"10.1.1.1:1", "6.6.6.6, 203.0.113.9", "203.0.113.9"}, // the left one is the shopper's own claim
		{"10.1.1.1:1", "6.6.6.6, 203.0.113.9, 10.2.2.2", "203.0.113.9"},
		{"10.1.1.1:1", "10.3.3.3, 10.2.2.2", "10.3.3.3"}, // all trusted: the first of them
		{"10.1.1.1:1", "6.6.6.6, nonsense", "10.1.1.1"},
		{"10.1.1.1:1", "203.0.113.9:4711", "203.0.113.9"},
		{"10.1.1.1:1", "[2001:db8::7]:4711", "2001:db8::7"},
		{"10.1.1.1:1", "2001:db8::7%eth0", "2001:db8::7"},
		{"10.1.1.1:1", "::ffff:203.0.113.9", "203.0.113.9"},
		{"[::ffff:10.1.1.1]:1", "203.0.113.9", "203.0.113.9"},
		{"10.1.1.1:1", ",,", "10.1.1.1"},
		{"10.1.1.1:1", "203.0.113.256", "10.1.1.1"},
		{"10.1.1.1:1", "203.0.113.09", "10.1.1.1"},
		// IPv6 proxies, and chains of both kinds
		{"[2001:db8:aa::1]:1", "6.6.6.6, 2001:db8::7", "2001:db8::7"},
		{"[2001:db8:aa::1]:1", "6.6.6.6, 2001:db8::7, 10.2.2.2, [2001:db8:aa::2]:443", "2001:db8::7"},
		{"[2001:db8:ab::1]:1", "2001:db8::7", "2001:db8:ab::1"},
		{"[2001:db8:aa::1%eth0]:1", "2001:db8::7", "2001:db8::7"},
		{"10.1.1.1:1", "6.6.6.6, ::ffff:10.2.2.2", "6.6.6.6"}, // a proxy in the form of IPv6 is a proxy
		// What a client writes to be taken for somebody else
		{"10.1.1.1:1", "127.0.0.1, 203.0.113.9", "203.0.113.9"},
		{"10.1.1.1:1", "10.9.9.9, 127.0.0.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"},
		{"203.0.113.9:1", "127.0.0.1", "203.0.113.9"},
		{"203.0.113.9:1", "127.0.0.1, 10.1.1.1", "203.0.113.9"},
		{"10.1.1.1:1", "6.6.6.6, unknown", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, _hidden", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6,, 10.2.2.2", "10.2.2.2"},
		{"10.1.1.1:1", "6.6.6.6, 0x7f.0.0.1", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, 2130706433", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, 203.0.113.9/24", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, 203.0.113.9:99999", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, for=203.0.113.9", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, \"203.0.113.9\"", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6\x00, \x00203.0.113.9", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, [2001:db8::7", "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6, " + strings.Repeat("9", 4096), "10.1.1.1"},
		{"10.1.1.1:1", strings.Repeat("6.6.6.6, ", 2000) + "203.0.113.9", "203.0.113.9"},
	} {
		if got := proxies.ClientAt(c.peer, c.forwardedFor); got.String() != c.want {
			t.Errorf("%s with %q is %s, want %s", c.peer, c.forwardedFor, got, c.want)
		}
	}
}

func TestForwardedLinesAreOneList(t *testing.T) {
	proxies := NewProxies(netip.MustParsePrefix("10.0.0.0/8"))
	r := &http.Request{RemoteAddr: "10.1.1.1:1", Header: http.Header{"X-Forwarded-For": {"6.6.6.6", "203.0.113.9, 10.2.2.2", "10.3.3.3"}}}
	if got := proxies.ClientOf(r); got.String() != "203.0.113.9" {
		t.Errorf("the client is %s", got)
	}
	for _, nobody := range []*Proxies{nil, {}, NewProxies()} {
		if got := nobody.ClientOf(r); got.String() != "10.1.1.1" {
			t.Errorf("nobody is trusted, and the client is %s", got)
		}
	}
	proxies.Trust([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	if got := proxies.ClientOf(r); got.String() != "10.3.3.3" {
		t.Errorf("others are trusted now, and the client is %s", got)
	}
	if got := proxies.ClientOf(&http.Request{RemoteAddr: "@"}); got.IsValid() {
		t.Errorf("a client without an address is %s", got)
	}
}

func TestOnlyTrustedProxiesSayThatAClientSpeaksTLS(t *testing.T) {
	proxies := NewProxies(netip.MustParsePrefix("10.0.0.0/8"))
	for _, c := range []struct {
		peer, proto string
		want        bool
	}{
		{"10.1.1.1:1", "https", true},
		{"[::ffff:10.1.1.1]:1", "HTTPS", true},
		{"10.1.1.1:1", "https, http", true}, // the second proxy is spoken to in clear
		{"10.1.1.1:1", "http,https", false},
		{"10.1.1.1:1", "http", false},
		{"10.1.1.1:1", "", false},
		{"10.1.1.1:1", "httpsx", false},
		{"203.0.113.9:1", "https", false}, // anybody can write that
		{"127.0.0.1:1", "https", false},
		{"@", "https", false},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-Proto": {c.proto}}}
		if got := proxies.HTTPS(r); got != c.want {
			t.Errorf("%s says %q: TLS %t, want %t", c.peer, c.proto, got, c.want)
		}
	}
	if !(*Proxies)(nil).HTTPS(&http.Request{TLS: &tls.ConnectionState{}}) {
		t.Error("a client that speaks TLS to us does not")
	}
}

func TestNetworkIsCutBeforeItIsWritten(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48",
	} {
		if got := string(AppendNetwork(nil, Network(netip.MustParseAddr(addr)))); got != want {
			t.Errorf("%s is cut to %s, want %s", addr, got, want)
		}
	}
	if got := AppendNetwork(nil, Network(netip.Addr{})); len(got) != 0 {
		t.Errorf("an unknown address is written as %q", got)
	}
}

func TestForwardedAddressDoesNotAllocate(t *testing.T) {
	proxies, peer := NewProxies(netip.MustParsePrefix("127.0.0.0/8")), netip.MustParseAddr("127.0.0.1")
	forwardedFor := []byte("6.6.6.6, 203.0.113.9")
	if n := testing.AllocsPerRun(100, func() { proxies.Client(peer, forwardedFor) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzParseForwarded(f *testing.F) {
	for _, seed := range []string{"203.0.113.9", "[::1]:80", "1.2.3.4:5", "::ffff:1.2.3.4", "999.1.1.1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		addr, ok := parseForwarded([]byte(entry))
		if !ok {
			return
		}
		if !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
			t.Errorf("%q was read as %v", entry, addr)
		}
		if parsed, err := netip.ParseAddr(entry); err == nil && parsed.Unmap().WithZone("") != addr {
			t.Errorf("%q was read as %v, want %v", entry, addr, parsed)
		}
	})
}
