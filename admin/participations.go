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
	}
	participationPatch struct {
		ByCreator
		Patch[catalog.ParticipationFields]
	}
)

func (a *API) participations() {
	const path, one = "/v1/campaigns/{id}/creators", "/v1/campaigns/{id}/creators/{creator_id}"
	writers := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	readers := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	operation := func(roles []string, id, method, path, summary string, status int) Operation {
		return Operation{ID: id, Method: method, Path: path, Tag: "Campaign creators", Summary: summary, Roles: roles, Status: status}
	}
	Register(a, operation(writers, "add-creator", http.MethodPost, path, "Add a creator to a campaign", http.StatusCreated),
		func(ctx context.Context, in *participationInput) (*made[catalog.Participation], error) {
			p, err := a.catalog.AddCreator(ctx, ScopeOf(ctx), in.ID, in.Value())
			if err != nil {
				return nil, err
			}
			return &made[catalog.Participation]{Location: "/v1/campaigns/" + p.CampaignID + "/creators/" + p.CreatorID, Body: p}, nil
		})
	Register(a, operation(readers, "list-campaign-creators", http.MethodGet, path, "List a campaign's creators", 0),
		func(ctx context.Context, in *participationQuery) (*listed[catalog.Participation], error) {
			list, err := a.catalog.Participations(ctx, ScopeOf(ctx), in.ID, in.Page())
			if err != nil {
				return nil, err
			}
			return inPage(list, func(p catalog.Participation) catalog.Participation { return p }), nil
		})
	Register(a, operation(readers, "get-campaign-creator", http.MethodGet, one, "Read a creator's place in a campaign", 0),
		func(ctx context.Context, in *ByCreator) (*answer[catalog.Participation], error) {
			return answered(a.catalog.Participation(ctx, ScopeOf(ctx), in.ID, in.CreatorID))
		})
	Register(a, operation(writers, "patch-campaign-creator", http.MethodPatch, one, "Change a creator's place in a campaign", 0),
		func(ctx context.Context, in *participationPatch) (*answer[catalog.Participation], error) {
			return answered(a.catalog.PatchParticipation(ctx, ScopeOf(ctx), in.ID, in.CreatorID, bytes.Clone(in.RawBody)))
		})
}

func answered[T any](t T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: t}, nil
}
