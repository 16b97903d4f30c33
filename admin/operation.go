package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// answerTimeout is how long an operation may work on its answer unless it says
// otherwise.
const answerTimeout = 30 * time.Second

// An Operation is one method on one path. ID, Method, Path, Tag, Summary and
// Roles are required.
type Operation struct {
	ID          string
	Method      string
	Path        string
	Tag         string // the group it stands under in the docs
	Summary     string
	Description string
	Roles       []string // whose keys may call it (catalog.Role…)

	Status       int           // of success; 200, or 204 without an answer
	MaxBodyBytes int64         // MaxBodyBytes by default
	OptionalBody bool          // no body is the same as {}
	Timeout      time.Duration // answerTimeout by default; negative: none, for streams
	HoldsSecret  bool          // the answer is shown once and never kept for a replay
	Waits        bool          // handle waits for more than the database
	MediaType    string        // of an answer that is bytes
}

// Register adds an operation. I is its input: fields tagged path, query or
// header, and JSON, Patch or CSV embedded for a body. O is its answer, as huma has
// it: Body, and fields tagged header. handle reads who asks with ScopeOf, and
// returns an attribution.Problem for what the client can mend. A POST with an
// Idempotency-Key is handled inside the catalog's write transaction, carried by
// the context: there handle must wait for nothing but the database, unless the
// operation says that it Waits and so runs outside of it. An operation that does
// not name its roles is a mistake of the programmer and panics.
func Register[I, O any](a *API, op Operation, handle func(context.Context, *I) (*O, error)) {
	if len(op.Roles) == 0 {
		panic(fmt.Sprintf("operation %s declares no roles", op.ID))
	}
	body, hasBody := any(new(I)).(requestBody)
	described := describe(op)
	described.Middlewares = huma.Middlewares{a.admit(op.Roles)}
	if hasBody {
		described.Middlewares = append(described.Middlewares, a.takeBody(bodyRules{body.mediaTypes(), orDefault(op.MaxBodyBytes, MaxBodyBytes), op.OptionalBody}))
	} else {
		described.Middlewares = append(described.Middlewares, a.takeBody(bodyRules{}))
	}
	if op.Method == http.MethodPost {
		described.Middlewares = append(described.Middlewares, a.onceOnly(op))
	}
	huma.Register(a.huma, described, func(ctx context.Context, in *I) (*O, error) {
		if timeout := orDefault(op.Timeout, answerTimeout); timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		if body, ok := any(in).(requestBody); ok {
			if err := body.decode(); err != nil {
				return nil, a.explain(ctx, err)
			}
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.explain(ctx, err)
		}
		return out, nil
	})
	if hasBody {
		a.documentBody(op, body)
	}
}

// describe is the operation as the OpenAPI document shows it, but for its body.
func describe(op Operation) huma.Operation {
	described := huma.Operation{
		OperationID:                  op.ID,
		Method:                       op.Method,
		Path:                         op.Path,
		Tags:                         []string{op.Tag},
		Summary:                      op.Summary,
		Description:                  op.Description,
		DefaultStatus:                op.Status,
		RejectUnknownQueryParameters: true,
		SkipValidateBody:             true, // JSON and Patch do, and name every field
		Security:                     []map[string][]string{{bearerScheme: {}}},
		Extensions:                   map[string]any{rolesExtension: op.Roles},
		Responses:                    map[string]*huma.Response{"default": {Ref: "#/components/responses/Problem"}},
	}
	if op.MediaType != "" {
		described.Responses["200"] = &huma.Response{Content: map[string]*huma.MediaType{
			op.MediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}
	}
	if op.Method == http.MethodPost {
		described.Parameters = append(described.Parameters, &huma.Param{
			Name:        "Idempotency-Key",
			In:          "header",
			Description: "Makes the request happen once: the same request again is given the first success, with Idempotency-Replayed: true",
			Schema:      &huma.Schema{Type: huma.TypeString, MaxLength: new(maxIdempotencyKey)},
		})
	}
	return described
}

// documentBody replaces huma's description of the raw bytes by that of what
// they hold.
func (a *API) documentBody(op Operation, body requestBody) {
	schema := body.document(a.huma.OpenAPI().Components.Schemas)
	content := map[string]*huma.MediaType{}
	for _, mediaType := range body.mediaTypes() {
		content[mediaType] = &huma.MediaType{Schema: schema}
	}
	registered := operationOf(a.huma.OpenAPI().Paths[op.Path], op.Method)
	registered.RequestBody.Content, registered.RequestBody.Required = content, !op.OptionalBody
}

func operationOf(item *huma.PathItem, method string) *huma.Operation {
	switch method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	default:
		return item.Delete
	}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
