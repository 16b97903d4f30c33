package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// The states of a post. A joined one is not judged yet; an effective one earns,
// one with a warning too; an ineffective one earns nothing; what an approved one
// earned is locked.
const (
	PostJoined      = "joined"
	PostEffective   = "effective"
	PostWarning     = "warning"
	PostIneffective = "ineffective"
	PostApproved    = "approved"
)

// PostFields are what a client writes of a post.
type PostFields struct {
	URL      string               `json:"url" doc:"Where the content is" example:"https://www.tiktok.com/@mali/video/1"`
	PostedAt *attribution.Instant `json:"posted_at,omitempty" doc:"When it was published; when it was made known by default"`
	Status   string               `json:"status,omitempty" doc:"joined (default), effective, warning, ineffective or approved"`
	Warning  string               `json:"warning_reason,omitempty" doc:"Why it has the status warning"`
}

// A Post is one piece of content of a task.
type Post struct {
	Frame
	PostFields
	TaskID       string               `json:"task_id"`
	CampaignID   string               `json:"campaign_id"`
	CreatorID    string               `json:"creator_id"`
	AdvertiserID string               `json:"advertiser_id"`
	Platform     string               `json:"platform"`
	ApprovedAt   *attribution.Instant `json:"approved_at,omitempty"`
	Remark       string               `json:"remark,omitempty" doc:"What looks wrong with the address: a host that is not the platform's"`
	Metrics      *PostSnapshot        `json:"metrics,omitempty" doc:"What it had achieved when last looked at; not in lists"`
}

// A PostFilter narrows a list of posts.
type PostFilter struct {
	TaskID       string
	CampaignID   string
	CreatorID    string
	AdvertiserID string
	Platform     string
	Status       string
}

func (f PostFields) normal(at attribution.Instant) PostFields {
	f.URL, f.Warning = strings.TrimSpace(f.URL), strings.TrimSpace(f.Warning)
	f.Status = orDefault(f.Status, PostJoined)
	if f.PostedAt == nil {
		f.PostedAt = &at
	}
	if f.Status != PostWarning {
		f.Warning = ""
	}
	return f
}

func (f PostFields) check(c *fieldCheck, now attribution.Instant) {
	if f.URL == "" {
		c.Add("body.url", "is required")
	}
	c.webURL("body.url", f.URL)
	c.oneOf("body.status", f.Status, PostJoined, PostEffective, PostWarning, PostIneffective, PostApproved)
	c.text("body.warning_reason", f.Warning, maxDescription)
	c.Require(f.Status != PostWarning || f.Warning != "", "body.warning_reason", "is required with the status warning")
	c.Require(*f.PostedAt > 0 && *f.PostedAt <= now+maxClockLeadMs, "body.posted_at", "must not be in the future")
}

// maxClockLeadMs is how far another's clock may be ahead: a minute.
const maxClockLeadMs = 60_000

// CreatePost makes known what was posted for a task. A creator makes its own
// known and does not judge them. Where drafts are required it takes an approved
// one; where the campaign is not multi_post, a task has one post that stands.
func (c *Catalog) CreatePost(ctx context.Context, scope Scope, taskID string, fields PostFields) (Post, error) {
	var made Post
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		task, campaign, err := w.workRoom(ctx, taskID, "posts")
		if err != nil {
			return err
		}
		if !*campaign.TrackPosts {
			return attribution.Refuse(CodePostsDisabled, "the campaign has no posts: track_posts is false")
		}
		if err := w.refuseSecondPost(ctx, &campaign, taskID, ""); err != nil {
			return err
		}
		var check fieldCheck
		fields = fields.normal(w.at)
		if scope.creator() && fields.Status != PostJoined {
			return forbidden(scope, "judge a post")
		}
		fields.check(&check, w.at)
		if err := check.Err(); err != nil {
			return err
		}
		id, err := c.newID(attribution.PrefixPost, w.at)
		if err != nil {
			return err
		}
		made = Post{
			Frame: Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, PostFields: fields, TaskID: taskID, CampaignID: task.CampaignID,
			CreatorID: task.CreatorID, AdvertiserID: task.AdvertiserID, Platform: task.Platform,
			Remark: urlRemark(task.Platform, fields.URL),
		}
		if fields.Status == PostApproved {
			made.ApprovedAt = &w.at
		}
		_, err = w.Exec(ctx, "post.insert", id, taskID, task.CampaignID, task.CreatorID, task.AdvertiserID, task.Platform, fields.URL,
			fields.Status, fields.Warning, int64(*fields.PostedAt), orZero(made.ApprovedAt), int64(w.at))
		if err != nil {
			return err
		}
		if campaign.RequireDraft {
			if err := w.useDraft(ctx, taskID, id); err != nil {
				return err
			}
		}
		if err := w.audit(ctx, "create", "post", id, task.AdvertiserID, nil); err != nil {
			return err
		}
		return c.postChanged(ctx, scope, id)
	})
	return made, err
}

