package attribution

import (
	"encoding/binary"
	"errors"
	"slices"
)

// MaskedEmail stands in a record where an e-mail address was.
const MaskedEmail = "[e-mail]"

// A Click is one hit on a tracking link as the tracker saw it. Byte slices
// belong to whoever filled them in: DecodeClick points them into the record.
//
// No full address is ever in it: Network is the truncated one (/24, /48) and
// Visitor a keyed hash (0 when the shopper sent Sec-GPC: 1).
type Click struct {
	ID           []byte
	AtMs         int64
	Identity     []byte // an encoded LinkIdentity
	Verdict      Verdict
	Reasons      Reasons
	RulesVersion uint32
	Head         bool // HEAD instead of GET
	GPC          bool
	Unpayable    Unpayable
	Visitor      uint64 // under today's salt
	VisitorPrev  uint64 // under yesterday's, in the first window of a day; else 0
	ASN          uint32
	Country      []byte // ISO 3166-1 alpha-2, empty when unknown
	Region       []byte
	City         []byte
	ASOrg        []byte
	Network      []byte
	Destination  []byte
	Rule         []byte // what chose the destination: "rule:0", "split:1", "override"; empty for the link's own
	UserAgent    []byte
	RefererHost  []byte
	Language     []byte
	Sub          [5][]byte
}

// clickRecordV2 is the first byte of an encoded click.
const clickRecordV2 = 2

// clickFixedBytes is the length of an encoded click's fixed part, the first
// byte included.
const clickFixedBytes = 1 + 8 + 1 + 2 + 4 + 1 + 1 + 8 + 8 + 4

const (
	clickFlagHead = 1 << iota
	clickFlagGPC
)

// ErrClickRecord is returned for bytes that are no encoded click.
var ErrClickRecord = errors.New("not a click record")

// AppendClick appends the encoding of c to dst.
func AppendClick(dst []byte, c *Click) []byte {
	dst = slices.Grow(dst, clickFixedBytes+512)
	dst = append(dst, clickRecordV2)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.AtMs))
	dst = append(dst, byte(c.Verdict))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(c.Reasons))
	dst = binary.LittleEndian.AppendUint32(dst, c.RulesVersion)
	var flags byte
	if c.Head {
		flags |= clickFlagHead
	}
	if c.GPC {
		flags |= clickFlagGPC
	}
	dst = append(dst, flags, byte(c.Unpayable))
	dst = binary.LittleEndian.AppendUint64(dst, c.Visitor)
	dst = binary.LittleEndian.AppendUint64(dst, c.VisitorPrev)
	dst = binary.LittleEndian.AppendUint32(dst, c.ASN)
	for _, text := range c.texts() {
		dst = appendText(dst, *text)
	}
	return dst
}

// DecodeClick reads an encoded click into c, which then points into record.
func DecodeClick(record []byte, c *Click) error {
	if len(record) < clickFixedBytes || record[0] != clickRecordV2 {
		return ErrClickRecord
	}
	fixed := record[1:clickFixedBytes]
	c.AtMs = int64(binary.LittleEndian.Uint64(fixed))
	c.Verdict = Verdict(fixed[8])
	c.Reasons = Reasons(binary.LittleEndian.Uint16(fixed[9:]))
	c.RulesVersion = binary.LittleEndian.Uint32(fixed[11:])
	c.Head = fixed[15]&clickFlagHead != 0
	c.GPC = fixed[15]&clickFlagGPC != 0
	c.Unpayable = Unpayable(fixed[16])
	c.Visitor = binary.LittleEndian.Uint64(fixed[17:])
	c.VisitorPrev = binary.LittleEndian.Uint64(fixed[25:])
	c.ASN = binary.LittleEndian.Uint32(fixed[33:])
	r := recordReader{rest: record[clickFixedBytes:]}
	for _, text := range c.texts() {
		*text = r.text()
	}
	if r.failed || len(r.rest) != 0 || c.Verdict >= verdictCount || c.Unpayable >= unpayableCount {
		return ErrClickRecord
	}
	return nil
}

func (c *Click) texts() [17]*[]byte {
	return [...]*[]byte{
		&c.ID, &c.Identity, &c.Country, &c.Region, &c.City, &c.ASOrg, &c.Network, &c.Destination, &c.Rule,
		&c.UserAgent, &c.RefererHost, &c.Language, &c.Sub[0], &c.Sub[1], &c.Sub[2], &c.Sub[3],
		&c.Sub[4],
	}
}

// recordReader reads length-prefixed texts and remembers the first failure.
type recordReader struct {
	rest   []byte
	failed bool
}

func (r *recordReader) fail() { r.rest, r.failed = nil, true }

func (r *recordReader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // nearly all are of one byte
		n := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return n
	}
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *recordReader) byte() byte {
	if one := r.take(1); one != nil {
		return one[0]
	}
	return 0
}

func (r *recordReader) text() []byte { return r.take(r.uvarint()) }

// take reads n bytes.
func (r *recordReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}
