package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tributary/admin"
	"tributary/admin/events"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// A Delivery is one event on its way to one webhook.
type Delivery struct {
	ID           string               `json:"id"`
	WebhookID    string               `json:"webhook_id"`
	EventID      string               `json:"event_id" doc:"The webhook-id header"`
	EventType    string               `json:"event_type"`
	State        string               `json:"state" doc:"waiting, delivered or failed"`
	ReplayOf     *string              `json:"replay_of" doc:"The delivery it repeats"`
	Attempts     int64                `json:"attempts"`
	NextAt       *attribution.Instant `json:"next_at" doc:"When it is tried next"`
	LastAt       *attribution.Instant `json:"last_at" doc:"Of the last attempt, like what follows"`
	ResponseCode *int64               `json:"response_code" doc:"Null without an answer"`
	DurationMs   *int64               `json:"duration_ms"`
	Error        *string              `json:"error"`
	Response     *string              `json:"response" doc:"The first 1,024 bytes of the answer"`
	Body         json.RawMessage      `json:"body,omitempty" doc:"What is sent; not in lists"`
	CreatedAt    attribution.Instant  `json:"created_at"`
	EndedAt      *attribution.Instant `json:"ended_at" doc:"When it was delivered or given up"`

	number int64
}

func scanDelivery(row scanner) (Delivery, error) {
	var d Delivery
	var body, replay, problem, answer string
	var next, last, code, duration, ended int64
	err := row.Scan(&d.number, &d.ID, &d.WebhookID, &d.EventID, &d.EventType, &body, &d.State, &replay, &d.Attempts, &next, &last, &code, &duration,
		&problem, &answer, &d.CreatedAt, &ended)
	if err != nil {
		return d, fmt.Errorf("webhooks: reading a delivery: %w", err)
	}
	if d.State == waiting {
		d.NextAt = attribution.InstantOrNil(next)
	}
	if d.LastAt, d.EndedAt = attribution.InstantOrNil(last), attribution.InstantOrNil(ended); last != 0 {
		d.DurationMs = &duration
	}
	if code != 0 {
		d.ResponseCode, d.Response = &code, &answer
	}
	if problem != "" {
		d.Error = &problem
	}
	if replay != "" {
		d.ReplayOf = &replay
	}
	if body != "" {
		d.Body = json.RawMessage(body)
	}
	return d, nil
}

// A deliveryFilter narrows the delivery log: every field that is given.
type deliveryFilter struct{ state, eventType, eventID string }

// deliveries lists a webhook's deliveries, newest first.
func (s *Service) deliveries(ctx context.Context, scope catalog.Scope, webhookID string, f deliveryFilter, q admin.PageQuery) (items []Delivery, next string, err error) {
	if _, err := s.one(ctx, scope, webhookID); err != nil {
		return nil, "", err
	}
	given := database.Given{"webhook_id": webhookID, "state": f.state, "event_type": f.eventType, "event_id": f.eventID, "limit": q.Limit + 1}
	if q.Cursor != "" {
		if given["before"], err = cursorNumber("query.cursor", q.Cursor); err != nil {
			return nil, "", err
		}
	}
	if items, err = s.listed(ctx, "webhook.deliveries", given); err != nil || len(items) <= q.Limit {
		return items, "", err
	}
	items = items[:q.Limit]
	return items, strconv.FormatInt(items[q.Limit-1].number, 10), nil
}

func cursorNumber(location, cursor string) (int64, error) {
	number, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || number < 1 {
		var c attribution.Checker
		c.Add(location, "is not a cursor of this list: pass the next_cursor of its last answer")
		return 0, c.Err()
	}
	return number, nil
}

func (s *Service) listed(ctx context.Context, query string, given database.Given) ([]Delivery, error) {
	rows, err := s.o.DB.Filter(ctx, query, given)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := []Delivery{}
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, d)
	}
	return items, rows.Err()
}

// delivery finds a delivery of a webhook.
func (s *Service) delivery(ctx context.Context, scope catalog.Scope, webhookID, id string) (Delivery, error) {
	if _, err := s.one(ctx, scope, webhookID); err != nil {
		return Delivery{}, err
	}
	d, err := scanDelivery(s.o.DB.Row(ctx, "webhook.delivery", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && d.WebhookID != webhookID {
		return d, notFound("delivery", id)
	}
	return d, err
}

// repeat is a delivery to be sent again, under its webhook-id.
func (d *Delivery) repeat() queued {
	first := d.ID
	if d.ReplayOf != nil {
		first = *d.ReplayOf
	}
	return queued{webhookID: d.WebhookID, eventID: d.EventID, eventType: d.EventType, replayOf: first, body: d.Body}
}

// replay sends one delivery again, whatever came of it.
func (s *Service) replay(ctx context.Context, scope catalog.Scope, webhookID, id string) (made Delivery, err error) {
	d, err := s.delivery(ctx, scope, webhookID, id)
	if err != nil {
		return d, err
	}
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		first, err := s.insert(ctx, tx, []queued{d.repeat()}, s.o.Now(), "")
		if err != nil {
			return err
		}
		tx.OnCommit(s.Kept)
		list, err := s.listed(ctx, "webhook.deliveries", database.Given{"webhook_id": webhookID, "before": first + 1, "limit": 1})
		if err == nil && len(list) == 1 {
			made = list[0]
		}
		return err
	})
	return made, err
}

