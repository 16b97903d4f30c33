package catalog

import (
	"cmp"
	"strings"

	"tributary/attribution"
)

const (
	defaultMarginRate = "0.33"
	minHashtags       = 3 // when only posts are required: they are how posts are found
	maxAge            = 120
)

var campaignKinds = [...]string{"social", "url", "code", "commerce"}

// normal fills in the defaults, some of them the advertiser's.
func (f CampaignFields) normal(advertiser Advertiser) CampaignFields {
	f.Title = strings.TrimSpace(f.Title)
	f.Timezone = orDefault(f.Timezone, advertiser.Timezone)
	f.Currency = orDefault(f.Currency, advertiser.Currency)
	f.Country = strings.ToUpper(f.Country)
	f.Visibility = orDefault(f.Visibility, VisibilityOpen)
	f.Approval = orDefault(f.Approval, ApprovalAuto)
	f.MarginRate = cmp.Or(f.MarginRate, defaultMarginRate)
	f.AgencyMarginRate = cmp.Or(f.AgencyMarginRate, "0")
	f.Eligibility.Countries = upper(f.Eligibility.Countries)
	if f.Tracking == nil {
		f.Tracking = new(f.Kind != "social")
	}
	if f.TrackPosts == nil {
		// Who pays for posts, or says how they are made, wants them.
		f.TrackPosts = new(f.Kind == "social" || f.CostPer != nil || f.RequireDraft || f.MultiPost)
	}
	if f.Budget != nil {
		budget := *f.Budget
		budget.Mode = orDefault(budget.Mode, "hard")
		f.Budget = &budget
	}
	f.MaxCreatorPayout = inForm(f.MaxCreatorPayout, f.Currency)
	if f.CostPer != nil {
		f.CostPer = new(f.CostPer.inForm(f.Currency))
	}
	if f.Terms != nil {
		f.Terms = new(f.Terms.WithDefaults())
	}
	return f
}

func (p CostPer) inForm(currency string) CostPer {
	for _, price := range []*attribution.Decimal{&p.Post, &p.Like, &p.View, &p.Share, &p.Comment, &p.Follower} {
		*price = inForm(*price, currency)
	}
	return p
}

// check checks normal fields. Terms are there unless a template is named.
func (f CampaignFields) check(c *fieldCheck, domains []string) {
	c.required("body.title", f.Title, maxName)
	c.oneOf("body.kind", f.Kind, campaignKinds[:]...)
	f.checkTimes(c)
	f.checkPlatforms(c)
	c.currency("body.currency", f.Currency)
	f.checkDestinations(c, domains)
	c.country("body.country", f.Country)
	c.text("body.category", f.Category, maxWord)
	c.oneOf("body.visibility", f.Visibility, VisibilityOpen, VisibilityClosed, VisibilityInvite)
	c.oneOf("body.approval", f.Approval, ApprovalAuto, ApprovalManual)
	f.Eligibility.check(c)
	c.words("body.hashtags", f.Hashtags, maxList)
	if *f.TrackPosts && !*f.Tracking {
		c.Require(len(f.Hashtags) >= minHashtags, "body.hashtags", "must be %d or more when only posts are required", minHashtags)
	}
	f.checkBrief(c)
	f.checkMoney(c)
	if f.Terms != nil {
		f.Terms.Check(&c.Checker, "body.terms", f.Currency)
	} else {
		c.Require(f.TermsTemplateID != "", "body.terms", "is required, or terms_template_id")
	}
}

func (f CampaignFields) checkTimes(c *fieldCheck) {
	c.Require(f.StartsAt > 0, "body.starts_at", "is required")
	c.Require(f.EndsAt > 0, "body.ends_at", "is required")
	if f.StartsAt > 0 && f.EndsAt > 0 {
		c.Require(f.EndsAt > f.StartsAt, "body.ends_at", "must be after starts_at")
	}
	if f.SelectionStartsAt != nil && f.EndsAt > 0 {
		c.Require(*f.SelectionStartsAt > 0 && *f.SelectionStartsAt < f.EndsAt, "body.selection_starts_at", "must be before ends_at")
	}
	c.timezone("body.timezone", f.Timezone)
}

