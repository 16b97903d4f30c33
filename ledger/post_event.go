package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// OutboxPost is the kind of messages about posts; their payload is a PostEvent.
const OutboxPost = "post"

// A PostEvent tells of a post that was made, judged, measured or archived: what it
// is now, and what it had achieved when last looked at.
type PostEvent struct {
	AtMs         int64  `json:"at_ms"`
	ID           string `json:"id"`
	AdvertiserID string `json:"advertiser_id"`
	CampaignID   string `json:"campaign_id"`
	CreatorID    string `json:"creator_id"`
	TaskID       string `json:"task_id"`
	Platform     string `json:"platform"`
	Currency     string `json:"currency"` // the campaign's
	Status       string `json:"status"`
	Archived     bool   `json:"archived"`
	PostedAtMs   int64  `json:"posted_at_ms"`
	Views        int64  `json:"views"`
	Likes        int64  `json:"likes"`
	Shares       int64  `json:"shares"`
	Comments     int64  `json:"comments"`
}

func (w *writing) tellPost(ctx context.Context, id string) error {
	e := PostEvent{AtMs: int64(w.at), ID: id}
	var archivedAtMs int64
	err := w.Row(ctx, "ledger.post_told", id).Scan(&e.AdvertiserID, &e.CampaignID, &e.CreatorID, &e.TaskID, &e.Platform, &e.Currency, &e.Status,
		&archivedAtMs, &e.PostedAtMs)
	if err == nil {
		e.Archived = archivedAtMs != 0
		err = w.Row(ctx, "ledger.post_latest", id).Scan(&e.Likes, &e.Views, &e.Shares, &e.Comments)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("ledger: reading a post: %w", err)
	}
	return w.tell(ctx, OutboxPost, e)
}
