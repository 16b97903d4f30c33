package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tributary/admin/sheet"
	"tributary/catalog"
)

func TestEveryAnswerIsCareful(t *testing.T) {
	b := newBench(t, nil)
	for _, path := range []string{"/v1/advertisers", "/v1/nonsense", "/docs", "/openapi.json", "/healthz", "/v1/links/%00"} {
		h := b.send("", "GET", path, "").header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s %q", path, name, h.Get(name))
			}
		}
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, h.Get("Content-Security-Policy"))
		}
		if h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-Tributary-Sandbox") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(h.Get("X-Request-Id")) {
			t.Errorf("%s: X-Request-Id %q", path, h.Get("X-Request-Id"))
		}
	}
}

func TestRequestIDIsTakenWhenItIsSafe(t *testing.T) {
	b := newBench(t, nil)
	for given, taken := range map[string]bool{"abc-1_2.3": true, "a b": false, strings.Repeat("a", 65): false, `a"b`: false} {
		if got := b.send("", "GET", "/healthz", "", "X-Request-Id", given).header.Get("X-Request-Id"); (got == given) != taken {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestSandboxMarksEveryAnswer(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Sandbox = true })
	for _, path := range []string{"/v1/advertisers", "/v1/nonsense", "/healthz", "/docs"} {
		if b.send("", "GET", path, "").header.Get("X-Tributary-Sandbox") != "true" {
			t.Errorf("%s is not marked", path)
		}
	}
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	var down error
	b := newBench(t, func(o *Options) {
		o.Ready = func() error { return down }
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metric 1\n") })
	})
	if got := b.send("", "GET", "/healthz", "").want(200).text("version"); got != "test" {
		t.Errorf("version %q", got)
	}
	b.send("", "GET", "/readyz", "").want(200)
	if got := string(b.send("", "GET", "/metrics", "").want(200).body); got != "metric 1\n" {
		t.Errorf("metrics %q", got)
	}
	down = errors.New("the spool cannot be written: make room on the disk")
	if p := b.send("", "GET", "/readyz", "").problem(503, codeNotReady); p.Detail != down.Error() {
		t.Errorf("detail %q", p.Detail)
	}
	b.send("", "GET", "/healthz", "").want(200)
}

// A node that is a tracker alone tells how it does, and where to ask for the rest.
func TestSignsOfANodeWithoutAnAPI(t *testing.T) {
	handler := NewSigns(Options{
		Logger: slog.New(slog.DiscardHandler), Version: "test", Ready: func() error { return errors.New("the links are still being loaded") },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metric 1\n") }),
	}, "ask another node")
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/healthz": {200, `"version":"test"`}, "/metrics": {200, "metric 1"}, "/readyz": {503, "still being loaded"},
		"/v1/keys": {503, "ask another node"}, "/": {503, "ask another node"},
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != want.status || !strings.Contains(answer.Body.String(), want.text) {
			t.Errorf("%s is answered %d: %s", path, answer.Code, answer.Body)
		}
	}
}

// A fileOfRows is an answer that can be JSON and a file.
type fileOfRows struct {
	Rows   []int `json:"rows"`
	format FileFormat
}

func (f *fileOfRows) ContentType(wanted string) string { return f.format.ContentType(wanted) }

func (f *fileOfRows) WriteFile(w io.Writer) error {
	file, err := f.format.BeginFile(w, "Rows", "row")
	if err != nil {
		return err
	}
	for _, row := range f.Rows {
		if err := file.WriteRow(sheet.Int(int64(row))); err != nil {
			return err
		}
	}
	return file.Close()
}

