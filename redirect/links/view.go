package links

import (
	"bytes"
	"sync/atomic"

	"tributary/attribution"
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
	labels      []labelSlot
	targetings  []*atomic.Pointer[Targeting]
}

// A label is what of an identity is the same for many links and no thing of
// its own.
type label struct {
	Platform string `json:"platform"`
	Currency string `json:"currency"`
}

type labelSlot struct {
	label
	part []byte // of the encoded identities of its links
}

// A campaignSlot is a campaign under the slot that records refer to it by. It
// is empty until the campaign arrives.
type campaignSlot struct {
	id      string
	part    []byte // of the encoded identities of its links
	current atomic.Pointer[Campaign]
}

type advertiserSlot struct {
	id      string
	part    []byte // of the encoded identities of its links
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
func (v *view) lookup(hash uint64, slug, folded []byte) (body []byte, at uint64, _ outcome) {
	p := v.slugs.probe(hash)
	for {
		place, ok := p.next()
		if !ok {
			break
		}
		candidate := bodyAt(v.chunks, place)
		if candidate == nil {
			return nil, 0, stale
		}
		switch vanity, own := slugOf(candidate); {
		case !vanity && bytes.Equal(own, slug):
			return candidate, p.at, found
		case vanity && foldsTo(own, folded):
			body, at = candidate, p.at
		}
	}
	if body == nil {
		return nil, 0, unknown
	}
	return body, at, found
}

// fill copies a record out of the arena into e's memory, and reads it there.
func (e *Entry) fill(v *view, body []byte) outcome {
	e.memory = append(e.memory[:0], body...)
	var f fields
	if !f.parse(e.memory) {
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
	e.take(&f, campaign.part, advertiser.part, v.labels[f.refs.label].part)
	return found
}

// take fills in what the record in e's memory says. The link's part of the
// identity is the end of the record: the other parts follow it.
func (e *Entry) take(f *fields, campaign, advertiser, label []byte) {
	e.Number = f.number
	e.ExpiresAtMs, e.MaxClicks = f.expiresAtMs, f.maxClicks
	e.Disabled = f.flags&flagDisabled != 0
	e.Destination, e.Sub = f.destination, f.sub
	linkPart := len(e.memory) - len(f.linkPart)
	e.memory = append(e.memory, campaign...)
	e.memory = append(e.memory, advertiser...)
	e.memory = append(e.memory, label...)
	e.memory = attribution.AppendNumberPart(e.memory, f.number)
	e.Identity = e.memory[linkPart:len(e.memory):len(e.memory)]
}

// foldedByte is the lower case of each byte a slug can have, and 0 of any other.
var foldedByte = func() (folded [256]byte) {
	for _, c := range []byte("-0123456789_abcdefghijklmnopqrstuvwxyz") {
		folded[c] = c
	}
	for c := byte('A'); c <= 'Z'; c++ {
		folded[c] = c - 'A' + 'a'
	}
	return folded
}()

// validSlug reports whether a text can be a slug at all.
func validSlug[T string | []byte](slug T) bool {
	var lower [MaxSlugBytes]byte
	return fold(&lower, slug) != nil
}

// fold writes a slug in lower case to dst. It returns nil for a text that cannot
// be a slug.
func fold[T string | []byte](dst *[MaxSlugBytes]byte, slug T) []byte {
	if len(slug) == 0 || len(slug) > MaxSlugBytes {
		return nil
	}
	folded := dst[:len(slug)]
	for i := range folded {
		c := foldedByte[slug[i]]
		if c == 0 {
			return nil
		}
		folded[i] = c
	}
	return folded
}

// foldsTo reports whether a slug is folded when folded.
func foldsTo(slug, folded []byte) bool {
	if len(slug) != len(folded) {
		return false
	}
	var own [MaxSlugBytes]byte
	return bytes.Equal(fold(&own, slug), folded)
}
