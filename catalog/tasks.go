package catalog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// A TaskFilter narrows a list of tasks.
type TaskFilter struct {
	CampaignID string
	CreatorID  string
	Platform   string
	Status     string
	Overdue    bool // only tasks that are
}

// The states of a task.
const (
	TaskOpen      = "open"
	TaskSubmitted = "submitted"
	TaskApproved  = "approved"
	TaskRejected  = "rejected"
	TaskCancelled = "cancelled"
)

// CodeTaskState says that a task does not go from the one state to the other.
const CodeTaskState = "task_state"

// taskMoves are the states a task can change to.
var taskMoves = map[string][]string{
	TaskOpen:      {TaskSubmitted, TaskApproved, TaskRejected, TaskCancelled},
	TaskSubmitted: {TaskOpen, TaskApproved, TaskRejected, TaskCancelled},
	TaskApproved:  {TaskOpen},
	TaskRejected:  {TaskOpen},
	TaskCancelled: {TaskOpen},
}

func (f TaskFields) normal() TaskFields {
	f.Title = strings.TrimSpace(f.Title)
	f.Status = orDefault(f.Status, TaskOpen)
	if f.Status != TaskRejected && f.Status != TaskCancelled {
		f.Reason = ""
	}
	return f
}

func (f TaskFields) check(c *fieldCheck, currency string) {
	c.platform("body.platform", f.Platform)
	c.text("body.title", f.Title, maxName)
	c.money("body.fee", f.Fee, currency)
	c.text("body.reason", f.Reason, maxDescription)
	c.oneOf("body.status", f.Status, TaskOpen, TaskSubmitted, TaskApproved, TaskRejected, TaskCancelled)
}

// CreateTask makes a task for a creator who is in the campaign.
func (c *Catalog) CreateTask(ctx context.Context, scope Scope, fields TaskFields) (Task, error) {
	if !scope.admin() && !scope.advertiser() {
		return Task{}, forbidden(scope, "make tasks")
	}
	var made Task
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		campaign, err := c.campaignFor(ctx, scope, &fields)
		if err != nil {
			return err
		}
		id, err := c.newID(attribution.PrefixTask, w.at)
		if err != nil {
			return err
		}
		fields.Fee = inForm(fields.Fee, campaign.Currency)
		text, err := encode(fields)
		if err != nil {
			return err
		}
		made = Task{Frame: Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, TaskFields: fields, AdvertiserID: campaign.AdvertiserID}.at(w.at)
		_, err = w.Exec(ctx, "task.insert", id, fields.CampaignID, fields.CreatorID, campaign.AdvertiserID, fields.Platform,
			fields.Status, minor(fields.Fee, campaign.Currency), orZero(fields.DueAt), text, int64(w.at))
		if err != nil {
			return err
		}
		return w.audit(ctx, "create", "task", id, campaign.AdvertiserID, nil)
	})
	return made, err
}

// campaignFor finds the campaign of a new task, fills in the task's fields and
// checks them.
func (c *Catalog) campaignFor(ctx context.Context, scope Scope, fields *TaskFields) (campaignRow, error) {
	var check fieldCheck
	*fields = fields.normal()
	campaign, err := c.liveCampaign(ctx, scope, fields.CampaignID, "make tasks")
	unknown := err != nil
	if err := check.refused("body.campaign_id", fields.CampaignID, err); err != nil {
		return campaign, err
	}
	if campaign.ClosedAt != nil {
		return campaign, attribution.Refuse(attribution.CodeCampaignClosed, "the campaign is closed: it takes no new tasks")
	}
	fields.check(&check, campaign.Currency)
	if fields.CreatorID == "" {
		check.Add("body.creator_id", "is required")
	} else if !unknown {
		if err := c.checkWorker(ctx, &check, campaign, *fields); err != nil {
			return campaign, err
		}
	}
	return campaign, check.Err()
}

