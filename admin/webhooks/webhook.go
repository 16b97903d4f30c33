package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/admin"
	"tributary/admin/events"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// The prefixes of identifiers.
const (
	prefixWebhook  = "whk_"
	prefixDelivery = "dlv_"
)

// The bounds of what clients write.
const (
	maxPerOwner    = 20 // webhooks of an advertiser, and of the operator
	maxEvents      = 50
	maxDescription = 200 // characters
	maxOverlap     = 7 * 24 * time.Hour
)

// WebhookFields are what a client writes of a webhook.
type WebhookFields struct {
	AdvertiserID string   `json:"advertiser_id,omitempty" doc:"Whose events it is told of, as an advertiser sees them; an admin's without it is told of everybody's" example:"adv_…"`
	URL          string   `json:"url" doc:"Where events are sent, https" example:"https://hooks.example.com/tributary"`
	Events       []string `json:"events,omitempty" doc:"Types, groups such as action.*, or * (default) for all"`
	Description  string   `json:"description,omitempty"`
	Enabled      *bool    `json:"enabled,omitempty" doc:"true by default. What happens while it is off waits, for 3 days"`
}

// A Webhook is an address that is told of events.
type Webhook struct {
	ID string `json:"id"`
	WebhookFields
	Failures           int64                `json:"failures" doc:"Attempts that failed, in a row; at 20 it is disabled"`
	DisabledAt         *attribution.Instant `json:"disabled_at" doc:"When it was disabled for its failures; set enabled to begin again"`
	DisabledReason     *string              `json:"disabled_reason"`
	LastSuccessAt      *attribution.Instant `json:"last_success_at"`
	OldSecretExpiresAt *attribution.Instant `json:"old_secret_expires_at" doc:"Until then both secrets sign"`
	CreatedAt          attribution.Instant  `json:"created_at"`
	UpdatedAt          attribution.Instant  `json:"updated_at"`

	enabled, archived bool
	notBeforeMs       int64
	sealed, oldSealed string
	oldUntilMs        int64
}

// scope is whose eyes the webhook sees events with.
func (w *Webhook) scope() catalog.Scope {
	if w.AdvertiserID == "" {
		return catalog.Scope{Role: catalog.RoleAdmin}
	}
	return catalog.Scope{Role: catalog.RoleAdvertiser, AdvertiserID: w.AdvertiserID}
}

type scanner interface{ Scan(dest ...any) error }

func scanWebhook(row scanner) (Webhook, error) {
	var w Webhook
	var fields, advertiser, reason string
	var enabled, disabled, success, archived int64
	err := row.Scan(&w.ID, &advertiser, &fields, &enabled, &w.sealed, &w.oldSealed, &w.oldUntilMs, &w.Failures, &w.notBeforeMs, &disabled, &reason,
		&success, &w.CreatedAt, &w.UpdatedAt, &archived)
	if err != nil {
		return w, fmt.Errorf("webhooks: reading a webhook: %w", err)
	}
	if err := json.Unmarshal([]byte(fields), &w.WebhookFields); err != nil {
		return w, fmt.Errorf("webhooks: reading a webhook's fields: %w", err)
	}
	w.AdvertiserID, w.enabled, w.archived = advertiser, enabled != 0, archived != 0
	w.Enabled, w.DisabledAt, w.LastSuccessAt = &w.enabled, attribution.InstantOrNil(disabled), attribution.InstantOrNil(success)
	if reason != "" {
		w.DisabledReason = &reason
	}
	if w.oldSealed != "" {
		w.OldSecretExpiresAt = attribution.InstantOrNil(w.oldUntilMs)
	}
	return w, nil
}

func notFound(thing, id string) error {
	return attribution.Refuse(attribution.CodeNotFound, "there is no %s %.64q", thing, id)
}

// normal fills in defaults.
func (f WebhookFields) normal() WebhookFields {
	f.URL, f.Description = strings.TrimSpace(f.URL), strings.TrimSpace(f.Description)
	if len(f.Events) == 0 {
		f.Events = []string{"*"}
	}
	if f.Enabled == nil {
		f.Enabled = new(true)
	}
	return f
}

