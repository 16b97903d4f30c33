package attribution

import (
	"encoding/binary"
	"strings"
)

// The prefixes of Tributary's identifiers. An identifier is a prefix and 26
// characters of Crockford's base 32 (lower case): 48 bits of milliseconds since
// the Unix epoch and 80 bits of entropy, so that identifiers sort by the time
// they were made.
const (
	PrefixAdvertiser = "adv_"
	PrefixCreator    = "crt_"
	PrefixCampaign   = "cmp_"
	PrefixTask       = "tsk_"
	PrefixPost       = "pst_"
	PrefixLink       = "lnk_"
	PrefixCode       = "cod_"
	PrefixConversion = "cnv_"
	PrefixAction     = "act_"
	PrefixPayout     = "pay_"
	PrefixKey        = "key_"
)

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// idDigits is the length of an identifier behind its prefix.
const idDigits = 26

// MakeID builds an identifier from a prefix, a time and 80 bits of entropy. The
// caller brings the entropy; an identifier is as unguessable as that is.
func MakeID(prefix string, atMs int64, entropy [10]byte) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(atMs)<<16)
	copy(raw[6:], entropy[:])
	hi, lo := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	var digits [idDigits]byte
	for i := idDigits - 1; i >= 0; i-- {
		digits[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return prefix + string(digits[:])
}

// ValidID reports whether s is an identifier with the given prefix.
func ValidID(prefix, s string) bool {
	digits, found := strings.CutPrefix(s, prefix)
	if !found || len(digits) != idDigits || digits[0] > '7' {
		return false
	}
	for i := range len(digits) {
		if strings.IndexByte(crockford, digits[i]) < 0 {
			return false
		}
	}
	return true
}
