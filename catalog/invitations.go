package catalog

import (
	"context"
	"database/sql"

	"tributary/attribution"
)

// InvitationFields ask creators into a campaign: those with a label, those named,
// or both.
type InvitationFields struct {
	Label         string                     `json:"label,omitempty" doc:"Everybody who has this label; or creator_ids" example:"spring"`
	CreatorIDs    []string                   `json:"creator_ids,omitempty"`
	TermsOverride *attribution.TermsOverride `json:"terms_override,omitempty" doc:"The commission of those who are invited now"`
	Tier          string                     `json:"tier,omitempty" doc:"preferred, standard (default) or low"`
}

// An InvitationResult is the participation of one creator, or why there is none.
type InvitationResult struct {
	CreatorID     string
	Participation *Participation
	New           bool // invited now; else it was in the campaign before, and stays as it was
	Problem       *attribution.Problem
}

// InviteCreators invites up to MaxBulk creators in one transaction, each or not.
// Who is in the campaign already stays as it is, so that asking again is safe. The
// results have the order of creator_ids, then those with the label, newest first.
func (c *Catalog) InviteCreators(ctx context.Context, scope Scope, campaignID string, fields InvitationFields) ([]InvitationResult, error) {
	var results []InvitationResult
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		campaign, err := c.liveCampaign(ctx, scope, campaignID, "invite creators")
		if err != nil {
			return err
		}
		invited := ParticipationFields{Status: Invited, TermsOverride: fields.TermsOverride, Tier: fields.Tier}.normal()
		ids, err := w.toInvite(ctx, fields, invited, campaign.Currency)
		if err != nil {
			return err
		}
		if err := campaign.refuseNewcomers(false, w.at); err != nil {
			return err
		}
		results = make([]InvitationResult, 0, len(ids))
		if len(ids) == 0 {
			return nil
		}
		first, err := w.take(ctx, "change", len(ids))
		if err != nil {
			return err
		}
		for i, id := range ids {
			one := *w
			one.number, invited.CreatorID = first+int64(i), id
			result, err := one.invite(ctx, &campaign, invited)
			if err != nil {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// toInvite checks a request and says whom it names, each once.
func (w *writing) toInvite(ctx context.Context, fields InvitationFields, invited ParticipationFields, currency string) ([]string, error) {
	var check fieldCheck
	invited.check(&check, currency)
	check.text("body.label", fields.Label, maxName)
	check.Require(fields.Label != "" || len(fields.CreatorIDs) > 0, "body.label", "is required, or creator_ids")
	check.Require(len(fields.CreatorIDs) <= MaxBulk, "body.creator_ids", "must be at most %d", MaxBulk)
	if err := check.Err(); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(fields.CreatorIDs))
	named := map[string]bool{}
	add := func(id string) {
		if !named[id] {
			named[id] = true
			ids = append(ids, id)
		}
	}
	for _, id := range fields.CreatorIDs {
		add(id)
	}
	if fields.Label != "" {
		// Labels are groups to invite, whoever knows the creators in them.
		list, err := w.c.Creators(ctx, Scope{Role: RoleAdmin}, CreatorFilter{Label: fields.Label}, Page{Limit: MaxBulk})
		if err != nil {
			return nil, err
		}
		check.Require(list.NextCursor == "", "body.label", "more than %d creators have it: invite them in portions, by creator_ids", MaxBulk)
		for _, creator := range list.Items {
			add(creator.ID)
		}
	}
	check.Require(len(ids) <= MaxBulk, "body", "names more than %d creators: invite them in portions", MaxBulk)
	return ids, check.Err()
}

// invite invites one creator who is not in the campaign yet.
func (w *writing) invite(ctx context.Context, campaign *campaignRow, fields ParticipationFields) (InvitationResult, error) {
	result := InvitationResult{CreatorID: fields.CreatorID}
	part, err := scanParticipation(w.Row(ctx, "participation.by_id", campaign.ID, fields.CreatorID))
	if err == nil {
		result.Participation = &part
		return result, nil
	}
	if isNot(err, sql.ErrNoRows) {
		return result, err
	}
	err = w.c.checkNewcomer(ctx, w.scope, fields, campaign.Currency)
	if problem, refused := attribution.AsProblem(err); refused {
		result.Problem = problem
		return result, nil
	}
	if err != nil {
		return result, err
	}
	part, err = w.addParticipation(ctx, campaign, fields)
	result.Participation, result.New = &part, true
	return result, err
}
