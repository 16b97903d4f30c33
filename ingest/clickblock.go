package ingest

import (
	"context"

	"tributary/attribution"
	"tributary/ingest/agent"
)

// clickBlock holds rows of the table clicks. Columns of few different values
// are interned strings, the others point into the records.
type clickBlock struct {
	clicks  *Clicks
	columns []Column
	scratch attribution.Click

	hits    []Hit // of the valid rows with a visitor
	hitRows []int // which row each is

	time                                                           slice[int64]
	clickID, destination, network, userAgent                       slice[[]byte]
	sub                                                            [5]slice[[]byte]
	advertiser, campaign, creator, task, link, post                slice[string]
	platform, currency, observed, verdict, method, rule, unpayable slice[string]
	country, region, city, asnOrg, referrerHost, language          slice[string]
	device, os, osVersion, browser, browserVersion                 slice[string]
	reasons                                                        slice[[]string]
	rulesVersion, asn                                              slice[uint32]
	visitor                                                        slice[uint64]
	isUnique, inApp, gpc                                           slice[uint8]
}

func newClickBlock(c *Clicks) *clickBlock {
	b := &clickBlock{clicks: c}
	b.columns = []Column{
		{"click_id", &b.clickID}, {"time", &b.time},
		{"advertiser_id", &b.advertiser}, {"campaign_id", &b.campaign}, {"creator_id", &b.creator},
		{"task_id", &b.task}, {"link_id", &b.link}, {"post_id", &b.post},
		{"platform", &b.platform}, {"currency", &b.currency}, {"observed_platform", &b.observed},
		{"verdict", &b.verdict}, {"reasons", &b.reasons}, {"rules_version", &b.rulesVersion}, {"is_unique", &b.isUnique},
		{"method", &b.method}, {"destination", &b.destination}, {"rule", &b.rule},
		{"country", &b.country}, {"region", &b.region}, {"city", &b.city}, {"asn", &b.asn}, {"asn_org", &b.asnOrg},
		{"network", &b.network}, {"visitor", &b.visitor}, {"user_agent", &b.userAgent},
		{"device", &b.device}, {"os", &b.os}, {"os_version", &b.osVersion},
		{"browser", &b.browser}, {"browser_version", &b.browserVersion}, {"in_app", &b.inApp},
		{"referrer_host", &b.referrerHost}, {"language", &b.language},
		{"sub1", &b.sub[0]}, {"sub2", &b.sub[1]}, {"sub3", &b.sub[2]}, {"sub4", &b.sub[3]}, {"sub5", &b.sub[4]},
		{"unpayable", &b.unpayable}, {"gpc", &b.gpc},
	}
	return b
}

// Columns implements Block.
func (b *clickBlock) Columns() []Column { return b.columns }

// AtMs implements Block.
func (b *clickBlock) AtMs(row int) int64 { return b.time.v[row] }

// Reset implements Block.
func (b *clickBlock) Reset() {
	for _, c := range b.columns {
		c.Values.(resetter).reset()
	}
	b.hits, b.hitRows = b.hits[:0], b.hitRows[:0]
	b.scratch = attribution.Click{}
}

// Seal implements Block.
func (b *clickBlock) Seal(ctx context.Context) error { return b.clicks.markUnique(ctx, b) }

// Append implements Block.
func (b *clickBlock) Append(record []byte) error {
	c := &b.scratch
	if err := attribution.DecodeClick(record, c); err != nil {
		return err
	}
	link, err := b.clicks.link(c.Identity)
	if err != nil {
		return err
	}
	if c.Verdict == attribution.Valid && c.Visitor != 0 {
		b.hitRows = append(b.hitRows, len(b.time.v))
		b.hits = append(b.hits, hitOf(c, link.key))
	}
	b.addIdentity(link)
	b.addFacts(c)
	b.addAgent(c, b.clicks.agents.Describe(c.UserAgent))
	return nil
}

func (b *clickBlock) addIdentity(link *linkTexts) {
	b.advertiser.add(link.AdvertiserID)
	b.campaign.add(link.CampaignID)
	b.creator.add(link.CreatorID)
	b.task.add(link.TaskID)
	b.link.add(link.LinkID)
	b.post.add(link.PostID)
	b.platform.add(link.Platform)
	b.currency.add(link.Currency)
}

// addFacts adds what the tracker recorded.
func (b *clickBlock) addFacts(c *attribution.Click) {
	texts := b.clicks.texts
	b.time.add(c.AtMs)
	b.clickID.add(c.ID)
	b.destination.add(c.Destination)
	b.network.add(c.Network)
	b.verdict.add(c.Verdict.String())
	b.reasons.add(b.clicks.reasonNames(c.Reasons))
	b.rulesVersion.add(c.RulesVersion)
	b.isUnique.add(0)
	method := "GET"
	if c.Head {
		method = "HEAD"
	}
	b.method.add(method)
	b.rule.add(texts.of(c.Rule))
	b.country.add(texts.of(c.Country))
	b.region.add(texts.of(c.Region))
	b.city.add(texts.of(c.City))
	b.asn.add(c.ASN)
	b.asnOrg.add(texts.of(c.ASOrg))
	b.visitor.add(c.Visitor)
	b.language.add(texts.of(c.Language))
	for i := range b.sub {
		b.sub[i].add(c.Sub[i])
	}
	b.unpayable.add(c.Unpayable.String())
	b.gpc.add(oneIf(c.GPC))
}

// addAgent adds what the user agent and the referrer tell.
func (b *clickBlock) addAgent(c *attribution.Click, a *agent.Agent) {
	host := b.clicks.texts.of(c.RefererHost)
	b.userAgent.add(c.UserAgent)
	b.device.add(a.Device)
	b.os.add(a.OS)
	b.osVersion.add(a.OSVersion)
	b.browser.add(a.Browser)
	b.browserVersion.add(a.BrowserVersion)
	b.inApp.add(oneIf(a.InApp))
	b.referrerHost.add(host)
	b.observed.add(agent.ObservedPlatform(host, *a))
}

func oneIf(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}
