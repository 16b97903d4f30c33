package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tributary/attribution"
)

// caseOf gathers all that decides who earned a conversion.
func (w *writing) caseOf(ctx context.Context, report *attribution.Report, conversion *attribution.Conversion) (*attribution.Case, error) {
	input := &attribution.Case{Conversion: conversion, Campaigns: map[string]*attribution.CampaignCase{}}
	if err := w.addTouches(ctx, input, report); err != nil {
		return nil, err
	}
	if conversion.Code != "" {
		if err := w.addCode(ctx, input); err != nil {
			return nil, err
		}
	}
	if conversion.ForcedCreatorID != "" {
		if err := w.addForced(ctx, input); err != nil {
			return nil, err
		}
	}
	return input, w.addConverted(ctx, input)
}

// addTouches opens the click ids the report names and those known of its
// customer. A click of another advertiser is as good as forged.
func (w *writing) addTouches(ctx context.Context, input *attribution.Case, report *attribution.Report) error {
	named := make([]string, 0, len(report.Fields.ClickIDs)+1)
	named = append(named, report.Fields.ClickIDs...)
	if report.Fields.ClickID != "" {
		named = append(named, report.Fields.ClickID)
	}
	for _, id := range named {
		if err := w.addTouch(ctx, input, id, true); err != nil {
			return err
		}
	}
	c := input.Conversion
	if c.CustomerID == "" {
		return nil
	}
	var known []string
	err := w.each(ctx, "ledger.customer", func(row scanner) error {
		var clickID string
		var firstSaleMs int64
		err := row.Scan(&clickID, &firstSaleMs)
		if clickID == "" {
			c.CustomerBought = firstSaleMs <= int64(c.EventTime)
			return err
		}
		known = append(known, clickID)
		return err
	}, c.AdvertiserID, c.CustomerID)
	if err != nil {
		return err
	}
	for _, id := range known {
		if err := w.addTouch(ctx, input, id, false); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) addTouch(ctx context.Context, input *attribution.Case, clickID string, named bool) error {
	for i := range input.Touches {
		if input.Touches[i].ClickID == clickID {
			return nil // named before it is known
		}
	}
	touch := attribution.Touch{ClickID: clickID, Named: named, Forged: true}
	token, err := w.l.clickKeys.OpenClickID(clickID)
	if err != nil {
		input.Touches = append(input.Touches, touch)
		return nil
	}
	link, err := w.facts.link(ctx, w, token.Link)
	if err != nil {
		return err
	}
	if link != nil && link.advertiserID == input.Conversion.AdvertiserID {
		verdict, err := w.verdictOf(ctx, clickID, &token)
		if err != nil {
			return err
		}
		touch = attribution.Touch{
			ClickID: clickID, Named: named, At: attribution.Instant(token.AtMs), Verdict: verdict, Unpayable: token.Unpayable, PaidSearch: token.PaidSearch, Network: token.Network,
			LinkID: link.linkID, PostID: link.postID, TaskID: link.taskID, CreatorID: link.creatorID, CampaignID: link.campaignID, Platform: link.platform,
		}
		if err := w.addCreator(ctx, input, link.campaignID, link.creatorID); err != nil {
			return err
		}
	}
	input.Touches = append(input.Touches, touch)
	return nil
}

// addCreator puts a campaign, and a creator's participation in it, into the case
// as they were at the event time.
func (w *writing) addCreator(ctx context.Context, input *attribution.Case, campaignID, creatorID string) error {
	at := input.Conversion.EventTime
	campaign := input.Campaigns[campaignID]
	if campaign == nil {
		known, err := w.facts.campaign(ctx, w, campaignID)
		if err != nil {
			return err
		}
		campaign = known.caseAt(at)
		input.Campaigns[campaignID] = campaign
	}
	if campaign.Creators[creatorID] != nil {
		return nil
	}
	participation, err := w.facts.participation(ctx, w, campaignID, creatorID)
	if err != nil {
		return err
	}
	campaign.Creators[creatorID] = participation.at(at)
	return nil
}

func (c *campaignFacts) caseAt(at attribution.Instant) *attribution.CampaignCase {
	v := c.termsAt(at)
	return &attribution.CampaignCase{
		ID: c.id, Currency: c.currency, Zone: c.zone, Terms: v.terms, TermsVersion: int(v.number), States: c.states,
		Creators: map[string]*attribution.CreatorCase{},
	}
}

// addCode finds the advertiser's code. A deleted one ended when it was deleted.
func (w *writing) addCode(ctx context.Context, input *attribution.Case) error {
	c := input.Conversion
	var k attribution.PromoCode
	var archived attribution.Instant
	err := w.Row(ctx, "ledger.code", c.AdvertiserID, strings.ToLower(c.Code)).Scan(
		&k.ID, &k.Code, &k.TaskID, &k.CampaignID, &k.CreatorID, &k.Platform, &k.StartsAt, &k.EndsAt, &archived)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: reading a code: %w", err)
	}
	if archived != 0 && (k.EndsAt == 0 || archived < k.EndsAt) {
		k.EndsAt = archived
	}
	input.Code = &k
	return w.addCreator(ctx, input, k.CampaignID, k.CreatorID)
}

