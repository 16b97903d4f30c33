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
	PrefixSecret     = "sec_"
	PrefixReceipt    = "rcp_"
)

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// idDigits is the length of an identifier behind its prefix.
const idDigits = 26

// packedIDBytes is the length of what an identifier's digits stand for: 128
// bits, so that the first digit is below 8.
const packedIDBytes = 16

// MakeID builds an identifier from a prefix, a time and 80 bits of entropy. The
// caller brings the entropy; an identifier is as unguessable as that is.
func MakeID(prefix string, atMs int64, entropy [10]byte) string {
	var raw [packedIDBytes]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(atMs)<<16)
	copy(raw[6:], entropy[:])
	var id [len(PrefixLink) + idDigits]byte
	return string(appendUnpackedID(id[:0], prefix, raw[:]))
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

// crockfordValue is the inverse of crockford, for digits known to be valid.
var crockfordValue = func() (value [256]byte) {
	for i := range len(crockford) {
		value[crockford[i]] = byte(i)
	}
	return value
}()

// appendPackedID appends the packedIDBytes that an identifier's digits stand for.
func appendPackedID(dst []byte, digits string) []byte {
	dst = append(dst, crockfordValue[digits[0]]<<5|crockfordValue[digits[1]])
	for group := digits[2:]; group != ""; group = group[8:] {
		var bits uint64
		for i := range 8 {
			bits = bits<<5 | uint64(crockfordValue[group[i]])
		}
		dst = append(dst, byte(bits>>32))
		dst = binary.BigEndian.AppendUint32(dst, uint32(bits))
	}
	return dst
}

// appendUnpackedID appends the identifier whose digits stand for packed.
func appendUnpackedID(dst []byte, prefix string, packed []byte) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, crockford[packed[0]>>5], crockford[packed[0]&31])
	for group := packed[1:packedIDBytes]; len(group) > 0; group = group[5:] {
		bits := uint64(group[0])<<32 | uint64(binary.BigEndian.Uint32(group[1:5]))
		dst = append(dst,
			crockford[bits>>35&31], crockford[bits>>30&31], crockford[bits>>25&31], crockford[bits>>20&31],
			crockford[bits>>15&31], crockford[bits>>10&31], crockford[bits>>5&31], crockford[bits&31])
	}
	return dst
}
