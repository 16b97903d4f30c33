package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// PrefixDraft begins the ids of drafts.
const PrefixDraft = "dft_"

// The states of a draft.
const (
	DraftWaiting  = "waiting"
	DraftApproved = "approved"
	DraftReturned = "returned"
)

const (
	// CodeDraftWaiting says that the task has a draft already that nobody has
	// decided on.
	CodeDraftWaiting = "draft_waiting"
	// CodeDraftDecided says that somebody was faster.
	CodeDraftDecided = "draft_decided"
)

// DraftFields are what a creator shows before it posts.
type DraftFields struct {
	Text      string   `json:"text,omitempty" doc:"The caption, the script; or asset_urls alone"`
	AssetURLs []string `json:"asset_urls,omitempty" doc:"Where pictures and films can be seen"`
}

// A Draft is what a creator wants to post for a task.
type Draft struct {
	Frame
	DraftFields
	TaskID       string               `json:"task_id"`
	CampaignID   string               `json:"campaign_id"`
	CreatorID    string               `json:"creator_id"`
	AdvertiserID string               `json:"advertiser_id"`
	Platform     string               `json:"platform"`
	Status       string               `json:"status" doc:"waiting, approved or returned"`
	Reason       string               `json:"reason,omitempty" doc:"Why it was returned"`
	PostID       string               `json:"post_id,omitempty" doc:"The post it became"`
	DecidedAt    *attribution.Instant `json:"decided_at,omitempty"`
}

// A DraftFilter narrows a list of drafts.
type DraftFilter struct {
	TaskID       string
	CampaignID   string
	CreatorID    string
	AdvertiserID string
	Status       string
}

func (f DraftFields) check() error {
	var c fieldCheck
	c.text("body.text", f.Text, maxDescription)
	c.Require(strings.TrimSpace(f.Text) != "" || len(f.AssetURLs) > 0, "body.text", "is required, or asset_urls")
	c.Require(len(f.AssetURLs) <= maxList, "body.asset_urls", "must be at most %d", maxList)
	for i, asset := range f.AssetURLs[:min(len(f.AssetURLs), maxList)] {
		c.Require(asset != "", indexed("body.asset_urls", i), "is empty")
		c.webURL(indexed("body.asset_urls", i), asset)
	}
	return c.Err()
}

// CreateDraft hands in a draft for a task: the creator, or an admin for it. One
// draft of a task waits at a time.
func (c *Catalog) CreateDraft(ctx context.Context, scope Scope, taskID string, fields DraftFields) (Draft, error) {
	var made Draft
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		task, campaign, err := w.workRoom(ctx, taskID, "drafts")
		if err != nil {
			return err
		}
		if scope.advertiser() {
			return forbidden(scope, "hand in drafts")
		}
		if !*campaign.TrackPosts {
			return attribution.Refuse(CodePostsDisabled, "the campaign has no posts, and so no drafts: track_posts is false")
		}
		if err := fields.check(); err != nil {
			return err
		}
		id, err := c.newID(PrefixDraft, w.at)
		if err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		made = Draft{
			Frame: Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, DraftFields: fields, TaskID: taskID, CampaignID: task.CampaignID,
			CreatorID: task.CreatorID, AdvertiserID: task.AdvertiserID, Platform: task.Platform, Status: DraftWaiting,
		}
		inserted, err := w.Exec(ctx, "draft.insert", id, taskID, task.CampaignID, task.CreatorID, task.AdvertiserID, task.Platform, text, int64(w.at))
		if err != nil {
			return err
		}
		if inserted == 0 {
			return attribution.Refuse(CodeDraftWaiting, "the task has a draft that waits to be decided on")
		}
		if err := w.tellDraft(ctx, made, campaign.Title); err != nil {
			return err
		}
		return w.audit(ctx, "create", "draft", id, task.AdvertiserID, nil)
	})
	if err != nil {
		return Draft{}, err
	}
	return made, nil
}

// ApproveDraft lets the creator post what it has shown.
func (c *Catalog) ApproveDraft(ctx context.Context, scope Scope, id string) (Draft, error) {
	return c.decideDraft(ctx, scope, id, DraftApproved, "")
}

// ReturnDraft sends a draft back with what is to be changed.
func (c *Catalog) ReturnDraft(ctx context.Context, scope Scope, id, reason string) (Draft, error) {
	return c.decideDraft(ctx, scope, id, DraftReturned, strings.TrimSpace(reason))
}

// decideDraft decides on a draft that waits, once. The same decision again is no
// error.
func (c *Catalog) decideDraft(ctx context.Context, scope Scope, id, status, reason string) (Draft, error) {
	var now Draft
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Draft(ctx, scope, id)
		if err != nil {
			return err
		}
		if !scope.manages(was.AdvertiserID) {
			return forbidden(scope, "decide on drafts")
		}
		if status == DraftReturned {
			var check fieldCheck
			check.required("body.reason", reason, maxDescription)
			if err := check.Err(); err != nil {
				return err
			}
		}
		if now = was; was.Status == status && was.Reason == reason {
			return nil
		}
		if was.Status != DraftWaiting {
			return attribution.Refuse(CodeDraftDecided, "the draft is %s already", was.Status)
		}
		now.Status, now.Reason, now.DecidedAt, now.UpdatedAt = status, reason, &w.at, w.at
		if _, err := w.Exec(ctx, "draft.decide", id, status, reason, int64(w.at)); err != nil {
			return err
		}
		campaign, err := scanCampaign(w.Row(ctx, "campaign.by_id", was.CampaignID))
		if err != nil {
			return err
		}
		if err := w.tellDraft(ctx, now, campaign.Title); err != nil {
			return err
		}
		return w.audit(ctx, map[string]string{DraftApproved: "approve", DraftReturned: "return"}[status], "draft", id, was.AdvertiserID, nil)
	})
	return now, err
}

// Draft finds a draft.
func (c *Catalog) Draft(ctx context.Context, scope Scope, id string) (Draft, error) {
	found, err := scanDraft(c.db.Row(ctx, "draft.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(found.AdvertiserID, found.CreatorID) {
		return Draft{}, notFound("draft", id)
	}
	return found, err
}

// Drafts lists drafts, newest first.
func (c *Catalog) Drafts(ctx context.Context, scope Scope, filter DraftFilter, p Page) (List[Draft], error) {
	given := database.Given{
		"task_id": filter.TaskID, "campaign_id": filter.CampaignID, "creator_id": filter.CreatorID, "advertiser_id": filter.AdvertiserID,
		"status": filter.Status,
	}
	if !scope.limitOwned(given) {
		return List[Draft]{Items: []Draft{}}, nil
	}
	given.Narrow("task_id", "creator_id", "campaign_id", "advertiser_id")
	return page(ctx, c.db, "draft.list", given, p, byID(PrefixDraft), scanDraft, func(d Draft) string { return d.ID })
}

func scanDraft(row scanner) (Draft, error) {
	var d Draft
	var text string
	var decided int64
	err := scanFrame(row, &d.Frame, &text, &d.TaskID, &d.CampaignID, &d.CreatorID, &d.AdvertiserID, &d.Platform, &d.Status, &d.Reason,
		&d.PostID, &decided)
	if err != nil {
		return d, err
	}
	d.DecidedAt = attribution.InstantOrNil(decided)
	return d, decode(text, &d.DraftFields)
}
