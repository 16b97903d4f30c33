package redirect

import (
	"net"
	"net/netip"
	"testing"
)

func TestClientAddressReadsTrustedProxiesFromTheRight(t *testing.T) {
	addresses := clientAddresses{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}}
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
	} {
		peer := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.peer))
		if got := addresses.of(peer, []byte(c.forwardedFor)); got.String() != c.want {
			t.Errorf("%s with %q is %s, want %s", c.peer, c.forwardedFor, got, c.want)
		}
	}
}

func TestNetworkIsCutBeforeItIsWritten(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48",
	} {
		if got := string(appendNetwork(nil, networkOf(netip.MustParseAddr(addr)))); got != want {
			t.Errorf("%s is cut to %s, want %s", addr, got, want)
		}
	}
	if got := appendNetwork(nil, networkOf(netip.Addr{})); len(got) != 0 {
		t.Errorf("an unknown address is written as %q", got)
	}
}

func TestForwardedAddressDoesNotAllocate(t *testing.T) {
	addresses := clientAddresses{trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	var peer net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	forwardedFor := []byte("6.6.6.6, 203.0.113.9")
	if n := testing.AllocsPerRun(100, func() { addresses.of(peer, forwardedFor) }); n != 0 {
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
