package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema"
	"tributary/schema/database"
)

// problemType is the address under which every error code stands.
const problemType = "https://tributary.invalid/errors/"

const problemMediaType = "application/problem+json"

// The codes that only HTTP has. The domain's stand in attribution.
const (
	// CodeBusy refuses what would be one too many at a time. It is answered 503.
	CodeBusy = "busy"
	// CodeTooManyAttempts refuses a network that tries keys. It is answered 429.
	CodeTooManyAttempts = "too_many_attempts"
	// CodeUnavailable says that the database or ClickHouse is away, or not migrated
	// yet. It is answered 503.
	CodeUnavailable = "unavailable"

	codeBodyIncomplete       = "body_incomplete"
	codeBodyTimeout          = "body_timeout"
	codeBodyTooLarge         = "body_too_large"
	codeInternal             = "internal"
	codeMalformedJSON        = "malformed_json"
	codeMalformedURL         = "malformed_url"
	codeMethodNotAllowed     = "method_not_allowed"
	codeNotReady             = "not_ready"
	codeSecretShownOnce      = "secret_shown_once"
	codeTimeout              = "timeout"
	codeUnsupportedMediaType = "unsupported_media_type"
)

// statusOf is the one place where a problem's code becomes an HTTP status. A
// code it does not know is a rule the request broke: 422.
func statusOf(code string) int {
	switch code {
	case codeBodyIncomplete, codeMalformedJSON, codeMalformedURL:
		return http.StatusBadRequest
	case catalog.CodeUnauthorized:
		return http.StatusUnauthorized
	case attribution.CodeForbidden:
		return http.StatusForbidden
	case attribution.CodeNotFound:
		return http.StatusNotFound
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case codeBodyTimeout:
		return http.StatusRequestTimeout
	case attribution.CodeConflict, attribution.CodeTrackingDisabled, attribution.CodeSlugTaken,
		attribution.CodeCampaignClosed, catalog.CodeCodeTaken, catalog.CodeCodePoolEmpty, codeSecretShownOnce,
		catalog.CodeCampaignFinished, catalog.CodeCampaignPaused, catalog.CodeSelectionNotStarted, catalog.CodeRejected, catalog.CodeNotJoined,
		catalog.CodeTaskState, catalog.CodePostsDisabled, catalog.CodeOnePostPerTask, catalog.CodeDraftRequired, catalog.CodeDraftWaiting, catalog.CodeDraftDecided:
		return http.StatusConflict
	case codeBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case CodeTooManyAttempts:
		return http.StatusTooManyRequests
	case codeInternal:
		return http.StatusInternalServerError
	case CodeBusy, CodeUnavailable, codeNotReady, codeTimeout:
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnprocessableEntity
	}
}

// titleOf is the sentence that belongs to a code, the same every time.
func titleOf(code string) string {
	switch code {
	case attribution.CodeValidation:
		return "The request has fields that cannot be accepted"
	case attribution.CodeNotFound:
		return "There is no such thing"
	case attribution.CodeForbidden:
		return "This key may not do that"
	case attribution.CodeTrackingDisabled:
		return "The campaign makes no links and codes"
	case attribution.CodeSlugTaken:
		return "The slug is taken"
	case attribution.CodeCampaignClosed:
		return "The campaign is closed"
	case catalog.CodeNotEligible:
		return "The creator does not meet the campaign's conditions"
	case catalog.CodeCampaignFinished:
		return "The campaign has finished"
	case catalog.CodeCampaignPaused:
		return "The campaign is paused"
	case catalog.CodeSelectionNotStarted:
		return "The selection of creators has not started"
	case catalog.CodeRejected:
		return "The creator was rejected"
	case catalog.CodeNotJoined:
		return "The creator has not joined the campaign"
	case catalog.CodeTaskState:
		return "The task is in another state"
	case catalog.CodePostsDisabled:
		return "The campaign has no posts"
	case catalog.CodeOnePostPerTask:
		return "The task has its post"
	case catalog.CodeDraftRequired:
		return "An approved draft is needed"
	case catalog.CodeDraftWaiting:
		return "A draft is waiting"
	case catalog.CodeDraftDecided:
		return "The draft is decided on"
	case catalog.CodeCodeTaken:
		return "The code is taken"
	case catalog.CodeCodePoolEmpty:
		return "The campaign's pool has no code left"
	case catalog.CodeUnauthorized:
		return "A valid API key is needed"
	case codeMalformedJSON:
		return "The body is not JSON"
	case catalog.CodeIdempotencyMismatch:
		return "The Idempotency-Key came with another request"
	case codeSecretShownOnce:
		return "The key was made and its secret shown once"
	case CodeUnavailable:
		return "A store cannot be reached"
	case codeInternal:
		return "Something went wrong here"
	default:
		return http.StatusText(statusOf(code))
	}
}

