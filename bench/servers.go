package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A target is a running server and the link to click on it.
type target struct {
	*process
	link    string // the tracking link
	tracker string // origins of a tributary's listeners
	admin   string
}

const nginxConfig = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx-error.log;
events { worker_connections 4096; }
http {
	access_log %[1]s/nginx-access.log;
	keepalive_requests 100000000;
	server {
		listen %[2]s backlog=4096;
		location / { return 302 https://shop.example/p/1?ref=a&tcid=-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef; }
	}
}
`

// startNginx answers every request with a constant redirect and an access log
// line: the least any tracker could do.
func (b *bench) startNginx(ctx context.Context) (*target, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.scratch, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, b.scratch, address), 0o644); err != nil {
		return nil, err
	}
	p, err := b.start(ctx, serverCore, "nginx", "nginx", nil, "-p", b.scratch, "-c", config)
	if err != nil {
		return nil, err
	}
	t := &target{process: p, link: "http://" + address + "/k3VbQ9xT"}
	return t, p.waitFor(ctx, 10*time.Second, t.redirects)
}

// adminKey is the platform admin key of every tributary the bench starts.
const adminKey = "trb_bench0123456789abcdef0123456789abcdef"

// startTributary runs the real product on a data directory with one link.
func (b *bench) startTributary(ctx context.Context, core, label string, flags ...string) (*target, error) {
	data := filepath.Join(b.scratch, label)
	if err := os.RemoveAll(data); err != nil {
		return nil, err
	}
	t, err := b.resumeTributary(ctx, core, label, flags...)
	if err != nil {
		return nil, err
	}
	if t.link, err = t.makeLink(); err != nil {
		return nil, err
	}
	return t, t.waitFor(ctx, 10*time.Second, t.redirects)
}

// resumeTributary runs the product on a data directory an earlier run left.
func (b *bench) resumeTributary(ctx context.Context, core, label string, flags ...string) (*target, error) {
	tracker, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--data", filepath.Join(b.scratch, label), "--tracker-addr", tracker, "--admin-addr", admin,
		"--base-url", "http://" + tracker, "--trusted-proxies", "127.0.0.0/8"}, flags...)
	p, err := b.start(ctx, core, label, b.binary, []string{"TRIBUTARY_ADMIN_KEY=" + adminKey}, args...)
	if err != nil {
		return nil, err
	}
	t := &target{process: p, tracker: "http://" + tracker, admin: "http://" + admin}
	return t, p.waitFor(ctx, time.Minute, func() error { return get("http://"+tracker+"/readyz", http.StatusOK) })
}

// makeLink makes a live campaign with one link through the API.
func (t *target) makeLink() (string, error) {
	id := func(path string, body map[string]any) (string, error) {
		answer, err := t.post(path, body)
		if err != nil {
			return "", err
		}
		made, _ := answer["id"].(string)
		return made, nil
	}
	advertiser, err := id("/v1/advertisers", map[string]any{"name": "Bench", "currency": "USD", "timezone": "UTC", "domains": []string{"shop.example"}})
	if err != nil {
		return "", err
	}
	campaign, err := id("/v1/campaigns", map[string]any{
		"advertiser_id": advertiser, "title": "Bench", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://shop.example/p/1?ref=a",
		"starts_at": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "ends_at": time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339),
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
	})
	if err != nil {
		return "", err
	}
	if _, err := t.post("/v1/campaigns/"+campaign+"/approve", nil); err != nil {
		return "", err
	}
	creator, err := id("/v1/creators", map[string]any{"name": "Bench", "country": "TH"})
	if err != nil {
		return "", err
	}
	if _, err := t.post("/v1/campaigns/"+campaign+"/creators", map[string]any{"creator_id": creator}); err != nil {
		return "", err
	}
	task, err := id("/v1/tasks", map[string]any{"campaign_id": campaign, "creator_id": creator, "platform": "tiktok"})
	if err != nil {
		return "", err
	}
	link, err := t.post("/v1/tasks/"+task+"/links", map[string]any{})
	if err != nil {
		return "", err
	}
	made, _ := link["url"].(string)
	return made, nil
}

func (t *target) post(path string, body any) (map[string]any, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		content = nil
	}
	return t.call(http.MethodPost, path, content)
}

func (t *target) call(method, path string, body []byte) (map[string]any, error) {
	request, err := http.NewRequest(method, t.admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+adminKey)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	}
	var answer map[string]any
	if len(content) > 0 {
		err = json.Unmarshal(content, &answer)
	}
	return answer, err
}

// redirects checks that the link answers 302.
func (t *target) redirects() error { return get(t.link, http.StatusFound) }

func get(url string, want int) error {
	client := http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// metric sums a metric of the tributary over its labels.
func (t *target) metric(name string) (float64, error) {
	response, err := http.Get(t.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return 0, err
	}
	found, sum := false, 0.0
	for line := range strings.Lines(string(content)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if label, _, _ := strings.Cut(series, "{"); label != name {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		found, sum = true, sum+v
	}
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return sum, nil
}
