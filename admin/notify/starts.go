package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// Creators are told of campaigns that start on a day at tellAt o'clock of it, in
// their own time zones. Days are gone through in slots: no zone's 08:00 is at
// another minute than 0, 15, 30 or 45.
const (
	tellAt     = 8 * time.Hour
	slot       = 15 * time.Minute
	startPage  = 500 // creators that are looked at at once
	startsLook = time.Minute
)

// RunStarts tells creators of campaigns that start until ctx ends. The same
// failure is logged once.
func (s *Service) RunStarts(ctx context.Context, every time.Duration) {
	if every == 0 {
		every = startsLook
	}
	said := ""
	for {
		if err := s.Starts(ctx); err == nil {
			said = ""
		} else if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			s.o.Log.Warn("creators were not told of the campaigns that start; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// Starts tells creators whose 08:00 has come of the campaigns that start on their
// day. What was told is kept, so that it can be called at any time.
func (s *Service) Starts(ctx context.Context) error {
	now := s.o.Today().Truncate(slot)
	var kept int64
	if err := s.o.DB.Row(ctx, "number.last", "starts_told").Scan(&kept); err != nil {
		return fmt.Errorf("notify: how far campaigns that start were told of: %w", err)
	}
	told := time.UnixMilli(kept)
	switch earliest := now.Add(-s.o.CatchUp); {
	case kept == 0 || told.After(now): // the first start, or a rehearsal's clock that was set
		told = now.Add(-slot)
	case told.Before(earliest):
		told = earliest
	}
	if !told.Before(now) {
		return nil
	}
	starting, err := s.starting(ctx, told.Add(-24*time.Hour), now.Add(24*time.Hour))
	if err != nil {
		return err
	}
	for at := told.Add(slot); !at.After(now) && len(starting) > 0; at = at.Add(slot) {
		if err := s.tellStarts(ctx, at, starting); err != nil {
			return err
		}
	}
	return s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "notification.keep_starts", now.UnixMilli())
		return err
	})
}

// A start is a campaign and when it starts.
type start struct {
	campaignID string
	at         time.Time
}

// maxStarts bounds the campaigns of one day that are told of.
const maxStarts = 1_000

func (s *Service) starting(ctx context.Context, from, to time.Time) (starting []start, err error) {
	rows, err := s.o.DB.Rows(ctx, "notification.starting", from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() && len(starting) < maxStarts {
		var one start
		var at int64
		if err := rows.Scan(&one.campaignID, &at); err != nil {
			return nil, fmt.Errorf("notify: reading campaigns that start: %w", err)
		}
		one.at = time.UnixMilli(at)
		starting = append(starting, one)
	}
	return starting, rows.Err()
}

// tellStarts tells the creators whose 08:00 is in the slot that begins at a time.
func (s *Service) tellStarts(ctx context.Context, at time.Time, starting []start) error {
	near := slices.DeleteFunc(slices.Clone(starting), func(one start) bool {
		return one.at.Before(at.Add(-tellAt-slot-time.Hour)) || one.at.After(at.Add(24*time.Hour-tellAt+time.Hour)) // an hour for clocks that change
	})
	if len(near) == 0 {
		return nil
	}
	for page := (catalog.Page{Limit: startPage}); ; {
		creators, err := s.o.Things.Creators(ctx, operator, catalog.CreatorFilter{}, page)
		if err != nil {
			return err
		}
		var notices []notice
		for i := range creators.Items {
			if notices, err = s.startsFor(ctx, notices, &creators.Items[i], at, near); err != nil {
				return err
			}
		}
		err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error { return s.write(ctx, tx, notices) })
		if err != nil {
			return err
		}
		s.Kept()
		if page.Cursor = creators.NextCursor; page.Cursor == "" {
			return nil
		}
	}
}

// startsFor appends what a creator is told, when its 08:00 is in the slot: a
// notification for each campaign, and one e-mail for all.
func (s *Service) startsFor(ctx context.Context, notices []notice, creator *catalog.Creator, at time.Time, near []start) ([]notice, error) {
	zone := zoneOf(creator.Timezone)
	local := at.In(zone)
	morning := time.Date(local.Year(), local.Month(), local.Day(), int(tellAt/time.Hour), 0, 0, 0, zone)
	if morning.Before(at) || !morning.Before(at.Add(slot)) {
		return notices, nil
	}
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	tomorrow := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	name := local.Format(time.DateOnly)
	a := about{Creator: *creator, Zone: zone}
	for _, one := range near {
		if one.at.Before(today) || !one.at.Before(tomorrow) {
			continue
		}
		campaign, open, err := s.openTo(ctx, creator.ID, one.campaignID)
		if err != nil {
			return nil, err
		}
		if !open {
			continue
		}
		a.Campaign = campaign
		a.Campaigns = append(a.Campaigns, campaign)
		n := notice{role: catalog.RoleCreator, ownerID: creator.ID, once: "starts " + campaign.ID + " " + name, kind: "campaign.starts", campaignID: campaign.ID,
			subject: map[string]string{"campaign_id": campaign.ID}, at: attribution.InstantOf(morning)}
		if n.text, err = s.templates.say("campaign.starts.creator", a); err != nil {
			return nil, err
		}
		notices = append(notices, n)
	}
	if len(a.Campaigns) == 0 || s.o.Mail == nil {
		return notices, nil
	}
	letter := notice{role: catalog.RoleCreator, ownerID: creator.ID, once: "starts " + name, kind: "campaigns.start", quiet: true,
		at: attribution.InstantOf(morning), mailTo: addresses(creator.Name, creator.Email)}
	var err error
	letter.text, err = s.templates.say("campaigns.start.creator", a)
	return append(notices, letter), err
}

// openTo finds a campaign as a creator sees it, when it may take part or does.
func (s *Service) openTo(ctx context.Context, creatorID, campaignID string) (campaign catalog.Campaign, open bool, err error) {
	campaign, err = s.o.Things.Campaign(ctx, catalog.Scope{Role: catalog.RoleCreator, CreatorID: creatorID}, campaignID)
	if _, refused := attribution.AsProblem(err); refused {
		return campaign, false, nil
	}
	live := []string{attribution.StatusUpcoming, attribution.StatusOngoing, attribution.StatusOverBudget}
	return campaign, err == nil && slices.Contains(live, campaign.Status) && campaign.Participation != catalog.Rejected, err
}
