package redirect

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/caller"
	"tributary/redirect/links"
	"tributary/redirect/target"
	"tributary/redirect/verdict"
)

// The bounds of what a click keeps of the shopper's headers.
const (
	maxRefererBytes  = 253 // a host name's
	maxLanguageBytes = 35  // a language tag's (RFC 5646 section 4.4.1)
)

// A hit is the working memory of one request, used again for the next.
type hit struct {
	headers  requestHeaders
	query    target.Query
	resolver target.Resolver
	entry    links.Entry
	minter   attribution.ClickMinter
	click    attribution.Click
	shard    uint32
	counters *counters

	clickID  []byte
	network  []byte
	place    []byte
	hashing  []byte
	record   []byte
	referrer []byte
}

func (s *Server) newHit() *hit {
	shard := s.nextShard.Add(1) - 1
	h := &hit{
		shard:    shard,
		counters: &s.metrics.shards[shard%counterShards],
		clickID:  make([]byte, 0, attribution.ClickIDLength),
		network:  make([]byte, 0, len("ffff:ffff:ffff::/48")),
		place:    make([]byte, 0, 256),
		hashing:  make([]byte, 0, 1024),
		record:   make([]byte, 0, 2048),
		referrer: make([]byte, 0, maxRefererBytes),
	}
	h.resolver.Describe = s.options.DescribeAgent
	return h
}

// forget drops what points into the request, which dies with it.
func (h *hit) forget() {
	h.headers = requestHeaders{}
	h.click = attribution.Click{}
}

// click answers a hit on a slug: it says what the hit was and where the shopper
// goes, puts the record out of kill -9's reach and sends the shopper on.
func (s *Server) click(ctx *fasthttp.RequestCtx, h *hit, slug, query []byte) {
	head := ctx.IsHead()
	if !head && !ctx.IsGet() {
		ctx.Response.Header.SetCanonical(headerAllow, valueGetHead)
		respond(ctx, fasthttp.StatusMethodNotAllowed, "text/plain; charset=utf-8", "a link takes GET and HEAD\n")
		return
	}
	if len(slug) > 1 && slug[len(slug)-1] == '/' { // some apps add one
		slug = slug[:len(slug)-1]
	}
	if !s.options.Links.Lookup(slug, &h.entry) && !s.find(ctx, h, slug) {
		return
	}
	now := ctx.Time()
	if s.options.Now != nil {
		now = s.options.Now()
	}
	nowMs := now.UnixMilli()
	h.query.Parse(query)

	c := &h.click
	c.AtMs, c.Head, c.GPC = nowMs, head, h.headers.globalPrivacy
	c.Identity = h.entry.Identity
	addr := s.clientOf(ctx, h)
	s.locate(h, addr)
	s.judge(h, addr, ctx.Time().UnixMilli())
	inactive := s.payable(h)
	s.recognise(h, addr)

	if h.query.PaidSearch {
		c.Reasons |= attribution.ReasonPaidSearch
	}
	token := attribution.ClickToken{AtMs: nowMs, Link: h.entry.Number, Verdict: c.Verdict, Unpayable: c.Unpayable, PaidSearch: h.query.PaidSearch}
	if !c.GPC {
		token.Network = attribution.NetworkTag(c.Network)
	}
	h.clickID = h.minter.Append(h.clickID[:0], s.options.ClickKeys, token, rand.Uint64())
	c.ID = h.clickID

	destination := h.resolver.Resolve(&h.entry, &target.Request{
		Query: &h.query, ClickID: h.clickID, NowMs: nowMs, Country: c.Country,
		AcceptLanguage: h.headers.acceptLanguage, UserAgent: h.headers.userAgent, Draw: h.draw(), Inactive: inactive,
	})
	if len(destination.URL) == 0 {
		notFound(ctx)
		return
	}
	if destination.Blocked {
		c.Reasons |= attribution.ReasonOverrideBlocked
	}
	c.Destination, c.Rule, c.Sub = destination.URL, destination.Rule, destination.Sub
	h.describe()
	maskEmails(c)

	h.record = attribution.AppendClick(h.record[:0], c)
	// A record that was refused is counted by the log; the shopper goes on.
	_ = s.options.Clicks.Append(h.shard, h.record)
	sendTo(ctx, destination.URL)
	h.counters.clicks[c.Verdict].Add(1)
	h.counters.observe(time.Since(ctx.Time()))
}

