package caller

import (
	"bytes"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// Proxies are the networks whose X-Forwarded-For and X-Forwarded-Proto count. Others
// may be trusted while they are in use. The zero Proxies, and a nil one, trust nobody.
type Proxies struct {
	networks atomic.Pointer[[]netip.Prefix]
}

// NewProxies trusts networks.
func NewProxies(networks ...netip.Prefix) *Proxies {
	p := &Proxies{}
	p.Trust(networks)
	return p
}

// Trust trusts these networks from now on, and no others.
func (p *Proxies) Trust(networks []netip.Prefix) { p.networks.Store(&networks) }

// trusted are the networks of now.
func (p *Proxies) trusted() networks {
	if p == nil {
		return nil
	}
	if now := p.networks.Load(); now != nil {
		return *now
	}
	return nil
}

// Client returns the address of a request's client. Every X-Forwarded-For entry a
// trusted proxy wrote is believed, read from the right: the first address that is
// no trusted proxy is the client's. What a client wrote left of it is never looked
// at, and of an entry that is no address, the proxy that wrote it is the client.
func (p *Proxies) Client(peer netip.Addr, forwardedFor []byte) netip.Addr {
	addr := plain(peer)
	for trusted := p.trusted(); len(forwardedFor) > 0 && trusted.contain(addr); {
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

// ClientOf returns the address of an HTTP request's client, as Client does;
// several X-Forwarded-For lines are one list (RFC 9110 section 5.3).
func (p *Proxies) ClientOf(r *http.Request) netip.Addr {
	return p.ClientAt(r.RemoteAddr, strings.Join(r.Header.Values("X-Forwarded-For"), ","))
}

// ClientAt is ClientOf for what is known of a request: where it came from, as
// http.Request has it, and its X-Forwarded-For.
func (p *Proxies) ClientAt(remoteAddr, forwardedFor string) netip.Addr {
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Client(peer.Addr(), []byte(forwardedFor))
}

// HTTPS reports whether the client of an HTTP request speaks TLS: to this process, or
// to the first of the proxies, where a trusted one says so in X-Forwarded-Proto.
func (p *Proxies) HTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.trusted().contain(plain(peer.Addr())) {
		return false
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// plain is an address in its only form: IPv4 as such, and without a zone.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

type networks []netip.Prefix

func (n networks) contain(addr netip.Addr) bool {
	for _, network := range n {
		if network.Contains(addr) {
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
		return plain(addr), true
	}
	if addrPort, err := netip.ParseAddrPort(text); err == nil {
		return plain(addrPort.Addr()), true
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
