package target

import (
	"strconv"

	"tributary/attribution"
	"tributary/redirect/links"
)

// A Request is what a destination may depend on besides the link.
type Request struct {
	Query          *Query
	ClickID        []byte
	NowMs          int64
	Country        []byte // ISO 3166-1 alpha-2, upper case; empty when unknown
	AcceptLanguage []byte
	UserAgent      []byte
	// Draw decides a split. The same draw takes the same arm, so a draw that stays
	// with the visitor makes the split stick.
	Draw uint64
	// Inactive says that the link is disabled, expired or has had all its clicks.
	Inactive bool
}

// What chose a destination, as a click records it. A rule or an arm of a split
// has its place in the list behind the colon; the link's own destination has no
// name.
const (
	RuleOverride = "override"
	RuleInactive = "inactive"
	rulePrefix   = "rule:"
	splitPrefix  = "split:"
)

// A Target is where a shopper goes.
type Target struct {
	// URL is the Location: printable, free of white space, at most MaxURLBytes
	// long. It is empty when neither link nor campaign has a destination.
	URL  []byte
	Rule []byte // what chose it; empty: the link's own, or its campaign's
	// Sub is sub1…sub5 of the click: the tracking URL's where given, else the link's.
	Sub [5][]byte
	// Blocked says that there was a ?u= and that it is not one of the advertiser's.
	Blocked bool
}

// A Resolver resolves one request after another in the same memory. The zero
// Resolver is ready. It belongs to one goroutine at a time, and what it returns
// is valid until it is asked again.
type Resolver struct {
	// Describe says what a user agent is; both empty when unknown. It is asked at
	// most once a request, and only where a rule or a macro needs it. Without it
	// no rule for a device or system matches.
	Describe func(userAgent string) (device, os string)

	link     *links.Entry
	target   Target
	override []byte // the ?u= as it is sent on

	described  bool
	device, os string

	urlMemory   []byte
	ruleMemory  [32]byte
	macroMemory []byte
}

// Resolve says where the shopper who made a request for a link goes. In order:
// for a link that is inactive, the campaign's inactive destination; a ?u= of the
// advertiser's; the first rule that matches; the split; the link's own
// destination; the campaign's.
func (r *Resolver) Resolve(link *links.Entry, req *Request) *Target {
	r.link, r.described = link, false
	r.target = Target{}
	for i := range r.target.Sub {
		if r.target.Sub[i] = req.Query.Sub(i); len(r.target.Sub[i]) == 0 {
			r.target.Sub[i] = link.Sub[i]
		}
	}
	if r.takeOverride(req) {
		r.target.Rule = append(r.ruleMemory[:0], RuleOverride...)
		r.build(r.override, req, false)
	} else if destination := r.destination(req); destination != nil {
		r.build(destination, req, true)
	}
	return &r.target
}

// takeOverride reads the ?u= of an active link into r.override, and reports
// whether it counts. It is sent on as it was given, with what a Location cannot
// hold percent-encoded. A control character, which no link has by accident, and
// any host but the advertiser's block it.
func (r *Resolver) takeOverride(req *Request) bool {
	given := req.Query.override
	if given == nil || req.Inactive {
		return false
	}
	r.target.Blocked = true
	if len(given) > attribution.MaxDestinationBytes {
		return false
	}
	for _, c := range given {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	r.override = appendEscaped(r.override[:0], given, &urlSafe)
	r.target.Blocked = !HostAllowed(r.override, r.link.Advertiser.Domains)
	return !r.target.Blocked
}

// HostAllowed reports whether a URL is an http or https one whose host, as a
// browser reads it, is one of the domains or below one. See
// attribution.CheckDestination for what it takes to be sure of that.
func HostAllowed(url []byte, domains []string) bool {
	return attribution.DestinationAllowed(url, domains)
}

// destination chooses among what the advertiser wrote down, or returns nil.
func (r *Resolver) destination(req *Request) []byte {
	link, campaign := r.link, r.link.Campaign
	if req.Inactive {
		r.target.Rule = append(r.ruleMemory[:0], RuleInactive...)
		return firstUsable(campaign.InactiveDestination, campaign.Destination, link.Destination)
	}
	if targeting := link.Targeting; targeting != nil {
		for i := range targeting.Rules {
			rule := &targeting.Rules[i]
			if usable(rule.Destination) && r.matches(rule, req) {
				r.nameRule(rulePrefix, i)
				return rule.Destination
			}
		}
		if i := drawArm(targeting, req.Draw); i >= 0 && usable(targeting.Split[i].Destination) {
			r.nameRule(splitPrefix, i)
			return targeting.Split[i].Destination
		}
	}
	return firstUsable(link.Destination, campaign.Destination)
}

func (r *Resolver) nameRule(prefix string, i int) {
	r.target.Rule = strconv.AppendInt(append(r.ruleMemory[:0], prefix...), int64(i), 10)
}

// drawArm is the arm of the split a draw takes, or -1 when there is none.
func drawArm(targeting *links.Targeting, draw uint64) int {
	if targeting.SplitTotal <= 0 {
		return -1
	}
	r := int64(draw % uint64(targeting.SplitTotal))
	for i := range targeting.Split {
		if r < targeting.Split[i].Upto {
			return i
		}
	}
	return -1
}

// usable reports whether a destination can be a Location at all. The catalog
// takes no other; this keeps a mistake there from becoming a javascript: link or
// a second header here.
func usable(destination []byte) bool {
	const plain, secure = "http://", "https://"
	if len(destination) <= len(secure) {
		return false
	}
	if !equalFold(destination[:len(plain)], plain) && !equalFold(destination[:len(secure)], secure) {
		return false
	}
	for _, c := range destination {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func firstUsable(destinations ...[]byte) []byte {
	for _, destination := range destinations {
		if usable(destination) {
			return destination
		}
	}
	return nil
}

// agent describes the shopper's user agent, once.
func (r *Resolver) agent(req *Request) (device, os string) {
	if !r.described {
		r.described = true
		r.device, r.os = "", ""
		if r.Describe != nil {
			r.device, r.os = r.Describe(string(req.UserAgent))
		}
	}
	return r.device, r.os
}
