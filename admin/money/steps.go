package money

import (
	"context"
	"net/http"
	"strings"

	"tributary/admin"
	"tributary/ledger"
)

type (
	// A Remark is what a person may say to what they do.
	Remark struct {
		Note string `json:"note,omitempty"`
	}
	// A Hold says why an action is held.
	Hold struct {
		Reason string `json:"reason,omitempty" doc:"fraud_review (default) or another fraud_… reason; anything else becomes a note"`
		Note   string `json:"note,omitempty"`
	}
	// A Reversal says why an action is taken back.
	Reversal struct {
		Reason string `json:"reason" doc:"rejected, consumer_invalid, consumer_error, fraud, returned, out_of_stock, order_error, dispute, terms_violation, credited_other, test or other"`
		Note   string `json:"note,omitempty"`
	}
)

// A stepInput is an action and what is to be done to it.
type stepInput[F any] struct {
	admin.ByID
	admin.JSON[F]
}

// actionSteps are what people do to actions.
func (a *API) actionSteps(api *admin.API) {
	step(api, "approve", "Lock a pending action now", func(ctx context.Context, scope ledger.Scope, id string, _ Remark) (ledger.Action, error) {
		return a.ledger.Approve(ctx, scope, id)
	})
	step(api, "reverse", "Take back a pending or held action", func(ctx context.Context, scope ledger.Scope, id string, why Reversal) (ledger.Action, error) {
		return a.ledger.Reverse(ctx, scope, id, why.Reason, why.Note)
	})
	step(api, "adjust", "Correct what an action is worth", a.ledger.Adjust)
	step(api, "hold", "Hold an action for a suspicion", func(ctx context.Context, scope ledger.Scope, id string, why Hold) (ledger.Action, error) {
		return a.ledger.Hold(ctx, scope, id, strings.TrimSpace(why.Reason), why.Note)
	})
	step(api, "release", "End a hold", func(ctx context.Context, scope ledger.Scope, id string, remark Remark) (ledger.Action, error) {
		return a.ledger.Release(ctx, scope, id, remark.Note)
	})
}

func step[F any](api *admin.API, verb, summary string, do func(context.Context, ledger.Scope, string, F) (ledger.Action, error)) {
	admin.Register(api, admin.Operation{
		ID: verb + "-action", Method: http.MethodPost, Path: "/v1/actions/{id}/" + verb, Tag: "Actions", Summary: summary, Roles: payers, OptionalBody: true,
	}, func(ctx context.Context, in *stepInput[F]) (*answer[ledger.Action], error) {
		return answered(do(ctx, scopeOf(ctx), in.ID, in.Value()))
	})
}
