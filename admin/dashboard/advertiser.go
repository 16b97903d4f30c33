package dashboard

import (
	"sync"

	"tributary/catalog"
)

// advertiserPages are what an advertiser sees, and an admin of each advertiser.
func advertiserPages() []*page {
	return []*page{
		{Area: areaAdvertiser, Path: "/overview", Template: "overview", Title: "Overview", Nav: "Overview", Icon: "overview", Charts: true, Show: showOverview},
		{Area: areaAdvertiser, Path: "/campaigns", Template: "campaigns", Title: "Campaigns", Nav: "Campaigns", Icon: "campaign", NoCompare: true, Show: showCampaigns},
		{Area: areaAdvertiser, Path: "/campaigns/new", Template: "campaign_form", Title: "New campaign", Parent: "/campaigns", Scripts: []string{"campaign.js"}, Show: showNewCampaign},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/edit", Template: "campaign_form", Title: "Edit", Parent: "/campaigns", Scripts: []string{"campaign.js"}, Show: showCampaignForm},
		{Area: areaAdvertiser, Path: "/campaigns/{id}", Template: "campaign", Title: "Campaign", Parent: "/campaigns", Charts: true, Scripts: []string{"live.js"}, Show: showCampaign},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/journey", Template: "campaign_journey", Title: "Journey", Parent: "/campaigns", NoCompare: true, Show: showCampaignJourney},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/creators", Template: "campaign_creators", Title: "Creators", Parent: "/campaigns", Scripts: []string{"campaign.js"}, NoCompare: true, Show: showCampaignCreators},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/links", Template: "campaign_links", Title: "Links and codes", Parent: "/campaigns", Scripts: []string{"links.js"}, NoCompare: true, Show: showCampaignLinks},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/posts", Template: "campaign_posts", Title: "Posts", Parent: "/campaigns", Show: showCampaignPosts},
		{Area: areaAdvertiser, Path: "/campaigns/{id}/terms", Template: "campaign_terms", Title: "Terms", Parent: "/campaigns", Show: showCampaignTerms},
		{Area: areaAdvertiser, Path: "/actions", Template: "actions", Title: "Actions", Nav: "Actions", Icon: "actions", Scripts: []string{"actions.js"}, Show: showActions},
		{Area: areaAdvertiser, Path: "/actions/{id}", Template: "action", Title: "Action", Parent: "/actions", Show: showAction},
		{Area: areaAdvertiser, Path: "/conversions", Template: "conversions", Title: "Conversions", Nav: "Conversions", Icon: "conversions", Scripts: []string{"actions.js"}, Show: showConversions},
		{Area: areaAdvertiser, Path: "/conversions/{id}", Template: "conversion", Title: "Conversion", Parent: "/conversions", Show: showConversion},
		{Area: areaAdvertiser, Path: "/pay", Template: "pay", Title: "Pay", Nav: "Pay", Icon: "pay", Show: showPay},
		{Area: areaAdvertiser, Path: "/integrations", Template: "integrations", Title: "Integrations", Nav: "Integrations", Icon: "plug", Scripts: []string{"secrets.js"}, Show: showIntegrations},
		{Area: areaAdvertiser, Path: "/webhooks", Template: "webhooks", Title: "Webhooks", Nav: "Webhooks", Icon: "hook", Scripts: []string{"secrets.js"}, Show: showWebhooks},
		{Area: areaAdvertiser, Path: "/webhooks/{id}", Template: "webhook", Title: "Webhook", Parent: "/webhooks", Scripts: []string{"secrets.js", "webhooks.js"}, Show: showWebhook},
		{Area: areaAdvertiser, Path: "/notifications", Template: "notifications", Title: "Notifications", Nav: "Notifications", Icon: "bell", Badge: unread, Roles: []string{catalog.RoleAdvertiser}, Show: showNotifications},
	}
}

// A directory names creators and campaigns by their ids, each asked for once.
type directory struct {
	v         *visit
	mu        sync.Mutex
	creators  map[string]string
	campaigns map[string]string
}

func (v *visit) directory() *directory {
	return &directory{v: v, creators: map[string]string{}, campaigns: map[string]string{}}
}

// Creator is a creator's name, or the end of its id where it is not seen.
func (d *directory) Creator(id string) string {
	return d.name(d.creators, id, func() (string, error) {
		c, err := d.v.Catalog.Creator(d.v.Context(), d.v.Session.Scope, id)
		return c.Name, err
	})
}

// Campaign is a campaign's title.
func (d *directory) Campaign(id string) string {
	return d.name(d.campaigns, id, func() (string, error) {
		c, err := d.v.Catalog.Campaign(d.v.Context(), d.v.Session.Scope, id)
		return c.Title, err
	})
}

func (d *directory) name(known map[string]string, id string, find func() (string, error)) string {
	if id == "" {
		return "–"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name, asked := known[id]
	if !asked {
		found, err := find()
		if name = found; err != nil || name == "" {
			name = short(id) // a name is no reason to fail
		}
		known[id] = name
	}
	return name
}

// maxCampaigns is how many campaigns the pages list and offer in filters.
const maxCampaigns = 200

// campaignsOf are the advertiser's, newest first.
func (v *visit) campaignsOf(status string) ([]catalog.Campaign, error) {
	list, err := v.Catalog.Campaigns(v.Context(), v.Session.Scope, catalog.CampaignFilter{AdvertiserID: v.Advertiser.ID, Status: status}, catalog.Page{Limit: maxCampaigns})
	return list.Items, err
}
