package catalog

import (
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

func testChain(t *testing.T, open factory) {
	db := open(t)
	w := newWorld(t, db)
	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Sub1: "bio", Label: "story"}))(t)
	for what, pair := range map[string][2]string{
		"advertiser": {asJSON(t, must(w.Advertiser(w.ctx, admin, w.advertiser.ID))(t)), asJSON(t, w.advertiser)},
		"creator":    {asJSON(t, must(w.Creator(w.ctx, admin, w.creator.ID))(t)), asJSON(t, w.creator)},
		"campaign":   {asJSON(t, must(w.Campaign(w.ctx, admin, w.campaign.ID))(t)), asJSON(t, w.campaign)},
		"task":       {asJSON(t, must(w.Task(w.ctx, admin, w.task.ID))(t)), asJSON(t, w.task)},
		"link":       {asJSON(t, must(w.Link(w.ctx, admin, link.ID))(t)), asJSON(t, link)},
		"by number":  {asJSON(t, must(w.LinkByNumber(w.ctx, admin, link.Number))(t)), asJSON(t, link)},
	} {
		equal(t, what, pair[0], pair[1])
	}
	equal(t, "destination", link.Destination, "https://shop.example/p/1")
	equal(t, "url", link.URL, "https://t.example/"+link.Slug)
	equal(t, "slug length", len(link.Slug), 8)
	equal(t, "creator", link.CreatorID, w.creator.ID)
	equal(t, "campaign", link.CampaignID, w.campaign.ID)
	equal(t, "platform", link.Platform, "tiktok")
	equal(t, "number", link.Number, 1)
}

func testDefaults(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	equal(t, "domains", w.advertiser.Domains[0], "shop.example")
	equal(t, "click_param", w.advertiser.ClickParam, "tcid")
	c := w.campaign
	equal(t, "timezone", c.Timezone, "Asia/Bangkok")
	equal(t, "currency", c.Currency, "USD")
	equal(t, "margin", c.MarginRate, "0.33")
	equal(t, "agency margin", c.AgencyMarginRate, "0")
	equal(t, "visibility", c.Visibility, "open")
	equal(t, "approval", c.Approval, "auto")
	equal(t, "tracking", *c.Tracking, true)
	equal(t, "track_posts", *c.TrackPosts, false)
	equal(t, "status", c.Status, "draft")
	equal(t, "window", c.Terms.ClickWindowDays, 30)
	equal(t, "lock", c.Terms.Lock.Basis, "immediate")
	equal(t, "terms version", c.TermsVersion, 1)

	fields := spring(w.advertiser.ID)
	fields.Kind, fields.Destination, fields.Hashtags = "social", "", []string{"#a", "#b", "#c"}
	fields.Budget = &Budget{Amount: "1000"}
	social := must(w.CreateCampaign(w.ctx, admin, fields))(t)
	equal(t, "social tracking", *social.Tracking, false)
	equal(t, "social posts", *social.TrackPosts, true)
	equal(t, "budget", asJSON(t, social.Budget), `{"amount":"1000.00","mode":"hard","committed":"0.00","remaining":"1000.00"}`)
}

