package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/admin/webhooks"
)

// A hookReceiver takes webhooks and checks their signatures.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	secret string
	hangs  bool
	seen   map[string]int // by type
	ids    map[string]int
}

func newHookReceiver(t *testing.T) *hookReceiver {
	r := &hookReceiver{seen: map[string]int{}, ids: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		hangs, secret := r.hangs, r.secret
		r.mu.Unlock()
		if hangs {
			<-request.Context().Done()
			return
		}
		var event struct{ ID, Type string }
		sent, err := http.ParseTime(time.Now().UTC().Format(http.TimeFormat))
		if err != nil || json.Unmarshal(body, &event) != nil {
			t.Errorf("took %s", body)
		}
		for back := 0; ; back++ { // the second it was sent in
			at := sent.Add(-time.Duration(back) * time.Second)
			if fmt.Sprint(at.Unix()) == request.Header.Get("webhook-timestamp") {
				if want, err := webhooks.Sign([]string{secret}, event.ID, at, body); err != nil || want != request.Header.Get("webhook-signature") {
					t.Errorf("the signature of %s is not right: %v", body, err)
				}
				break
			}
			if back > 60 {
				t.Errorf("it was sent at %s", request.Header.Get("webhook-timestamp"))
				break
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen[event.Type]++
		r.ids[event.ID]++
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *hookReceiver) count(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[kind]
}

func (r *hookReceiver) set(secret string, hangs bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret, r.hangs = secret, hangs
}

func TestWebhooksOutliveARestart(t *testing.T) {
	t.Parallel()
	o := testOptions(t, t.TempDir())
	o.ClickHouse = "clickhouse://127.0.0.1:9/tributary" // nothing here is about figures
	o.WebhookNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	r := newHookReceiver(t)
	first := startTestApp(t, o)
	hook := first.call(http.MethodPost, "/v1/webhooks", map[string]any{"url": r.URL, "events": []string{"conversion.*", "campaign.*"}}, http.StatusCreated)
	r.set(hook["secret"].(string), false)
	if ping := first.call(http.MethodPost, "/v1/webhooks/"+hook["id"].(string)+"/ping", nil, http.StatusOK); ping["state"] != "delivered" {
		t.Errorf("a test: %v", ping)
	}
	r.set(hook["secret"].(string), true)
	first.sell(5)
	eventually(t, func() error {
		items := first.call(http.MethodGet, "/v1/webhooks/"+hook["id"].(string)+"/deliveries?state=waiting", nil, http.StatusOK)["items"].([]any)
		if len(items) < 6 {
			return fmt.Errorf("%d deliveries wait", len(items))
		}
		return nil
	})
	eventually(t, func() error {
		behind, err := first.metric(`tributary_outbox_messages{reader="events"}`)
		if err == nil && behind != 0 {
			err = fmt.Errorf("%v messages are not passed", behind)
		}
		return err
	})
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	r.set(hook["secret"].(string), false)
	second := startTestApp(t, o)
	eventually(t, func() error {
		if got := r.count("conversion.accepted"); got != 5 || r.count("campaign.ongoing") != 1 {
			return fmt.Errorf("%d sales were told of", got)
		}
		return nil
	})
	for id, times := range r.ids {
		if times != 1 {
			t.Errorf("%s was told %d times", id, times)
		}
	}
	ways := second.call(http.MethodGet, "/v1/integrations?advertiser_id="+second.call(http.MethodGet, "/v1/advertisers", nil, http.StatusOK)["items"].([]any)[0].(map[string]any)["id"].(string), nil, http.StatusOK)
	if text := fmt.Sprint(ways["items"]); !strings.Contains(text, "accepted_24h:5") {
		t.Errorf("integrations: %s", text)
	}
}

func TestARehearsalTellsOfCampaignsThatStart(t *testing.T) {
	a := startTestApp(t, rehearsalOptions(t))
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": "2027-01-09T12:00:00Z"}, http.StatusOK)
	advertiser := a.make("/v1/advertisers", map[string]any{"name": "Acme", "currency": "USD", "timezone": "UTC", "domains": []string{"shop.example"}})
	creator := a.make("/v1/creators", map[string]any{"name": "Mali", "country": "TH"})
	campaign := a.make("/v1/campaigns", map[string]any{
		"advertiser_id": advertiser, "title": "Spring", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/",
		"starts_at": "2027-01-10T09:00:00Z", "ends_at": "2027-02-01T00:00:00Z", "terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.1"}}},
	})
	a.call(http.MethodPost, "/v1/campaigns/"+campaign+"/approve", nil, http.StatusOK)
	admin := a.key
	a.key = a.call(http.MethodPost, "/v1/keys", map[string]any{"role": "creator", "creator_id": creator}, http.StatusCreated)["key"].(string)
	mine := a.key
	a.key = admin
	a.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": "2027-01-20T00:00:00Z"}, http.StatusOK)
	a.key = mine
	items := a.call(http.MethodGet, "/v1/notifications", nil, http.StatusOK)["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["title"] != "Spring starts today" || items[0].(map[string]any)["created_at"] != "2027-01-10T01:00:00.000Z" {
		t.Errorf("the creator is told: %v", items)
	}
}
