package admin

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

// docsDepth is how deep the docs follow schemas into each other.
const docsDepth = 6

// The docs are the OpenAPI document written out as one page that asks for
// nothing: no script, no font, no style from elsewhere.
type (
	docsGroup struct {
		Tag        string
		Operations []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary, Description string
		Roles                                  []string
		Parameters                             []docsField
		MediaTypes                             []string
		Fields                                 []docsField
		Status                                 string
		Answer                                 []docsField
		Curl, Answered                         string // the recorded example
	}
	docsField struct {
		Name, In, Type, Description string
		Required                    bool
	}
)

// newDocs renders the page once. A template that cannot be rendered is a
// mistake of the programmer and panics.
func newDocs(document *huma.OpenAPI, examples map[string]Example) http.Handler {
	view := struct {
		Title, Description string
		Style              template.CSS
		Groups             []docsGroup
	}{document.Info.Title, document.Info.Description, template.CSS(docsStyle), docsGroups(document, examples)}
	var page bytes.Buffer
	if err := template.Must(template.New("docs").Parse(docsPage)).Execute(&page, view); err != nil {
		panic(fmt.Sprintf("the docs page cannot be rendered: %v", err))
	}
	digest := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(page.Bytes()) // a client that left has no use for it
	})
}

// docsGroups are the operations by tag, tags in the order of their names and
// operations in the order of their paths.
func docsGroups(document *huma.OpenAPI, examples map[string]Example) []docsGroup {
	byTag := map[string][]docsOperation{}
	for path, item := range document.Paths {
		for _, op := range operationsOf(item) {
			d := docsOf(document, path, op)
			if example, recorded := examples[op.OperationID]; recorded {
				d.Curl, d.Answered = example.curl(op.Method), readable(example.Answer)
			}
			byTag[op.Tags[0]] = append(byTag[op.Tags[0]], d)
		}
	}
	var groups []docsGroup
	for tag, operations := range byTag {
		slices.SortFunc(operations, func(a, b docsOperation) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
		groups = append(groups, docsGroup{tag, operations})
	}
	slices.SortFunc(groups, func(a, b docsGroup) int { return strings.Compare(a.Tag, b.Tag) })
	return groups
}

func docsOf(document *huma.OpenAPI, path string, op *huma.Operation) docsOperation {
	d := docsOperation{
		ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description,
		Roles: op.Extensions[rolesExtension].([]string),
	}
	reader := schemaReader{document.Components.Schemas}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsField{p.Name, p.In, reader.typeName(p.Schema), p.Description, p.Required})
	}
	if op.RequestBody != nil {
		for mediaType, content := range op.RequestBody.Content {
			d.MediaTypes = append(d.MediaTypes, mediaType)
			d.Fields = reader.fields(content.Schema)
		}
		slices.Sort(d.MediaTypes)
	}
	for status, response := range op.Responses {
		if status == "default" {
			continue
		}
		d.Status = status
		for _, content := range response.Content {
			d.Answer = reader.fields(content.Schema)
		}
	}
	return d
}

// Anchor is the group's name as part of an address.
func (g docsGroup) Anchor() string { return strings.ReplaceAll(strings.ToLower(g.Tag), " ", "-") }

// A schemaReader puts schemas into words.
type schemaReader struct{ schemas huma.Registry }

func (r schemaReader) resolve(s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return r.schemas.SchemaFromRef(s.Ref)
	}
	return s
}

func (r schemaReader) fields(s *huma.Schema) []docsField {
	return r.fieldsUnder("", s, docsDepth)
}

// fieldsUnder lists the fields of an object, and of the objects in it, by
// their path.
func (r schemaReader) fieldsUnder(prefix string, s *huma.Schema, depth int) []docsField {
	s = r.resolve(s)
	if s == nil || depth == 0 {
		return nil
	}
	if s.Items != nil {
		return r.fieldsUnder(prefix+"[]", s.Items, depth-1)
	}
	if element, ok := s.AdditionalProperties.(*huma.Schema); ok {
		return r.fieldsUnder(prefix+".*", element, depth-1)
	}
	var fields []docsField
	for _, name := range sortedNames(s.Properties) {
		property := s.Properties[name]
		at := strings.TrimPrefix(prefix+"."+name, ".")
		fields = append(fields, docsField{Name: at, Type: r.typeName(property), Description: property.Description, Required: slices.Contains(s.Required, name)})
		fields = append(fields, r.fieldsUnder(at, property, depth-1)...)
	}
	return fields
}

func (r schemaReader) typeName(s *huma.Schema) string {
	s = r.resolve(s)
	switch {
	case s == nil:
		return "anything"
	case len(s.AnyOf) > 0:
		return "decimal"
	case len(s.Enum) > 0:
		return "one of " + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Enum), " ", ", "), "[]")
	case s.Items != nil:
		return "array of " + r.typeName(s.Items)
	case s.Format == "date-time":
		return "time"
	case s.Type == "":
		return "anything"
	default:
		return s.Type
	}
}

func sortedNames(properties map[string]*huma.Schema) []string {
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
