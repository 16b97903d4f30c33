package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// A StartingCampaign is a campaign that starts at a time.
type StartingCampaign struct {
	ID       string
	StartsAt attribution.Instant
}

// CampaignsStarting finds the campaigns that start in [from, to), earliest first,
// and are neither drafts nor paused, closed or archived: a day of whatever time
// zone is what the caller makes of it. It asks for no scope: it serves
// notifications.
func (c *Catalog) CampaignsStarting(ctx context.Context, from, to attribution.Instant) ([]StartingCampaign, error) {
	var starting []StartingCampaign
	err := each(ctx, c.db, "campaign.starting", func(row scanner) error {
		var s StartingCampaign
		if err := row.Scan(&s.ID, &s.StartsAt); err != nil {
			return fmt.Errorf("catalog: reading a campaign that starts: %w", err)
		}
		starting = append(starting, s)
		return nil
	}, int64(from), int64(to))
	return starting, err
}

// anyCreator sees of a campaign what every creator does.
var anyCreator = Scope{Role: RoleCreator, CreatorID: "any"}

// OfferedTo finds a campaign as creators see it, and those of the creators who are
// to be told of it: while it runs or is about to, who sees it and was not rejected.
// Up to [MaxLimit] creators are asked about at once. It asks for no scope: it
// serves notifications.
func (c *Catalog) OfferedTo(ctx context.Context, campaignID string, creators []Creator) (Campaign, []Creator, error) {
	if len(creators) > MaxLimit {
		return Campaign{}, nil, fieldProblem("creators", fmt.Sprintf("must be at most %d", MaxLimit))
	}
	row, err := scanCampaign(c.db.Row(ctx, "campaign.by_id", campaignID))
	if errors.Is(err, sql.ErrNoRows) {
		return Campaign{}, nil, notFound("campaign", campaignID)
	}
	if err != nil {
		return Campaign{}, nil, err
	}
	now := c.instant()
	campaign := row.view(anyCreator, now)
	if !running(campaign.Status) || len(creators) == 0 {
		return campaign, nil, nil
	}
	statuses, err := c.statusesIn(ctx, campaignID, creators)
	if err != nil {
		return Campaign{}, nil, err
	}
	var told []Creator
	for _, creator := range creators {
		if status := statuses[creator.ID]; status != Rejected && row.offeredTo(creator, status, now) {
			told = append(told, creator)
		}
	}
	return campaign, told, nil
}

// statusesIn are the participations of a campaign, by creator: those of the
// creators, and of whoever is between them.
func (c *Catalog) statusesIn(ctx context.Context, campaignID string, creators []Creator) (map[string]string, error) {
	first, last := creators[0].ID, creators[0].ID
	for _, creator := range creators {
		first, last = min(first, creator.ID), max(last, creator.ID)
	}
	statuses := map[string]string{}
	err := each(ctx, c.db, "participation.between", func(row scanner) error {
		var id, status string
		if err := row.Scan(&id, &status); err != nil {
			return fmt.Errorf("catalog: reading a participation: %w", err)
		}
		statuses[id] = status
		return nil
	}, campaignID, first, last)
	return statuses, err
}
