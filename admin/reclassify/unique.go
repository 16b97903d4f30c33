package reclassify

import "tributary/ingest"

// A uniqueWindow decides which hits are unique, of one visitor on one link after the
// other, each in the order of time. It asks the rule twice: of the hits as they were
// first judged, and as they are judged now.
type uniqueWindow struct {
	link        string
	visitor     uint64
	first, last lastHit // as first judged, as judged now
}

// A lastHit is the time of the last valid hit; 0 is none.
type lastHit int64

var windowMs = ingest.UniqueWindowLength.Milliseconds()

func (l *lastHit) opens(atMs int64) bool {
	opens := *l == 0 || atMs-int64(*l) >= windowMs
	*l = lastHit(atMs)
	return opens
}

// unique says whether a hit is unique now that it is valid or not.
func (w *uniqueWindow) unique(h *hit, valid bool) bool {
	if h.visitor == 0 {
		return false
	}
	if w.link != h.linkID || w.visitor != h.visitor {
		*w = uniqueWindow{link: h.linkID, visitor: h.visitor}
	}
	before, now := h.firstValid() && w.first.opens(h.atMs), valid && w.last.opens(h.atMs)
	switch {
	case !valid:
		return false
	case h.firstValid() && before == now:
		return h.firstUnique()
	default:
		return now
	}
}
