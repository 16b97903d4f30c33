package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
)

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// A keptAnswer is what is stored to answer a repeated request.
type keptAnswer struct {
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// errNotKept carries a refusal past the catalog: only what changed something is
// kept, so that a corrected request may use the same key.
var errNotKept = errors.New("the answer is a refusal and is not kept")

// onceOnly is the middleware that makes a POST with an Idempotency-Key happen
// once: the first success is stored, under the API key and in one transaction
// with what it changed unless the operation waits, and given again to the same
// request. An answer that holds a secret is not stored, and the same request
// again is a conflict.
func (a *API) onceOnly(op Operation) func(huma.Context, func(huma.Context)) {
	once := a.catalog.Idempotent
	if op.Waits {
		once = a.catalog.IdempotentApart
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		key := ctx.Header("Idempotency-Key")
		if key == "" {
			next(ctx)
			return
		}
		if err := checkIdempotencyKey(key); err != nil {
			a.refuse(ctx, err)
			return
		}
		hash, err := requestHash(ctx)
		if err != nil {
			a.refuse(ctx, err)
			return
		}
		answer := &heldAnswer{humaContext: ctx, header: http.Header{}}
		status, stored, replayed, err := once(ctx.Context(), ScopeOf(ctx.Context()), key, hash,
			func(transaction context.Context) (int, []byte, error) {
				next(huma.WithContext(answer, transaction))
				return answer.kept(op.HoldsSecret)
			})
		switch {
		case errors.Is(err, errNotKept), err == nil && !replayed:
			answer.release()
		case err != nil:
			a.refuse(ctx, err)
		default:
			a.replay(ctx, status, stored, op.HoldsSecret)
		}
	}
}

func (a *API) replay(ctx huma.Context, status int, stored []byte, secret bool) {
	var answer keptAnswer
	if err := json.Unmarshal(stored, &answer); err != nil {
		a.refuse(ctx, fmt.Errorf("read the stored answer of an idempotent request: %w", err))
		return
	}
	if secret {
		a.refuse(ctx, attribution.Refuse(codeSecretShownOnce,
			"this Idempotency-Key already made %s; its secret was shown once and is stored nowhere: archive it, and make another with a new Idempotency-Key", answer.Location))
		return
	}
	ctx.SetHeader("Idempotency-Replayed", "true")
	if answer.Location != "" {
		ctx.SetHeader("Location", answer.Location)
	}
	if len(answer.Body) > 0 {
		ctx.SetHeader("Content-Type", "application/json")
	}
	ctx.SetStatus(status)
	_, _ = ctx.BodyWriter().Write(answer.Body) // a client that left has no use for it
}

func checkIdempotencyKey(key string) error {
	var c attribution.Checker
	c.Require(len(key) <= maxIdempotencyKey, "header.Idempotency-Key", "must be at most %d characters", maxIdempotencyKey)
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			c.Add("header.Idempotency-Key", "must be printable ASCII")
			break
		}
	}
	return c.Err()
}

// requestHash tells one request from another under the same Idempotency-Key.
func requestHash(ctx huma.Context) (string, error) {
	body, err := io.ReadAll(ctx.BodyReader())
	if err != nil {
		return "", fmt.Errorf("read the body again: %w", err)
	}
	address := ctx.URL()
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %s\n", ctx.Method(), address.RequestURI())
	hash.Write(body)
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// A heldAnswer is an answer written down but not yet sent.
type heldAnswer struct {
	humaContext
	status int
	header http.Header
	body   bytes.Buffer
}

func (h *heldAnswer) SetStatus(status int)            { h.status = status }
func (h *heldAnswer) Status() int                     { return h.status }
func (h *heldAnswer) SetHeader(name, value string)    { h.header.Set(name, value) }
func (h *heldAnswer) AppendHeader(name, value string) { h.header.Add(name, value) }
func (h *heldAnswer) BodyWriter() io.Writer           { return &h.body }

// Unwrap leads to the context of the router.
func (h *heldAnswer) Unwrap() huma.Context { return h.humaContext }

func (h *heldAnswer) kept(secret bool) (int, []byte, error) {
	if h.status < 200 || h.status > 299 {
		return 0, nil, errNotKept
	}
	answer := keptAnswer{Location: h.header.Get("Location")}
	if !secret {
		answer.Body = bytes.TrimSpace(h.body.Bytes())
	}
	stored, err := json.Marshal(answer)
	if err != nil {
		return 0, nil, fmt.Errorf("keep the answer of an idempotent request: %w", err)
	}
	return h.status, stored, nil
}

func (h *heldAnswer) release() {
	for name, values := range h.header {
		for _, value := range values {
			h.humaContext.AppendHeader(name, value)
		}
	}
	h.humaContext.SetStatus(h.status)
	_, _ = h.humaContext.BodyWriter().Write(h.body.Bytes()) // a client that left has no use for it
}
