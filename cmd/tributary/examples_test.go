package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/admin"
)

// The examples of /docs and of the OpenAPI document are recorded here, from a real
// server whose clock stands still: every step of exampleSteps is sent, and the
// first of each operation is kept in admin/examples.json.
//
// An operation without an example fails this test. To give it one, add a line to
// exampleSteps (examples_steps_test.go says how), run
//
//	go test ./cmd/tributary -run TestExamples -update
//
// and look at what changed in admin/examples.json.

var updateExamples = flag.Bool("update", false, "write admin/examples.json anew")

const examplesFile = "../../admin/examples.json"

func TestExamples(t *testing.T) {
	t.Parallel()
	r := newExampleRecorder(t)
	for _, step := range exampleSteps {
		r.play(step)
	}
	for id := range r.operations {
		if _, recorded := r.examples[id]; !recorded {
			t.Errorf("%s %s has no example: add a step with op %q to exampleSteps, then go test ./cmd/tributary -run TestExamples -update",
				r.operations[id].method, r.operations[id].path, id)
		}
	}
	var recorded bytes.Buffer
	encoder := json.NewEncoder(&recorded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(r.examples); err != nil {
		t.Fatal(err)
	}
	if *updateExamples {
		if err := os.WriteFile(examplesFile, recorded.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, recorded.Bytes()) {
		t.Errorf("admin/examples.json is stale: %s\ngo test ./cmd/tributary -run TestExamples -update writes it anew", firstDifference(kept, recorded.Bytes()))
	}
}

// firstDifference shows where two texts part, line by line.
func firstDifference(a, b []byte) string {
	left, right := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return fmt.Sprintf("line %d has\n%s\nbut the server answers\n%s", i+1, left[i], right[i])
		}
	}
	return fmt.Sprintf("it has %d lines instead of %d", len(left), len(right))
}

// An exampleRecorder plays steps and keeps what was said.
type exampleRecorder struct {
	*testApp
	operations map[string]exampleOperation
	kept       map[string]string // what steps kept, by the name they gave it
	examples   map[string]admin.Example
	normal     *normalizer
}

// newExampleRecorder starts the server the story is played to.
func newExampleRecorder(t *testing.T) *exampleRecorder {
	o := testOptions(t, t.TempDir())
	o.Sandbox, o.BaseURL = true, "https://t.example"
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	o.WebhookNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	r := &exampleRecorder{testApp: startTestApp(t, o), kept: map[string]string{"receiver": receiver.URL}, examples: map[string]admin.Example{}, normal: newNormalizer()}
	r.normal.fields[receiver.URL] = "https://hooks.acme.example"
	r.readOperations()
	return r
}

type exampleOperation struct{ method, path string }

func (r *exampleRecorder) readOperations() {
	r.operations = map[string]exampleOperation{}
	for path, item := range r.call(http.MethodGet, "/openapi.json", nil, http.StatusOK)["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			r.operations[op.(map[string]any)["operationId"].(string)] = exampleOperation{strings.ToUpper(method), path}
		}
	}
}

// play sends a step and keeps it as its operation's example, unless that has one.
func (r *exampleRecorder) play(s exampleStep) {
	r.t.Helper()
	op, known := r.operations[s.op]
	switch {
	case s.op != "" && !known:
		r.t.Errorf("a step plays %s, which is no operation", s.op)
		return
	case s.op == "":
		op.method = http.MethodPost
	case !templated(op.path).MatchString(pathOf(s.path)):
		r.t.Fatalf("the step of %s asks %s, its path is %s", s.op, s.path, op.path)
	}
	if s.clock == "" && op.method != http.MethodGet && !strings.HasPrefix(s.path, "/v1/sandbox/clock") {
		s.clock = "1m"
	}
	if s.clock != "" {
		r.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": s.clock}, http.StatusOK)
	}
	if s.op == "" && s.path == "" {
		return
	}
	path, body := r.fill(s.path), r.fill(s.body)
	got := r.ask(op.method, path, body, s)
	if got.status/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", op.method, path, got.status, got.body)
	}
	r.keep(s.keep, got.body)
	if _, recorded := r.examples[s.op]; s.op == "" || recorded || s.prepares {
		return
	}
	r.examples[s.op] = r.example(path, body, mediaTypeOf(s, op.method), got)
}

