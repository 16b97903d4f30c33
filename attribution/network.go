package attribution

import "bytes"

// NetworkTag stands for a truncated address (203.0.113.0/24) in 16 bits, from 1:
// enough to see that orders come from one network, too little to tell from which
// of hundreds. Of loopback and of no network it is 0.
func NetworkTag(network []byte) uint16 {
	if len(network) == 0 || bytes.HasPrefix(network, []byte("127.")) || string(network) == "::/48" {
		return 0
	}
	hash := uint64(14695981039346656037) // FNV-1a
	for _, c := range network {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	hash ^= hash >> 32
	return max(1, uint16(hash^hash>>16))
}
