package links

import (
	"bytes"

	"tributary/attribution"
)

func (s *store) applyLink(l *attribution.LinkRoute) {
	number := l.Identity.Number
	if l.Deleted {
		s.removeLink(number)
		s.tidy()
		return
	}
	if !validSlug(l.Slug) {
		s.log.Warn("link with an impossible slug is not served", "link", l.Identity.LinkID, "slug_bytes", len(l.Slug))
		return
	}
	targeting, targetingID := s.targetingSlot(l)
	s.record = appendRecord(s.record[:0], s.body, l, references{
		campaign:    s.campaignSlot(l.Identity.CampaignID),
		advertiser:  s.advertiserSlot(l.Identity.AdvertiserID),
		label:       s.labelSlot(label{l.Identity.Platform, l.Identity.Currency}),
		targeting:   targeting,
		targetingID: targetingID,
	})
	s.reload.sawLink(number)
	switch {
	case len(s.record) > s.arena.chunkBytes:
		s.log.Warn("link that is too long is not served", "link", l.Identity.LinkID, "bytes", len(s.record))
		s.targets.release(targeting, targetingID)
	case s.isRecordOf(number):
		s.targets.release(targeting, targetingID)
	default:
		s.reserve()
		place, grown := s.arena.append(s.record)
		if grown {
			s.publish()
		}
		s.put(place)
		s.tidy()
	}
}

// targetingSlot counts a reference to the link's targeting.
func (s *store) targetingSlot(l *attribution.LinkRoute) (slot, id uint64) {
	slots := len(s.targetings)
	slot, id = s.targets.intern(l.Rules, l.Split)
	if len(s.targetings) > slots {
		s.publish()
	}
	return slot, id
}

// isRecordOf reports whether the scratch record is the link's record already.
func (s *store) isRecordOf(number uint64) bool {
	place, known := s.placeOfLink(number)
	if !known {
		return false
	}
	fresh, _ := (&chunk{memory: &region{mem: s.record}}).body(0)
	return bytes.Equal(s.bodyAt(place), fresh)
}

func (s *store) bodyAt(place uint64) []byte { return bodyAt(s.arena.chunks, place) }

func (s *store) placeOfLink(number uint64) (place uint64, known bool) {
	p := s.numbers.probe(hashNumber(number))
	for {
		place, ok := p.next()
		if !ok {
			return 0, false
		}
		if keyOf(s.bodyAt(place)).number == number {
			return place, true
		}
	}
}

// put brings the record at a new place into the tables. It takes the place of
// the link's earlier record, and of another link's that has its slug: the feed
// is in order, so that one's deletion is yet to be heard of. No reader ever
// misses the link meanwhile. The tables must have room.
func (s *store) put(place uint64) {
	key := keyOf(s.bodyAt(place))
	hash := s.hash.slug(key.slug)
	earlier, known := s.placeOfLink(key.number)
	holder, taken := s.holderOf(key)

	if taken {
		s.slugs.replace(hash, holder, place)
	} else {
		s.slugs.insert(hash, place)
	}
	if known {
		s.numbers.replace(hashNumber(key.number), earlier, place)
	} else {
		s.numbers.insert(hashNumber(key.number), place)
	}
	if known && (!taken || earlier != holder) { // it had another slug
		s.slugs.remove(s.hash.slug(keyOf(s.bodyAt(earlier)).slug), earlier)
		s.discard(earlier)
	}
	if taken {
		if other := keyOf(s.bodyAt(holder)).number; other != key.number {
			s.numbers.remove(hashNumber(other), holder)
		}
		s.discard(holder)
	}
}

// holderOf returns the place of the link that has the key's slug.
func (s *store) holderOf(key recordKey) (place uint64, taken bool) {
	var lower [MaxSlugBytes]byte
	folded := fold(&lower, key.slug)
	p := s.slugs.probe(s.hash.folded(folded))
	for {
		place, ok := p.next()
		if !ok {
			return 0, false
		}
		vanity, own := slugOf(s.bodyAt(place))
		if vanity == key.vanity && (bytes.Equal(own, key.slug) || vanity && foldsTo(own, folded)) {
			return place, true
		}
	}
}

func (s *store) removeLink(number uint64) {
	place, known := s.placeOfLink(number)
	if !known {
		return
	}
	s.slugs.remove(s.hash.slug(keyOf(s.bodyAt(place)).slug), place)
	s.numbers.remove(hashNumber(number), place)
	s.discard(place)
}

// discard gives up a record that no table names any more.
func (s *store) discard(place uint64) {
	var f fields
	if f.parse(s.bodyAt(place)) {
		s.targets.release(f.refs.targeting, f.refs.targetingID)
	}
	s.arena.discard(place)
}

// reserve makes room in the tables for one more link.
func (s *store) reserve() {
	if s.slugs.full() || s.numbers.full() {
		s.rebuild(s.arena.chunks, nil)
	}
}

// tidy evacuates chunks that are mostly garbage: their live records move to the
// end of the arena. It also gathers the list of chunks when it has become
// mostly holes.
func (s *store) tidy() {
	for {
		i, wasteful := s.arena.wasteful()
		if !wasteful {
			break
		}
		s.evacuate(i)
	}
	if s.arena.scattered() {
		chunks, position := s.arena.gathered()
		s.rebuild(chunks, position)
	}
}

func (s *store) evacuate(i int) {
	c := s.arena.chunks[i]
	for offset := 0; offset < c.used; {
		body, next := c.body(offset)
		key, place := keyOf(body), placeOf(i, offset)
		if at, known := s.placeOfLink(key.number); known && at == place {
			moved, grown := s.arena.append(c.memory.mem[offset:next])
			if grown {
				s.publish()
			}
			s.slugs.replace(s.hash.slug(key.slug), place, moved)
			s.numbers.replace(hashNumber(key.number), place, moved)
			s.arena.garbage += int64(next - offset)
			c.garbage += next - offset
		}
		offset = next
	}
	s.arena.drop(i)
	s.publish()
}

// rebuild makes new tables, without the slots of removed links, and shows them
// to readers together with a list of chunks. position says where in that list
// each chunk is now; nil: where it was.
func (s *store) rebuild(chunks []*chunk, position []int) {
	renamed := func(place uint64) uint64 {
		if position == nil {
			return place
		}
		return placeOf(position[chunkOf(place)], int(place&(maxChunkBytes-1)))
	}
	old := s.arena.chunks
	s.slugs = s.slugs.rehashed(s.alloc, func(place uint64) (hash, same uint64) {
		return s.hash.slug(keyOf(bodyAt(old, place)).slug), renamed(place)
	})
	s.numbers = s.numbers.rehashed(s.alloc, func(place uint64) (hash, same uint64) {
		return hashNumber(keyOf(bodyAt(old, place)).number), renamed(place)
	})
	if position != nil {
		s.arena.gather(chunks)
	}
	s.publish()
}