// problem is the body of every error (RFC 9457).
type problem struct {
	Type   string                     `json:"type" format:"uri" example:"https://tributary.invalid/errors/validation"`
	Title  string                     `json:"title" example:"The request has fields that cannot be accepted" doc:"The same for every error of this code"`
	Status int                        `json:"status" example:"422"`
	Code   string                     `json:"code" example:"validation" doc:"Stable; test for this"`
	Detail string                     `json:"detail" doc:"What happened this time, for people"`
	Errors []attribution.FieldProblem `json:"errors,omitempty" nullable:"false" doc:"Every field that failed"`
}

// GetStatus makes a problem a status error of huma.
func (p *problem) GetStatus() int { return p.Status }

func (p *problem) Error() string { return p.Detail }

// retryAfterSeconds is when a client may try again what cannot be done now.
const retryAfterSeconds = "5"

// GetHeaders makes huma say when to try again.
func (p *problem) GetHeaders() http.Header {
	if p.Status != http.StatusServiceUnavailable {
		return nil
	}
	return http.Header{"Retry-After": {retryAfterSeconds}}
}

// ContentType makes huma write a problem as one.
func (p *problem) ContentType(string) string { return problemMediaType }

func asProblem(p *attribution.Problem) *problem {
	return &problem{
		Type:   problemType + p.Code,
		Title:  titleOf(p.Code),
		Status: statusOf(p.Code),
		Code:   p.Code,
		Detail: p.Detail,
		Errors: p.Fields,
	}
}

// explain turns any error into what the client may know. Faults of the machine
// are logged here, and the client gets the request's id to ask for.
func (a *API) explain(ctx context.Context, err error) *problem {
	if p, ok := attribution.AsProblem(err); ok {
		return asProblem(p)
	}
	requestID := requestIDOf(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		a.logger.DebugContext(ctx, "client left before the answer", "request_id", requestID)
		return asProblem(attribution.Refuse(codeTimeout, "the request was cancelled"))
	case errors.Is(err, context.DeadlineExceeded):
		a.logger.WarnContext(ctx, "request took too long", "request_id", requestID, "error", err)
		return asProblem(attribution.Refuse(codeTimeout, "the request took too long; try again, or ask for less (request %s)", requestID))
	case database.Unavailable(err):
		a.logger.WarnContext(ctx, "the database cannot be reached", "request_id", requestID, "error", err)
		return asProblem(attribution.Refuse(CodeUnavailable, "the database cannot be reached; try again soon, a change under the same Idempotency-Key, "+
			"because it may have been made (request %s)", requestID))
	case schema.ClickHouseAway(err):
		a.logger.WarnContext(ctx, "ClickHouse cannot be reached", "request_id", requestID, "error", err)
		return asProblem(attribution.Refuse(CodeUnavailable, "ClickHouse, which has the figures, cannot be reached; try again soon (request %s)", requestID))
	}
	a.logger.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("request_id", requestID), slog.Any("error", err))
	return asProblem(attribution.Refuse(codeInternal, "the server could not do this; its log has the reason under request %s", requestID))
}

// refuse answers with an error from a place where huma is not yet at work.
func (a *API) refuse(ctx huma.Context, err error) {
	p := a.explain(ctx.Context(), err)
	if p.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="tributary"`)
	}
	for name, values := range p.GetHeaders() {
		ctx.SetHeader(name, values[0])
	}
	ctx.SetHeader("Content-Type", problemMediaType)
	ctx.SetStatus(p.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(p) // a client that left has no use for it
}

// writeProblem answers outside of the API.
func writeProblem(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", problemMediaType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// asOurs is the transformer that gives huma's own errors (parameters it could
// not take) the shape of every other error. What the client sent is not echoed.
func asOurs(_ huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code, detail := attribution.CodeValidation, "the request has parameters that cannot be accepted"
	if theirs.Status != statusOf(code) {
		code, detail = strings.ReplaceAll(strings.ToLower(http.StatusText(theirs.Status)), " ", "_"), theirs.Detail
	}
	p := asProblem(attribution.Refuse(code, "%s", detail))
	p.Status = theirs.Status // already sent
	for _, e := range theirs.Errors {
		p.Errors = append(p.Errors, attribution.FieldProblem{Location: e.Location, Message: e.Message})
	}
	return p, nil
}
