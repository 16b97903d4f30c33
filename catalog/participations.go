package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"tributary/attribution"
	"tributary/schema/database"
)

// The states of a participation.
const (
	Invited     = "invited"
	Applied     = "applied"
	Joined      = "joined"
	Rejected    = "rejected"
	Unavailable = "unavailable"
)

func (f ParticipationFields) normal() ParticipationFields {
	f.Status = orDefault(f.Status, Joined)
	f.Tier = orDefault(f.Tier, "standard")
	return f
}

func (f ParticipationFields) check(c *fieldCheck, currency string) {
	c.oneOf("body.status", f.Status, Invited, Applied, Joined, Rejected, Unavailable)
	c.oneOf("body.tier", f.Tier, "preferred", "standard", "low")
	if f.TermsOverride != nil {
		f.TermsOverride.Check(&c.Checker, "body.terms_override", currency)
	}
}

// AddCreator brings a creator into a campaign, until the campaign is closed. An
// advertiser invites, and admits who applied; only an admin makes a creator join
// outright.
func (c *Catalog) AddCreator(ctx context.Context, scope Scope, campaignID string, fields ParticipationFields) (Participation, error) {
	var made Participation
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		campaign, err := c.liveCampaign(ctx, scope, campaignID, "add creators to campaigns")
		if err != nil {
			return err
		}
		if campaign.ClosedAt != nil {
			return attribution.Refuse(attribution.CodeCampaignClosed, "the campaign is closed: creators can no longer be added")
		}
		if scope.advertiser() {
			fields.Status = orDefault(fields.Status, Invited)
		}
		fields = fields.normal()
		if err := c.checkNewcomer(ctx, scope, fields, campaign.Currency); err != nil {
			return err
		}
		made = Participation{ParticipationFields: fields, CampaignID: campaignID, CreatedAt: w.at, UpdatedAt: w.at}
		if fields.Status == Joined {
			made.JoinedAt = &w.at
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		inserted, err := w.Exec(ctx, "participation.insert", campaignID, fields.CreatorID, text, fields.Status, orZero(made.JoinedAt), int64(w.at))
		if err != nil {
			return err
		}
		if inserted == 0 {
			return conflict("creator %s is in the campaign already: change the participation instead", fields.CreatorID)
		}
		return w.recordParticipation(ctx, "add", made, text, campaign.AdvertiserID, nil)
	})
	return made, err
}

func (c *Catalog) checkNewcomer(ctx context.Context, scope Scope, fields ParticipationFields, currency string) error {
	var check fieldCheck
	fields.check(&check, currency)
	check.Require(scope.admin() || fields.Status != Joined && fields.Status != Applied, "body.status",
		"must be invited: only an admin adds creators who did not apply themselves")
	creator, err := scanCreator(c.db.Row(ctx, "creator.by_id", fields.CreatorID))
	switch {
	case fields.CreatorID == "":
		check.Add("body.creator_id", "is required")
	case isNot(err, sql.ErrNoRows):
		return err
	case err != nil:
		check.Add("body.creator_id", "there is no creator %.64q", fields.CreatorID)
	case creator.ArchivedAt != nil:
		check.Add("body.creator_id", "creator %s is archived", fields.CreatorID)
	}
	return check.Err()
}

// recordParticipation adds what a participation is now to its history.
func (w *writing) recordParticipation(ctx context.Context, verb string, p Participation, fields, advertiserID string, changed []string) error {
	if _, err := w.Exec(ctx, "participation.insert_event", p.CampaignID, p.CreatorID, w.number, int64(w.at), fields); err != nil {
		return err
	}
	return w.audit(ctx, verb, "participation", p.CampaignID+"/"+p.CreatorID, advertiserID, changed)
}

