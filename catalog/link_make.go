package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// MaxBulk is the most links made by one call.
const MaxBulk = 1000

// A LinkRequest asks for a link of a task.
type LinkRequest struct {
	TaskID string `json:"task_id"`
	LinkFields
}

// A LinkResult is the link that was made, or why it was not.
type LinkResult struct {
	Link    *Link
	Problem *attribution.Problem
}

// CreateLink makes a link for a task. A creator makes them for its own tasks.
func (c *Catalog) CreateLink(ctx context.Context, scope Scope, taskID string, fields LinkFields) (Link, error) {
	var made *Link
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		maker := linkMaker{w: w, rooms: map[string]linkRoom{}, change: w.number}
		var err error
		if maker.number, err = w.take(ctx, "link", 1); err != nil {
			return err
		}
		if made, err = maker.make(ctx, LinkRequest{taskID, fields}); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "create", "link", made.ID, made.AdvertiserID, nil)
	})
	if err != nil {
		return Link{}, err
	}
	return *made, nil
}

// CreateLinks makes up to MaxBulk links in one transaction, each or not: a
// request that cannot be met is a Problem in its result and does not stop others.
func (c *Catalog) CreateLinks(ctx context.Context, scope Scope, requests []LinkRequest) ([]LinkResult, error) {
	if len(requests) == 0 || len(requests) > MaxBulk {
		return nil, fieldProblem("body", fmt.Sprintf("must ask for 1 to %d links", MaxBulk))
	}
	results := make([]LinkResult, len(requests))
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		number, err := w.take(ctx, "link", len(requests))
		if err != nil {
			return err
		}
		change, err := w.take(ctx, "change", len(requests))
		if err != nil {
			return err
		}
		maker := linkMaker{w: w, rooms: map[string]linkRoom{}, number: number, change: change}
		for i, request := range requests {
			made, err := maker.make(ctx, request)
			problem, refused := attribution.AsProblem(err)
			if err != nil && !refused {
				return err
			}
			results[i] = LinkResult{made, problem}
		}
		w.announce()
		_, err = w.Exec(ctx, "link.audit_made", change, maker.change-1, int64(w.at), scope.KeyID, scope.Role)
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// A linkRoom is what making or changing a link of a task depends on.
type linkRoom struct {
	campaignID, creatorID, advertiserID, platform, currency string
	taskStatus, participation                               string
	taskArchived, tracking, closed                          bool
	destination                                             string // the campaign's
	domains                                                 []string
}

func (c *Catalog) linkRoom(ctx context.Context, scope Scope, taskID string) (linkRoom, error) {
	var room linkRoom
	var taskArchived, tracking, closed int64
	var advertiser string
	err := c.db.Row(ctx, "link.room", taskID).Scan(&room.campaignID, &room.creatorID, &room.advertiserID, &room.platform, &room.taskStatus,
		&taskArchived, &room.currency, &tracking, &closed, &room.destination, &room.participation, &advertiser)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(room.advertiserID, room.creatorID) {
		return room, notFound("task", taskID)
	}
	if err != nil {
		return room, fmt.Errorf("catalog: reading a link's task: %w", err)
	}
	room.taskArchived, room.tracking, room.closed = taskArchived != 0, tracking != 0, closed != 0
	var fields struct {
		Domains []string `json:"domains"`
	}
	err = decode(advertiser, &fields)
	room.domains = fields.Domains
	return room, err
}

// refusal says why the task cannot have new links by the scope; nil when it can.
func (r linkRoom) refusal(scope Scope) error {
	switch {
	case !r.tracking:
		return attribution.Refuse(attribution.CodeTrackingDisabled, "the campaign has no tracking: it makes no links and codes")
	case r.closed:
		return attribution.Refuse(attribution.CodeCampaignClosed, "the campaign is closed: it makes no new links and codes")
	case r.taskArchived:
		return conflict("the task is archived")
	case r.taskStatus == TaskRejected || r.taskStatus == TaskCancelled:
		return conflict("the task is %s", r.taskStatus)
	case scope.creator():
		return refuseAbsent(r.participation)
	}
	return nil
}

// refuseAbsent keeps creators from working in a campaign that they have not
// joined, or no longer are in.
func refuseAbsent(participation string) error {
	if participation == Joined {
		return nil
	}
	return attribution.Refuse(CodeNotJoined, "the creator is not joined in the campaign, but %s", orDefault(participation, "not in it"))
}

// checkPost checks that the post a link is for is one of its task.
func (c *Catalog) checkPost(ctx context.Context, check *fieldCheck, postID, taskID string) error {
	if !attribution.ValidID(attribution.PrefixPost, postID) { // complained of on its own, if there is one
		return nil
	}
	var found bool
	if err := c.db.Row(ctx, "post.of_task", postID, taskID).Scan(&found); err != nil {
		return fmt.Errorf("catalog: looking for a link's post: %w", err)
	}
	check.Require(found, "body.post_id", "the task has no post %s", postID)
	return nil
}

// A linkMaker makes links inside one writing. It knows the rooms it looked up,
// and the numbers it may give.
type linkMaker struct {
	w              *writing
	rooms          map[string]linkRoom
	number, change int64
}

// make makes one link. A Problem leaves nothing behind.
func (m *linkMaker) make(ctx context.Context, request LinkRequest) (*Link, error) {
	room, known := m.rooms[request.TaskID]
	if !known {
		var err error
		if room, err = m.w.c.linkRoom(ctx, m.w.scope, request.TaskID); err != nil {
			return nil, err
		}
		m.rooms[request.TaskID] = room
	}
	if err := room.refusal(m.w.scope); err != nil {
		return nil, err
	}
	fields := request.LinkFields
	var check fieldCheck
	fields.check(&check, room.destination, room.domains)
	check.ahead("body.expires_at", fields.ExpiresAt, m.w.at)
	if err := m.w.c.checkPost(ctx, &check, fields.PostID, request.TaskID); err != nil {
		return nil, err
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	return m.insert(ctx, request.TaskID, room, fields)
}

func (m *linkMaker) insert(ctx context.Context, taskID string, room linkRoom, fields LinkFields) (*Link, error) {
	id, err := m.w.c.newID(attribution.PrefixLink, m.w.at)
	if err != nil {
		return nil, err
	}
	options, err := fields.options()
	if err != nil {
		return nil, err
	}
	slug, vanity := fields.Slug, fields.Slug != ""
	for range slugAttempts {
		if !vanity {
			if slug, err = m.w.c.entropy.text(slugAlphabet, slugLength); err != nil {
				return nil, err
			}
		}
		inserted, err := m.w.Exec(ctx, "link.insert", m.number, id, slug, flag(vanity), taskID, room.campaignID, room.creatorID,
			room.advertiserID, room.platform, room.currency, fields.PostID, fields.Destination, fields.Label, options, flag(fields.Disabled), int64(m.w.at), m.change)
		if err != nil {
			return nil, err
		}
		if inserted == 1 {
			row := linkRow{written: fields}
			row.Frame = Frame{ID: id, CreatedAt: m.w.at, UpdatedAt: m.w.at}
			row.Number, row.TaskID, row.CampaignID, row.CreatorID = uint64(m.number), taskID, room.campaignID, room.creatorID
			row.AdvertiserID, row.Platform = room.advertiserID, room.platform
			row.written.Slug = slug
			m.number++
			m.change++
			return new(row.view(m.w.c.baseURL, room.destination).Link), nil
		}
		if vanity {
			return nil, attribution.Refuse(attribution.CodeSlugTaken, "the slug %q is taken (slugs are compared without regard to case)", slug)
		}
	}
	return nil, fmt.Errorf("catalog: %d random slugs in a row were taken", slugAttempts)
}

// A linkRow is a link with the fields as a client wrote them; its LinkFields show
// what holds.
type linkRow struct {
	Link
	written LinkFields
}

// view fills in what follows from the fields.
func (r linkRow) view(baseURL, campaignDestination string) linkRow {
	r.LinkFields = r.written
	r.Destination = orDefault(r.written.Destination, campaignDestination)
	r.URL = baseURL + "/" + r.Slug
	return r
}

func (c *Catalog) scanLink(row scanner) (linkRow, error) {
	var r linkRow
	var number, vanity, disabled int64
	var destination, options string
	err := scanFrame(row, &r.Frame, &number, &r.written.Slug, &vanity, &r.TaskID, &r.CampaignID, &r.CreatorID, &r.AdvertiserID,
		&r.Platform, &r.written.PostID, &r.written.Destination, &destination, &r.written.Label, &options, &disabled)
	if err != nil {
		return r, err
	}
	r.Number, r.written.Disabled = uint64(number), disabled != 0
	err = r.written.setOptions(options)
	return r.view(c.baseURL, destination), err
}