func (s *Service) check(f WebhookFields) error {
	var c attribution.Checker
	checkURL(&c, "body.url", f.URL, s.targets.Load().networks)
	c.Require(len(f.Events) <= maxEvents, "body.events", "must be at most %d", maxEvents)
	for i, name := range f.Events[:min(len(f.Events), maxEvents)] {
		at := fmt.Sprintf("body.events[%d]", i)
		c.Require(events.Known(name), at, "%.64q is no event: give a type such as action.paid, a group such as action.*, or *", name)
		c.Require(slices.Index(f.Events, name) == i, at, "is listed twice")
	}
	c.Require(utf8.RuneCountInString(f.Description) <= maxDescription, "body.description", "must be at most %d characters", maxDescription)
	return c.Err()
}

// write runs do in a transaction that begins by taking a change number, as all
// writers of the catalog do, for the audit log.
func (s *Service) write(ctx context.Context, scope catalog.Scope, verb string, do func(ctx context.Context, tx *database.Tx) (Webhook, error)) error {
	return s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		var change int64
		if err := tx.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
			return fmt.Errorf("webhooks: taking a number: %w", err)
		}
		made, err := do(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "audit.insert", change, s.o.Now().UnixMilli(), scope.KeyID, scope.Role, verb, "webhook", made.ID, made.AdvertiserID, "")
		return err
	})
}

// create makes a webhook and returns its secret, which is never shown again.
func (s *Service) create(ctx context.Context, scope catalog.Scope, f WebhookFields) (made Webhook, secret string, err error) {
	f = f.normal()
	if scope.Role == catalog.RoleAdvertiser {
		if f.AdvertiserID != "" && f.AdvertiserID != scope.AdvertiserID {
			return made, "", notFound("advertiser", f.AdvertiserID)
		}
		f.AdvertiserID = scope.AdvertiserID
	}
	if err := s.check(f); err != nil {
		return made, "", err
	}
	if f.AdvertiserID != "" {
		if _, err := s.o.Things.Advertiser(ctx, scope, f.AdvertiserID); err != nil {
			return made, "", err
		}
	}
	now := s.o.Now()
	made = Webhook{ID: admin.NewID(prefixWebhook, now), WebhookFields: f, CreatedAt: attribution.InstantOf(now), UpdatedAt: attribution.InstantOf(now)}
	secret = newSecret()
	err = s.write(ctx, scope, "create", func(ctx context.Context, tx *database.Tx) (Webhook, error) {
		var others int
		if err := tx.Row(ctx, "webhook.count", f.AdvertiserID).Scan(&others); err != nil {
			return made, fmt.Errorf("webhooks: counting webhooks: %w", err)
		}
		if others >= maxPerOwner {
			return made, attribution.Refuse(attribution.CodeConflict, "there are %d webhooks already: delete one that is no longer used", others)
		}
		fields, err := json.Marshal(f)
		if err != nil {
			return made, fmt.Errorf("webhooks: writing fields: %w", err)
		}
		_, err = tx.Exec(ctx, "webhook.insert", made.ID, f.AdvertiserID, string(fields), bit(*f.Enabled), s.sealer.seal(made.ID, secret), now.UnixMilli())
		return made, err
	})
	return made, secret, err
}

