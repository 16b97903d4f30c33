package links

// A reload is the whole catalog being read again into a store that has links
// already: what is there stays served, what is not seen by the end goes.
// Methods of a nil reload do nothing.
type reload struct {
	links                  map[uint64]*[seenWords]uint64 // bitmap over link numbers, in pages
	campaigns, advertisers map[uint64]bool               // slots
}

const (
	seenBits  = 12 // of a link number, within a page
	seenWords = 1 << seenBits / 64
)

func newReload() *reload {
	return &reload{
		links:       map[uint64]*[seenWords]uint64{},
		campaigns:   map[uint64]bool{},
		advertisers: map[uint64]bool{},
	}
}

func (r *reload) sawLink(number uint64) {
	if r == nil {
		return
	}
	page := r.links[number>>seenBits]
	if page == nil {
		page = new([seenWords]uint64)
		r.links[number>>seenBits] = page
	}
	page[number>>6%seenWords] |= 1 << (number & 63)
}

func (r *reload) hasLink(number uint64) bool {
	page := r.links[number>>seenBits]
	return page != nil && page[number>>6%seenWords]>>(number&63)&1 == 1
}

func (r *reload) sawCampaign(slot uint64) {
	if r != nil {
		r.campaigns[slot] = true
	}
}

func (r *reload) sawAdvertiser(slot uint64) {
	if r != nil {
		r.advertisers[slot] = true
	}
}

// beginReload starts to note what the catalog still has.
func (s *store) beginReload() { s.reload, s.newest = newReload(), 0 }

// endReload removes what the catalog has no more.
func (s *store) endReload() {
	seen := s.reload
	s.reload = nil
	defer s.measure()
	for slot, c := range s.campaigns {
		if !seen.campaigns[uint64(slot)] {
			c.current.Store(nil)
		}
	}
	for slot := range s.advertisers {
		if !seen.advertisers[uint64(slot)] {
			s.setAdvertiser(uint64(slot), nil)
		}
	}
	if s.max > 0 {
		return // links are read again one by one
	}
	var gone []uint64
	s.numbers.each(func(place uint64) bool {
		if number := keyOf(s.bodyAt(place)).number; !seen.hasLink(number) {
			gone = append(gone, number)
		}
		return true
	})
	for _, number := range gone {
		s.removeLink(number)
	}
	s.tidy()
}
