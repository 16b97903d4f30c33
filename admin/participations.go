package admin

import (
	"bytes"
	"context"
	"net/http"

	"tributary/catalog"
)

// ByCreator, embedded in an operation's input, is a campaign and a creator in it.
type ByCreator struct {
	ByID
	CreatorID string `path:"creator_id"`
}

type (
	participationInput struct {
		ByID
		JSON[catalog.ParticipationFields]
	}
	participationQuery struct {
		ByID
		PageQuery
		Status string `query:"status" enum:"invited,applied,joined,rejected,unavailable"`
	}
	participationPatch struct {
		ByCreator
		Patch[catalog.ParticipationFields]
	}
)

func (a *API) participations() {
	const path, one = "/v1/campaigns/{id}/creators", "/v1/campaigns/{id}/creators/{creator_id}"
	everybody := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	operation := func(id, method, path, summary, description string) Operation {
		return Operation{ID: id, Method: method, Path: path, Tag: "Campaign creators", Summary: summary, Description: description, Roles: everybody}
	}
	add := operation("add-creator", http.MethodPost, path, "Add a creator to a campaign, or join it",
		"A creator joins itself, with an empty body: it becomes joined, or applied where approval is manual; asking again changes nothing. A refusal has the code not_eligible and names every condition that is not met, or says what the campaign is waiting for. An advertiser invites; an admin makes creators join.")
	add.Status, add.OptionalBody = http.StatusCreated, true
	Register(a, add,
		func(ctx context.Context, in *participationInput) (*made[catalog.Participation], error) {
			p, err := a.catalog.AddCreator(ctx, ScopeOf(ctx), in.ID, in.Value())
			if err != nil {
				return nil, err
			}
			return &made[catalog.Participation]{Location: "/v1/campaigns/" + p.CampaignID + "/creators/" + p.CreatorID, Body: p}, nil
		})
	Register(a, operation("list-campaign-creators", http.MethodGet, path, "List a campaign's creators", ""),
		func(ctx context.Context, in *participationQuery) (*listed[catalog.Participation], error) {
			list, err := a.catalog.Participations(ctx, ScopeOf(ctx), in.ID, catalog.ParticipationFilter{Status: in.Status}, in.Page())
			if err != nil {
				return nil, err
			}
			return inPage(list, func(p catalog.Participation) catalog.Participation { return p }), nil
		})
	Register(a, operation("get-campaign-creator", http.MethodGet, one, "Read a creator's place in a campaign", ""),
		func(ctx context.Context, in *ByCreator) (*Answer[catalog.Participation], error) {
			return Answered(a.catalog.Participation(ctx, ScopeOf(ctx), in.ID, in.CreatorID))
		})
	Register(a, operation("patch-campaign-creator", http.MethodPatch, one, "Change a creator's place in a campaign",
		"An advertiser approves (joined) or rejects who applied, and deselects (unavailable): the campaign is then hidden from the creator. A creator accepts an invitation (joined), declines or leaves (unavailable)."),
		func(ctx context.Context, in *participationPatch) (*Answer[catalog.Participation], error) {
			return Answered(a.catalog.PatchParticipation(ctx, ScopeOf(ctx), in.ID, in.CreatorID, bytes.Clone(in.RawBody)))
		})
}
