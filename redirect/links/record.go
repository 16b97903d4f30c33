package links

import (
	"encoding/binary"

	"tributary/attribution"
)

// A record is a link as the arena keeps it. It is immutable, and its bytes are
// the same in memory and in a snapshot (whose version changes with them):
//
//	uvarint  length of the rest
//	byte     flags
//	byte     length of the slug, and the slug
//	uvarint  the link's number
//	uvarint  slots of campaign, advertiser and label
//	uvarint  if flagged: expiry, maximum of clicks, slot and id of the targeting
//	text     if flagged: destination; sub1…sub5
//	…        up to the end: the link's part of its encoded identity
const (
	flagVanity = 1 << iota
	flagDisabled
	flagExpires
	flagMaxClicks
	flagTargeting
	flagDestination
	flagSub
)

// references are what a record has instead of names.
type references struct {
	campaign, advertiser, label uint64 // slots
	targeting                   uint64 // slot
	targetingID                 uint64 // 0: none
}

// appendRecord appends a link's record to dst. body is scratch memory.
func appendRecord(dst, body []byte, l *attribution.LinkRoute, refs references) []byte {
	flags := flagsOf(l)
	if refs.targetingID != 0 {
		flags |= flagTargeting
	}
	body = append(body[:0], flags, byte(len(l.Slug)))
	body = append(body, l.Slug...)
	body = binary.AppendUvarint(body, l.Identity.Number)
	body = binary.AppendUvarint(body, refs.campaign)
	body = binary.AppendUvarint(body, refs.advertiser)
	body = binary.AppendUvarint(body, refs.label)
	if flags&flagExpires != 0 {
		body = binary.AppendUvarint(body, uint64(l.ExpiresAtMs))
	}
	if flags&flagMaxClicks != 0 {
		body = binary.AppendUvarint(body, uint64(l.MaxClicks))
	}
	if flags&flagTargeting != 0 {
		body = binary.AppendUvarint(body, refs.targeting)
		body = binary.AppendUvarint(body, refs.targetingID)
	}
	if flags&flagDestination != 0 {
		body = appendText(body, l.Destination)
	}
	if flags&flagSub != 0 {
		for _, sub := range l.Sub {
			body = appendText(body, sub)
		}
	}
	body = attribution.AppendLinkPart(body, &l.Identity)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...)
}

func flagsOf(l *attribution.LinkRoute) (flags byte) {
	for _, f := range [...]struct {
		flag byte
		set  bool
	}{
		{flagVanity, l.Vanity},
		{flagDisabled, l.Disabled},
		{flagExpires, l.ExpiresAtMs != 0},
		{flagMaxClicks, l.MaxClicks != 0},
		{flagDestination, l.Destination != ""},
		{flagSub, l.Sub != [5]string{}},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	return flags
}

// A recordKey is the part of a record that tables find it by.
type recordKey struct {
	vanity bool
	slug   []byte
	number uint64
}

// slugOf reads the kind and the slug off the front of a record's body.
func slugOf(body []byte) (vanity bool, slug []byte) {
	return body[0]&flagVanity != 0, body[2 : 2+body[1]]
}

func keyOf(body []byte) recordKey {
	vanity, slug := slugOf(body)
	number, _ := binary.Uvarint(body[2+len(slug):])
	return recordKey{vanity: vanity, slug: slug, number: number}
}

// A cursor reads a record's fields in turn and remembers the first failure.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.rest) > 0 && c.rest[0] < 0x80 { // nearly all are of one byte
		n := uint64(c.rest[0])
		c.rest = c.rest[1:]
		return n
	}
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.bad, c.rest = true, nil
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.bad, c.rest = true, nil
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) byte() byte {
	if one := c.take(1); one != nil {
		return one[0]
	}
	return 0
}

func (c *cursor) text() []byte { return c.take(c.uvarint()) }

// appendText appends a text behind its length.
func appendText(dst []byte, text string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// fields are a record's fields. Its slices point into the record.
type fields struct {
	recordKey
	flags       byte
	refs        references
	expiresAtMs int64
	maxClicks   int64
	destination []byte
	sub         [5][]byte
	linkPart    []byte // of the encoded identity
}

// parse reads a record's body and reports whether it is one, but for linkPart,
// which it does not look into.
func (f *fields) parse(body []byte) bool {
	c := cursor{rest: body}
	*f = fields{flags: c.byte()}
	f.vanity = f.flags&flagVanity != 0
	f.slug = c.take(uint64(c.byte()))
	f.number = c.uvarint()
	f.refs = references{campaign: c.uvarint(), advertiser: c.uvarint(), label: c.uvarint()}
	if f.flags&flagExpires != 0 {
		f.expiresAtMs = int64(c.uvarint())
	}
	if f.flags&flagMaxClicks != 0 {
		f.maxClicks = int64(c.uvarint())
	}
	if f.flags&flagTargeting != 0 {
		f.refs.targeting = c.uvarint()
		f.refs.targetingID = c.uvarint()
	}
	if f.flags&flagDestination != 0 {
		f.destination = c.text()
	}
	if f.flags&flagSub != 0 {
		for i := range f.sub {
			f.sub[i] = c.text()
		}
	}
	f.linkPart = c.rest
	return !c.bad
}
