package intake

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// The codes of whole requests that were refused, beside attribution's and those of
// package fields.
const (
	codeUnauthorized = "unauthorized"
	codeUnavailable  = "unavailable"
	codeNotAllowed   = "method_not_allowed"
	codeOrigin       = "origin_not_allowed"
	codeRate         = "rate_limited"
	codeTries        = "too_many_attempts"
	codeBusy         = "busy"
	codeBrokenBody   = "broken_body"
)

// The statuses of a result.
const (
	statusAccepted = "accepted"
	statusRejected = "rejected"
)

// A refusal is why a whole request is not taken.
type refusal struct {
	status       int
	code, detail string
}

func unavailable(detail string) *refusal {
	return &refusal{fasthttp.StatusServiceUnavailable, codeUnavailable, detail}
}

// retryAfterSeconds is when to send again what could not be taken.
const retryAfterSeconds = "2"

type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// refuse answers with a problem (RFC 9457), as the admin API does.
func refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	sayWhen(ctx, r.status)
	if r.status == fasthttp.StatusUnauthorized {
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, "Bearer")
	}
	answerJSON(ctx, r.status, "application/problem+json", problem{
		"https://tributary.invalid/errors/" + r.code, fasthttp.StatusMessage(r.status), r.status, r.code, r.detail,
	})
}

// sayWhen tells a client that may try again when to, unless somebody who knows
// better has.
func sayWhen(ctx *fasthttp.RequestCtx, status int) {
	again := status == fasthttp.StatusServiceUnavailable || status == fasthttp.StatusTooManyRequests
	if again && len(ctx.Response.Header.Peek(fasthttp.HeaderRetryAfter)) == 0 {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfterSeconds)
	}
}

func notAllowed(ctx *fasthttp.RequestCtx, methods string) {
	ctx.Response.Header.Set(fasthttp.HeaderAllow, methods)
	refuse(ctx, &refusal{fasthttp.StatusMethodNotAllowed, codeNotAllowed, "this takes " + methods})
}

// A resultAnswer is a result as the client sees it (SPEC, Appendix).
type resultAnswer struct {
	OrderID      string         `json:"order_id,omitempty"`
	Status       string         `json:"status"`
	ReceiptID    string         `json:"receipt_id,omitempty"`
	Code         string         `json:"code,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	ConversionID string         `json:"conversion_id,omitempty"`
	Attributed   *bool          `json:"attributed,omitempty"`
	Actions      []actionAnswer `json:"actions,omitzero"`
}

type actionAnswer struct {
	ID        string `json:"id"`
	CreatorID string `json:"creator_id"`
	Payout    string `json:"payout,omitempty"`
	State     string `json:"state"`
}

func (r *result) answer() resultAnswer {
	a := resultAnswer{OrderID: r.orderID, Status: statusAccepted, ReceiptID: r.receiptID}
	if r.rejected != nil {
		a.Status, a.Code, a.Reason = statusRejected, r.rejected.Code, r.rejected.Reason
	}
	s := r.settled
	if s == nil {
		return a
	}
	a.Status, a.Code, a.Reason, a.ConversionID = s.Status, s.Code, s.Reason, s.ConversionID
	if s.Status == statusRejected {
		return a
	}
	a.Attributed, a.Actions = &s.Attributed, make([]actionAnswer, len(s.Actions))
	for i, action := range s.Actions {
		a.Actions[i] = actionAnswer(action)
	}
	return a
}

func answerResults(ctx *fasthttp.RequestCtx, results []result) {
	answers := make([]resultAnswer, len(results))
	for i := range results {
		answers[i] = results[i].answer()
	}
	answerJSON(ctx, fasthttp.StatusOK, "application/json", map[string]any{"results": answers})
}

func answerJSON(ctx *fasthttp.RequestCtx, status int, mediaType string, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	respond(ctx, status, mediaType, body)
}

func respond(ctx *fasthttp.RequestCtx, status int, mediaType string, body []byte) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType(mediaType)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	ctx.Response.SetBody(body)
}
