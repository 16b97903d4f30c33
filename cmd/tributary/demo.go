package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

//go:embed demo.json
var demoJSON []byte

// A demo is the data set of --demo: what people would enter, with names for ids
// and days from today for dates.
type demo struct {
	Advertisers map[string]catalog.AdvertiserFields `json:"advertisers"`
	Creators    map[string]catalog.CreatorFields    `json:"creators"`
	Campaigns   []demoCampaign                      `json:"campaigns"`

	advertiserIDs, creatorIDs map[string]string // once they are entered, by name
}

type demoCampaign struct {
	Advertiser string                 `json:"advertiser"`
	StartsDays int                    `json:"starts_days"`
	EndsDays   int                    `json:"ends_days"`
	Fields     catalog.CampaignFields `json:"fields"`
	Tasks      []demoTask             `json:"tasks"`
}

type demoTask struct {
	Creator    string              `json:"creator"`
	Platform   string              `json:"platform"`
	Title      string              `json:"title"`
	Fee        attribution.Decimal `json:"fee"`
	Label      string              `json:"label"`
	Code       string              `json:"code"`
	Popularity int                 `json:"popularity"` // its links' share of the clicks
}

// seedDemo enters the data set, when it is asked for and nothing is stored yet,
// and sends its clicks and sales through the spools. People entered it before the
// first click, so it has a catalog whose clock stands at that time.
func (a *app) seedDemo(ctx context.Context, _ appConfig) error {
	if !a.options.Demo || !a.dir.fresh {
		return nil
	}
	if err := awaitDatabase(ctx, a.db, a.options.Database); err != nil {
		return err
	}
	var d demo
	if err := json.Unmarshal(demoJSON, &d); err != nil {
		return fmt.Errorf("read the demo data set: %w", err)
	}
	now := time.Now()
	then := catalog.New(a.db, catalog.Options{
		BaseURL: a.options.BaseURL, Pepper: a.secrets.KeyPepper, Log: a.log, Now: func() time.Time { return now.AddDate(0, 0, -demoAgeDays) },
	})
	links, err := d.enter(ctx, then, now)
	if err != nil {
		return fmt.Errorf("enter the demo data set: %w", err)
	}
	if err := a.seedOffers(ctx, now, d.advertiserIDs, d.creatorIDs); err != nil {
		return err
	}
	a.things.Announce()
	if a.tracker == nil {
		return nil // clicks are a tracker's
	}
	clicks := demoClicks{keys: a.clickKeys, rules: a.rules, log: a.clicks, links: links}
	if err := clicks.send(now); err != nil {
		return fmt.Errorf("send the demo clicks: %w", err)
	}
	if err := clicks.sales.send(a.reports); err != nil {
		return fmt.Errorf("send the demo sales: %w", err)
	}
	return nil
}

// A demoLink is a link of the data set and its share of the clicks.
type demoLink struct {
	catalog.Link
	popularity int
	fromMs     int64 // when its campaign began
	currency   string
	code       string // of the same task; may be none
}

// enter makes every thing through the catalog, as the API would.
func (d *demo) enter(ctx context.Context, things *catalog.Catalog, now time.Time) ([]demoLink, error) {
	d.advertiserIDs, d.creatorIDs = map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(d.Advertisers)) {
		made, err := things.CreateAdvertiser(ctx, operator, d.Advertisers[name])
		if err != nil {
			return nil, fmt.Errorf("advertiser %s: %w", name, err)
		}
		d.advertiserIDs[name] = made.ID
	}
	for _, name := range slices.Sorted(maps.Keys(d.Creators)) {
		made, err := things.CreateCreator(ctx, operator, d.Creators[name])
		if err != nil {
			return nil, fmt.Errorf("creator %s: %w", name, err)
		}
		d.creatorIDs[name] = made.ID
	}
	var links []demoLink
	for _, c := range d.Campaigns {
		made, err := c.enter(ctx, things, now, d.advertiserIDs[c.Advertiser], d.creatorIDs)
		if err != nil {
			return nil, fmt.Errorf("campaign %s: %w", c.Fields.Title, err)
		}
		links = append(links, made...)
	}
	return links, nil
}

func (c *demoCampaign) enter(ctx context.Context, things *catalog.Catalog, now time.Time, advertiser string, creators map[string]string) ([]demoLink, error) {
	fields := c.Fields
	fields.AdvertiserID = advertiser
	fields.StartsAt = attribution.InstantOf(now.AddDate(0, 0, c.StartsDays))
	fields.EndsAt = attribution.InstantOf(now.AddDate(0, 0, c.EndsDays))
	campaign, err := things.CreateCampaign(ctx, operator, fields)
	if err != nil {
		return nil, err
	}
	if _, err := things.ApproveCampaign(ctx, operator, campaign.ID); err != nil {
		return nil, err
	}
	joined := map[string]bool{}
	var links []demoLink
	for _, t := range c.Tasks {
		creator := creators[t.Creator]
		if !joined[creator] {
			if _, err := things.AddCreator(ctx, operator, campaign.ID, catalog.ParticipationFields{CreatorID: creator}); err != nil {
				return nil, err
			}
			joined[creator] = true
		}
		task, err := things.CreateTask(ctx, operator, catalog.TaskFields{CampaignID: campaign.ID, CreatorID: creator, Platform: t.Platform, Title: t.Title, Fee: t.Fee})
		if err != nil {
			return nil, err
		}
		link, err := things.CreateLink(ctx, operator, task.ID, catalog.LinkFields{Label: t.Label})
		if err != nil {
			return nil, err
		}
		if t.Code != "" {
			if _, err := things.CreateCode(ctx, operator, task.ID, catalog.CodeFields{Code: t.Code}); err != nil {
				return nil, err
			}
		}
		links = append(links, demoLink{link, t.Popularity, int64(fields.StartsAt), campaign.Currency, t.Code})
	}
	return links, nil
}

// greetDemo prints a link to click.
func (a *app) greetDemo() {
	links, err := a.things.Links(context.Background(), operator, catalog.LinkFilter{}, catalog.Page{Limit: 1})
	if err != nil || len(links.Items) == 0 {
		a.log.Warn("there is no demo link to show", "error", err)
		return
	}
	fmt.Fprintf(a.out, "  a link to click  %s\n", links.Items[0].URL)
}
