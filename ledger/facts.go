package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/attribution"
)

// The bounds of what is remembered; what is over them is forgotten all at once.
const (
	maxKnownCampaigns      = 2_000
	maxKnownLinks          = 50_000
	maxKnownParticipations = 50_000
	maxChangedLinks        = 1_000
	maxKnownKeys           = 10_000
)

// facts are what the settler remembers of the catalog between writings. They are
// dropped by the change numbers of the catalog, so that they are never older
// than the writing that uses them.
type facts struct {
	change         int64 // everything up to it is seen
	advertisers    map[string]*advertiserFacts
	campaigns      map[string]*campaignFacts
	links          map[uint64]*linkFacts // nil: there is none
	participations map[participationKey]*participationFacts
	keysUsed       map[string]attribution.Instant // as it was written last
	overridden     overrideSpan
}

// An advertiserFacts is what an advertiser asks to be looked for.
type advertiserFacts struct{ policy attribution.FraudPolicy }

// A linkFacts is whose a link is.
type linkFacts struct {
	linkID, taskID, postID, campaignID, creatorID, advertiserID, platform string
}

// A campaignFacts is a campaign's whole history.
type campaignFacts struct {
	id, advertiserID, currency string
	zone                       *time.Location
	versions                   []termsVersion // oldest first
	states                     []attribution.CampaignStateFrom

	tallied []tallyKind
	shaped  bool // tallied is known and kept
}

type termsVersion struct {
	number int64
	from   attribution.Instant
	terms  attribution.Terms
}

type participationKey struct{ campaignID, creatorID string }

// A participationFacts is a creator's whole history in a campaign, oldest first.
type participationFacts struct{ events []participationEvent }

type participationEvent struct {
	at     attribution.Instant
	fields participationFields
}

// participationFields are what attribution asks of the catalog's fields.
type participationFields struct {
	Status        string                     `json:"status"`
	Tier          string                     `json:"tier"`
	TermsOverride *attribution.TermsOverride `json:"terms_override"`
}

func newFacts() *facts {
	f := &facts{}
	f.forget()
	return f
}

func (f *facts) forget() {
	*f = facts{
		advertisers: map[string]*advertiserFacts{}, campaigns: map[string]*campaignFacts{}, links: map[uint64]*linkFacts{},
		participations: map[participationKey]*participationFacts{}, keysUsed: map[string]attribution.Instant{},
	}
}

// refresh drops what changed since the facts were last used.
func (f *facts) refresh(ctx context.Context, w *writing, change int64) error {
	if f.change == change {
		return nil
	}
	since := f.change
	f.change = change
	if err := f.seeOverrides(ctx, w); err != nil {
		return err
	}
	if since == 0 || len(f.campaigns) > maxKnownCampaigns || len(f.links) > maxKnownLinks || len(f.participations) > maxKnownParticipations {
		overridden := f.overridden
		f.forget()
		f.change, f.overridden = change, overridden
		return nil
	}
	if err := w.each(ctx, "ledger.changed_advertisers", func(row scanner) error {
		var id string
		err := row.Scan(&id)
		delete(f.advertisers, id)
		return err
	}, since); err != nil {
		return err
	}
	if err := w.each(ctx, "ledger.changed_campaigns", func(row scanner) error {
		var id string
		err := row.Scan(&id)
		delete(f.campaigns, id)
		return err
	}, since); err != nil {
		return err
	}
	if err := w.each(ctx, "ledger.changed_participations", func(row scanner) error {
		var key participationKey
		err := row.Scan(&key.campaignID, &key.creatorID)
		delete(f.participations, key)
		return err
	}, since); err != nil {
		return err
	}
	changed := 0
	err := w.each(ctx, "ledger.changed_links", func(row scanner) error {
		var number int64
		err := row.Scan(&number)
		delete(f.links, uint64(number))
		changed++
		return err
	}, since, maxChangedLinks)
	if changed == maxChangedLinks {
		clear(f.links)
	}
	return err
}

// each runs a query and hands on its rows.
func (w *writing) each(ctx context.Context, query string, do func(scanner) error, args ...any) error {
	rows, err := w.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return fmt.Errorf("ledger: reading %s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: reading %s: %w", query, err)
	}
	return nil
}

