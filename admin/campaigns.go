package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type campaignQuery struct {
	PageQuery
	Q            string `query:"q" maxLength:"200" doc:"Part of the title"`
	AdvertiserID string `query:"advertiser_id"`
	Kind         string `query:"kind" enum:"social,url,code,commerce"`
	Platform     string `query:"platform"`
	Status       string `query:"status" enum:"draft,upcoming,ongoing,over_budget,finished,paused,closed"`
	// Participation narrows what a creator sees.
	Participation string `query:"participation" enum:"invited,applied,joined,rejected" doc:"A creator's own status in them"`
}

func (a *API) campaigns() {
	collection[catalog.CampaignFields, catalog.Campaign, campaignQuery]{
		one: "campaign", many: "campaigns", tag: "Campaigns",
		mayCreate:  []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		mayList:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator},
		mayRead:    []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator},
		mayPatch:   []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		mayArchive: []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		create:     a.createCampaign,
		list: func(ctx context.Context, scope catalog.Scope, q *campaignQuery) (catalog.List[catalog.Campaign], error) {
			filter := catalog.CampaignFilter{Q: q.Q, AdvertiserID: q.AdvertiserID, Kind: q.Kind, Platform: q.Platform, Status: q.Status, Participation: q.Participation}
			return a.catalog.Campaigns(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Campaign,
		patch:   a.catalog.PatchCampaign,
		archive: a.catalog.ArchiveCampaign,
		id:      func(t catalog.Campaign) string { return t.ID },
		sealed:  map[string][]string{catalog.RoleAdvertiser: {"margin_rate", "agency_margin_rate"}},
	}.register(a)
	a.campaignSteps()
}

// createCampaign lets an advertiser leave out who it is.
func (a *API) createCampaign(ctx context.Context, scope catalog.Scope, fields catalog.CampaignFields) (catalog.Campaign, error) {
	if scope.Role == catalog.RoleAdvertiser && fields.AdvertiserID == "" {
		fields.AdvertiserID = scope.AdvertiserID
	}
	return a.catalog.CreateCampaign(ctx, scope, fields)
}

// campaignSteps are the changes of status that are made by hand.
func (a *API) campaignSteps() {
	for _, step := range []struct {
		name, summary string
		take          func(context.Context, catalog.Scope, string) (catalog.Campaign, error)
	}{
		{"approve", "Approve a campaign: it is no longer a draft", a.catalog.ApproveCampaign},
		{"pause", "Pause a campaign: links redirect, nothing is earned", a.catalog.PauseCampaign},
		{"resume", "Resume a paused campaign", a.catalog.ResumeCampaign},
		{"close", "Close a campaign for good", a.catalog.CloseCampaign},
	} {
		Register(a, Operation{
			ID: step.name + "-campaign", Method: http.MethodPost, Path: "/v1/campaigns/{id}/" + step.name,
			Tag: "Campaigns", Summary: step.summary, Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
		}, func(ctx context.Context, in *ByID) (*Answer[catalog.Campaign], error) {
			return Answered(step.take(ctx, ScopeOf(ctx), in.ID))
		})
	}
}