// addForced finds the task that a forced credit goes to: the creator's newest
// task for the advertiser that is neither rejected nor cancelled, in an approved
// campaign that is not closed, has the event in its terms, and had the creator
// joined at the event time.
func (w *writing) addForced(ctx context.Context, input *attribution.Case) error {
	c := input.Conversion
	var tasks []attribution.PromoCode
	err := w.each(ctx, "ledger.creator_tasks", func(row scanner) error {
		task := attribution.PromoCode{CreatorID: c.ForcedCreatorID}
		err := row.Scan(&task.TaskID, &task.CampaignID, &task.Platform)
		tasks = append(tasks, task)
		return err
	}, c.ForcedCreatorID, c.AdvertiserID)
	if err != nil {
		return err
	}
	for i := range tasks {
		if err := w.addCreator(ctx, input, tasks[i].CampaignID, c.ForcedCreatorID); err != nil {
			return err
		}
		campaign := input.Campaigns[tasks[i].CampaignID]
		_, inTerms := campaign.Terms.Events[c.Event]
		if inTerms && campaign.Creators[c.ForcedCreatorID].JoinedAt(c.EventTime) {
			input.Forced = &tasks[i]
			return nil
		}
	}
	return attribution.Refuse(CodeCreatorUnknown, "creator %.64q has no live task for this advertiser whose terms have the event %q", c.ForcedCreatorID, c.Event)
}

// addConverted converts the conversion into the currencies of the campaigns in
// question, where the operator gave a rate for its day.
func (w *writing) addConverted(ctx context.Context, input *attribution.Case) error {
	c := input.Conversion
	if c.Currency == "" {
		return nil
	}
	for _, campaign := range input.Campaigns {
		if campaign.Currency == c.Currency || input.Converted[campaign.Currency] != nil {
			continue
		}
		converted, err := w.converted(ctx, c, campaign.Currency)
		if err != nil {
			return err
		}
		if converted == nil {
			continue
		}
		if input.Converted == nil {
			input.Converted = map[string]*attribution.Conversion{}
		}
		input.Converted[campaign.Currency] = converted
	}
	return nil
}

// remember keeps what later conversions of the customer are to know: its clicks
// and that it bought.
func (w *writing) remember(ctx context.Context, report *attribution.Report, c *attribution.Conversion, record *ConversionRecord) error {
	if c.CustomerID == "" {
		return nil
	}
	if c.Event == saleEvent && !c.CustomerBought {
		if _, err := w.Exec(ctx, "ledger.keep_sale", c.AdvertiserID, c.CustomerID, int64(c.EventTime), record.Number); err != nil {
			return err
		}
	}
	if consent := report.Fields.Consent; consent != nil && !*consent {
		return nil
	}
	for _, id := range report.Fields.ClickIDs {
		if err := w.keepTouch(ctx, c.AdvertiserID, c.CustomerID, id); err != nil {
			return err
		}
	}
	return w.keepTouch(ctx, c.AdvertiserID, c.CustomerID, report.Fields.ClickID)
}

// saleEvent is the event that makes a customer one who bought.
const saleEvent = "sale"

// keepTouch ties a click to a customer; not one that is forged.
func (w *writing) keepTouch(ctx context.Context, advertiserID, customer, clickID string) error {
	if _, err := w.l.clickKeys.OpenClickID(clickID); err != nil {
		return nil
	}
	_, err := w.Exec(ctx, "ledger.keep_touch", advertiserID, customer, clickID)
	return err
}

// A LandingEvent is what the outbox tells of a shopper the tag saw on the shop's
// page, under the kind "landing".
type LandingEvent struct {
	AdvertiserID string `json:"advertiser_id"`
	ClickID      string `json:"click_id"`
	PageHost     string `json:"page_host"`
	LinkID       string `json:"link_id"`
	TaskID       string `json:"task_id"`
	CampaignID   string `json:"campaign_id"`
	CreatorID    string `json:"creator_id"`
	Platform     string `json:"platform"`
	ClickTimeMs  int64  `json:"click_time_ms"`
	AtMs         int64  `json:"at_ms"`
}

// settleLanding remembers the click of a customer and tells of the landing.
func (w *writing) settleLanding(ctx context.Context, report *attribution.Report) (Settled, error) {
	landing := report.Landing
	if landing == nil {
		return Settled{}, attribution.Refuse(attribution.CodeValidation, "a landing without its click")
	}
	token, err := w.l.clickKeys.OpenClickID(landing.ClickID)
	if err != nil {
		return Settled{}, attribution.Refuse(attribution.ReasonClickForged, "the landing's click id is forged or altered")
	}
	link, err := w.facts.link(ctx, w, token.Link)
	if err != nil {
		return Settled{}, err
	}
	if link == nil || link.advertiserID != report.AdvertiserID {
		return Settled{}, attribution.Refuse(attribution.ReasonClickForged, "the landing's click is another advertiser's")
	}
	if landing.CustomerID != "" {
		if err := w.keepTouch(ctx, report.AdvertiserID, landing.CustomerID, landing.ClickID); err != nil {
			return Settled{}, err
		}
	}
	return Settled{Status: Accepted}, w.tell(ctx, OutboxLanding, LandingEvent{
		report.AdvertiserID, landing.ClickID, landing.PageHost, link.linkID, link.taskID, link.campaignID, link.creatorID, link.platform,
		token.AtMs, int64(report.ReceivedAt),
	})
}