// one finds a webhook in scope that is not deleted.
func (s *Service) one(ctx context.Context, scope catalog.Scope, id string) (Webhook, error) {
	found, err := scanWebhook(s.o.DB.Row(ctx, "webhook.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && (found.archived || scope.Role != catalog.RoleAdmin && (scope.AdvertiserID == "" || found.AdvertiserID != scope.AdvertiserID)) {
		return Webhook{}, notFound("webhook", id)
	}
	return found, err
}

// change applies a merge patch. Enabling a webhook forgets its failures.
func (s *Service) change(ctx context.Context, scope catalog.Scope, id string, patch []byte) (now Webhook, err error) {
	err = s.write(ctx, scope, "update", func(ctx context.Context, tx *database.Tx) (Webhook, error) {
		was, err := s.one(ctx, scope, id)
		if err != nil {
			return was, err
		}
		fields, err := patched(was.WebhookFields, patch)
		if err != nil {
			return was, err
		}
		fields = fields.normal()
		if fields.AdvertiserID != was.AdvertiserID {
			var c attribution.Checker
			c.Add("body.advertiser_id", "cannot be changed: make another webhook instead")
			return was, c.Err()
		}
		if err := s.check(fields); err != nil {
			return was, err
		}
		now = was
		now.WebhookFields, now.UpdatedAt = fields, attribution.InstantOf(s.o.Now())
		if *fields.Enabled && (!was.enabled || fields.URL != was.URL) {
			now.Failures, now.notBeforeMs, now.DisabledAt, now.DisabledReason = 0, 0, nil, nil
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return was, fmt.Errorf("webhooks: writing fields: %w", err)
		}
		disabled, reason := int64(0), ""
		if now.DisabledAt != nil {
			disabled, reason = int64(*now.DisabledAt), *now.DisabledReason
		}
		_, err = tx.Exec(ctx, "webhook.update", id, string(text), bit(*fields.Enabled), now.Failures, now.notBeforeMs, disabled, reason, int64(now.UpdatedAt))
		tx.OnCommit(s.Kept)
		return now, err
	})
	return now, err
}

// patched applies a merge patch (RFC 7396) whose shape was checked to flat fields.
func patched(fields WebhookFields, patch []byte) (out WebhookFields, err error) {
	whole, err := json.Marshal(fields)
	if err != nil {
		return out, fmt.Errorf("webhooks: writing fields: %w", err)
	}
	members := map[string]json.RawMessage{}
	changes := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(whole, &members), json.Unmarshal(patch, &changes)); err != nil {
		return out, fmt.Errorf("webhooks: reading a patch: %w", err)
	}
	for name, value := range changes {
		if members[name] = value; string(value) == "null" {
			delete(members, name)
		}
	}
	if whole, err = json.Marshal(members); err == nil {
		err = json.Unmarshal(whole, &out)
	}
	if err != nil {
		return out, fmt.Errorf("webhooks: reading a patch: %w", err)
	}
	return out, nil
}

// rotate makes a new secret. The one it replaces signs beside it for a while; one
// that was replaced before no longer does.
func (s *Service) rotate(ctx context.Context, scope catalog.Scope, id string, overlap time.Duration) (now Webhook, secret string, err error) {
	secret = newSecret()
	err = s.write(ctx, scope, "rotate", func(ctx context.Context, tx *database.Tx) (Webhook, error) {
		if now, err = s.one(ctx, scope, id); err != nil {
			return now, err
		}
		at := s.o.Now()
		old, until := now.sealed, at.Add(overlap).UnixMilli()
		if overlap == 0 {
			old, until = "", 0
		}
		now.sealed, now.oldSealed, now.oldUntilMs, now.UpdatedAt = s.sealer.seal(id, secret), old, until, attribution.InstantOf(at)
		now.OldSecretExpiresAt = attribution.InstantOrNil(until)
		_, err := tx.Exec(ctx, "webhook.set_secret", id, now.sealed, old, until, at.UnixMilli())
		return now, err
	})
	return now, secret, err
}

// secrets are those that sign now, the newest first.
func (s *Service) secrets(w *Webhook, now time.Time) ([]string, error) {
	newest, err := s.sealer.open(w.ID, w.sealed)
	if err != nil || w.oldSealed == "" || now.UnixMilli() >= w.oldUntilMs {
		return []string{newest}, err
	}
	old, err := s.sealer.open(w.ID, w.oldSealed)
	return []string{newest, old}, err
}

// archive deletes a webhook. What it was still to be sent is not.
func (s *Service) archive(ctx context.Context, scope catalog.Scope, id string) error {
	return s.write(ctx, scope, "archive", func(ctx context.Context, tx *database.Tx) (Webhook, error) {
		was, err := s.one(ctx, scope, id)
		if err != nil {
			return was, err
		}
		now := s.o.Now().UnixMilli()
		if _, err := tx.Exec(ctx, "webhook.archive", id, now); err != nil {
			return was, err
		}
		_, err = tx.Exec(ctx, "webhook.drop", id, now)
		return was, err
	})
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
