package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tributary/catalog"
	"tributary/schema/database"
)

// A bench is the admin API on a real catalog, a real database and a real socket.
type bench struct {
	t       *testing.T
	catalog *catalog.Catalog
	handler http.Handler
	url     string
	root    string // an admin key
	log     *safeBuffer
}

func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	things := catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32)})
	log := &safeBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := Options{Catalog: things, Logger: logger, Version: "test"}
	if change != nil {
		change(&o)
	}
	server := httptest.NewUnstartedServer(nil)
	handler := New(o)
	server.Config = NewServer(handler, logger)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, catalog: things, handler: handler, url: server.URL, log: log}
	b.root = b.key(catalog.KeyFields{Role: catalog.RoleAdmin})
	return b
}

// in is the same bench for a subtest.
func (b *bench) in(t *testing.T) *bench {
	inner := *b
	inner.t = t
	return &inner
}

// operator is the scope of what tests prepare behind the API's back.
func operator() catalog.Scope { return catalog.Scope{Role: catalog.RoleAdmin} }

func (b *bench) key(fields catalog.KeyFields) string {
	b.t.Helper()
	_, secret, err := b.catalog.CreateKey(context.Background(), operator(), fields)
	if err != nil {
		b.t.Fatal(err)
	}
	return secret
}

// A reply is an answer, read to its end.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// send asks with a key; header holds pairs of name and value.
func (b *bench) send(key, method, path, body string, header ...string) *reply {
	b.t.Helper()
	request, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &reply{b.t, response.StatusCode, response.Header, content}
}

// want fails unless the answer has the status.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// object is the answer as a JSON object.
func (r *reply) object() map[string]any {
	r.t.Helper()
	var object map[string]any
	if err := json.Unmarshal(r.body, &object); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
	return object
}

func (r *reply) text(name string) string {
	r.t.Helper()
	s, ok := r.object()[name].(string)
	if !ok {
		r.t.Fatalf("no text %s in %s", name, r.body)
	}
	return s
}

// problem fails unless the answer is a whole problem with the status and code.
func (r *reply) problem(status int, code string) problem {
	r.t.Helper()
	r.want(status)
	if got := r.header.Get("Content-Type"); got != problemMediaType {
		r.t.Errorf("Content-Type %q: %s", got, r.body)
	}
	var p problem
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
	if p.Code != code || p.Status != status || p.Type != problemType+code || p.Title == "" || p.Detail == "" {
		r.t.Errorf("not the problem %d %s: %s", status, code, r.body)
	}
	return p
}

// locations are the fields a problem names.
func (p problem) locations() string {
	var all []string
	for _, field := range p.Errors {
		all = append(all, field.Location)
	}
	return strings.Join(all, " ")
}

// A safeBuffer is a log that handlers write and tests read.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A world is one advertiser with a campaign, a creator in it, a task and a link,
// and everybody's keys.
type world struct {
	advertiser, creator, campaign, task, link, code, post, draft, template, key string
	secret, advertiserKey, creatorKey, ingestKey                                string
}

const worldCampaign = `{"advertiser_id":"%s","title":"Spring","kind":"url","visibility":"invite","multi_post":true,"platforms":["tiktok"],"starts_at":"2026-01-01T00:00:00Z",
"ends_at":"2100-01-01T00:00:00Z","destination":"https://shop.example/p","budget":{"amount":"1000"},"cost_per":{"like":"0.10"},
"contacts":{"sales":"s@acme.example","creator_management":"c@acme.example"},
"terms":{"events":{"sale":{"type":"percent","rate":"0.10"}}}}`

func (b *bench) world() world {
	b.t.Helper()
	var w world
	w.advertiser = b.make("/v1/advertisers", `{"name":"Acme","currency":"USD","timezone":"Asia/Bangkok","domains":["shop.example"]}`)
	w.creator = b.make("/v1/creators", `{"name":"Mali","email":"mali@example.com","country":"TH","labels":["vip"],
		"payout_details":{"iban":"X1"},"socials":[{"platform":"tiktok","handle":"mali","followers":12}]}`)
	w.campaign = b.make("/v1/campaigns", strings.Replace(worldCampaign, "%s", w.advertiser, 1))
	b.send(b.root, "POST", "/v1/campaigns/"+w.campaign+"/approve", "").want(200)
	b.send(b.root, "POST", "/v1/campaigns/"+w.campaign+"/creators", `{"creator_id":"`+w.creator+`"}`).want(201)
	w.task = b.make("/v1/tasks", `{"campaign_id":"`+w.campaign+`","creator_id":"`+w.creator+`","platform":"tiktok"}`)
	w.link = b.make("/v1/tasks/"+w.task+"/links", `{}`)
	w.code = b.make("/v1/tasks/"+w.task+"/codes", `{}`)
	w.post = b.make("/v1/tasks/"+w.task+"/posts", `{"url":"https://www.tiktok.com/@mali/video/1"}`)
	w.draft = b.make("/v1/tasks/"+w.task+"/drafts", `{"text":"Look at this"}`)
	w.template = b.make("/v1/terms-templates", `{"name":"Standard","terms":{"events":{"sale":{"type":"percent","rate":"0.10"}}}}`)
	w.key = b.make("/v1/keys", `{"role":"ingest","advertiser_id":"`+w.advertiser+`"}`)
	w.secret = b.make("/v1/advertisers/"+w.advertiser+"/secrets", `{"kind":"postback"}`)
	w.advertiserKey = b.key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: w.advertiser})
	w.creatorKey = b.key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: w.creator})
	w.ingestKey = b.key(catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: w.advertiser})
	return w
}

// make posts as the admin and returns the new thing's id.
func (b *bench) make(path, body string) string {
	b.t.Helper()
	return b.send(b.root, "POST", path, body).want(201).text("id")
}
