package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tributary/attribution"
	"tributary/background"
	"tributary/catalog"
	"tributary/schema/database"
)

// Creators are told of campaigns that start on a day at tellAt o'clock of it, in
// their own time zones. Days are gone through in slots: no zone's 08:00 is at
// another minute than 0, 15, 30 or 45.
const (
	tellAt     = 8 * time.Hour
	slot       = 15 * time.Minute
	startPage  = 500   // creators that are looked at at once
	startBatch = 1_000 // notices after which they are written
	startsLook = time.Minute
)

// RunStarts tells creators of campaigns that start until ctx ends. The same
// failure is logged once.
func (s *Service) RunStarts(ctx context.Context, every time.Duration) {
	if every == 0 {
		every = startsLook
	}
	failed := func(err error) {
		s.o.Log.Warn("creators were not told of the campaigns that start; it is tried again", "error", err)
	}
	background.Repeat(ctx, background.Pace{Every: every}, failed, func(ctx context.Context) (more bool, err error) { return false, s.Starts(ctx) })
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
	starting, err := s.o.Things.CampaignsStarting(ctx, attribution.InstantOf(told.Add(-24*time.Hour)), attribution.InstantOf(now.Add(24*time.Hour)))
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

// tellStarts tells the creators whose 08:00 is in the slot that begins at a time.
func (s *Service) tellStarts(ctx context.Context, at time.Time, starting []catalog.StartingCampaign) error {
	near := slices.DeleteFunc(slices.Clone(starting), func(one catalog.StartingCampaign) bool {
		start := one.StartsAt.Time()
		return start.Before(at.Add(-tellAt-slot-time.Hour)) || start.After(at.Add(24*time.Hour-tellAt+time.Hour)) // an hour for clocks that change
	})
	if len(near) == 0 {
		return nil
	}
	for page := (catalog.Page{Limit: startPage}); ; {
		creators, err := s.o.Things.Creators(ctx, operator, catalog.CreatorFilter{}, page)
		if err != nil {
			return err
		}
		if err := s.tellPage(ctx, morningsAt(at, creators.Items), near); err != nil {
			return err
		}
		if page.Cursor = creators.NextCursor; page.Cursor == "" {
			return nil
		}
	}
}

// A morning is a creator's day, whose 08:00 has come.
type morning struct {
	creator                *catalog.Creator
	zone                   *time.Location
	today, eight, tomorrow time.Time
	campaigns              []catalog.Campaign // that start on it and are open to the creator
}

// morningsAt are the days of those creators whose 08:00 is in a slot.
func morningsAt(at time.Time, creators []catalog.Creator) []*morning {
	var mornings []*morning
	for i := range creators {
		zone := zoneOf(creators[i].Timezone)
		year, month, day := at.In(zone).Date()
		m := &morning{
			creator: &creators[i], zone: zone, today: time.Date(year, month, day, 0, 0, 0, 0, zone),
			eight: time.Date(year, month, day, int(tellAt/time.Hour), 0, 0, 0, zone), tomorrow: time.Date(year, month, day+1, 0, 0, 0, 0, zone),
		}
		if !m.eight.Before(at) && m.eight.Before(at.Add(slot)) {
			mornings = append(mornings, m)
		}
	}
	return mornings
}

// tellPage tells creators of the campaigns that start on their day and are open to
// them: a notification for each campaign, and one e-mail for all.
func (s *Service) tellPage(ctx context.Context, mornings []*morning, near []catalog.StartingCampaign) error {
	var notices []notice
	for _, one := range near {
		said, err := s.startOf(ctx, mornings, one)
		if err != nil {
			return err
		}
		if notices = append(notices, said...); len(notices) >= startBatch {
			if err := s.keepStarts(ctx, notices); err != nil {
				return err
			}
			notices = notices[:0]
		}
	}
	letters, err := s.startLetters(mornings)
	if err != nil {
		return err
	}
	return s.keepStarts(ctx, append(notices, letters...))
}

// startOf is what creators are told of one campaign. It is noted for their e-mails.
func (s *Service) startOf(ctx context.Context, mornings []*morning, one catalog.StartingCampaign) ([]notice, error) {
	start := one.StartsAt.Time()
	byID := map[string]*morning{}
	var creators []catalog.Creator
	for _, m := range mornings {
		if !start.Before(m.today) && start.Before(m.tomorrow) {
			byID[m.creator.ID] = m
			creators = append(creators, *m.creator)
		}
	}
	if len(creators) == 0 {
		return nil, nil
	}
	campaign, creators, err := s.o.Things.OfferedTo(ctx, one.ID, creators)
	if err != nil {
		return nil, err
	}
	var notices []notice
	for i := range creators {
		m := byID[creators[i].ID]
		m.campaigns = append(m.campaigns, campaign)
		n := m.notice("campaign.starts", campaign.ID+" ")
		n.campaignID, n.subject = campaign.ID, map[string]string{"campaign_id": campaign.ID}
		if n.text, err = s.templates.say("campaign.starts.creator", about{Campaign: campaign, Creator: creators[i], Zone: m.zone}); err != nil {
			return nil, err
		}
		notices = append(notices, n)
	}
	return notices, nil
}

// startLetters are the e-mails to creators who were told of campaigns.
func (s *Service) startLetters(mornings []*morning) (letters []notice, err error) {
	if s.o.Mail == nil {
		return nil, nil
	}
	for _, m := range mornings {
		if len(m.campaigns) == 0 {
			continue
		}
		letter := m.notice("campaigns.start", "")
		letter.quiet, letter.mailTo = true, addresses(m.creator.Name, m.creator.Email)
		if letter.text, err = s.templates.say("campaigns.start.creator", about{Campaigns: m.campaigns, Creator: *m.creator, Zone: m.zone}); err != nil {
			return nil, err
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// notice is what a creator is told on a day, once of what.
func (m *morning) notice(kind, what string) notice {
	return notice{
		role: catalog.RoleCreator, ownerID: m.creator.ID, once: "starts " + what + m.today.Format(time.DateOnly), kind: kind, at: attribution.InstantOf(m.eight),
	}
}

func (s *Service) keepStarts(ctx context.Context, notices []notice) error {
	if len(notices) == 0 {
		return nil
	}
	err := s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error { return s.write(ctx, tx, notices) })
	if err == nil {
		s.Kept()
	}
	return err
}