func (f CampaignFields) checkPlatforms(c *fieldCheck) {
	c.Require(len(f.Platforms) > 0, "body.platforms", "is required: name one or more of %s", strings.Join(attribution.Platforms(), " "))
	c.words("body.platforms", f.Platforms, len(attribution.Platforms()))
	for i, platform := range f.Platforms {
		c.platform(indexed("body.platforms", i), platform)
	}
}

func (f CampaignFields) checkDestinations(c *fieldCheck, domains []string) {
	if f.Destination != "" {
		c.destination("body.destination", f.Destination, domains)
	} else {
		c.Require(f.Kind == "social", "body.destination", "is required unless kind is social")
	}
	if f.InactiveDestination != "" {
		c.destination("body.inactive_destination", f.InactiveDestination, domains)
	}
}

// checkBrief checks what creators read.
func (f CampaignFields) checkBrief(c *fieldCheck) {
	c.text("body.description", f.Description, maxDescription)
	c.text("body.requirements", f.Requirements, maxDescription)
	c.webURL("body.product_url", f.ProductURL)
	c.webURL("body.material_url", f.MaterialURL)
	c.webURL("body.thumbnail_url", f.ThumbnailURL)
	c.Require(len(f.SampleURLs) <= maxList, "body.sample_urls", "must be at most %d", maxList)
	for i, sample := range f.SampleURLs[:min(len(f.SampleURLs), maxList)] {
		c.Require(sample != "", indexed("body.sample_urls", i), "is empty")
		c.webURL(indexed("body.sample_urls", i), sample)
	}
	c.text("body.contacts.sales", f.Contacts.Sales, maxName)
	c.text("body.contacts.creator_management", f.Contacts.CreatorManagement, maxName)
	c.webURL("body.contacts.crm_url", f.Contacts.CRMURL)
}

func (f CampaignFields) checkMoney(c *fieldCheck) {
	if f.Budget != nil {
		c.Require(f.Budget.Amount != "", "body.budget.amount", "is required")
		c.money("body.budget.amount", f.Budget.Amount, f.Currency)
		c.oneOf("body.budget.mode", f.Budget.Mode, "hard", "soft")
	}
	margin := c.rate("body.margin_rate", f.MarginRate)
	agency := c.rate("body.agency_margin_rate", f.AgencyMarginRate)
	c.Require(margin+agency < attribution.RateOne, "body.margin_rate", "must leave the creators a share: margin_rate and agency_margin_rate together must be below 1")
	c.money("body.max_creator_payout", f.MaxCreatorPayout, f.Currency)
	if f.CostPer == nil {
		return
	}
	c.money("body.cost_per.post", f.CostPer.Post, f.Currency)
	c.money("body.cost_per.like", f.CostPer.Like, f.Currency)
	c.money("body.cost_per.view", f.CostPer.View, f.Currency)
	c.money("body.cost_per.share", f.CostPer.Share, f.Currency)
	c.money("body.cost_per.comment", f.CostPer.Comment, f.Currency)
	c.money("body.cost_per.follower", f.CostPer.Follower, f.Currency)
}

func (e Eligibility) check(c *fieldCheck) {
	c.countries("body.eligibility.countries", e.Countries)
	c.words("body.eligibility.categories", e.Categories, maxList)
	c.words("body.eligibility.genders", e.Genders, maxList)
	c.Require(e.AgeMin >= 0 && e.AgeMin <= maxAge, "body.eligibility.age_min", "must be 0 to %d", maxAge)
	c.Require(e.AgeMax >= 0 && e.AgeMax <= maxAge, "body.eligibility.age_max", "must be 0 to %d", maxAge)
	c.Require(e.AgeMax == 0 || e.AgeMax >= e.AgeMin, "body.eligibility.age_max", "must not be below age_min")
	c.Require(e.FollowersMin >= 0, "body.eligibility.followers_min", "must not be negative")
	c.Require(e.FollowersMax >= 0, "body.eligibility.followers_max", "must not be negative")
	c.Require(e.FollowersMax == 0 || e.FollowersMax >= e.FollowersMin, "body.eligibility.followers_max", "must not be below followers_min")
}