// advertiser finds an advertiser; nil when there is none. One that was not there
// is asked for again.
func (f *facts) advertiser(ctx context.Context, w *writing, id string) (*advertiserFacts, error) {
	if known := f.advertisers[id]; known != nil {
		return known, nil
	}
	var text string
	err := w.Row(ctx, "ledger.advertiser", id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading an advertiser: %w", err)
	}
	policy, err := policyOf(text)
	if err != nil {
		return nil, err
	}
	known := &advertiserFacts{policy}
	f.advertisers[id] = known
	return known, nil
}

// link finds whose a link is, by the number sealed into click ids; nil when there
// never was one.
func (f *facts) link(ctx context.Context, w *writing, number uint64) (*linkFacts, error) {
	if known, found := f.links[number]; found {
		return known, nil
	}
	link := &linkFacts{}
	err := w.Row(ctx, "ledger.link", int64(number)).Scan(&link.linkID, &link.taskID, &link.postID, &link.campaignID, &link.creatorID, &link.advertiserID, &link.platform)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a link: %w", err)
	}
	f.links[number] = link
	return link, nil
}

func (f *facts) campaign(ctx context.Context, w *writing, id string) (*campaignFacts, error) {
	if known := f.campaigns[id]; known != nil {
		return known, nil
	}
	c := &campaignFacts{id: id}
	var zone string
	err := w.Row(ctx, "ledger.campaign", id).Scan(&c.advertiserID, &c.currency, &zone)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("campaign", id)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a campaign: %w", err)
	}
	if c.zone, err = time.LoadLocation(zone); err != nil {
		return nil, fmt.Errorf("ledger: campaign %s: %w", id, err)
	}
	if err := w.each(ctx, "ledger.campaign_terms", func(row scanner) error {
		var v termsVersion
		var text string
		if err := row.Scan(&v.number, &v.from, &text); err != nil {
			return err
		}
		if err := decode(text, &v.terms); err != nil {
			return err
		}
		v.terms = v.terms.WithDefaults()
		c.versions = append(c.versions, v)
		return nil
	}, id); err != nil {
		return nil, err
	}
	if err := w.each(ctx, "ledger.campaign_states", func(row scanner) error {
		var s attribution.CampaignStateFrom
		var approved, paused, closed int64
		err := row.Scan(&s.From, &approved, &paused, &closed, &s.State.StartsAtMs, &s.State.EndsAtMs)
		s.State.Approved, s.State.Paused, s.State.Closed = approved != 0, paused != 0, closed != 0
		c.states = append(c.states, s)
		return err
	}, id); err != nil {
		return nil, err
	}
	if len(c.versions) == 0 || len(c.states) == 0 {
		return nil, fmt.Errorf("ledger: campaign %s has no terms or no history", id)
	}
	f.campaigns[id] = c
	return c, nil
}

// termsAt are the terms in force at a time; before the first, those.
func (c *campaignFacts) termsAt(at attribution.Instant) *termsVersion {
	for i := range slices.Backward(c.versions) {
		if c.versions[i].from <= at {
			return &c.versions[i]
		}
	}
	return &c.versions[0]
}

// version finds the terms an action pins.
func (c *campaignFacts) version(number int64) *termsVersion {
	for i := range c.versions {
		if c.versions[i].number == number {
			return &c.versions[i]
		}
	}
	return &c.versions[len(c.versions)-1]
}

func (f *facts) participation(ctx context.Context, w *writing, campaignID, creatorID string) (*participationFacts, error) {
	key := participationKey{campaignID, creatorID}
	if known := f.participations[key]; known != nil {
		return known, nil
	}
	p := &participationFacts{}
	err := w.each(ctx, "ledger.participation", func(row scanner) error {
		var e participationEvent
		var text string
		if err := row.Scan(&e.at, &text); err != nil {
			return err
		}
		p.events = append(p.events, e)
		return decode(text, &p.events[len(p.events)-1].fields)
	}, campaignID, creatorID)
	if err != nil {
		return nil, err
	}
	f.participations[key] = p
	return p, nil
}

// at is the participation as it was around a time.
func (p *participationFacts) at(at attribution.Instant) *attribution.CreatorCase {
	c := &attribution.CreatorCase{}
	for i, e := range p.events {
		if e.fields.Status == "joined" {
			span := attribution.Span{From: e.at}
			if i+1 < len(p.events) {
				span.To = p.events[i+1].at
			}
			if span.To == 0 || span.To > span.From {
				c.Joined = append(c.Joined, span)
			}
		}
		if e.at <= at || i == 0 {
			c.Tier, c.Override = e.fields.Tier, e.fields.TermsOverride
		}
	}
	return c
}
