package catalog

import (
	"context"
	"fmt"

	"tributary/attribution"
)

// The kinds of messages the catalog puts into the outbox, and the types of their
// payloads. A message and what it tells of are one transaction, and messages have
// the order of commits, among each other and among the ledger's.
const (
	OutboxParticipation = "participation" // ParticipationEvent
	OutboxCodePool      = "code_pool"     // CodePoolEvent
	OutboxCampaign      = "campaign"      // CampaignEvent, the ledger's too
	OutboxDraft         = "draft"         // DraftEvent
)

// A CampaignEvent says what a campaign's status is after somebody approved,
// paused, resumed, closed or rescheduled it.
type CampaignEvent struct {
	CampaignID   string `json:"campaign_id"`
	AdvertiserID string `json:"advertiser_id"`
	Status       string `json:"status"`
	AtMs         int64  `json:"at_ms"`
}

// A ParticipationEvent says that a creator's status in a campaign is another.
type ParticipationEvent struct {
	Participation
	CampaignTitle  string              `json:"campaign_title"`
	AdvertiserID   string              `json:"advertiser_id"`
	PreviousStatus string              `json:"previous_status"` // empty: the creator was not in the campaign
	ActorRole      string              `json:"actor_role"`
	ActorID        string              `json:"actor_id"` // the key; empty: the operator at the command line
	At             attribution.Instant `json:"at"`
}

// A CodePoolEvent says that a campaign's pool of codes has become low, or empty.
type CodePoolEvent struct {
	CampaignID   string              `json:"campaign_id"`
	AdvertiserID string              `json:"advertiser_id"`
	Left         int64               `json:"left"`
	Size         int64               `json:"size"`
	At           attribution.Instant `json:"at"`
}

// A DraftEvent says that a draft was handed in or decided on.
type DraftEvent struct {
	Draft
	CampaignTitle string              `json:"campaign_title"`
	At            attribution.Instant `json:"at"`
}

// tell puts what happened into the outbox, under the next number of the counter
// it shares with the ledger.
func (w *writing) tell(ctx context.Context, kind string, payload any) error {
	text, err := encode(payload)
	if err != nil {
		return err
	}
	number, err := w.take(ctx, "ledger", 1)
	if err != nil {
		return err
	}
	if _, err := w.Exec(ctx, "ledger.tell", number, kind, text); err != nil {
		return fmt.Errorf("catalog: telling of what happened: %w", err)
	}
	return nil
}

func (w *writing) tellParticipation(ctx context.Context, campaign *campaignRow, p Participation, previous string) error {
	return w.tell(ctx, OutboxParticipation, ParticipationEvent{
		Participation: p, CampaignTitle: campaign.Title, AdvertiserID: campaign.AdvertiserID, PreviousStatus: previous,
		ActorRole: w.scope.Role, ActorID: w.scope.KeyID, At: w.at,
	})
}

func (w *writing) tellDraft(ctx context.Context, d Draft, campaignTitle string) error {
	return w.tell(ctx, OutboxDraft, DraftEvent{Draft: d, CampaignTitle: campaignTitle, At: w.at})
}

func (w *writing) tellCampaign(ctx context.Context, r *campaignRow) error {
	status := r.state().Status(int64(w.at))
	return w.tell(ctx, OutboxCampaign, CampaignEvent{CampaignID: r.ID, AdvertiserID: r.AdvertiserID, Status: status, AtMs: int64(w.at)})
}
