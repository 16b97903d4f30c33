package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// Who may be offered a campaign.
const (
	VisibilityOpen   = "open"   // every eligible creator
	VisibilityClosed = "closed" // of those, who had signed up when the campaign was made
	VisibilityInvite = "invite" // who is invited
)

// What becomes of a creator who wants to join a campaign.
const (
	ApprovalAuto   = "auto"   // it joins
	ApprovalManual = "manual" // it applies, and the advertiser decides
)

// running reports whether campaigns of a status run, or are about to.
func running(status string) bool {
	return status == attribution.StatusUpcoming || status == attribution.StatusOngoing || status == attribution.StatusOverBudget
}

// reaches reports whether the campaign's visibility lets a creator who is not in
// it see it, were it eligible.
func (r *campaignRow) reaches(creator Creator) bool {
	switch {
	case r.ApprovedAt == nil, r.ArchivedAt != nil, creator.ArchivedAt != nil, r.Visibility == VisibilityInvite:
		return false
	case r.Visibility == VisibilityClosed:
		return creator.CreatedAt <= r.CreatedAt
	}
	return true
}

// offeredTo reports whether a creator sees the campaign at a time. participation
// is the creator's status in it, empty for none: who is in it sees it until it
// becomes unavailable, others while the campaign runs or is about to.
func (r *campaignRow) offeredTo(creator Creator, participation string, at attribution.Instant) bool {
	switch participation {
	case Unavailable:
		return false
	case "":
		return r.reaches(creator) && running(r.state().Status(int64(at))) && len(r.Unmet(creator.CreatorFields, at)) == 0
	}
	return true
}

// offered reports whether a creator sees the campaign now, and notes its status
// in it.
func (c *Catalog) offered(ctx context.Context, creatorID string, r *campaignRow) (bool, error) {
	part, err := scanParticipation(c.db.Row(ctx, "participation.by_id", r.ID, creatorID))
	if isNot(err, sql.ErrNoRows) {
		return false, err
	}
	if r.Participation = part.Status; part.Status != "" {
		return r.offeredTo(Creator{}, part.Status, c.instant()), nil
	}
	creator, err := scanCreator(c.db.Row(ctx, "creator.by_id", creatorID))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && r.offeredTo(creator, "", c.instant()), err
}

// offeredCampaigns lists the campaigns a creator sees, newest first. The database
// narrows them down to those whose eligibility is left to ask for.
func (c *Catalog) offeredCampaigns(ctx context.Context, scope Scope, given database.Given, p Page) (List[Campaign], error) {
	list := List[Campaign]{Items: []Campaign{}}
	creator, err := scanCreator(c.db.Row(ctx, "creator.by_id", scope.CreatorID))
	if errors.Is(err, sql.ErrNoRows) {
		return list, nil
	}
	if err != nil {
		return list, err
	}
	limit, err := p.limit()
	if err != nil {
		return list, err
	}
	if given["creator_id"] = scope.CreatorID; p.Cursor != "" {
		if !attribution.ValidID(attribution.PrefixCampaign, p.Cursor) {
			return list, badCursor()
		}
		given["before"] = p.Cursor
	}
	rows, err := c.db.Filter(ctx, "campaign.offered", given)
	if err != nil {
		return list, err
	}
	defer rows.Close()
	now := c.instant()
	for rows.Next() {
		row, err := scanOffered(rows)
		if err != nil {
			return list, err
		}
		if !row.offeredTo(creator, row.Participation, now) {
			continue
		}
		if len(list.Items) == limit {
			list.NextCursor = list.Items[limit-1].ID
			break
		}
		list.Items = append(list.Items, row.view(scope, now))
	}
	if err := rows.Err(); err != nil {
		return list, fmt.Errorf("catalog: reading campaigns: %w", err)
	}
	return list, nil
}

// scanOffered reads a campaign with a creator's status in it behind the others.
func scanOffered(rows *sql.Rows) (campaignRow, error) {
	var status sql.NullString
	row, err := scanCampaign(also{rows, []any{&status}})
	row.Participation = status.String
	return row, err
}

// also is a row with more columns than the thing that is read has.
type also struct {
	row  scanner
	more []any
}

func (a also) Scan(dest ...any) error { return a.row.Scan(append(dest, a.more...)...) }
