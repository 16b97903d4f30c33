package links

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
)

// A view is all that readers need. It is published through one atomic pointer
// whenever a part of it is replaced or grows; what changes more often changes
// behind it: the tables' slots, and the pointers in the slots of campaigns,
// advertisers and targetings.
//
// A reader may hold an older view than the slot it reads was written under. Then
// the slot names something beyond the view, and the reader looks again under a
// newer one (outcome stale).
type view struct {
	slugs       *table // places of records
	publicKeys  *table // slots of advertisers
	chunks      []*chunk
	campaigns   []*campaignSlot
	advertisers []*advertiserSlot
	labels      []label
	targetings  []*atomic.Pointer[Targeting]
}

// A label is what of an identity is the same for many links and no thing of
// its own.
type label struct {
	Platform string `json:"platform"`
	Currency string `json:"currency"`
}

// A campaignSlot is a campaign under the slot that records refer to it by. It
// is empty until the campaign arrives.
type campaignSlot struct {
	id      string
	current atomic.Pointer[Campaign]
}

type advertiserSlot struct {
	id      string
	current atomic.Pointer[Advertiser]
}

type outcome uint8

const (
	unknown outcome = iota
	found
	stale
)

// lookup returns the record a request's slug names: the random slug it is byte
// for byte, or else the vanity slug it is when folded. Both kinds are hashed
// folded, so that one probe finds them.
func (v *view) lookup(hash uint64, slug, folded []byte) (body []byte, _ outcome) {
	p := v.slugs.probe(hash)
	for {
		place, ok := p.next()
		if !ok {
			break
		}
		candidate := bodyAt(v.chunks, place)
		if candidate == nil {
			return nil, stale
		}
		switch vanity, own := slugOf(candidate); {
		case !vanity && bytes.Equal(own, slug):
			return candidate, found
		case vanity && foldsTo(own, folded):
			body = candidate
		}
	}
	if body == nil {
		return nil, unknown
	}
	return body, found
}

// fill reads a record into e, and copies what it says out of the arena.
func (e *Entry) fill(v *view, body []byte) outcome {
	var f fields
	if !f.parse(body) {
		return unknown
	}
	if f.refs.campaign >= uint64(len(v.campaigns)) || f.refs.advertiser >= uint64(len(v.advertisers)) ||
		f.refs.label >= uint64(len(v.labels)) {
		return stale
	}
	campaign, advertiser := v.campaigns[f.refs.campaign], v.advertisers[f.refs.advertiser]
	e.Campaign, e.Advertiser = campaign.current.Load(), advertiser.current.Load()
	if e.Campaign == nil || e.Advertiser == nil {
		return unknown
	}
	e.Targeting = nil
	if f.refs.targetingID != 0 {
		if f.refs.targeting >= uint64(len(v.targetings)) {
			return stale
		}
		e.Targeting = v.targetings[f.refs.targeting].Load()
		if e.Targeting == nil || e.Targeting.id != f.refs.targetingID {
			return stale // the link was changed and its targeting's slot given away
		}
	}
	e.Number = f.number
	e.ExpiresAtMs, e.MaxClicks = f.expiresAtMs, f.maxClicks
	e.Disabled = f.flags&flagDisabled != 0
	e.copyTexts(&f, campaign.id, advertiser.id, v.labels[f.refs.label])
	return found
}

// copyTexts lays the identity out as attribution.AppendIdentity does, and the
// link's other texts behind it, in e's own memory.
func (e *Entry) copyTexts(f *fields, campaign, advertiser string, label label) {
	most := binary.MaxVarintLen64 + 8*binary.MaxVarintLen32 + len(f.ids)*unpackedIDBytes +
		len(campaign) + len(advertiser) + len(label.Platform) + len(label.Currency) + len(f.destination)
	for _, id := range f.ids {
		most += len(id)
	}
	for _, sub := range f.sub {
		most += len(sub)
	}
	if cap(e.buf) < most {
		e.buf = make([]byte, 0, max(512, 2*most))
	}
	buf := binary.AppendUvarint(e.buf[:0], f.number)
	buf, e.LinkID = appendIdentifier(buf, f, 0)
	buf, e.TaskID = appendIdentifier(buf, f, 1)
	buf, _ = appendIdentifier(buf, f, 2)
	buf, e.CampaignID = appendName(buf, campaign)
	buf, e.CreatorID = appendIdentifier(buf, f, 3)
	buf, _ = appendName(buf, advertiser)
	buf, e.Platform = appendName(buf, label.Platform)
	buf, _ = appendName(buf, label.Currency)
	e.Identity = buf[:len(buf):len(buf)]
	buf, e.Destination = appendBytes(buf, f.destination)
	for i, sub := range f.sub {
		buf, e.Sub[i] = appendBytes(buf, sub)
	}
	e.buf = buf
}

// appendIdentifier appends the i-th identifier of f behind its length, and
// returns where in dst it is.
func appendIdentifier(dst []byte, f *fields, i int) (grown, id []byte) {
	if f.forms>>(2*i)&3 != idPacked {
		dst = binary.AppendUvarint(dst, uint64(len(f.ids[i])))
		return appendBytes(dst, f.ids[i])
	}
	dst = append(dst, byte(unpackedIDBytes))
	start := len(dst)
	dst = appendUnpacked(dst, idPrefixes[i], f.ids[i])
	return dst, dst[start:len(dst):len(dst)]
}

func appendName(dst []byte, name string) (grown, text []byte) {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	start := len(dst)
	dst = append(dst, name...)
	return dst, dst[start:len(dst):len(dst)]
}

func appendBytes(dst, text []byte) (grown, copied []byte) {
	start := len(dst)
	dst = append(dst, text...)
	return dst, dst[start:len(dst):len(dst)]
}

// slugByte says which bytes a slug is made of.
var slugByte = func() (ok [256]bool) {
	for _, c := range []byte("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") {
		ok[c] = true
	}
	return ok
}()

// validSlug reports whether a text can be a slug at all.
func validSlug[T string | []byte](slug T) bool {
	if len(slug) == 0 || len(slug) > MaxSlugBytes {
		return false
	}
	for i := range len(slug) {
		if !slugByte[slug[i]] {
			return false
		}
	}
	return true
}

// fold writes a slug in lower case to dst, which has room for it.
func fold(dst *[MaxSlugBytes]byte, slug []byte) []byte {
	for i, c := range slug {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[i] = c
	}
	return dst[:len(slug)]
}

// foldsTo reports whether a slug is folded when folded.
func foldsTo(slug, folded []byte) bool {
	if len(slug) != len(folded) {
		return false
	}
	var own [MaxSlugBytes]byte
	return bytes.Equal(fold(&own, slug), folded)
}
