package catalog

import (
	"regexp"
	"slices"
	"time"

	"tributary/attribution"
)

const (
	maxSub     = 255
	maxRules   = 20
	maxArms    = 20
	maxWeight  = 10_000
	maxQueries = 20
)

var (
	ruleDevices  = []string{"phone", "tablet", "desktop", "tv", "other"}
	ruleSystems  = []string{"Android", "iOS", "Windows", "macOS", "Linux", "ChromeOS", "other"}
	ruleLanguage = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)
)

// check checks the fields of a link but its expiry, which only has to lie ahead
// when it is set. A link needs a destination of its own when the campaign has none.
func (f LinkFields) check(c *fieldCheck, campaignDestination string, domains []string) {
	c.Require(f.PostID == "" || attribution.ValidID(attribution.PrefixPost, f.PostID), "body.post_id", "is not the id of a post")
	if f.Slug != "" {
		c.Require(validSlug(f.Slug), "body.slug", "must be %d to %d of A-Z a-z 0-9 _ -", minVanitySlug, maxVanitySlug)
		c.Require(!reservedSlug(f.Slug), "body.slug", "%q is reserved", f.Slug)
	}
	if f.Destination != "" {
		c.destination("body.destination", f.Destination, domains)
	} else {
		c.Require(campaignDestination != "", "body.destination", "is required: the campaign has none")
	}
	c.text("body.sub1", f.Sub1, maxSub)
	c.text("body.sub2", f.Sub2, maxSub)
	c.text("body.sub3", f.Sub3, maxSub)
	c.text("body.sub4", f.Sub4, maxSub)
	c.text("body.sub5", f.Sub5, maxSub)
	c.text("body.label", f.Label, maxName)
	c.Require(f.MaxClicks >= 0, "body.max_clicks", "must be 1 or more")
	f.checkRules(c, domains)
	f.checkSplit(c, domains)
}

func (f LinkFields) checkRules(c *fieldCheck, domains []string) {
	c.Require(len(f.Rules) <= maxRules, "body.rules", "must be at most %d, has %d", maxRules, len(f.Rules))
	for i, rule := range f.Rules[:min(len(f.Rules), maxRules)] {
		at := indexed("body.rules", i)
		c.destination(at+".destination", rule.Destination, domains)
		checkWhen(c, at+".when", rule.When)
	}
}

func checkWhen(c *fieldCheck, location string, when attribution.RuleWhen) {
	c.countries(location+".countries", when.Countries)
	c.words(location+".devices", when.Devices, maxList)
	for i, device := range when.Devices {
		c.oneOf(indexed(location+".devices", i), device, ruleDevices...)
	}
	c.words(location+".os", when.OS, maxList)
	for i, system := range when.OS {
		c.Require(slices.Contains(ruleSystems, system), indexed(location+".os", i), "must be one of: Android iOS Windows macOS Linux ChromeOS other")
	}
	c.words(location+".languages", when.Languages, maxList)
	for i, language := range when.Languages {
		c.Require(ruleLanguage.MatchString(language), indexed(location+".languages", i), "must be a language tag such as th or en-GB")
	}
	after, afterGiven := c.ruleTime(location+".after", when.After)
	before, beforeGiven := c.ruleTime(location+".before", when.Before)
	c.Require(!afterGiven || !beforeGiven || before.After(after), location+".before", "must be later than after")
	c.Require(len(when.Query) <= maxQueries, location+".query", "must be at most %d parameters", maxQueries)
	for name, value := range when.Query {
		c.required(location+".query", name, maxWord)
		c.text(location+".query."+name, value, maxSub)
	}
}

func (c *fieldCheck) ruleTime(location, value string) (at time.Time, given bool) {
	if value == "" {
		return at, false
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	c.Require(err == nil, location, "must be an RFC 3339 time such as 2027-01-10T09:00:00Z")
	return at, err == nil
}

func (f LinkFields) checkSplit(c *fieldCheck, domains []string) {
	c.Require(len(f.Split) <= maxArms, "body.split", "must be at most %d, has %d", maxArms, len(f.Split))
	for i, arm := range f.Split[:min(len(f.Split), maxArms)] {
		at := indexed("body.split", i)
		c.destination(at+".destination", arm.Destination, domains)
		c.Require(arm.Weight >= 1 && arm.Weight <= maxWeight, at+".weight", "must be 1 to %d", maxWeight)
	}
}

func (c *fieldCheck) ahead(location string, at *attribution.Instant, now attribution.Instant) {
	c.Require(at == nil || *at > now, location, "must lie in the future")
}