func testEveryFailedField(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	_, err := w.CreateAdvertiser(w.ctx, admin, AdvertiserFields{
		Currency: "usd", Timezone: "Mars/Base", Domains: []string{"https://shop.example", "ok.example", "shop.example:80", "10.1", "127.0.0.1", "localhost"},
		ClickParam: "sub1", MinPayout: "1",
	})
	failed(t, err, "body.name", "body.currency", "body.timezone", "body.domains[0]", "body.domains[2]", "body.domains[3]", "body.click_param")

	_, err = w.CreateCreator(w.ctx, admin, CreatorFields{
		Name: "x\x00", Email: "Mali <m@x.example>", Country: "XX", BirthYear: 1800, Categories: []string{"a", "a"}, Timezone: "Local",
		PayoutDetails: map[string]any{"iban": strings.Repeat("x", 20_000)},
		Socials:       []Social{{Platform: "myspace", URL: "ftp://x", Followers: -1}},
	})
	failed(t, err, "body.name", "body.email", "body.country", "body.birth_year", "body.categories[1]", "body.timezone", "body.payout_details",
		"body.socials[0].platform", "body.socials[0].handle", "body.socials[0].url", "body.socials[0].followers")

	soon := attribution.Instant(1)
	_, err = w.CreateCampaign(w.ctx, admin, CampaignFields{
		AdvertiserID: w.advertiser.ID, Title: strings.Repeat("x", 201), Kind: "party", Platforms: []string{"tiktok", "myspace"},
		StartsAt: instant("2027-02-01T00:00:00Z"), EndsAt: instant("2027-01-01T00:00:00Z"), SelectionStartsAt: &soon, Timezone: "x", Currency: "XYZ",
		Destination: "https://evil.example/", Country: "T", Visibility: "none", Approval: "none", MarginRate: "0.7", AgencyMarginRate: "0.3",
		Eligibility: Eligibility{Countries: []string{"thai"}, AgeMin: 30, AgeMax: 20, FollowersMin: -1}, ProductURL: "javascript:alert(1)",
		Budget: &Budget{Mode: "soggy"}, InactiveDestination: "http://evil.example",
	})
	failed(t, err, "body.title", "body.kind", "body.ends_at", "body.timezone", "body.platforms[1]", "body.currency", "body.destination",
		"body.inactive_destination", "body.country", "body.visibility", "body.approval", "body.eligibility.countries[0]",
		"body.eligibility.age_max", "body.eligibility.followers_min", "body.product_url", "body.budget.amount", "body.budget.mode",
		"body.margin_rate", "body.terms")

	_, err = w.CreateCampaign(w.ctx, admin, CampaignFields{AdvertiserID: "adv_x", Kind: "social"})
	failed(t, err, "body.advertiser_id", "body.title", "body.starts_at", "body.ends_at", "body.platforms",
		"body.hashtags", "body.terms")

	fields := spring(w.advertiser.ID)
	fields.Budget, fields.MaxCreatorPayout = &Budget{Amount: "10.001"}, "-1"
	fields.CostPer = &CostPer{Like: "x"}
	fields.Terms.Lock = &attribution.Schedule{Basis: "month", Days: 400}
	_, err = w.CreateCampaign(w.ctx, admin, fields)
	failed(t, err, "body.budget.amount", "body.max_creator_payout", "body.cost_per.like", "body.terms.lock.days")

	_, err = w.CreateTask(w.ctx, admin, TaskFields{})
	failed(t, err, "body.campaign_id", "body.platform", "body.creator_id")
	_, err = w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: "crt_x", Platform: "youtube", Fee: "1.234", Status: "lost"})
	failed(t, err, "body.fee", "body.status", "body.creator_id", "body.platform")

	past := w.clock.at() - 1
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{
		PostID: "x", Slug: "a b", Destination: "ftp://shop.example", Sub5: strings.Repeat("x", 256), MaxClicks: -1, ExpiresAt: &past,
		Rules: []attribution.DestinationRule{{Destination: "https://evil.example", When: attribution.RuleWhen{
			Countries: []string{"Thailand"}, Devices: []string{"fridge"}, OS: []string{"DOS"}, Languages: []string{"!"}, After: "noon",
		}}},
		Split: []attribution.SplitArm{{Destination: "https://shop.example/", Weight: 0}},
	})
	failed(t, err, "body.post_id", "body.slug", "body.destination", "body.sub5", "body.max_clicks", "body.rules[0].destination",
		"body.rules[0].when.countries[0]", "body.rules[0].when.devices[0]", "body.rules[0].when.os[0]", "body.rules[0].when.languages[0]",
		"body.rules[0].when.after", "body.split[0].weight", "body.expires_at")

	_, _, err = w.CreateKey(w.ctx, admin, KeyFields{Role: "boss", AdvertiserID: "adv_x", CreatorID: "crt_x", ExpiresAt: &past})
	failed(t, err, "body.role", "body.expires_at", "body.advertiser_id", "body.creator_id")
	_, _, err = w.CreateKey(w.ctx, admin, KeyFields{Role: RoleIngest})
	failed(t, err, "body.advertiser_id")

	_, err = w.AddCreator(w.ctx, admin, w.campaign.ID, ParticipationFields{
		Status: "lost", Tier: "gold", TermsOverride: &attribution.TermsOverride{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "2"}}},
	})
	failed(t, err, "body.status", "body.tier", "body.terms_override.events.sale.rate", "body.creator_id")
}

