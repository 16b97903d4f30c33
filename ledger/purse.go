package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"tributary/attribution"
)

// A purse is a campaign's money within one writing: read once, kept at the end.
type purse struct {
	campaign       *campaignFacts
	hard           bool
	hasBudget      bool
	budgetMinor    int64
	committedMinor int64
	overBudget     bool
	maxCreator     int64 // 0: no limit
	margin, agency attribution.Rate
	tallies        map[tallyKey]*tally

	committedBefore int64
	overBefore      bool
	toldPercent     int64 // the highest part of the budget that was told of
	toldOfMinor     int64 // the budget that was
}

// purse reads a campaign's money, once in a writing.
func (w *writing) purse(ctx context.Context, campaignID string) (*purse, error) {
	if p := w.purses[campaignID]; p != nil {
		return p, nil
	}
	campaign, err := w.facts.campaign(ctx, w, campaignID)
	if err != nil {
		return nil, err
	}
	p := &purse{campaign: campaign, tallies: map[tallyKey]*tally{}}
	var budget, maxCreator sql.NullInt64
	var mode string
	var over int64
	err = w.Row(ctx, "ledger.campaign_money", campaignID).Scan(&budget, &mode, &p.committedMinor, &over, &maxCreator, &p.margin, &p.agency,
		&p.toldPercent, &p.toldOfMinor)
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a campaign's money: %w", err)
	}
	p.hasBudget, p.budgetMinor, p.hard = budget.Valid, budget.Int64, budget.Valid && mode != "soft"
	p.maxCreator, p.overBudget = maxCreator.Int64, over != 0
	p.committedBefore, p.overBefore = p.committedMinor, p.overBudget
	if err := w.shapeTallies(ctx, p, maxCreator.Valid); err != nil {
		return nil, err
	}
	w.purses[campaignID] = p
	return p, nil
}

// price takes an intended payout of an action through caps, the creator's
// maximum and the budget. A person's adjustment passes no caps, and what it
// takes back no budget either.
func (w *writing) price(ctx context.Context, p *purse, a *ActionRecord, intendedMinor int64) (attribution.Booking, error) {
	purse := attribution.Purse{
		Currency: a.Currency, Margin: p.margin, Agency: p.agency,
		HardBudget: p.hard, BudgetMinor: p.budgetMinor, CommittedMinor: p.committedMinor, OverBudget: p.overBudget,
	}
	if a.Referral == ReferralAdjustment {
		purse.HardBudget = p.hard && intendedMinor > 0
		return purse.Book(intendedMinor), nil
	}
	terms := p.campaign.version(a.TermsVersion).terms
	for _, limit := range terms.Caps {
		t, applies, err := w.tally(ctx, p, limit.Scope, limit.Period, a)
		if err != nil {
			return attribution.Booking{}, err
		}
		if !applies {
			continue
		}
		used := t.payoutMinor
		if limit.Metric == "actions" {
			used = t.actions
		}
		purse.Caps = append(purse.Caps, attribution.CapUse{Cap: limit, Used: used})
	}
	if p.maxCreator > 0 {
		t, _, err := w.tally(ctx, p, "creator", "campaign", a)
		if err != nil {
			return attribution.Booking{}, err
		}
		purse.MaxCreatorMinor, purse.CreatorPaid = p.maxCreator, t.payoutMinor
	}
	return purse.Book(intendedMinor), nil
}

// notifiedPercents are the parts of a budget that are told of when committed
// reaches them.
var notifiedPercents = [...]int64{50, 80, 100}

// A BudgetEvent tells that a campaign's commitments reached a part of its budget,
// under the kind "budget".
type BudgetEvent struct {
	CampaignID     string `json:"campaign_id"`
	AdvertiserID   string `json:"advertiser_id"`
	Percent        int64  `json:"percent"`
	CommittedMinor int64  `json:"committed_minor"`
	BudgetMinor    int64  `json:"budget_minor"`
	Currency       string `json:"currency"`
	AtMs           int64  `json:"at_ms"`
}

// A CampaignEvent tells that a campaign's status changed by budget or by time,
// under the kind "campaign".
type CampaignEvent struct {
	CampaignID   string `json:"campaign_id"`
	AdvertiserID string `json:"advertiser_id"`
	Status       string `json:"status"`
	AtMs         int64  `json:"at_ms"`
}

// keepPurses writes what the writing changed of campaigns' money, in the order of
// their ids.
func (w *writing) keepPurses(ctx context.Context) error {
	for _, id := range slices.SortedFunc(maps.Keys(w.purses), cmp.Compare[string]) {
		p := w.purses[id]
		if p.hasBudget {
			if err := w.tellBudget(ctx, p); err != nil {
				return err
			}
		}
		if err := w.keepTallies(ctx, p); err != nil {
			return err
		}
		if p.overBudget != p.overBefore {
			if err := w.flip(ctx, p); err != nil {
				return err
			}
		}
		if p.committedMinor == p.committedBefore {
			continue
		}
		if _, err := w.Exec(ctx, "ledger.keep_committed", id, p.committedMinor); err != nil {
			return err
		}
	}
	return nil
}

// tellBudget tells of every part of the budget that is reached, once for a budget.
// When it is another one, what had been reached of both is not told of again.
func (w *writing) tellBudget(ctx context.Context, p *purse) error {
	told := p.toldPercent
	if p.toldOfMinor != p.budgetMinor {
		told = min(told, p.reached(p.committedBefore))
	}
	reached := max(told, p.reached(p.committedMinor))
	for _, percent := range notifiedPercents {
		if percent <= told || percent > reached {
			continue
		}
		if err := w.tell(ctx, OutboxBudget, BudgetEvent{
			p.campaign.id, p.campaign.advertiserID, percent, p.committedMinor, p.budgetMinor, p.campaign.currency, int64(w.at),
		}); err != nil {
			return err
		}
	}
	if reached == p.toldPercent && (reached == 0 || p.toldOfMinor == p.budgetMinor) {
		return nil
	}
	_, err := w.Exec(ctx, "ledger.keep_told", p.campaign.id, reached, p.budgetMinor)
	return err
}

// reached is the highest of notifiedPercents of the budget that is committed, or 0.
func (p *purse) reached(committedMinor int64) int64 {
	for _, percent := range slices.Backward(notifiedPercents[:]) {
		if p.budgetMinor > 0 && committedMinor >= (p.budgetMinor*percent+99)/100 {
			return percent
		}
	}
	return 0
}

// flip changes whether a campaign is over budget. Trackers are told: it is part
// of the campaign's route.
func (w *writing) flip(ctx context.Context, p *purse) error {
	var change int64
	if err := w.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
		return fmt.Errorf("ledger: taking a change number: %w", err)
	}
	if _, err := w.Exec(ctx, "ledger.keep_over_budget", p.campaign.id, bit(p.overBudget), change); err != nil {
		return err
	}
	state := p.campaign.states[len(p.campaign.states)-1].State
	state.OverBudget = p.overBudget
	w.OnCommit(w.l.routesChanged)
	return w.tell(ctx, OutboxCampaign, CampaignEvent{p.campaign.id, p.campaign.advertiserID, state.Status(int64(w.at)), int64(w.at)})
}
