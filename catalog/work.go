package catalog

import (
	"context"
	"database/sql"
	"fmt"

	"tributary/attribution"
)

// Why a task takes no post.
const (
	CodePostsDisabled  = "posts_disabled"
	CodeOnePostPerTask = "one_post_per_task"
	CodeDraftRequired  = "draft_required"
)

// workRoom finds the task that something is handed in for, and its campaign. what
// names it for refusals.
func (w *writing) workRoom(ctx context.Context, taskID, what string) (Task, campaignRow, error) {
	task, err := w.c.Task(ctx, w.scope, taskID)
	if err != nil {
		return task, campaignRow{}, err
	}
	campaign, err := scanCampaign(w.Row(ctx, "campaign.by_id", task.CampaignID))
	switch {
	case err != nil:
		return task, campaign, err
	case task.ArchivedAt != nil:
		return task, campaign, archived("task", taskID)
	case task.Status == TaskRejected || task.Status == TaskCancelled:
		return task, campaign, conflict("the task is %s: it takes no %s", task.Status, what)
	case !w.scope.creator():
		return task, campaign, nil
	}
	part, err := scanParticipation(w.Row(ctx, "participation.by_id", task.CampaignID, task.CreatorID))
	if isNot(err, sql.ErrNoRows) {
		return task, campaign, err
	}
	return task, campaign, refuseAbsent(part.Status)
}

// refuseSecondPost keeps a task at one post that stands, beside the one that is
// named, unless its campaign is multi_post.
func (w *writing) refuseSecondPost(ctx context.Context, campaign *campaignRow, taskID, besidePostID string) error {
	if campaign.MultiPost {
		return nil
	}
	var posts int
	if err := w.Row(ctx, "post.count_of_task", taskID, besidePostID).Scan(&posts); err != nil {
		return fmt.Errorf("catalog: counting a task's posts: %w", err)
	}
	if posts > 0 {
		return attribution.Refuse(CodeOnePostPerTask, "the task has its post already: the campaign takes one for each task (multi_post is false)")
	}
	return nil
}

// useDraft makes an approved draft of the task become a post.
func (w *writing) useDraft(ctx context.Context, taskID, postID string) error {
	used, err := w.Exec(ctx, "draft.post", taskID, postID, int64(w.at))
	if err == nil && used == 0 {
		return attribution.Refuse(CodeDraftRequired, "the campaign requires drafts: hand one in at /v1/tasks/%s/drafts, and post once it is approved", taskID)
	}
	return err
}
