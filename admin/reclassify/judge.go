package reclassify

import "tributary/attribution"

// A Rules is what verdicts follow from now.
type Rules interface {
	// Reclassify is the reasons of a stored hit by these rules. An asn of 0 is unknown.
	Reclassify(stored attribution.Reasons, userAgent []byte, asn uint32) attribution.Reasons
	// Version names the content of the rules.
	Version() uint32
}

// reasonsByName are the reasons as rows have them.
func reasonsByName() map[string]attribution.Reasons {
	byName := map[string]attribution.Reasons{}
	for bit := attribution.Reasons(1); bit != 0; bit <<= 1 {
		for _, name := range bit.Names() {
			byName[name] = bit
		}
	}
	return byName
}

// judge is a stored hit's reasons by the rules; ok is false when it is to be left
// alone, because what is stored does not explain its verdict.
func (p *planner) judge(h *hit) (reasons attribution.Reasons, ok bool) {
	var stored attribution.Reasons
	for _, name := range h.reasons {
		reason, known := p.reasons[name]
		if !known {
			return 0, false
		}
		stored |= reason
	}
	if stored.Verdict().String() != h.verdict {
		return 0, false
	}
	return p.rules.Reclassify(stored, []byte(h.userAgent), h.asn), true
}
