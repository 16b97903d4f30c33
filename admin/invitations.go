package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type (
	invitationInput struct {
		ByID
		JSON[catalog.InvitationFields]
	}
	// An invitationResult says what became of the invitation of one creator.
	invitationResult struct {
		CreatorID     string                 `json:"creator_id"`
		Status        string                 `json:"status" enum:"invited,unchanged,rejected" doc:"unchanged: it was in the campaign already"`
		Participation *catalog.Participation `json:"participation,omitempty"`
		Problem       *problem               `json:"problem,omitempty" doc:"Why it was rejected"`
	}
	invitationAnswer struct {
		Body struct {
			Results []invitationResult `json:"results" nullable:"false"`
		}
	}
)

func (a *API) invitations() {
	Register(a, Operation{
		ID: "invite-creators", Method: http.MethodPost, Path: "/v1/campaigns/{id}/invitations", Tag: "Campaign creators",
		Summary:     "Invite many creators",
		Description: "Invites everybody who has a label, or the creators named, up to 1,000. Each stands for itself and has its result; who is in the campaign already stays as it is, so that the call can be repeated when the group has grown.",
		Roles:       []string{catalog.RoleAdmin, catalog.RoleAdvertiser}, MaxBodyBytes: MaxBulkBodyBytes,
	}, func(ctx context.Context, in *invitationInput) (*invitationAnswer, error) {
		results, err := a.catalog.InviteCreators(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		var out invitationAnswer
		out.Body.Results = make([]invitationResult, len(results))
		for i, r := range results {
			one := invitationResult{CreatorID: r.CreatorID, Status: "unchanged", Participation: r.Participation}
			switch {
			case r.Problem != nil:
				one.Status, one.Problem = "rejected", asProblem(r.Problem)
			case r.New:
				one.Status = "invited"
			}
			out.Body.Results[i] = one
		}
		return &out, nil
	})
}
