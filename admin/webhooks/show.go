package webhooks

import (
	"context"

	"tributary/admin"
	"tributary/catalog"
)

// Webhooks lists the webhooks of an advertiser; of an admin all, or one
// advertiser's.
func (s *Service) Webhooks(ctx context.Context, scope catalog.Scope, advertiserID string, p catalog.Page) (catalog.List[Webhook], error) {
	listed, err := s.list(ctx, scope, &listInput{PageQuery: admin.PageQuery{Cursor: p.Cursor, Limit: p.Limit}, AdvertiserID: advertiserID})
	return catalog.List[Webhook]{Items: listed.Items, NextCursor: listed.NextCursor}, err
}

// Webhook finds a webhook, without its secret.
func (s *Service) Webhook(ctx context.Context, scope catalog.Scope, id string) (Webhook, error) {
	return s.one(ctx, scope, id)
}

// Deliveries lists what a webhook was sent, newest first: all, or those in a state
// (waiting, delivered or failed).
func (s *Service) Deliveries(ctx context.Context, scope catalog.Scope, webhookID, state string, p catalog.Page) (catalog.List[Delivery], error) {
	items, next, err := s.deliveries(ctx, scope, webhookID, deliveryFilter{state: state}, admin.PageQuery{Cursor: p.Cursor, Limit: p.Limit})
	return catalog.List[Delivery]{Items: items, NextCursor: next}, err
}