// checkWorker checks that the creator can be given work in the campaign.
func (c *Catalog) checkWorker(ctx context.Context, check *fieldCheck, campaign campaignRow, fields TaskFields) error {
	part, err := scanParticipation(c.db.Row(ctx, "participation.by_id", fields.CampaignID, fields.CreatorID))
	if isNot(err, sql.ErrNoRows) {
		return err
	}
	if err != nil {
		check.Add("body.creator_id", "creator %.64q is not in the campaign: add the creator first", fields.CreatorID)
	} else {
		check.Require(part.Status != Rejected && part.Status != Unavailable, "body.creator_id", "the creator is %s in this campaign", part.Status)
	}
	check.Require(slices.Contains(campaign.Platforms, fields.Platform), "body.platform",
		"must be one of the campaign's: %s", strings.Join(campaign.Platforms, " "))
	return nil
}

// Task finds a task.
func (c *Catalog) Task(ctx context.Context, scope Scope, id string) (Task, error) {
	found, err := scanTask(c.db.Row(ctx, "task.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(found.AdvertiserID, found.CreatorID) {
		return Task{}, notFound("task", id)
	}
	return found.at(c.instant()), err
}

// Tasks lists the tasks that are not archived.
func (c *Catalog) Tasks(ctx context.Context, scope Scope, filter TaskFilter, p Page) (List[Task], error) {
	given := database.Given{
		"campaign_id": filter.CampaignID, "creator_id": filter.CreatorID, "platform": filter.Platform, "status": filter.Status,
	}
	if !scope.limitOwned(given) {
		return List[Task]{Items: []Task{}}, nil
	}
	given.Narrow("creator_id", "campaign_id", "advertiser_id")
	at := c.instant()
	if filter.Overdue {
		given["overdue_at"] = int64(at)
	}
	scan := func(row scanner) (Task, error) {
		t, err := scanTask(row)
		return t.at(at), err
	}
	return page(ctx, c.db, "task.list", given, p, byID(attribution.PrefixTask), scan, func(t Task) string { return t.ID })
}

// at is the task as it stands at a time.
func (t Task) at(now attribution.Instant) Task {
	t.Overdue = t.Status == TaskOpen && t.DueAt != nil && *t.DueAt < now
	return t
}

// PatchTask applies a merge patch. A creator can submit its open task, and
// nothing else; the advertiser judges it, and takes a judgement back by opening
// the task again.
func (c *Catalog) PatchTask(ctx context.Context, scope Scope, id string, patch []byte) (Task, error) {
	var now Task
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Task(ctx, scope, id)
		if err != nil {
			return err
		}
		if was.ArchivedAt != nil {
			return archived("task", id)
		}
		fields, changed, err := merge(was.TaskFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		fields = fields.normal()
		if scope.creator() && (fields.Status != TaskSubmitted || len(changed) != 1 || changed[0] != "status") {
			return forbidden(scope, "change a task, except to submit an open one")
		}
		if from, to := was.Status, fields.Status; from != to && !slices.Contains(taskMoves[from], to) {
			return attribution.Refuse(CodeTaskState, "a task that is %s cannot become %s, but: %s", from, to, strings.Join(taskMoves[from], " "))
		}
		campaign, err := scanCampaign(c.db.Row(ctx, "campaign.by_id", was.CampaignID))
		if err != nil {
			return err
		}
		var check fieldCheck
		frozen(&check.Checker, changed, "make another task instead", "campaign_id", "creator_id", "platform")
		fields.check(&check, campaign.Currency)
		if err := check.Err(); err != nil {
			return err
		}
		fields.Fee = inForm(fields.Fee, campaign.Currency)
		text, err := encode(fields)
		if err != nil {
			return err
		}
		now.TaskFields, now.UpdatedAt = fields, w.at
		now = now.at(w.at)
		if _, err := w.Exec(ctx, "task.update", id, fields.Status, minor(fields.Fee, campaign.Currency), orZero(fields.DueAt), text, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "update", "task", id, was.AdvertiserID, changed)
	})
	return now, err
}

// ArchiveTask takes a task out of lists and of new links. Its links go on
// redirecting.
func (c *Catalog) ArchiveTask(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Task(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if !scope.manages(was.AdvertiserID) {
			return forbidden(scope, "archive tasks")
		}
		if _, err := w.Exec(ctx, "task.archive", id, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "archive", "task", id, was.AdvertiserID, nil)
	})
}

func scanTask(row scanner) (Task, error) {
	var t Task
	var text string
	if err := scanFrame(row, &t.Frame, &text, &t.AdvertiserID); err != nil {
		return t, err
	}
	return t, decode(text, &t.TaskFields)
}