// mediaTypeOf is what a step sends its body as.
func mediaTypeOf(s exampleStep, method string) string {
	switch {
	case s.body == "":
		return ""
	case s.mediaType != "":
		return s.mediaType
	case method == http.MethodPatch:
		return "application/merge-patch+json"
	default:
		return "application/json"
	}
}

// templated matches the paths of a template such as /v1/links/{id}.
func templated(template string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.MustCompile(`\\\{[a-z_]+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$")
}

func pathOf(address string) string {
	path, _, _ := strings.Cut(address, "?")
	return path
}

var keptName = regexp.MustCompile(`\$[a-z_]+`)

// fill puts what was kept where it is named.
func (r *exampleRecorder) fill(text string) string {
	r.t.Helper()
	return keptName.ReplaceAllStringFunc(text, func(name string) string {
		value, known := r.kept[name[1:]]
		if !known {
			r.t.Fatalf("no step kept %s", name)
		}
		return value
	})
}

// keep remembers fields of an answer: "task" its id, "secret=key" another field,
// "order=items.0.id" one that lies deeper.
func (r *exampleRecorder) keep(names string, answer []byte) {
	r.t.Helper()
	for _, name := range strings.Fields(names) {
		name, field, given := strings.Cut(name, "=")
		if !given {
			field = "id"
		}
		var at any
		if err := json.Unmarshal(answer, &at); err != nil {
			r.t.Fatalf("keep %s: %v: %s", name, err, answer)
		}
		for step := range strings.SplitSeq(field, ".") {
			switch value := at.(type) {
			case map[string]any:
				at = value[step]
			case []any:
				at = nil
				if i := slices.Index([]string{"0", "1", "2", "3"}, step); i >= 0 && i < len(value) {
					at = value[i]
				}
			}
		}
		text, isText := at.(string)
		if !isText {
			r.t.Fatalf("keep %s: the answer has no text %s: %s", name, field, answer)
		}
		r.kept[name] = text
	}
}

type exampleAnswer struct {
	status    int
	mediaType string
	body      []byte
}

// ask sends a request, again and again while its answer lacks what the step waits for.
func (r *exampleRecorder) ask(method, path, body string, s exampleStep) (got exampleAnswer) {
	r.t.Helper()
	eventually(r.t, func() error {
		got = r.askOnce(method, path, body, s)
		if wanted := r.fill(s.until); !strings.Contains(string(compact(got.body)), wanted) {
			return fmt.Errorf("%s %s is answered without %s: %s", method, path, wanted, got.body)
		}
		return nil
	})
	return got
}

func (r *exampleRecorder) askOnce(method, path, body string, s exampleStep) exampleAnswer {
	r.t.Helper()
	origin := r.adminListener.Addr().String()
	if strings.HasPrefix(path, "/t/") {
		origin = r.trackerListener.Addr().String()
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+origin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	key := r.key
	if s.as != "" {
		key = r.fill("$" + s.as)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	if mediaType := mediaTypeOf(s, method); mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	answer := exampleAnswer{status: response.StatusCode, mediaType: mediaType}
	if answer.body, err = readAnswer(response.Body, mediaType, func() { r.play(*s.during) }); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// readAnswer reads to the end; a stream of events until its third, the second of
// which is provoked by during.
func readAnswer(body io.Reader, mediaType string, during func()) ([]byte, error) {
	if mediaType != "text/event-stream" {
		return io.ReadAll(body)
	}
	var text []byte
	piece := make([]byte, 4096)
	for provoked := false; ; {
		n, err := body.Read(piece)
		text = append(text, piece[:n]...)
		switch events := bytes.Count(text, []byte("\ndata: ")); {
		case err != nil:
			return nil, fmt.Errorf("the stream ended at %q: %w", text, err)
		case events == 1 && !provoked:
			provoked = true
			during()
		case events >= 2 && bytes.HasSuffix(text, []byte("\n\n")):
			return text, nil
		}
	}
}

// compact is JSON without its spaces, for until; anything else as it is.
func compact(answer []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, answer) != nil {
		return answer
	}
	return b.Bytes()
}

func (r *exampleRecorder) example(path, body, mediaType string, got exampleAnswer) admin.Example {
	now := r.now().UTC()
	return admin.Example{
		Path: r.normal.text(path, now), MediaType: mediaType, Body: r.normal.value(body, mediaType, now),
		Status: got.status, AnswerType: got.mediaType, Answer: r.normal.value(string(got.body), got.mediaType, now),
	}
}

// exampleBegan is when the process began, for times that no rehearsal moves.
var exampleBegan = time.Now()
