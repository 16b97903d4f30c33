package admin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The examples of the docs and of the OpenAPI document, by operation. They were
// recorded from a running server: TestExamples in cmd/tributary plays them, fails
// while the file differs, and writes it with -update.
//
//go:embed examples.json
var recordedExamples string

// An Example is one request and its answer, as they went over the wire.
type Example struct {
	Path       string          `json:"path"` // with its query
	MediaType  string          `json:"media_type,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"` // a JSON value, or a text of another media type as a JSON string
	Status     int             `json:"status"`
	AnswerType string          `json:"answer_type,omitempty"`
	Answer     json.RawMessage `json:"answer,omitempty"` // like Body; none of bytes that are no text
}

// Examples are the recorded examples by operation id.
func Examples() (map[string]Example, error) {
	var examples map[string]Example
	if err := json.Unmarshal([]byte(recordedExamples), &examples); err != nil {
		return nil, fmt.Errorf("read the recorded examples: %w", err)
	}
	return examples, nil
}

// exemplify puts the examples into the document.
func exemplify(document *huma.OpenAPI, examples map[string]Example) {
	for _, item := range document.Paths {
		for _, op := range operationsOf(item) {
			example, recorded := examples[op.OperationID]
			if !recorded {
				continue
			}
			if op.RequestBody != nil && example.Body != nil {
				setExample(op.RequestBody.Content, example.MediaType, example.Body)
			}
			if response := op.Responses[fmt.Sprint(example.Status)]; response != nil && example.Answer != nil {
				setExample(response.Content, example.AnswerType, example.Answer)
			}
		}
	}
}

func setExample(content map[string]*huma.MediaType, mediaType string, example json.RawMessage) {
	if described := content[mediaType]; described != nil {
		described.Example = example
	}
}

func operationsOf(item *huma.PathItem) []*huma.Operation {
	var operations []*huma.Operation
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
		if op != nil {
			operations = append(operations, op)
		}
	}
	return operations
}

// curl is the request of an example as a command. ORIGIN stands for the server, $KEY for a key.
func (e Example) curl(method string) string {
	var b strings.Builder
	b.WriteString("curl")
	if method != http.MethodGet {
		b.WriteString(" -X " + method)
	}
	fmt.Fprintf(&b, " %s \\\n  -H \"Authorization: Bearer $KEY\"", quoteForShell("http://127.0.0.1:8081"+e.Path))
	if e.Body == nil {
		return b.String()
	}
	fmt.Fprintf(&b, " \\\n  -H 'Content-Type: %s' \\\n  ", e.MediaType)
	data := "-d "
	if e.MediaType == mediaTypeCSV {
		data = "--data-binary " // -d would take the line ends away
	}
	b.WriteString(data + quoteForShell(readable(e.Body)))
	return b.String()
}

func quoteForShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// readable is a recorded body as text: JSON indented, any other text as it was.
func readable(body json.RawMessage) string {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		return string(body)
	}
	return b.String()
}
