package events

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/catalog"
)

// Prefix begins the identifiers of events.
const Prefix = "evt_"

// The types of events.
const (
	CampaignUpcoming   = "campaign.upcoming"
	CampaignOngoing    = "campaign.ongoing"
	CampaignOverBudget = "campaign.over_budget"
	CampaignFinished   = "campaign.finished"
	CampaignPaused     = "campaign.paused"
	CampaignClosed     = "campaign.closed"

	BudgetThreshold = "budget.threshold"
	CodePoolLow     = "code_pool.low"

	ParticipationInvited     = "participation.invited"
	ParticipationApplied     = "participation.applied"
	ParticipationApproved    = "participation.approved"
	ParticipationJoined      = "participation.joined"
	ParticipationRejected    = "participation.rejected"
	ParticipationUnavailable = "participation.unavailable"

	DraftWaiting  = "draft.waiting"
	DraftApproved = "draft.approved"
	DraftReturned = "draft.returned"

	ConversionAccepted     = "conversion.accepted"
	ConversionUnattributed = "conversion.unattributed"
	ConversionUpgraded     = "conversion.upgraded"
	ConversionRefunded     = "conversion.refunded"
	ConversionReattributed = "conversion.reattributed"
	ConversionQuarantined  = "conversion.quarantined"

	ActionHeld     = "action.held"
	ActionPending  = "action.pending"
	ActionAdjusted = "action.adjusted"
	ActionLocked   = "action.locked"
	ActionPayable  = "action.payable"
	ActionPaid     = "action.paid"
	ActionReversed = "action.reversed"

	PayoutCreated = "payout.created"
	PayoutPaid    = "payout.paid"

	// WebhookPing is sent on request only.
	WebhookPing = "webhook.ping"
)

// Types lists the types of the events that happen.
func Types() []string {
	return []string{
		CampaignUpcoming, CampaignOngoing, CampaignOverBudget, CampaignFinished, CampaignPaused, CampaignClosed, BudgetThreshold, CodePoolLow,
		ParticipationInvited, ParticipationApplied, ParticipationApproved, ParticipationJoined, ParticipationRejected, ParticipationUnavailable,
		DraftWaiting, DraftApproved, DraftReturned,
		ConversionAccepted, ConversionUnattributed, ConversionUpgraded, ConversionRefunded, ConversionReattributed, ConversionQuarantined,
		ActionHeld, ActionPending, ActionAdjusted, ActionLocked, ActionPayable, ActionPaid, ActionReversed, PayoutCreated, PayoutPaid,
	}
}

// An Event is something that happened, for everybody who must be told.
type Event struct {
	ID   string
	Type string
	At   attribution.Instant

	// Whom it concerns; empty where it concerns none.
	AdvertiserID, CampaignID, CreatorID string

	// Message is what the outbox told, decoded: a CampaignEvent, BudgetEvent,
	// ConversionEvent, QuarantineEvent or PayoutEvent of the ledger, an
	// *ledger.ActionRecord, a ParticipationEvent, DraftEvent or CodePoolEvent of the
	// catalog.
	Message any

	data func(ctx context.Context, scope catalog.Scope) (any, error)
}

// Body is the event as a scope may see it, in JSON.
func (e *Event) Body(ctx context.Context, scope catalog.Scope) ([]byte, error) {
	data, err := e.data(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("events: the data of %s %s: %w", e.Type, e.ID, err)
	}
	return encode(e.ID, e.Type, e.At, data)
}

func encode(id, name string, at attribution.Instant, data any) ([]byte, error) {
	body, err := json.Marshal(struct {
		ID        string              `json:"id"`
		Type      string              `json:"type"`
		Timestamp attribution.Instant `json:"timestamp"`
		Data      any                 `json:"data"`
	}{id, name, at, data})
	if err != nil {
		return nil, fmt.Errorf("events: writing %s: %w", name, err)
	}
	return body, nil
}

// Ping is the body of a webhook's test.
func Ping(id string, at attribution.Instant, webhookID string) ([]byte, error) {
	return encode(id, WebhookPing, at, struct {
		WebhookID string `json:"webhook_id"`
	}{webhookID})
}

// idOf is the identifier of the event a message makes first, second and so on.
func idOf(at attribution.Instant, message int64, nth int) string {
	var unique [10]byte
	binary.BigEndian.PutUint64(unique[:], uint64(message))
	binary.BigEndian.PutUint16(unique[8:], uint16(nth))
	return attribution.MakeID(Prefix, int64(at), unique)
}

// Wanted reports whether a filter of event names has the type: "*", a group such
// as "action.*", or the type itself. An empty filter has every type.
func Wanted(filter []string, name string) bool {
	group, _, _ := strings.Cut(name, ".")
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return f == "*" || f == name || f == group+".*" })
}

// Known reports whether a filter's name stands for any event.
func Known(filter string) bool {
	return slices.ContainsFunc(Types(), func(name string) bool { return Wanted([]string{filter}, name) })
}
