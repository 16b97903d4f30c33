package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

//go:embed demo_creators.json
var demoCreatorsJSON []byte

// A demoOffer is a campaign of the data set that creators come into by
// themselves: they apply, are invited, show drafts and post.
type demoOffer struct {
	Advertiser  string                 `json:"advertiser"`
	StartsDays  int                    `json:"starts_days"`
	EndsDays    int                    `json:"ends_days"`
	EnteredDays int                    `json:"entered_days"` // ago
	Fields      catalog.CampaignFields `json:"fields"`
	Creators    []struct {
		Creator string     `json:"creator"`
		Status  string     `json:"status"` // invited; applied and joined are the creator's own doing
		Tasks   []demoWork `json:"tasks"`
	} `json:"creators"`
}

// A demoWork is a task and what was handed in for it.
type demoWork struct {
	Platform string              `json:"platform"`
	Title    string              `json:"title"`
	Fee      attribution.Decimal `json:"fee"`
	Drafts   []struct {
		catalog.DraftFields
		Status string `json:"status"`
		Reason string `json:"reason"`
	} `json:"drafts"`
	Post *struct {
		URL     string `json:"url"`
		Days    int    `json:"days"` // ago
		Status  string `json:"status"`
		Warning string `json:"warning_reason"`
		Metrics []struct {
			Days int `json:"days"` // ago
			catalog.PostReading
		} `json:"metrics"`
	} `json:"post"`
}

// demoEntry enters offers: what people did in the past through a catalog whose
// clock stands there, and what posts earn through the present one, which tells
// the ledger.
type demoEntry struct {
	things, past          *catalog.Catalog
	now, at               time.Time // at: what the past catalog's clock says
	advertisers, creators map[string]string
}

// seedOffers enters the offers. advertisers and creators are ids by name.
func (a *app) seedOffers(ctx context.Context, now time.Time, advertisers, creators map[string]string) error {
	var offers []demoOffer
	if err := json.Unmarshal(demoCreatorsJSON, &offers); err != nil {
		return fmt.Errorf("read the demo data set of creators: %w", err)
	}
	e := &demoEntry{things: a.things, now: now, advertisers: advertisers, creators: creators}
	e.past = catalog.New(a.db, catalog.Options{
		BaseURL: a.options.BaseURL, Pepper: a.secrets.KeyPepper, Log: a.log, Now: func() time.Time { return e.at },
	})
	for i := range offers {
		if err := e.enter(ctx, &offers[i]); err != nil {
			return fmt.Errorf("enter the demo campaign %s: %w", offers[i].Fields.Title, err)
		}
	}
	return nil
}

func (e *demoEntry) daysAgo(days int) time.Time { return e.now.AddDate(0, 0, -days) }

func (e *demoEntry) enter(ctx context.Context, o *demoOffer) error {
	e.at = e.daysAgo(o.EnteredDays)
	fields := o.Fields
	fields.AdvertiserID = e.advertisers[o.Advertiser]
	fields.StartsAt = attribution.InstantOf(e.daysAgo(-o.StartsDays))
	fields.EndsAt = attribution.InstantOf(e.daysAgo(-o.EndsDays))
	campaign, err := e.past.CreateCampaign(ctx, operator, fields)
	if err != nil {
		return err
	}
	if _, err := e.past.ApproveCampaign(ctx, operator, campaign.ID); err != nil {
		return err
	}
	for _, place := range o.Creators {
		id := e.creators[place.Creator]
		self := catalog.Scope{Role: catalog.RoleCreator, CreatorID: id}
		if err := e.bring(ctx, self, campaign.ID, place.Status); err != nil {
			return fmt.Errorf("creator %s: %w", place.Creator, err)
		}
		for i := range place.Tasks {
			if err := e.work(ctx, self, campaign.ID, &place.Tasks[i]); err != nil {
				return fmt.Errorf("task %s: %w", place.Tasks[i].Title, err)
			}
		}
	}
	return nil
}

// bring has a creator come into a campaign as far as the status says.
func (e *demoEntry) bring(ctx context.Context, self catalog.Scope, campaignID, status string) error {
	if status == catalog.Invited {
		_, err := e.past.AddCreator(ctx, operator, campaignID, catalog.ParticipationFields{CreatorID: self.CreatorID, Status: status})
		return err
	}
	part, err := e.past.AddCreator(ctx, self, campaignID, catalog.ParticipationFields{})
	if err != nil || part.Status == status {
		return err
	}
	_, err = e.past.PatchParticipation(ctx, operator, campaignID, self.CreatorID, fmt.Appendf(nil, `{"status":%q}`, status))
	return err
}

func (e *demoEntry) work(ctx context.Context, self catalog.Scope, campaignID string, work *demoWork) error {
	task, err := e.past.CreateTask(ctx, operator, catalog.TaskFields{
		CampaignID: campaignID, CreatorID: self.CreatorID, Platform: work.Platform, Title: work.Title, Fee: work.Fee})
	if err != nil {
		return err
	}
	for _, d := range work.Drafts {
		draft, err := e.past.CreateDraft(ctx, self, task.ID, d.DraftFields)
		if err != nil {
			return err
		}
		switch d.Status {
		case catalog.DraftApproved:
			_, err = e.past.ApproveDraft(ctx, operator, draft.ID)
		case catalog.DraftReturned:
			_, err = e.past.ReturnDraft(ctx, operator, draft.ID, d.Reason)
		}
		if err != nil {
			return err
		}
	}
	if work.Post == nil {
		return nil
	}
	posted := attribution.InstantOf(e.daysAgo(work.Post.Days))
	post, err := e.things.CreatePost(ctx, self, task.ID, catalog.PostFields{URL: work.Post.URL, PostedAt: &posted})
	if err != nil {
		return err
	}
	for _, m := range work.Post.Metrics {
		m.At = new(attribution.InstantOf(e.daysAgo(m.Days)))
		if _, err := e.things.AddPostMetrics(ctx, operator, post.ID, m.PostReading); err != nil {
			return err
		}
	}
	judged := fmt.Appendf(nil, `{"status":%q,"warning_reason":%q}`, work.Post.Status, work.Post.Warning)
	_, err = e.things.PatchPost(ctx, operator, post.ID, judged)
	return err
}