// Post finds a post, with its metrics.
func (c *Catalog) Post(ctx context.Context, scope Scope, id string) (Post, error) {
	found, err := scanPost(c.db.Row(ctx, "post.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(found.AdvertiserID, found.CreatorID) {
		return Post{}, notFound("post", id)
	}
	if err != nil {
		return Post{}, err
	}
	found.Metrics, err = c.snapshotAt(ctx, id, maxInstant)
	return found, err
}

// Posts lists the posts that are not archived.
func (c *Catalog) Posts(ctx context.Context, scope Scope, filter PostFilter, p Page) (List[Post], error) {
	given := database.Given{
		"task_id": filter.TaskID, "campaign_id": filter.CampaignID, "creator_id": filter.CreatorID, "advertiser_id": filter.AdvertiserID,
		"platform": filter.Platform, "status": filter.Status,
	}
	if !scope.limitOwned(given) {
		return List[Post]{Items: []Post{}}, nil
	}
	given.Narrow("task_id", "creator_id", "campaign_id", "advertiser_id")
	return page(ctx, c.db, "post.list", given, p, byID(attribution.PrefixPost), scanPost, func(x Post) string { return x.ID })
}

// PatchPost applies a merge patch: it corrects a post, or judges it. A creator
// can correct its own while nobody has judged it. An approved post stays so.
func (c *Catalog) PatchPost(ctx context.Context, scope Scope, id string, patch []byte) (Post, error) {
	var now Post
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Post(ctx, scope, id)
		if err != nil {
			return err
		}
		if was.ArchivedAt != nil {
			return archived("post", id)
		}
		fields, changed, err := merge(was.PostFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		fields = fields.normal(was.CreatedAt)
		if scope.creator() && (was.Status != PostJoined || fields.Status != PostJoined) {
			return forbidden(scope, "judge a post, or change one that is judged")
		}
		if was.Status == PostApproved && (fields.Status != PostApproved || *fields.PostedAt != *was.PostedAt) {
			return conflict("post %s is approved: what it earned is locked; adjust its actions instead", id)
		}
		var check fieldCheck
		fields.check(&check, w.at)
		if err := check.Err(); err != nil {
			return err
		}
		if was.Status == PostIneffective && fields.Status != PostIneffective {
			campaign, err := scanCampaign(w.Row(ctx, "campaign.by_id", was.CampaignID))
			if err != nil {
				return err
			}
			if err := w.refuseSecondPost(ctx, &campaign, was.TaskID, id); err != nil {
				return err
			}
		}
		now.PostFields, now.UpdatedAt, now.Remark = fields, w.at, urlRemark(was.Platform, fields.URL)
		if fields.Status == PostApproved && was.Status != PostApproved {
			now.ApprovedAt = &w.at
		}
		_, err = w.Exec(ctx, "post.update", id, fields.URL, fields.Status, fields.Warning, int64(*fields.PostedAt), orZero(now.ApprovedAt), int64(w.at))
		if err != nil {
			return err
		}
		if err := w.audit(ctx, "update", "post", id, was.AdvertiserID, changed); err != nil {
			return err
		}
		return c.postChanged(ctx, scope, id)
	})
	return now, err
}

// ArchivePost takes a post out of lists. One that earns has to be judged first.
func (c *Catalog) ArchivePost(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Post(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		switch {
		case scope.creator() && was.Status != PostJoined:
			return forbidden(scope, "archive a post that is judged")
		case was.Status == PostEffective || was.Status == PostWarning:
			return conflict("post %s earns: approve it, or make it ineffective first", id)
		}
		if _, err := w.Exec(ctx, "post.archive", id, int64(w.at)); err != nil {
			return err
		}
		if was.Status == PostJoined { // nobody has seen it: its draft can become another
			if _, err := w.Exec(ctx, "draft.unpost", id, int64(w.at)); err != nil {
				return err
			}
		}
		if err := w.audit(ctx, "archive", "post", id, was.AdvertiserID, nil); err != nil {
			return err
		}
		return c.postChanged(ctx, scope, id)
	})
}

func scanPost(row scanner) (Post, error) {
	var p Post
	var posted attribution.Instant
	var approved int64
	err := scanFrame(row, &p.Frame, &p.URL, &p.TaskID, &p.CampaignID, &p.CreatorID, &p.AdvertiserID, &p.Platform, &p.Status, &p.Warning,
		&posted, &approved)
	p.PostedAt, p.ApprovedAt, p.Remark = &posted, attribution.InstantOrNil(approved), urlRemark(p.Platform, p.URL)
	return p, err
}
