package redirect

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// A clientAddresses finds the shopper's address behind trusted proxies.
type clientAddresses struct{ trusted []netip.Prefix }

// of returns the shopper's address. Every X-Forwarded-For entry a trusted proxy
// wrote is believed, read from the right: the first address that is no trusted
// proxy is the shopper's. What a shopper wrote left of it is never looked at.
func (c *clientAddresses) of(peer net.Addr, forwardedFor []byte) netip.Addr {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	for len(forwardedFor) > 0 && c.isTrusted(addr) {
		entry := forwardedFor
		if comma := bytes.LastIndexByte(forwardedFor, ','); comma >= 0 {
			entry, forwardedFor = forwardedFor[comma+1:], forwardedFor[:comma]
		} else {
			forwardedFor = nil
		}
		next, ok := parseForwarded(bytes.TrimSpace(entry))
		if !ok {
			break
		}
		addr = next
	}
	return addr
}

func (c *clientAddresses) isTrusted(addr netip.Addr) bool {
	for _, prefix := range c.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseForwarded reads one X-Forwarded-For entry: an address, with or without a
// port. The common dotted form is read without allocating.
func parseForwarded(entry []byte) (netip.Addr, bool) {
	if addr, ok := parseIPv4(entry); ok {
		return addr, true
	}
	if len(entry) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535") {
		return netip.Addr{}, false
	}
	text := string(entry)
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if addrPort, err := netip.ParseAddrPort(text); err == nil {
		return addrPort.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func parseIPv4(text []byte) (netip.Addr, bool) {
	var octets [4]byte
	octet, digits, value := 0, 0, 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9' && digits < 3 && (digits == 0 || value > 0):
			value, digits = value*10+int(c-'0'), digits+1
		case c == '.' && digits > 0 && value <= 255 && octet < 3:
			octets[octet] = byte(value)
			octet, digits, value = octet+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if octet != 3 || digits == 0 || value > 255 {
		return netip.Addr{}, false
	}
	octets[3] = byte(value)
	return netip.AddrFrom4(octets), true
}

// The networks an address is cut to before anything is written down.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// networkOf cuts an address to its /24 or /48; an invalid address stays invalid.
func networkOf(addr netip.Addr) netip.Prefix {
	bits := networkBits4
	if addr.Is6() {
		bits = networkBits6
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// networkKey folds a network into a number, for counting its hits.
func networkKey(network netip.Prefix) uint64 {
	raw := network.Addr().As16()
	return binary.BigEndian.Uint64(raw[:8]) ^ binary.BigEndian.Uint64(raw[8:])<<1
}

// appendNetwork appends the text of a network; nothing for an invalid one.
func appendNetwork(dst []byte, network netip.Prefix) []byte {
	if !network.IsValid() {
		return dst
	}
	return network.AppendTo(dst)
}
