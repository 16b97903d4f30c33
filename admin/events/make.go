package events

import (
	"context"
	"encoding/json"
	"fmt"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// Things reads campaigns as a scope may see them.
type Things interface {
	Campaign(ctx context.Context, scope catalog.Scope, id string) (catalog.Campaign, error)
}

// Money shows what messages of the ledger tell as a scope may see it.
type Money interface {
	ShowActions(ctx context.Context, scope ledger.Scope, actions []*ledger.ActionRecord) ([]ledger.Action, error)
	ShowConversion(ctx context.Context, scope ledger.Scope, e ledger.ConversionEvent) (ledger.Conversion, error)
	Conversion(ctx context.Context, scope ledger.Scope, id string) (ledger.Conversion, error)
	PayoutAmount(ctx context.Context, scope ledger.Scope, e ledger.PayoutEvent) (*string, error)
}

// A maker makes events of messages.
type maker struct {
	things Things
	money  Money
}

// of are the events of one message, none for a message of another kind.
func (m maker) of(message ledger.Message) (made []Event, err error) {
	switch message.Kind {
	case ledger.OutboxCampaign:
		made, err = decoded(message, m.campaign)
	case ledger.OutboxBudget:
		made, err = decoded(message, m.budget)
	case ledger.OutboxConversion:
		made, err = decoded(message, m.conversion)
	case ledger.OutboxAction:
		made, err = decoded(message, m.action)
	case ledger.OutboxQuarantine:
		made, err = decoded(message, m.quarantine)
	case ledger.OutboxPayout:
		made, err = decoded(message, m.payout)
	case catalog.OutboxParticipation:
		made, err = decoded(message, m.participation)
	case catalog.OutboxDraft:
		made, err = decoded(message, m.draft)
	case catalog.OutboxCodePool:
		made, err = decoded(message, m.codePool)
	}
	for i := range made {
		made[i].ID = idOf(made[i].At, message.Number, i)
	}
	return made, err
}

func decoded[P any](message ledger.Message, make func(P) []Event) ([]Event, error) {
	var payload P
	if err := json.Unmarshal(message.Payload, &payload); err != nil {
		return nil, fmt.Errorf("events: message %d of the outbox, of kind %s: %w", message.Number, message.Kind, err)
	}
	return make(payload), nil
}

func (m maker) campaign(e ledger.CampaignEvent) []Event {
	name := "campaign." + e.Status
	if !Known(name) {
		return nil
	}
	return []Event{{Type: name, At: attribution.Instant(e.AtMs), AdvertiserID: e.AdvertiserID, CampaignID: e.CampaignID, Message: e,
		data: func(ctx context.Context, scope catalog.Scope) (any, error) {
			campaign, err := m.things.Campaign(ctx, scope, e.CampaignID)
			campaign.Status = e.Status // it may have another one by now
			return campaign, err
		}}}
}

func (m maker) budget(e ledger.BudgetEvent) []Event {
	return []Event{{Type: BudgetThreshold, At: attribution.Instant(e.AtMs), AdvertiserID: e.AdvertiserID, CampaignID: e.CampaignID, Message: e,
		data: func(ctx context.Context, scope catalog.Scope) (any, error) {
			campaign, err := m.things.Campaign(ctx, scope, e.CampaignID)
			return struct {
				CampaignID   string               `json:"campaign_id"`
				AdvertiserID string               `json:"advertiser_id"`
				Title        string               `json:"title"`
				Percent      int64                `json:"percent"`
				Budget       ledger.CampaignCosts `json:"budget"`
				Currency     string               `json:"currency"`
			}{e.CampaignID, e.AdvertiserID, campaign.Title, e.Percent, e.Costs(), e.Currency}, err
		}}}
}

// conversionTypes are the events of what becomes of a conversion, by the ledger's
// verb.
var conversionTypes = map[string]string{
	ledger.Accepted: ConversionAccepted, "source_upgrade": ConversionUpgraded, "refunded": ConversionRefunded, "reattributed": ConversionReattributed,
}

func (m maker) conversion(e ledger.ConversionEvent) []Event {
	name, c, fresh := conversionTypes[e.Verb], e.Conversion, e.Verb == ledger.Accepted
	if name == "" || c == nil {
		return nil
	}
	if fresh && !c.Attributed {
		name = ConversionUnattributed
	}
	made := []Event{{Type: name, At: attribution.Instant(e.AtMs), AdvertiserID: c.AdvertiserID, Message: e,
		data: func(ctx context.Context, scope catalog.Scope) (any, error) {
			if fresh {
				return m.money.ShowConversion(ctx, ledger.Scope(scope), e)
			}
			return m.money.Conversion(ctx, ledger.Scope(scope), c.ID)
		}}}
	for _, a := range e.Actions {
		made = append(made, m.actionEvent("action."+a.State, e.AtMs, a))
	}
	return made
}

// putInPayout is the ledger's verb of an action that a payout was made of: the
// payout tells of it.
const putInPayout = "put_in_payout"

// stateVerbs are the ledger's verbs that bring an action into a state; others
// change what it is worth.
var stateVerbs = map[string]bool{
	"made": true, "approved": true, "held": true, "released": true, "locked": true, "payable": true, "paid": true, "inquiry_approved": true,
}

func (m maker) action(e ledger.ActionEvent) []Event {
	switch {
	case e.Action == nil || e.Verb == putInPayout:
		return nil
	case stateVerbs[e.Verb] || e.Action.State == ledger.Reversed:
		return []Event{m.actionEvent("action."+e.Action.State, e.AtMs, e.Action)}
	}
	return []Event{m.actionEvent(ActionAdjusted, e.AtMs, e.Action)}
}

func (m maker) actionEvent(name string, atMs int64, a *ledger.ActionRecord) Event {
	return Event{Type: name, At: attribution.Instant(atMs), AdvertiserID: a.AdvertiserID, CampaignID: a.CampaignID, CreatorID: a.CreatorID, Message: a,
		data: func(ctx context.Context, scope catalog.Scope) (any, error) {
			seen, err := m.money.ShowActions(ctx, ledger.Scope(scope), []*ledger.ActionRecord{a})
			if err != nil || len(seen) == 0 {
				return nil, err
			}
			return seen[0], nil
		}}
}

func (m maker) quarantine(e ledger.QuarantineEvent) []Event {
	if e.Kind == attribution.ReportLanding {
		return nil
	}
	return []Event{{Type: ConversionQuarantined, At: attribution.Instant(e.AtMs), AdvertiserID: e.AdvertiserID, Message: e,
		data: func(context.Context, catalog.Scope) (any, error) {
			return struct {
				ID           string `json:"id"`
				AdvertiserID string `json:"advertiser_id"`
				Kind         string `json:"kind"`
				Status       string `json:"status"`
				Code         string `json:"code"`
				Reason       string `json:"reason"`
				Event        string `json:"event"`
				OrderID      string `json:"order_id"`
				Source       string `json:"source"`
			}{e.ID, e.AdvertiserID, e.Kind, e.Status, e.Code, e.Reason, e.Event, e.OrderID, e.Source}, nil
		}}}
}

func (m maker) payout(e ledger.PayoutEvent) []Event {
	name, state := PayoutCreated, ledger.PayoutOpen
	if e.Verb == ledger.PayoutPaid {
		name, state = PayoutPaid, ledger.PayoutPaid
	}
	return []Event{{Type: name, At: attribution.Instant(e.AtMs), AdvertiserID: e.AdvertiserID, CreatorID: e.CreatorID, Message: e,
		data: func(ctx context.Context, scope catalog.Scope) (any, error) {
			amount, err := m.money.PayoutAmount(ctx, ledger.Scope(scope), e)
			return struct {
				ID           string  `json:"id"`
				AdvertiserID string  `json:"advertiser_id"`
				CreatorID    string  `json:"creator_id"`
				Currency     string  `json:"currency"`
				Amount       *string `json:"amount"`
				Actions      int64   `json:"actions"`
				State        string  `json:"state"`
				Reference    string  `json:"reference,omitempty"`
			}{e.ID, e.AdvertiserID, e.CreatorID, e.Currency, amount, e.Actions, state, e.Reference}, err
		}}}
}

func (m maker) participation(e catalog.ParticipationEvent) []Event {
	name := "participation." + e.Status
	switch {
	case e.Status == e.PreviousStatus:
		return nil
	case e.Status == catalog.Joined && e.PreviousStatus == catalog.Applied:
		name = ParticipationApproved
	}
	if !Known(name) {
		return nil
	}
	return []Event{{Type: name, At: e.At, AdvertiserID: e.AdvertiserID, CampaignID: e.CampaignID, CreatorID: e.CreatorID, Message: e,
		data: func(context.Context, catalog.Scope) (any, error) {
			return struct {
				catalog.Participation
				AdvertiserID   string `json:"advertiser_id"`
				CampaignTitle  string `json:"campaign_title"`
				PreviousStatus string `json:"previous_status,omitempty"`
				ActorRole      string `json:"actor_role"`
			}{e.Participation, e.AdvertiserID, e.CampaignTitle, e.PreviousStatus, e.ActorRole}, nil
		}}}
}

func (m maker) draft(e catalog.DraftEvent) []Event {
	return []Event{{Type: "draft." + e.Status, At: e.At, AdvertiserID: e.AdvertiserID, CampaignID: e.CampaignID, CreatorID: e.CreatorID, Message: e,
		data: func(context.Context, catalog.Scope) (any, error) {
			return struct {
				catalog.Draft
				CampaignTitle string `json:"campaign_title"`
			}{e.Draft, e.CampaignTitle}, nil
		}}}
}

func (m maker) codePool(e catalog.CodePoolEvent) []Event {
	return []Event{{Type: CodePoolLow, At: e.At, AdvertiserID: e.AdvertiserID, CampaignID: e.CampaignID, Message: e,
		data: func(context.Context, catalog.Scope) (any, error) {
			return struct {
				CampaignID   string `json:"campaign_id"`
				AdvertiserID string `json:"advertiser_id"`
				Left         int64  `json:"left"`
				Size         int64  `json:"size"`
			}{e.CampaignID, e.AdvertiserID, e.Left, e.Size}, nil
		}}}
}