func testPatch(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.clock.advance(time.Minute)
	a := must(w.PatchAdvertiser(w.ctx, admin, w.advertiser.ID, patchOf(`{"name":"Acme 2","min_payout":25.50,"click_param":null}`)))(t)
	equal(t, "name", a.Name, "Acme 2")
	equal(t, "min_payout", a.MinPayout, "25.50")
	equal(t, "click_param", a.ClickParam, "tcid")
	equal(t, "updated_at", a.UpdatedAt, w.clock.at())
	equal(t, "created_at", a.CreatedAt, w.advertiser.CreatedAt)
	equal(t, "stored", asJSON(t, must(w.Advertiser(w.ctx, admin, a.ID))(t)), asJSON(t, a))

	_, err := w.PatchAdvertiser(w.ctx, admin, a.ID, patchOf(`{"name":null,"Currency":"EUR","public_key":"x","domains":"shop.example"}`))
	problem := refused(t, err, attribution.CodeValidation)
	equal(t, "failed fields", len(problem.Fields), 3) // name is required too, but only what can be read is checked
	_, err = w.PatchAdvertiser(w.ctx, admin, a.ID, patchOf(`{"name":null}`))
	failed(t, err, "body.name")
	_, err = w.PatchAdvertiser(w.ctx, admin, a.ID, patchOf(`[]`))
	failed(t, err, "body")
	_, err = w.PatchAdvertiser(w.ctx, admin, a.ID, patchOf(`{} {}`))
	failed(t, err, "body")

	c := must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(
		`{"budget":{"amount":100},"eligibility":{"countries":["th"]},"title":"Summer","ends_at":"2027-06-30T00:00:00Z"}`)))(t)
	equal(t, "budget", asJSON(t, c.Budget), `{"amount":"100.00","mode":"hard","committed":"0.00","remaining":"100.00"}`)
	equal(t, "country", c.Eligibility.Countries[0], "TH")
	c = must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"budget":{"mode":"soft"}}`)))(t)
	equal(t, "merged budget", asJSON(t, c.Budget), `{"amount":"100.00","mode":"soft","committed":"0.00","remaining":"100.00"}`)
	c = must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"budget":null}`)))(t)
	equal(t, "no budget", asJSON(t, c.Budget), `{"amount":null,"committed":"0.00","remaining":null}`)
	equal(t, "stored", asJSON(t, must(w.Campaign(w.ctx, admin, c.ID))(t)), asJSON(t, c))
	_, err = w.PatchCampaign(w.ctx, admin, c.ID, patchOf(`{"advertiser_id":"adv_x","currency":"EUR","budget":{"amount":"1","colour":"red"},"status":"ongoing"}`))
	refused(t, err, attribution.CodeValidation)
	_, err = w.PatchCampaign(w.ctx, admin, c.ID, patchOf(`{"currency":"EUR"}`))
	failed(t, err, "body.currency")
	_, err = w.PatchCampaign(w.ctx, admin, c.ID, patchOf(`{"starts_at":5}`))
	failed(t, err, "body.starts_at")

	task := must(w.PatchTask(w.ctx, admin, w.task.ID, patchOf(`{"fee":"99.5","status":"approved","due_at":"2027-02-01T00:00:00Z"}`)))(t)
	equal(t, "fee", task.Fee, "99.50")
	equal(t, "stored", asJSON(t, must(w.Task(w.ctx, admin, task.ID))(t)), asJSON(t, task))
	_, err = w.PatchTask(w.ctx, admin, task.ID, patchOf(`{"platform":"instagram"}`))
	failed(t, err, "body.platform")

	creator := must(w.PatchCreator(w.ctx, admin, w.creator.ID, patchOf(`{"payout_details":{"iban":"x"},"socials":[{"platform":"x","handle":"mali"}]}`)))(t)
	equal(t, "stored", asJSON(t, must(w.Creator(w.ctx, admin, creator.ID))(t)), asJSON(t, creator))

	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "Mali-10", Sub1: "a"}))(t)
	link = must(w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"destination":"https://shop.example/2","sub1":null,"sub2":"b","disabled":true,"max_clicks":5,"expires_at":"2028-01-01T00:00:00Z"}`)))(t)
	equal(t, "stored", asJSON(t, must(w.Link(w.ctx, admin, link.ID))(t)), asJSON(t, link))
	link = must(w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"destination":null}`)))(t)
	equal(t, "campaign's destination", link.Destination, "https://shop.example/p/1")
	_, err = w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"slug":"other"}`))
	failed(t, err, "body.slug")
}

func testTasks(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	_, err := w.PatchTask(w.ctx, w.asCreator(), w.task.ID, patchOf(`{"fee":"900"}`))
	refused(t, err, attribution.CodeForbidden)
	task := must(w.PatchTask(w.ctx, w.asCreator(), w.task.ID, patchOf(`{"status":"submitted"}`)))(t)
	equal(t, "status", task.Status, "submitted")
	_, err = w.PatchTask(w.ctx, w.asCreator(), w.task.ID, patchOf(`{"status":"approved"}`))
	refused(t, err, attribution.CodeForbidden)
	must(w.PatchTask(w.ctx, w.asAdvertiser(), w.task.ID, patchOf(`{"status":"approved"}`)))(t)

	must(w.PatchParticipation(w.ctx, admin, w.campaign.ID, w.creator.ID, patchOf(`{"status":"unavailable"}`)))(t)
	_, err = w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok"})
	failed(t, err, "body.creator_id")
	must(w.CloseCampaign(w.ctx, admin, w.campaign.ID))(t)
	_, err = w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok"})
	refused(t, err, attribution.CodeCampaignClosed)
}

func testArchive(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	ok(t, w.ArchiveTask(w.ctx, admin, w.task.ID))
	ok(t, w.ArchiveTask(w.ctx, admin, w.task.ID)) // again changes nothing
	_, err := w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{})
	refused(t, err, attribution.CodeConflict)
	ok(t, w.ArchiveCampaign(w.ctx, admin, w.campaign.ID))
	campaign := must(w.Campaign(w.ctx, admin, w.campaign.ID))(t)
	equal(t, "archived campaign", campaign.Status, "closed")
	ok(t, w.ArchiveCreator(w.ctx, admin, w.creator.ID))
	ok(t, w.ArchiveAdvertiser(w.ctx, admin, w.advertiser.ID))
	if must(w.Advertiser(w.ctx, admin, w.advertiser.ID))(t).ArchivedAt == nil {
		t.Error("an archived advertiser has no archived_at")
	}
	_, err = w.PatchAdvertiser(w.ctx, admin, w.advertiser.ID, patchOf(`{"name":"x"}`))
	refused(t, err, attribution.CodeConflict)
	_, err = w.CreateCampaign(w.ctx, admin, spring(w.advertiser.ID))
	failed(t, err, "body.advertiser_id")
	for what, n := range map[string]int{
		"advertisers": len(must(w.Advertisers(w.ctx, admin, AdvertiserFilter{}, Page{}))(t).Items),
		"creators":    len(must(w.Creators(w.ctx, admin, CreatorFilter{}, Page{}))(t).Items),
		"campaigns":   len(must(w.Campaigns(w.ctx, admin, CampaignFilter{}, Page{}))(t).Items),
		"tasks":       len(must(w.Tasks(w.ctx, admin, TaskFilter{}, Page{}))(t).Items),
	} {
		equal(t, what, n, 0)
	}
	if must(w.Link(w.ctx, admin, link.ID))(t).ArchivedAt != nil {
		t.Error("links of an archived task go on redirecting")
	}
}
