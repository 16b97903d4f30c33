package links

import (
	"encoding/binary"

	"tributary/attribution"
)

// Identifiers are kept packed. An identifier of the catalog is a prefix and 26
// digits of Crockford's base 32, which are 16 bytes; any other text is kept as
// it is. Which of the forms a record's identifiers have is said by two bits each.
const (
	idEmpty  = 0
	idPacked = 1
	idText   = 2

	packedIDBytes   = 16
	unpackedIDBytes = len(attribution.PrefixLink) + idDigits
	idDigits        = 26
)

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// crockfordValue is the inverse of crockford, for digits known to be valid.
var crockfordValue = func() (value [256]byte) {
	for i := range len(crockford) {
		value[crockford[i]] = byte(i)
	}
	return value
}()

// appendPacked appends an identifier, packed if it can be, and returns its form.
func appendPacked(dst []byte, prefix, id string) ([]byte, byte) {
	switch {
	case id == "":
		return dst, idEmpty
	case !attribution.ValidID(prefix, id):
		return appendText(dst, id), idText
	}
	digits := id[len(prefix):]
	dst = append(dst, crockfordValue[digits[0]]<<5|crockfordValue[digits[1]])
	for group := digits[2:]; group != ""; group = group[8:] {
		var bits uint64
		for i := range 8 {
			bits = bits<<5 | uint64(crockfordValue[group[i]])
		}
		dst = append(dst, byte(bits>>32))
		dst = binary.BigEndian.AppendUint32(dst, uint32(bits))
	}
	return dst, idPacked
}

// appendUnpacked appends the identifier that was packed to packedIDBytes.
func appendUnpacked(dst []byte, prefix string, packed []byte) []byte {
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

// appendText appends a text behind its length.
func appendText(dst []byte, text string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}
