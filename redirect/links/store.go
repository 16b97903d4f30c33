package links

import (
	"log/slog"
	"strings"
	"sync/atomic"

	"tributary/attribution"
)

// A store is the index as its writer sees it: the view that readers get, and
// what only the writer needs. It belongs to whoever holds the index's lock.
type store struct {
	view
	arena   arena
	numbers *table // link number → place
	hash    *hasher
	log     *slog.Logger
	alloc   allocator
	shown   *atomic.Pointer[view]
	gauges  *gauges

	campaignByID   map[string]uint64
	advertiserByID map[string]uint64
	slotOfLabel    map[label]uint64
	targets        targets
	max            int     // links; 0: all
	hand           int     // of the clock that picks who goes, a slot
	newest         int64   // the highest number seen on a change itself
	reload         *reload // not nil while the whole catalog is read again

	record, body []byte // scratch
}

// newStore makes an empty store with room for so many links.
func (x *Index) newStore(links int) *store {
	s := &store{
		view:           view{slugs: newTable(links, x.memory), publicKeys: newTable(0, x.memory)},
		max:            x.max,
		arena:          arena{alloc: x.memory, chunkBytes: x.chunk},
		numbers:        newTable(links, x.memory),
		hash:           &x.hash,
		log:            x.log,
		alloc:          x.memory,
		campaignByID:   map[string]uint64{},
		advertiserByID: map[string]uint64{},
		slotOfLabel:    map[label]uint64{},
		shown:          new(atomic.Pointer[view]),
		gauges:         new(gauges),
	}
	s.targets = newTargets(&s.view)
	if s.max > 0 {
		s.slugs.used = newMarks(len(s.slugs.slots), s.alloc)
	}
	return s
}

// publish shows readers the view as it is now.
func (s *store) publish() {
	s.chunks = s.arena.chunks
	v := s.view
	s.shown.Store(&v)
}

func (s *store) apply(c *attribution.RouteChange) {
	switch {
	case c.Advertiser != nil:
		s.applyAdvertiser(c.Advertiser)
	case c.Campaign != nil:
		s.applyCampaign(c.Campaign)
	case c.Link != nil:
		s.applyLink(c.Link)
	}
	s.newest = max(s.newest, c.Number)
	s.measure()
}

func (s *store) measure() {
	s.gauges.links.Store(int64(s.numbers.live))
	s.gauges.campaigns.Store(int64(len(s.campaigns)))
	s.gauges.advertisers.Store(int64(len(s.advertisers)))
	s.gauges.targetings.Store(int64(len(s.targets.byKey)))
	s.gauges.bytes.Store(s.arena.bytes + s.slugs.bytes() + s.numbers.bytes() + s.publicKeys.bytes())
	s.gauges.garbage.Store(s.arena.garbage)
}

// campaignSlot returns the slot of a campaign, which may not have arrived yet.
// It keeps a copy of the id: a source may give out parts of longer texts.
func (s *store) campaignSlot(id string) uint64 {
	slot, known := s.campaignByID[id]
	if !known {
		id, slot = strings.Clone(id), uint64(len(s.campaigns))
		s.campaignByID[id] = slot
		s.campaigns = append(s.campaigns, &campaignSlot{id: id, part: attribution.AppendCampaignPart(nil, id)})
		s.publish()
	}
	return slot
}

// advertiserSlot returns the slot of an advertiser, which may not have arrived
// yet.
func (s *store) advertiserSlot(id string) uint64 {
	slot, known := s.advertiserByID[id]
	if !known {
		id, slot = strings.Clone(id), uint64(len(s.advertisers))
		s.advertiserByID[id] = slot
		s.advertisers = append(s.advertisers, &advertiserSlot{id: id, part: attribution.AppendAdvertiserPart(nil, id)})
		s.publish()
	}
	return slot
}

func (s *store) labelSlot(name label) uint64 {
	slot, known := s.slotOfLabel[name]
	if !known {
		slot = uint64(len(s.labels))
		name = label{strings.Clone(name.Platform), strings.Clone(name.Currency)}
		s.slotOfLabel[name] = slot
		s.labels = append(s.labels, labelSlot{label: name, part: attribution.AppendLabelPart(nil, name.Platform, name.Currency)})
		s.publish()
	}
	return slot
}

func (s *store) applyCampaign(c *attribution.CampaignRoute) {
	slot := s.campaignSlot(c.ID)
	s.campaigns[slot].current.Store(compileCampaign(c))
	s.reload.sawCampaign(slot)
}

func (s *store) applyAdvertiser(a *attribution.AdvertiserRoute) {
	slot := s.advertiserSlot(a.ID)
	s.setAdvertiser(slot, compileAdvertiser(a))
	s.reload.sawAdvertiser(slot)
}

// setAdvertiser puts an advertiser, or nil, in its slot and under its public
// key.
func (s *store) setAdvertiser(slot uint64, a *Advertiser) {
	if s.publicKeys.full() {
		s.growPublicKeys()
	}
	old := s.advertisers[slot].current.Swap(a)
	if old != nil && a != nil && old.PublicKey == a.PublicKey {
		return
	}
	if a != nil && a.PublicKey != "" {
		s.publicKeys.insert(s.hash.publicKey(a.PublicKey), slot)
	}
	if old != nil && old.PublicKey != "" {
		s.publicKeys.remove(s.hash.publicKey(old.PublicKey), slot)
	}
}

func (s *store) growPublicKeys() {
	s.publicKeys = s.publicKeys.rehashed(s.alloc, func(slot uint64) (hash, same uint64) {
		return s.hash.publicKey(s.advertisers[slot].current.Load().PublicKey), slot
	})
	s.publish()
}