// find asks others for a slug the index does not have, and answers the request
// where they do not have it either.
func (s *Server) find(ctx *fasthttp.RequestCtx, h *hit, slug []byte) bool {
	answer := links.Nowhere
	if s.options.Misses != nil {
		answer = s.options.Misses.Ask(slug)
	}
	if answer == links.Found && s.options.Links.LookupNew(slug, &h.entry) {
		return true
	}
	s.unknown(ctx, h, answer)
	return false
}

// unknown answers a slug no link has. While links are still being loaded, or
// nobody could be asked who has them, it may be anybody's, and nobody is told that
// it leads nowhere.
func (s *Server) unknown(ctx *fasthttp.RequestCtx, h *hit, answer links.Answer) {
	if !s.options.Links.Stats().Ready || answer == links.Unsure {
		ctx.Response.Header.SetCanonical(headerRetryAfter, valueRetryAfter)
		respond(ctx, fasthttp.StatusServiceUnavailable, "text/plain; charset=utf-8", "the links are still being loaded, please try again\n")
		return
	}
	h.counters.unknownSlugs.Add(1)
	notFound(ctx)
}

// locate says where the shopper is and cuts the address.
func (s *Server) locate(h *hit, addr netip.Addr) {
	c := &h.click
	place := s.options.Geo.Lookup(addr)
	h.place = append(h.place[:0], place.Country...)
	country := len(h.place)
	h.place = append(h.place, place.Region...)
	region := len(h.place)
	h.place = append(h.place, place.City...)
	city := len(h.place)
	h.place = append(h.place, place.ASOrg...)
	c.Country, c.Region, c.City, c.ASOrg = h.place[:country], h.place[country:region], h.place[region:city], h.place[city:]
	c.ASN = place.ASN
	h.network = caller.AppendNetwork(h.network[:0], caller.Network(addr))
	c.Network = h.network
}

// judge says what the hit was. Rates are measured in the machine's time, also
// where a rehearsal's clock says another.
func (s *Server) judge(h *hit, addr netip.Addr, arrivedMs int64) {
	rules := s.rules.Load()
	c := &h.click
	exceeded := !addr.IsLoopback() && s.rates.Load().Exceeded(caller.NetworkKey(caller.Network(addr)), h.entry.Number, arrivedMs)
	c.Reasons = rules.Classify(&verdict.Hit{
		Head: c.Head, TestParam: h.query.Test, SecPurpose: h.headers.secPurpose, Purpose: h.headers.purpose, XMoz: h.headers.xMoz,
		UserAgent: h.headers.userAgent, Datacenter: rules.Datacenter(c.ASN), RateExceeded: exceeded,
	})
	c.Verdict, c.RulesVersion = c.Reasons.Verdict(), rules.Version()
}

// payable says whether the click can earn, and whether its link still leads to
// its destination. Only a person's clicks count against a link's max_clicks.
func (s *Server) payable(h *hit) (inactive bool) {
	e, c := &h.entry, &h.click
	inactive = e.Disabled || (e.ExpiresAtMs != 0 && c.AtMs >= e.ExpiresAtMs)
	if !inactive && e.MaxClicks != 0 {
		if c.Verdict == attribution.Valid {
			inactive = !s.options.Limits.Take(e.Number, e.MaxClicks)
		} else {
			inactive = s.options.Limits.Count(e.Number) >= e.MaxClicks
		}
	}
	c.Unpayable = e.Campaign.State.Unpayable(c.AtMs)
	if inactive && c.Unpayable == attribution.Payable {
		c.Unpayable = attribution.LinkExpired
	}
	return inactive
}

// recognise hashes the shopper, unless they asked not to be recognised.
func (s *Server) recognise(h *hit, addr netip.Addr) {
	c := &h.click
	if c.GPC {
		return
	}
	c.Visitor, c.VisitorPrev, h.hashing = s.options.Salts.Visitor(h.hashing, c.AtMs, addr, h.headers.userAgent, h.entry.Advertiser.ID)
}

// draw decides a split: one visitor always draws the same.
func (h *hit) draw() uint64 {
	if h.click.Visitor != 0 {
		return h.click.Visitor
	}
	return rand.Uint64()
}

// describe notes what the shopper's headers say.
func (h *hit) describe() {
	c := &h.click
	c.UserAgent = h.headers.userAgent[:min(len(h.headers.userAgent), verdict.MaxUserAgentBytes)]
	h.referrer = appendRefererHost(h.referrer[:0], h.headers.referer)
	c.RefererHost = h.referrer
	c.Language = firstLanguage(h.headers.acceptLanguage)
}