// Participation finds a creator in a campaign.
func (c *Catalog) Participation(ctx context.Context, scope Scope, campaignID, creatorID string) (Participation, error) {
	campaign, err := c.campaignRow(ctx, scope, campaignID)
	if err != nil {
		return Participation{}, err
	}
	if !scope.owns(campaign.AdvertiserID, creatorID) {
		return Participation{}, notFound("creator of the campaign", creatorID)
	}
	found, err := scanParticipation(c.db.Row(ctx, "participation.by_id", campaignID, creatorID))
	if errors.Is(err, sql.ErrNoRows) {
		return Participation{}, notFound("creator of the campaign", creatorID)
	}
	return found, err
}

// Participations lists the creators of a campaign; a creator finds itself.
func (c *Catalog) Participations(ctx context.Context, scope Scope, campaignID string, p Page) (List[Participation], error) {
	if _, err := c.campaignRow(ctx, scope, campaignID); err != nil {
		return List[Participation]{}, err
	}
	given := database.Given{"campaign_id": campaignID}
	if scope.creator() {
		given["scope_creator"] = scope.CreatorID
	}
	return page(ctx, c.db, "participation.list", given, p, byID(attribution.PrefixCreator), scanParticipation,
		func(p Participation) string { return p.CreatorID })
}

// PatchParticipation applies a merge patch.
func (c *Catalog) PatchParticipation(ctx context.Context, scope Scope, campaignID, creatorID string, patch []byte) (Participation, error) {
	var now Participation
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		campaign, err := c.liveCampaign(ctx, scope, campaignID, "change participations")
		if err != nil {
			return err
		}
		was, err := c.Participation(ctx, scope, campaignID, creatorID)
		if err != nil {
			return err
		}
		fields, changed, err := merge(was.ParticipationFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		fields = fields.normal()
		if err := checkMove(scope, campaign, was, fields, changed); err != nil {
			return err
		}
		now.ParticipationFields, now.UpdatedAt = fields, w.at
		if fields.Status == Joined && was.Status != Joined {
			now.JoinedAt = &w.at
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "participation.update", campaignID, creatorID, text, fields.Status, orZero(now.JoinedAt), int64(w.at)); err != nil {
			return err
		}
		return w.recordParticipation(ctx, "update", now, text, campaign.AdvertiserID, changed)
	})
	return now, err
}

// checkMove checks the fields a participation changes to. Who neither applied nor
// ever joined can be made to join by an admin only.
func checkMove(scope Scope, campaign campaignRow, was Participation, fields ParticipationFields, changed []string) error {
	var check fieldCheck
	frozen(&check.Checker, changed, "add the other creator instead", "creator_id")
	fields.check(&check, campaign.Currency)
	if fields.Status == Joined && slices.Contains(changed, "status") {
		check.Require(scope.admin() || was.Status == Applied || was.JoinedAt != nil, "body.status",
			"cannot become joined: the creator has not applied, and only an admin adds those")
		if campaign.ClosedAt != nil {
			return attribution.Refuse(attribution.CodeCampaignClosed, "the campaign is closed: nobody can join any more")
		}
	}
	return check.Err()
}

// ParticipationAt says what a creator's participation was at a time; found is
// false when the creator was not in the campaign then. It asks for no scope: it
// serves attribution.
func (c *Catalog) ParticipationAt(ctx context.Context, campaignID, creatorID string, atMs int64) (fields ParticipationFields, found bool, err error) {
	var text string
	err = c.db.Row(ctx, "participation.event_at", campaignID, creatorID, atMs).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return fields, false, nil
	}
	if err != nil {
		return fields, false, fmt.Errorf("catalog: reading a participation's history: %w", err)
	}
	return fields, true, decode(text, &fields)
}

func scanParticipation(row scanner) (Participation, error) {
	var p Participation
	var creatorID, text string
	var joined, created, updated int64
	if err := row.Scan(&p.CampaignID, &creatorID, &text, &joined, &created, &updated); err != nil {
		return p, fmt.Errorf("catalog: reading a participation: %w", err)
	}
	p.JoinedAt, p.CreatedAt, p.UpdatedAt = instantOrNil(joined), attribution.Instant(created), attribution.Instant(updated)
	return p, decode(text, &p.ParticipationFields)
}