// maxReplay is how many deliveries one call replays.
const maxReplay = 1_000

// ReplayRange says which deliveries are sent again.
type ReplayRange struct {
	From   attribution.Instant `json:"from" doc:"Made at this time or later"`
	To     attribution.Instant `json:"to" doc:"Made before this time"`
	State  string              `json:"state,omitempty" doc:"failed (default), delivered, or all"`
	Event  string              `json:"event,omitempty" doc:"Only events of this type"`
	Cursor string              `json:"cursor,omitempty" doc:"next_cursor of the call before"`
}

// Replayed says how many deliveries are sent again.
type Replayed struct {
	Replayed   int    `json:"replayed"`
	NextCursor string `json:"next_cursor,omitempty" doc:"There are more: call again with it as cursor"`
}

// replayRange sends deliveries made in a time again, oldest first.
func (s *Service) replayRange(ctx context.Context, scope catalog.Scope, webhookID string, r ReplayRange) (done Replayed, err error) {
	var c attribution.Checker
	c.Require(r.From != 0 && r.To > r.From, "body.to", "must be after from")
	c.Require(r.State == "" || r.State == failed || r.State == delivered || r.State == "all", "body.state", "must be failed, delivered or all")
	if err := c.Err(); err != nil {
		return done, err
	}
	if _, err := s.one(ctx, scope, webhookID); err != nil {
		return done, err
	}
	given := database.Given{"webhook_id": webhookID, "from_ms": int64(r.From), "to_ms": int64(r.To), "after": int64(0), "event_type": r.Event, "limit": maxReplay + 1}
	switch r.State {
	case "":
		given["state"] = failed
	case failed, delivered:
		given["state"] = r.State
	}
	if r.Cursor != "" {
		if given["after"], err = cursorNumber("body.cursor", r.Cursor); err != nil {
			return done, err
		}
	}
	list, err := s.listed(ctx, "webhook.to_replay", given)
	if err != nil || len(list) == 0 {
		return done, err
	}
	if len(list) > maxReplay {
		list = list[:maxReplay]
		done.NextCursor = strconv.FormatInt(list[maxReplay-1].number, 10)
	}
	done.Replayed = len(list)
	all := make([]queued, len(list))
	for i := range list {
		all[i] = list[i].repeat()
	}
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		tx.OnCommit(s.Kept)
		return s.queue(ctx, tx, all)
	})
	return done, err
}

// ping sends a webhook a test at once, whether it is enabled or not, and says
// what came of it. It counts like any attempt and is not tried again.
func (s *Service) ping(ctx context.Context, scope catalog.Scope, webhookID string) (made Delivery, err error) {
	hook, err := s.one(ctx, scope, webhookID)
	if err != nil {
		return made, err
	}
	now := s.o.Now()
	eventID := admin.NewID(events.Prefix, now)
	body, err := events.Ping(eventID, attribution.InstantOf(now), webhookID)
	if err != nil {
		return made, err
	}
	c := claim{webhookID: webhookID, eventID: eventID, eventType: events.WebhookPing, body: string(body), created: now, token: admin.NewID("", now)}
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		c.number, err = s.insert(ctx, tx, []queued{{webhookID: webhookID, eventID: eventID, eventType: c.eventType, body: body}}, now.Add(lease), c.token)
		return err
	})
	if err != nil {
		return made, err
	}
	r := s.attempt(context.WithoutCancel(ctx), &hook, c)
	err = s.o.DB.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *database.Tx) error {
		if err := s.finish(ctx, tx, []result{r}); err != nil {
			return err
		}
		list, err := s.listed(ctx, "webhook.deliveries", database.Given{"webhook_id": webhookID, "before": c.number + 1, "limit": 1})
		if err == nil && len(list) == 1 {
			made = list[0]
		}
		return err
	})
	return made, err
}

// maxOverlapHours is maxOverlap as the API has it.
const maxOverlapHours = int(maxOverlap / time.Hour)
