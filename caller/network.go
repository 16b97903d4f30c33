package caller

import (
	"encoding/binary"
	"net/netip"
)

// What an address is cut to before anything is written down or counted.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// Network cuts an address to its /24 or /48; an invalid address stays invalid.
func Network(addr netip.Addr) netip.Prefix {
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

// NetworkKey folds a network into a number, for counting what it sends.
func NetworkKey(network netip.Prefix) uint64 {
	raw := network.Addr().As16()
	return binary.BigEndian.Uint64(raw[:8]) ^ binary.BigEndian.Uint64(raw[8:])<<1
}

// AppendNetwork appends the text of a network; nothing for an invalid one.
func AppendNetwork(dst []byte, network netip.Prefix) []byte {
	if !network.IsValid() {
		return dst
	}
	return network.AppendTo(dst)
}
