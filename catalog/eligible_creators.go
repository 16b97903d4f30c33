package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// maxOffers bounds how many campaigns one call asks creators about.
const maxOffers = 1000

// An EligibleCreator is somebody to tell of campaigns: those it sees among the
// ones that were asked about.
type EligibleCreator struct {
	ID          string
	Name        string
	Email       string // empty: unknown
	Timezone    string // IANA; empty: unknown
	CampaignIDs []string
}

// EligibleCreators finds the creators who see at least one of the campaigns: by
// being invited, applying or taking part, or by being eligible. A page reads
// page.Limit creators, whoever they are, and has those of them that see any: it
// may be empty and not be the last. Who was rejected is not among them. It asks
// for no scope: it serves notifications.
func (c *Catalog) EligibleCreators(ctx context.Context, campaignIDs []string, p Page) (List[EligibleCreator], error) {
	list := List[EligibleCreator]{Items: []EligibleCreator{}}
	limit, err := p.limit()
	if err != nil {
		return list, err
	}
	if p.Cursor != "" && !attribution.ValidID(attribution.PrefixCreator, p.Cursor) {
		return list, badCursor()
	}
	campaigns, err := c.campaignsByID(ctx, campaignIDs)
	if err != nil {
		return list, err
	}
	creators, err := c.creatorsAfter(ctx, p.Cursor, limit)
	if err != nil || len(creators) == 0 {
		return list, err
	}
	last := creators[len(creators)-1].ID
	if len(creators) == limit {
		list.NextCursor = last
	}
	found := make([]EligibleCreator, len(creators))
	now := c.instant()
	for i := range campaigns {
		statuses, err := c.statusesBetween(ctx, campaigns[i].ID, p.Cursor, last)
		if err != nil {
			return list, err
		}
		for j, creator := range creators {
			if status := statuses[creator.ID]; status != Rejected && campaigns[i].offeredTo(creator, status, now) {
				found[j].CampaignIDs = append(found[j].CampaignIDs, campaigns[i].ID)
			}
		}
	}
	for j, creator := range creators {
		if f := found[j]; len(f.CampaignIDs) > 0 {
			f.ID, f.Name, f.Email, f.Timezone = creator.ID, creator.Name, creator.Email, creator.Timezone
			list.Items = append(list.Items, f)
		}
	}
	return list, nil
}

func (c *Catalog) campaignsByID(ctx context.Context, ids []string) ([]campaignRow, error) {
	if len(ids) > maxOffers {
		return nil, fieldProblem("campaign_ids", fmt.Sprintf("must be at most %d", maxOffers))
	}
	campaigns := make([]campaignRow, 0, len(ids))
	for _, id := range ids {
		row, err := scanCampaign(c.db.Row(ctx, "campaign.by_id", id))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, notFound("campaign", id)
		}
		if err != nil {
			return nil, err
		}
		campaigns = append(campaigns, row)
	}
	return campaigns, nil
}

// creatorsAfter reads creators that are not archived, in the order of their ids.
func (c *Catalog) creatorsAfter(ctx context.Context, after string, limit int) ([]Creator, error) {
	var creators []Creator
	err := c.each(ctx, "creator.after", func(row scanner) error {
		creator, err := scanCreator(row)
		creators = append(creators, creator)
		return err
	}, after, limit)
	return creators, err
}

// statusesBetween are the participations of a campaign in (after, through], by
// creator.
func (c *Catalog) statusesBetween(ctx context.Context, campaignID, after, through string) (map[string]string, error) {
	statuses := map[string]string{}
	err := c.each(ctx, "participation.between", func(row scanner) error {
		var id, status string
		err := row.Scan(&id, &status)
		statuses[id] = status
		return err
	}, campaignID, after, through)
	return statuses, err
}

// each reads the rows of a query.
func (c *Catalog) each(ctx context.Context, query string, read func(scanner) error, args ...any) error {
	rows, err := c.db.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return fmt.Errorf("catalog: reading %s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("catalog: reading %s: %w", query, err)
	}
	return nil
}

// A StartingCampaign is a campaign that starts at a time.
type StartingCampaign struct {
	ID           string
	AdvertiserID string
	Title        string
	StartsAt     attribution.Instant
	EndsAt       attribution.Instant
}

// CampaignsStarting finds the campaigns that start in [from, to), earliest first,
// and are neither drafts nor paused, closed or archived: a day of whatever time
// zone is what the caller makes of it. It asks for no scope: it serves
// notifications.
func (c *Catalog) CampaignsStarting(ctx context.Context, from, to attribution.Instant) ([]StartingCampaign, error) {
	var starting []StartingCampaign
	err := c.each(ctx, "campaign.starting", func(row scanner) error {
		var s StartingCampaign
		var text string
		if err := row.Scan(&s.ID, &s.AdvertiserID, &text, &s.StartsAt, &s.EndsAt); err != nil {
			return err
		}
		var fields CampaignFields
		err := decode(text, &fields)
		s.Title = fields.Title
		starting = append(starting, s)
		return err
	}, int64(from), int64(to), maxOffers)
	return starting, err
}
