package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
)

// The bounds of a request's body.
const (
	MaxBodyBytes     = 1 << 20
	MaxBulkBodyBytes = 8 << 20
)

// A requestBody is the part of an operation's input that comes from the body.
// JSON, Patch and CSV are those there are.
type requestBody interface {
	decode() error
	mediaTypes() []string
	document(huma.Registry) *huma.Schema
}

// JSON, embedded in an operation's input, reads the body into an F. Unknown
// fields and values of the wrong kind are refused, all of them at once, before
// the operation runs.
type JSON[F any] struct {
	RawBody []byte `contentType:"application/json"`
	value   F
}

// Value is what the client sent.
func (b *JSON[F]) Value() F { return b.value }

func (b *JSON[F]) decode() error {
	if err := checkBody(b.RawBody, reflect.TypeFor[F]()); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(b.RawBody))
	decoder.UseNumber()
	if err := decoder.Decode(&b.value); err != nil {
		return fmt.Errorf("decode a body that has the right shape: %w", err)
	}
	return nil
}

func (b *JSON[F]) mediaTypes() []string { return []string{"application/json"} }

func (b *JSON[F]) document(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[F](), true, "")
}

// Patch, embedded in an operation's input, is a JSON merge patch (RFC 7396) of
// an F: a field that is not there stays, null removes it.
type Patch[F any] struct {
	RawBody []byte `contentType:"application/merge-patch+json"`
}

func (b *Patch[F]) decode() error { return checkBody(b.RawBody, reflect.TypeFor[F]()) }

func (b *Patch[F]) mediaTypes() []string {
	return []string{"application/merge-patch+json", "application/json"}
}

// document describes a patch: the fields of F, none of them required.
func (b *Patch[F]) document(r huma.Registry) *huma.Schema {
	whole := r.Schema(reflect.TypeFor[F](), true, "")
	part := *r.SchemaFromRef(whole.Ref)
	part.Required = nil
	part.Description = "A JSON merge patch (RFC 7396): a field that is not there stays as it is, null removes it."
	ref := strings.TrimSuffix(whole.Ref, "Fields") + "Patch"
	r.Map()[strings.TrimPrefix(ref, schemaPrefix)] = &part
	return &huma.Schema{Ref: ref}
}

// checkBody parses a body and checks its shape.
func checkBody(body []byte, t reflect.Type) error {
	value, err := parseJSON(body)
	if err != nil {
		return err
	}
	var c attribution.Checker
	if value == nil {
		c.Add("body", "must not be null")
	}
	checkShape(&c, "body", t, value)
	return c.Err()
}

// parseJSON reads exactly one JSON value, or says where the body stops being one.
func parseJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, malformed(body, firstInvalidByte(body), "not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, malformed(body, int(syntax.Offset)-1, syntax.Error())
		}
		return nil, malformed(body, len(body), "it ends too early")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(body, int(decoder.InputOffset()), "something follows the JSON value")
	}
	return value, nil
}

func malformed(body []byte, offset int, why string) error {
	before := body[:min(max(offset, 0), len(body))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return attribution.Refuse(codeMalformedJSON, "the body is not valid JSON at byte %d (line %d, column %d): %s", len(before)+1, line, column, why)
}

func firstInvalidByte(body []byte) int {
	offset := 0
	for offset < len(body) {
		r, size := utf8.DecodeRune(body[offset:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		offset += size
	}
	return offset
}

// humaContext lets a context be embedded without its name hiding the method.
type humaContext huma.Context

// A readContext is a request whose body is at hand.
type readContext struct {
	humaContext
	body []byte
}

func (c *readContext) BodyReader() io.Reader { return bytes.NewReader(c.body) }

// Header hides Accept: an operation says itself what form its answer has.
func (c *readContext) Header(name string) string {
	if name == "Accept" {
		return ""
	}
	return c.humaContext.Header(name)
}

// Unwrap leads to the context of the router.
func (c *readContext) Unwrap() huma.Context { return c.humaContext }

// bodyRules are what a body may be. Without media types an operation has none.
type bodyRules struct {
	mediaTypes []string
	limit      int64 // bytes
	optional   bool  // no body is the same as {}
}

// takeBody is the middleware that reads a body by the rules. Where there are
// none, what was sent is not read. Afterwards the connection's read deadline is
// lifted: it bounds the request, not how long the answer may take.
func (a *API) takeBody(rules bodyRules) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		taken := &readContext{humaContext: ctx}
		if len(rules.mediaTypes) > 0 {
			body, err := readBody(ctx, rules)
			if err != nil {
				a.refuse(ctx, err)
				return
			}
			taken.body = body
		}
		_ = ctx.SetReadDeadline(time.Time{}) // not every transport has one
		next(taken)
	}
}

func readBody(ctx huma.Context, rules bodyRules) ([]byte, error) {
	if given := ctx.Header("Content-Type"); given != "" {
		mediaType, _, err := mime.ParseMediaType(given)
		if err != nil || !slices.Contains(rules.mediaTypes, mediaType) {
			return nil, attribution.Refuse(codeUnsupportedMediaType, "send the body as Content-Type: %s", strings.Join(rules.mediaTypes, " or "))
		}
	}
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), rules.limit+1))
	var timeout net.Error
	switch {
	case int64(len(body)) > rules.limit:
		return nil, attribution.Refuse(codeBodyTooLarge, "a body here is at most %d bytes", rules.limit)
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, attribution.Refuse(codeBodyTimeout, "the body did not arrive in time")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, attribution.Refuse(codeBodyIncomplete, "the body ended before its announced length")
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case len(bytes.TrimSpace(body)) == 0 && rules.optional:
		return []byte("{}"), nil
	case len(bytes.TrimSpace(body)) == 0 && rules.mediaTypes[0] == mediaTypeCSV:
		return nil, attribution.Refuse(attribution.CodeValidation, "the file is empty: send one row in each line")
	case len(bytes.TrimSpace(body)) == 0:
		return nil, attribution.Refuse(codeMalformedJSON, "a JSON body is required")
	}
	return body, nil
}
