package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/admin"
	"tributary/admin/events"
	"tributary/attribution"
	"tributary/schema/database"
)

// The states of deliveries.
const (
	waiting   = "waiting"
	delivered = "delivered"
	failed    = "failed"
)

// A queued delivery is one to be written.
type queued struct {
	webhookID, eventID, eventType, replayOf string
	body                                    []byte
}

// Take implements events.Sink: it makes a delivery of each event for each webhook
// that wants it. Those of a webhook that is off wait too.
func (s *Service) Take(ctx context.Context, happened []events.Event) (keep func(context.Context, *database.Tx) error, err error) {
	hooks := map[string][]Webhook{}
	var all []queued
	for i := range happened {
		e := &happened[i]
		owners := []string{"", e.AdvertiserID}
		if e.AdvertiserID == "" {
			owners = owners[:1]
		}
		for _, owner := range owners {
			if _, known := hooks[owner]; !known {
				if hooks[owner], err = s.ofOwner(ctx, owner); err != nil {
					return nil, err
				}
			}
			if all, err = s.wanted(ctx, all, hooks[owner], e); err != nil {
				return nil, err
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, tx *database.Tx) error { return s.queue(ctx, tx, all) }, nil
}

// wanted appends deliveries of an event for those of an owner's webhooks that
// want it; all of them see it alike.
func (s *Service) wanted(ctx context.Context, all []queued, hooks []Webhook, e *events.Event) ([]queued, error) {
	var body []byte
	for i := range hooks {
		if !events.Wanted(hooks[i].Events, e.Type) {
			continue
		}
		if body == nil {
			var err error
			body, err = e.Body(ctx, hooks[i].scope())
			if _, refused := attribution.AsProblem(err); refused {
				s.o.Log.Error("an event cannot be shown to its webhooks", "event", e.ID, "type", e.Type, "error", err)
				return all, nil
			}
			if err != nil {
				return nil, err
			}
		}
		all = append(all, queued{webhookID: hooks[i].ID, eventID: e.ID, eventType: e.Type, body: body})
	}
	return all, nil
}

func (s *Service) ofOwner(ctx context.Context, advertiserID string) (hooks []Webhook, err error) {
	rows, err := s.o.DB.Rows(ctx, "webhook.of_advertiser", advertiserID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		w, err := scanWebhook(rows)
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, w)
	}
	return hooks, rows.Err()
}

// queue writes deliveries, due now.
func (s *Service) queue(ctx context.Context, tx *database.Tx, all []queued) error {
	_, err := s.insert(ctx, tx, all, s.o.Now(), "")
	return err
}

// insert writes deliveries that are due at a time, or whose lease ends then, and
// returns the number of the first.
func (s *Service) insert(ctx context.Context, tx *database.Tx, all []queued, due time.Time, lease string) (first int64, err error) {
	var last int64
	if err := tx.Row(ctx, "number.take", int64(len(all)), "webhook_delivery").Scan(&last); err != nil {
		return 0, fmt.Errorf("webhooks: taking numbers: %w", err)
	}
	now := s.o.Now()
	first = last - int64(len(all)) + 1
	for i, q := range all {
		_, err := tx.Exec(ctx, "webhook.insert_delivery", first+int64(i), admin.NewID(prefixDelivery, now), q.webhookID, q.eventID, q.eventType, string(q.body),
			q.replayOf, due.UnixMilli(), lease, now.UnixMilli())
		if err != nil {
			return 0, err
		}
	}
	return first, nil
}

// lease is how long a claimed delivery belongs to who claimed it: longer than any
// attempt takes.
const lease = 2 * attemptTimeout

// A claim is a delivery that is this process's to send, until its lease ends.
type claim struct {
	number                        int64
	webhookID, eventID, eventType string
	body                          string
	attempts                      int
	created                       time.Time
	token                         string
}

// claim takes up to limit due deliveries of a webhook.
func (s *Service) claim(ctx context.Context, tx *database.Tx, webhookID string, now time.Time, limit int) (claims []claim, err error) {
	token := admin.NewID("", now)
	rows, err := tx.Rows(ctx, "webhook.claim", now.Add(lease).UnixMilli(), token, webhookID, now.UnixMilli(), limit, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c := claim{token: token}
		var created int64
		if err := rows.Scan(&c.number, &c.webhookID, &c.eventID, &c.eventType, &c.body, &c.attempts, &created); err != nil {
			return nil, fmt.Errorf("webhooks: claiming deliveries: %w", err)
		}
		c.created = time.UnixMilli(created)
		claims = append(claims, c)
	}
	return claims, rows.Err()
}

// A result is what came of one attempt.
type result struct {
	claim
	at       time.Time // when it began
	duration time.Duration
	code     int // of the answer; 0: none
	answer   string
	err      error         // nil: delivered
	asked    time.Duration // by Retry-After
	cut      bool          // the process stopped: it does not count
}

// maxError bounds what is kept of the reason an attempt failed for.
const maxError = 500 // bytes

// finish writes what came of attempts, and what that means for their webhooks. A
// delivery whose lease ended meanwhile is somebody else's by now.
func (s *Service) finish(ctx context.Context, tx *database.Tx, results []result) error {
	for i := range results {
		r := &results[i]
		now := r.at.Add(r.duration)
		if r.cut {
			if _, err := tx.Exec(ctx, "webhook.release", now.UnixMilli(), r.number, r.token); err != nil {
				return err
			}
			continue
		}
		state, next, ended, text := delivered, time.Time{}, now.UnixMilli(), ""
		if r.err != nil {
			text = r.err.Error()[:min(len(r.err.Error()), maxError)]
			if next = retryAt(r.created, now, r.attempts+1, r.asked); next.IsZero() || r.eventType == events.WebhookPing {
				state = failed
			} else {
				state, ended = waiting, 0
			}
		}
		kept, err := tx.Exec(ctx, "webhook.finish", state, max(0, next.UnixMilli()), r.at.UnixMilli(), r.code, r.duration.Milliseconds(), text, r.answer,
			ended, r.number, r.token)
		if err != nil {
			return err
		}
		if kept == 0 {
			continue
		}
		if state == failed && r.eventType != events.WebhookPing {
			s.metrics.givenUp.Inc()
		}
		if err := s.judge(ctx, tx, r, now); err != nil {
			return err
		}
	}
	return nil
}

// judge counts an attempt for its webhook: one that fails is left alone for a
// while, and disabled in the end.
func (s *Service) judge(ctx context.Context, tx *database.Tx, r *result, now time.Time) error {
	if r.err == nil {
		_, err := tx.Exec(ctx, "webhook.succeeded", r.webhookID, now.UnixMilli())
		return err
	}
	var failures, enabled int64
	if err := tx.Row(ctx, "webhook.failed", r.webhookID).Scan(&failures, &enabled); err != nil {
		return fmt.Errorf("webhooks: counting a failure: %w", err)
	}
	if _, err := tx.Exec(ctx, "webhook.pause", r.webhookID, now.Add(pauseAfter(int(failures))).UnixMilli()); err != nil {
		return err
	}
	var gone goneError
	disable := enabled != 0 && (failures >= disableAfter || errors.As(r.err, &gone))
	if !disable && failures != alertAfter {
		return nil
	}
	reason := fmt.Sprintf("%d attempts in a row failed, the last one: %.200s", failures, r.err)
	if disable {
		s.metrics.disabled.Inc()
		if _, err := tx.Exec(ctx, "webhook.disable", r.webhookID, now.UnixMilli(), reason); err != nil {
			return err
		}
	}
	hook, err := scanWebhook(tx.Row(ctx, "webhook.by_id", r.webhookID))
	if err != nil {
		return err
	}
	s.o.Log.Warn("a webhook fails", "webhook", hook.ID, "failures", failures, "disabled", disable, "error", r.err)
	return s.o.Notices.WebhookFails(ctx, tx, Alert{
		WebhookID: hook.ID, AdvertiserID: hook.AdvertiserID, URL: hook.URL, Failures: failures, Disabled: disable, Reason: reason, At: now,
	})
}

// The bounds of what is kept of deliveries.
const (
	keepFor     = 30 * 24 * time.Hour
	forgetBatch = 1_000
)

// tidy gives up what waited for too long, as what a disabled webhook is to be sent
// does, forgets what is old, and counts what waits.
func (s *Service) tidy(ctx context.Context) error {
	now := s.o.Now()
	err := s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		late := now.Add(-retryFor - time.Minute).UnixMilli()
		given, err := tx.Exec(ctx, "webhook.give_up", "it could not be delivered within 3 days", now.UnixMilli(), late, now.UnixMilli())
		s.metrics.givenUp.Add(float64(given))
		return err
	})
	for forgotten := int64(forgetBatch); err == nil && forgotten == forgetBatch; {
		err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
			forgotten, err = tx.Exec(ctx, "webhook.forget", now.Add(-keepFor).UnixMilli(), forgetBatch)
			return err
		})
	}
	if err != nil {
		return err
	}
	var count int64
	if err := s.o.DB.Row(ctx, "webhook.waiting").Scan(&count); err != nil {
		return fmt.Errorf("webhooks: counting what waits: %w", err)
	}
	s.metrics.waiting.Set(float64(count))
	return nil
}
