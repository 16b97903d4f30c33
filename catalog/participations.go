package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// The states of a participation. Who becomes unavailable, deselected or by
// leaving, no longer sees the campaign.
const (
	Invited     = "invited"
	Applied     = "applied"
	Joined      = "joined"
	Rejected    = "rejected"
	Unavailable = "unavailable"
)

// A ParticipationFilter narrows a list of a campaign's creators.
type ParticipationFilter struct {
	Status string
}

func (f ParticipationFields) normal() ParticipationFields {
	f.Status = orDefault(f.Status, Joined)
	f.Tier = orDefault(f.Tier, "standard")
	if f.Status != Rejected && f.Status != Unavailable {
		f.Reason = ""
	}
	return f
}

func (f ParticipationFields) check(c *fieldCheck, currency string) {
	c.oneOf("body.status", f.Status, Invited, Applied, Joined, Rejected, Unavailable)
	c.oneOf("body.tier", f.Tier, "preferred", "standard", "low")
	c.text("body.reason", f.Reason, maxDescription)
	if f.TermsOverride != nil {
		f.TermsOverride.Check(&c.Checker, "body.terms_override", currency)
	}
}

// AddCreator brings a creator into a campaign, until the campaign is closed. A
// creator joins itself, see join; an advertiser invites; only an admin makes a
// creator join outright, and not once the campaign has finished.
func (c *Catalog) AddCreator(ctx context.Context, scope Scope, campaignID string, fields ParticipationFields) (Participation, error) {
	var made Participation
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		if scope.creator() {
			var err error
			made, err = w.join(ctx, campaignID, fields)
			return err
		}
		campaign, err := c.liveCampaign(ctx, scope, campaignID, "add creators to campaigns")
		if err != nil {
			return err
		}
		if scope.advertiser() {
			fields.Status = orDefault(fields.Status, Invited)
		}
		fields = fields.normal()
		if err := campaign.refuseNewcomers(fields.Status == Joined, w.at); err != nil {
			return err
		}
		if err := c.checkNewcomer(ctx, scope, fields, campaign.Currency); err != nil {
			return err
		}
		made, err = w.addParticipation(ctx, &campaign, fields)
		return err
	})
	return made, err
}

// refuseNewcomers says why nobody can come into the campaign any more. Those who
// join against the course of things only can until it has finished.
func (r *campaignRow) refuseNewcomers(forced bool, at attribution.Instant) error {
	if r.ClosedAt != nil {
		return attribution.Refuse(attribution.CodeCampaignClosed, "the campaign is closed: creators can no longer be added")
	}
	if forced && at >= r.EndsAt {
		return attribution.Refuse(CodeCampaignFinished, "the campaign has finished: creators join while it is upcoming or ongoing")
	}
	return nil
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

// addParticipation writes a new participation and tells of it.
func (w *writing) addParticipation(ctx context.Context, campaign *campaignRow, fields ParticipationFields) (Participation, error) {
	p := Participation{ParticipationFields: fields, CampaignID: campaign.ID, CreatedAt: w.at, UpdatedAt: w.at}
	p.settle(fields.Status, w)
	text, err := encode(fields)
	if err != nil {
		return p, err
	}
	inserted, err := w.Exec(ctx, "participation.insert", p.CampaignID, p.CreatorID, text, p.Status, orZero(p.JoinedAt), flag(p.willing), int64(w.at))
	if err != nil {
		return p, err
	}
	if inserted == 0 {
		return p, conflict("creator %s is in the campaign already: change the participation instead", fields.CreatorID)
	}
	return p, w.recordParticipation(ctx, "add", campaign, p, text, "", nil)
}

// changeParticipation writes what a participation becomes and, where its status
// is another, tells of it.
func (w *writing) changeParticipation(ctx context.Context, campaign *campaignRow, was Participation, fields ParticipationFields, changed []string) (Participation, error) {
	now := was
	now.ParticipationFields, now.UpdatedAt = fields, w.at
	if fields.Status != was.Status {
		now.settle(fields.Status, w)
	}
	text, err := encode(fields)
	if err != nil {
		return was, err
	}
	_, err = w.Exec(ctx, "participation.update", now.CampaignID, now.CreatorID, text, now.Status, orZero(now.JoinedAt), flag(now.willing), int64(w.at))
	if err != nil {
		return was, err
	}
	return now, w.recordParticipation(ctx, "update", campaign, now, text, was.Status, changed)
}

// settle notes what follows from a new status: since when the creator takes part,
// and whether it wants to.
func (p *Participation) settle(status string, w *writing) {
	switch {
	case status == Joined:
		p.JoinedAt, p.willing = &w.at, true
	case status == Applied:
		p.willing = true
	case w.scope.creator():
		p.willing = false
	}
}

// recordParticipation adds what a participation is now to its history, and tells
// of another status.
func (w *writing) recordParticipation(ctx context.Context, verb string, campaign *campaignRow, p Participation, fields, previous string, changed []string) error {
	if _, err := w.Exec(ctx, "participation.insert_event", p.CampaignID, p.CreatorID, w.number, int64(w.at), fields); err != nil {
		return err
	}
	if p.Status != previous {
		if err := w.tellParticipation(ctx, campaign, p, previous); err != nil {
			return err
		}
	}
	return w.audit(ctx, verb, "participation", p.CampaignID+"/"+p.CreatorID, campaign.AdvertiserID, changed)
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
func (c *Catalog) Participations(ctx context.Context, scope Scope, campaignID string, filter ParticipationFilter, p Page) (List[Participation], error) {
	if _, err := c.campaignRow(ctx, scope, campaignID); err != nil {
		return List[Participation]{}, err
	}
	given := database.Given{"campaign_id": campaignID, "status": filter.Status}
	if scope.creator() {
		given["scope_creator"] = scope.CreatorID
	}
	return page(ctx, c.db, "participation.list", given, p, byID(attribution.PrefixCreator), scanParticipation,
		func(p Participation) string { return p.CreatorID })
}

// PatchParticipation applies a merge patch. A creator accepts an invitation by
// becoming joined, and declines, withdraws or leaves by becoming unavailable.
func (c *Catalog) PatchParticipation(ctx context.Context, scope Scope, campaignID, creatorID string, patch []byte) (Participation, error) {
	var now Participation
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		campaign, err := c.campaignRow(ctx, scope, campaignID)
		if err != nil {
			return err
		}
		was, err := c.Participation(ctx, scope, campaignID, creatorID)
		if err != nil {
			return err
		}
		if campaign.ArchivedAt != nil {
			return archived("campaign", campaignID)
		}
		fields, changed, err := merge(was.ParticipationFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		fields = fields.normal()
		if err := w.checkMove(&campaign, was, fields, changed); err != nil {
			return err
		}
		now, err = w.changeParticipation(ctx, &campaign, was, fields, changed)
		return err
	})
	return now, err
}

func scanParticipation(row scanner) (Participation, error) {
	var p Participation
	var creatorID, text string
	var joined, willing, created, updated int64
	if err := row.Scan(&p.CampaignID, &creatorID, &text, &joined, &willing, &created, &updated); err != nil {
		return p, fmt.Errorf("catalog: reading a participation: %w", err)
	}
	p.JoinedAt, p.willing = attribution.InstantOrNil(joined), willing != 0
	p.CreatedAt, p.UpdatedAt = attribution.Instant(created), attribution.Instant(updated)
	return p, decode(text, &p.ParticipationFields)
}
