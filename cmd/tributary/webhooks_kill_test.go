package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// A hookDesk answers webhooks, first with a refusal, and notes under which ids
// they came.
type hookDesk struct {
	*httptest.Server
	mu             sync.Mutex
	open           bool
	refused, taken map[string]int // attempts by webhook-id
}

func newHookDesk(t *testing.T) *hookDesk {
	d := &hookDesk{refused: map[string]int{}, taken: map[string]int{}}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		id := r.Header.Get("webhook-id")
		if !d.open {
			d.refused[id]++
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		d.taken[id]++
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(d.Close)
	return d
}

// ids are the webhook-ids that were refused, and those that were taken.
func (d *hookDesk) ids() (refused, taken []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.refused)), slices.Sorted(maps.Keys(d.taken))
}

// TestWebhooksOutliveAKill kills the server while deliveries wait, one of them
// refused before: each is delivered after the restart, under the id it had.
func TestWebhooksOutliveAKill(t *testing.T) {
	t.Parallel()
	dir, desk := t.TempDir(), newHookDesk(t)
	serve := func() (*served, *testApp) {
		s := startServe(t, dir, "--webhook-networks", "127.0.0.0/8", "--clickhouse", "clickhouse://127.0.0.1:9/tributary")
		return s, s.client()
	}
	first, client := serve()
	hook := client.make("/v1/webhooks", map[string]any{"url": desk.URL, "events": []string{"participation.*"}})
	link := client.makeLink() // its creator joins
	for i := range 4 {
		creator := client.make("/v1/creators", map[string]any{"name": fmt.Sprint("Creator ", i)})
		client.call(http.MethodPost, fmt.Sprintf("/v1/campaigns/%s/creators", link["campaign_id"]), map[string]any{"creator_id": creator}, http.StatusCreated)
	}
	var waiting []string
	eventually(t, func() error {
		waiting = nil
		for _, item := range client.call(http.MethodGet, "/v1/webhooks/"+hook+"/deliveries?state=waiting", nil, http.StatusOK)["items"].([]any) {
			waiting = append(waiting, item.(map[string]any)["event_id"].(string))
		}
		if refused, _ := desk.ids(); len(waiting) != 5 || len(refused) == 0 {
			return fmt.Errorf("%d deliveries wait, %d were refused", len(waiting), len(refused))
		}
		return nil
	})
	first.signal(syscall.SIGKILL)
	first.ended()
	desk.mu.Lock()
	desk.open = true
	desk.mu.Unlock()
	serve()
	slices.Sort(waiting)
	eventually(t, func() error {
		if _, taken := desk.ids(); !slices.Equal(taken, waiting) {
			return fmt.Errorf("taken: %v of %v", taken, waiting)
		}
		return nil
	})
	for id := range desk.refused {
		if !slices.Contains(waiting, id) {
			t.Errorf("%s was tried before the kill under an id of its own", id)
		}
	}
}
