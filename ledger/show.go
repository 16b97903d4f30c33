package ledger

import (
	"context"
	"fmt"
	"slices"

	"tributary/attribution"
)

// ShowActions are actions, as messages of the outbox tell of them, in the words of
// the API and as a scope may see them. What is not the scope's is left out.
func (l *Ledger) ShowActions(ctx context.Context, scope Scope, actions []*ActionRecord) ([]Action, error) {
	seen := slices.DeleteFunc(slices.Clone(actions), func(a *ActionRecord) bool { return !scope.owns(a.AdvertiserID, a.CreatorID) })
	return l.viewActions(ctx, scope, seen)
}

// ShowConversion is a conversion with the actions it made, as a message of the
// outbox tells of it, in the words of the API and as a scope may see it.
func (l *Ledger) ShowConversion(ctx context.Context, scope Scope, e ConversionEvent) (Conversion, error) {
	actions, err := l.ShowActions(ctx, scope, e.Actions)
	return viewConversion(e.Conversion, actions), err
}

// CampaignCosts is what a campaign has committed, and its budget, as BudgetEvent
// tells of it.
type CampaignCosts struct {
	Amount    string `json:"amount"`
	Committed string `json:"committed"`
	Remaining string `json:"remaining"`
}

// Costs writes the amounts of a BudgetEvent as the API does.
func (e BudgetEvent) Costs() CampaignCosts {
	money := func(minor int64) string { return attribution.FormatMoney(minor, e.Currency) }
	return CampaignCosts{money(e.BudgetMinor), money(e.CommittedMinor), money(e.BudgetMinor - e.CommittedMinor)}
}

// PayoutAmount is what a scope may know of a payout's amount: nil where an
// advertiser may not see it.
func (l *Ledger) PayoutAmount(ctx context.Context, scope Scope, e PayoutEvent) (*string, error) {
	if !scope.owns(e.AdvertiserID, e.CreatorID) {
		return nil, notFound("payout", e.ID)
	}
	if scope.advertiser() {
		p, err := l.Payout(ctx, scope, e.ID)
		if err != nil {
			return nil, fmt.Errorf("ledger: the amount of a payout: %w", err)
		}
		return p.Amount, nil
	}
	return new(attribution.FormatMoney(e.AmountMinor, e.Currency)), nil
}