func TestTheOperationSaysTheFormOfItsAnswer(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Routes = []Routes{func(a *API) {
			Register(a, Operation{ID: "rows", Method: http.MethodGet, Path: "/v1/rows", Tag: "Test", Summary: "Rows", Roles: []string{catalog.RoleAdmin}},
				func(_ context.Context, in *struct {
					Format string `query:"format"`
				}) (*Answer[*fileOfRows], error) {
					return Answered(&fileOfRows{Rows: []int{1}, format: FileFormat(in.Format)}, nil)
				})
		}}
	})
	for _, accept := range []string{"", "text/csv", "application/json", "text/html"} {
		for path, want := range map[string]string{
			"/v1/rows": "application/json {\"rows\":[1]}\n", "/v1/rows?format=csv": sheet.MediaTypeCSV + " row\n1\n", "/v1/rows?format=xlsx": sheet.MediaTypeXLSX + " PK\x03\x04",
		} {
			r := b.send(b.root, "GET", path, "", "Accept", accept).want(200)
			if got := r.header.Get("Content-Type") + " " + string(r.body); got[:min(len(got), len(want))] != want {
				t.Errorf("%s with Accept %q: %q", path, accept, got)
			}
		}
	}
}

func TestDocsAskForNothing(t *testing.T) {
	b := newBench(t, nil)
	page := b.send("", "GET", "/docs", "").want(200)
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	text := string(page.body)
	if found := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|\bsrc=|url\(|@import|href="[^#/]`).FindString(text); found != "" {
		t.Errorf("the page asks for something: %s", found)
	}
	for id, op := range documented(t) {
		if !strings.Contains(text, `id="`+id+`"`) || !strings.Contains(text, op.path) {
			t.Errorf("the page lacks %s", id)
		}
	}
	for _, piece := range []string{"margin_rate", "merge-patch", `<span class="role">creator</span>`, "terms.events.*.rate", "one of social, url, code, commerce"} {
		if !strings.Contains(text, piece) {
			t.Errorf("the page lacks %s", piece)
		}
	}
}

func TestOpenAPIIsTheSameEveryTime(t *testing.T) {
	first, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := OpenAPI()
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("another document: %v", err)
		}
	}
	b := newBench(t, nil)
	served := b.send("", "GET", "/openapi.json", "").want(200)
	if !bytes.Equal(served.body, first) || served.header.Get("Content-Type") != "application/openapi+json" {
		t.Error("the served document is another")
	}
	var document struct {
		OpenAPI    string
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(first, &document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q: %v", document.OpenAPI, err)
	}
	references := regexp.MustCompile(`#/components/schemas/([A-Za-z0-9]+)`).FindAllSubmatch(first, -1)
	for _, reference := range references {
		if document.Components.Schemas[string(reference[1])] == nil {
			t.Errorf("%s leads nowhere", reference[0])
		}
	}
	if document.Components.Schemas["ErrorModel"] != nil {
		t.Error("the document describes errors that are never sent")
	}
}

// TestServerBoundsHeaders: a header that does not end is cut off.
func TestServerBoundsHeaders(t *testing.T) {
	b := newBench(t, nil)
	connection, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, _ = io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 2*maxHeaderBytes)+"\r\n\r\n")
	answer, _ := io.ReadAll(connection)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 431 ")) {
		t.Errorf("answered %.60q", answer)
	}
}

// TestSlowAndBrokenBodies: a body that does not come is a problem, not a hang.
func TestSlowAndBrokenBodies(t *testing.T) {
	b := newBench(t, nil)
	slow := httptest.NewUnstartedServer(nil)
	slow.Config = NewServer(b.handler, slog.New(slog.DiscardHandler))
	slow.Config.ReadTimeout = time.Second
	slow.Start()
	defer slow.Close()
	for _, c := range []struct {
		address string
		half    bool
		status  int
		code    string
	}{
		{slow.Listener.Addr().String(), false, 408, codeBodyTimeout},
		{strings.TrimPrefix(b.url, "http://"), true, 400, codeBodyIncomplete},
	} {
		connection, err := net.Dial("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, "POST /v1/creators HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+b.root+"\r\nContent-Length: 100\r\n\r\n{")
		if c.half {
			_ = connection.(*net.TCPConn).CloseWrite()
		}
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(response.Body)
		(&reply{t, response.StatusCode, response.Header, content}).problem(c.status, c.code)
	}
}
