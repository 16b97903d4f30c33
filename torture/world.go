package main

import (
	"context"
	"net/http"
	"time"
)

// A world is what has to be there before anybody clicks: one live campaign with
// links, and a shop that may report its orders.
type world struct {
	server    *server
	slugs     []string
	ingestKey string
	clickID   string // that orders name
	clicks    *journal
	orders    *journal
}

// linksPerWorld is how many links the crowd clicks.
const linksPerWorld = 3

// begin runs a server and makes a world on it. With clickhouse the embedded one is
// not used.
func (t *trial) begin(ctx context.Context, name string, clickhouse *clickhouse) (*world, error) {
	s, err := t.newServer(name, clickhouse)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.populate(ctx)
}

// populate makes a world through the API, and a first click.
func (s *server) populate(ctx context.Context) (*world, error) { return s.populateAt(ctx, time.Now()) }

// populateAt makes a campaign that is live at that time.
func (s *server) populateAt(ctx context.Context, now time.Time) (*world, error) {
	w := &world{server: s, clicks: newJournal(), orders: newJournal()}
	advertiser, err := s.make("/v1/advertisers", map[string]any{"name": "Torture", "currency": "USD", "timezone": "Asia/Bangkok", "domains": []string{"shop.example"}})
	if err != nil {
		return nil, err
	}
	campaign, err := s.make("/v1/campaigns", map[string]any{
		"advertiser_id": advertiser, "title": "Torture", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/p/1?ref=a",
		"starts_at": now.Add(-time.Hour).UTC().Format(time.RFC3339), "ends_at": now.AddDate(3, 0, 0).UTC().Format(time.RFC3339), "margin_rate": "0.33",
		"terms": map[string]any{"click_window_days": 365, "events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.call(http.MethodPost, "/v1/campaigns/"+campaign+"/approve", nil); err != nil {
		return nil, err
	}
	creator, err := s.make("/v1/creators", map[string]any{"name": "Torture", "country": "TH"})
	if err != nil {
		return nil, err
	}
	if _, err := s.call(http.MethodPost, "/v1/campaigns/"+campaign+"/creators", map[string]any{"creator_id": creator}); err != nil {
		return nil, err
	}
	task, err := s.make("/v1/tasks", map[string]any{"campaign_id": campaign, "creator_id": creator, "platform": "tiktok"})
	if err != nil {
		return nil, err
	}
	for range linksPerWorld {
		link, err := s.call(http.MethodPost, "/v1/tasks/"+task+"/links", map[string]any{})
		if err != nil {
			return nil, err
		}
		slug, _ := link["slug"].(string)
		w.slugs = append(w.slugs, slug)
	}
	key, err := s.call(http.MethodPost, "/v1/keys", map[string]any{"role": "ingest", "advertiser_id": advertiser})
	if err != nil {
		return nil, err
	}
	w.ingestKey, _ = key["key"].(string)
	return w, w.firstClicks(ctx)
}

// firstClicks waits until every link works. The last of the clicks is the one that
// orders name.
func (w *world) firstClicks(ctx context.Context) error {
	var s shopper
	defer s.hangUp()
	for _, slug := range w.slugs {
		err := within(ctx, 20*time.Second, func() error {
			if !s.connect(w.server.tracker) {
				return errNoRedirect
			}
			n := w.clicks.send()
			id, err := s.ask(slug, n, "")
			if err != nil {
				return err
			}
			w.clicks.acknowledge(n, id, true)
			w.clickID = id
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
