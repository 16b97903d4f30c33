package webhooks

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

type (
	createInput struct{ admin.JSON[WebhookFields] }
	listInput   struct {
		admin.PageQuery
		AdvertiserID string `query:"advertiser_id"`
	}
	patchInput struct {
		admin.ByID
		admin.Patch[WebhookFields]
	}
	// Rotation says how long the old secret goes on signing.
	Rotation struct {
		OverlapHours *int `json:"overlap_hours,omitempty" doc:"0 to 168; 24 by default"`
	}
	rotateInput struct {
		admin.ByID
		admin.JSON[Rotation]
	}
	deliveriesInput struct {
		admin.ByID
		admin.PageQuery
		State     string `query:"state" enum:"waiting,delivered,failed"`
		EventType string `query:"event_type"`
		EventID   string `query:"event_id"`
	}
	byDelivery struct {
		admin.ByID
		DeliveryID string `path:"delivery_id"`
	}
	replayInput struct {
		admin.ByID
		admin.JSON[ReplayRange]
	}
	made[T any] struct {
		Location string `header:"Location"`
		Body     T
	}
	// newWebhook is a webhook with a secret, which is shown this once.
	newWebhook struct {
		Webhook
		Secret string `json:"secret" doc:"Shown now and never again: what receivers check signatures with" example:"whsec_…"`
	}
	page[T any] struct {
		Items      []T    `json:"items" nullable:"false"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
	}
	nothing struct{}
)

const path = "/v1/webhooks"

// defaultOverlap is how long a rotated secret goes on signing unless asked.
const defaultOverlap = 24 * time.Hour

// Routes are the operations on webhooks.
func (s *Service) Routes(api *admin.API) {
	s.crud(api)
	admin.Register(api, operation("rotate-webhook-secret", http.MethodPost, path+"/{id}/rotate", "Make a new secret", func(o *admin.Operation) {
		o.Description = "The old secret signs beside the new one for a while, so that receivers can change over without a pause."
		o.HoldsSecret, o.OptionalBody = true, true
	}), func(ctx context.Context, in *rotateInput) (*made[newWebhook], error) {
		overlap := defaultOverlap
		if hours := in.Value().OverlapHours; hours != nil {
			var c attribution.Checker
			c.Require(*hours >= 0 && *hours <= maxOverlapHours, "body.overlap_hours", "must be 0 to %d", maxOverlapHours)
			if err := c.Err(); err != nil {
				return nil, err
			}
			overlap = time.Duration(*hours) * time.Hour
		}
		hook, secret, err := s.rotate(ctx, admin.ScopeOf(ctx), in.ID, overlap)
		if err != nil {
			return nil, err
		}
		return &made[newWebhook]{path + "/" + hook.ID, newWebhook{hook, secret}}, nil
	})
	admin.Register(api, operation("ping-webhook", http.MethodPost, path+"/{id}/ping", "Send a test event now", func(o *admin.Operation) {
		o.Description, o.Waits = "The answer is the delivery, with what the receiver answered.", true
	}), func(ctx context.Context, in *admin.ByID) (*admin.Answer[Delivery], error) {
		return admin.Answered(s.ping(ctx, admin.ScopeOf(ctx), in.ID))
	})
	s.log(api)
}

func (s *Service) crud(api *admin.API) {
	admin.Register(api, operation("create-webhook", http.MethodPost, path, "Make a webhook", func(o *admin.Operation) {
		o.Description = "Requests are signed by the Standard Webhooks rules. The secret is in this answer and nowhere else."
		o.Status, o.HoldsSecret = http.StatusCreated, true
	}), func(ctx context.Context, in *createInput) (*made[newWebhook], error) {
		hook, secret, err := s.create(ctx, admin.ScopeOf(ctx), in.Value())
		if err != nil {
			return nil, err
		}
		return &made[newWebhook]{path + "/" + hook.ID, newWebhook{hook, secret}}, nil
	})
	admin.Register(api, operation("list-webhooks", http.MethodGet, path, "List webhooks"), func(ctx context.Context, in *listInput) (*admin.Answer[page[Webhook]], error) {
		return admin.Answered(s.list(ctx, admin.ScopeOf(ctx), in))
	})
	admin.Register(api, operation("get-webhook", http.MethodGet, path+"/{id}", "Read a webhook"), func(ctx context.Context, in *admin.ByID) (*admin.Answer[Webhook], error) {
		return admin.Answered(s.one(ctx, admin.ScopeOf(ctx), in.ID))
	})
	admin.Register(api, operation("patch-webhook", http.MethodPatch, path+"/{id}", "Change a webhook"), func(ctx context.Context, in *patchInput) (*admin.Answer[Webhook], error) {
		return admin.Answered(s.change(ctx, admin.ScopeOf(ctx), in.ID, in.RawBody))
	})
	admin.Register(api, operation("delete-webhook", http.MethodDelete, path+"/{id}", "Delete a webhook", func(o *admin.Operation) {
		o.Status = http.StatusNoContent
	}), func(ctx context.Context, in *admin.ByID) (*nothing, error) {
		return &nothing{}, s.archive(ctx, admin.ScopeOf(ctx), in.ID)
	})
}

func (s *Service) log(api *admin.API) {
	admin.Register(api, operation("list-webhook-deliveries", http.MethodGet, path+"/{id}/deliveries", "List deliveries, newest first", func(o *admin.Operation) {
		o.Description = "Kept for 30 days."
	}), func(ctx context.Context, in *deliveriesInput) (*admin.Answer[page[Delivery]], error) {
		items, next, err := s.deliveries(ctx, admin.ScopeOf(ctx), in.ID, deliveryFilter{in.State, in.EventType, in.EventID}, in.PageQuery)
		return admin.Answered(page[Delivery]{items, next}, err)
	})
	admin.Register(api, operation("get-webhook-delivery", http.MethodGet, path+"/{id}/deliveries/{delivery_id}", "Read a delivery, with its body"),
		func(ctx context.Context, in *byDelivery) (*admin.Answer[Delivery], error) {
			return admin.Answered(s.delivery(ctx, admin.ScopeOf(ctx), in.ID, in.DeliveryID))
		})
	admin.Register(api, operation("replay-webhook-delivery", http.MethodPost, path+"/{id}/deliveries/{delivery_id}/replay", "Send a delivery again", func(o *admin.Operation) {
		o.Description, o.Status = "A new delivery under the same webhook-id.", http.StatusAccepted
	}), func(ctx context.Context, in *byDelivery) (*admin.Answer[Delivery], error) {
		return admin.Answered(s.replay(ctx, admin.ScopeOf(ctx), in.ID, in.DeliveryID))
	})
	admin.Register(api, operation("replay-webhook", http.MethodPost, path+"/{id}/replay", "Send the deliveries of a time again", func(o *admin.Operation) {
		o.Description, o.Status = "Those that failed, unless asked otherwise; 1,000 in a call.", http.StatusAccepted
	}), func(ctx context.Context, in *replayInput) (*admin.Answer[Replayed], error) {
		return admin.Answered(s.replayRange(ctx, admin.ScopeOf(ctx), in.ID, in.Value()))
	})
}

// operation is one for those who have webhooks.
func operation(id, method, path, summary string, more ...func(*admin.Operation)) admin.Operation {
	o := admin.Operation{ID: id, Method: method, Path: path, Tag: "Webhooks", Summary: summary, Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser}}
	for _, add := range more {
		add(&o)
	}
	return o
}

// list lists the webhooks of an advertiser; of an admin all, or one advertiser's.
func (s *Service) list(ctx context.Context, scope catalog.Scope, in *listInput) (page[Webhook], error) {
	out := page[Webhook]{Items: []Webhook{}}
	given := database.Given{"advertiser_id": in.AdvertiserID, "before": in.Cursor, "limit": in.Limit + 1}
	if scope.Role != catalog.RoleAdmin {
		if in.AdvertiserID != "" && in.AdvertiserID != scope.AdvertiserID {
			return out, nil
		}
		given["advertiser_id"] = scope.AdvertiserID
	}
	rows, err := s.o.DB.Filter(ctx, "webhook.list", given)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		w, err := scanWebhook(rows)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, w)
	}
	if len(out.Items) > in.Limit {
		out.Items = out.Items[:in.Limit]
		out.NextCursor = out.Items[in.Limit-1].ID
	}
	return out, rows.Err()
}
