package money

import (
	"context"
	"net/http"

	"tributary/admin"
	"tributary/ledger"
)

type (
	payTaskInput struct {
		admin.ByID
		IdempotencyKey string `header:"Idempotency-Key" hidden:"true"`
		admin.JSON[ledger.TaskPayment]
	}
	payCreatorInput struct {
		admin.ByCreator
		IdempotencyKey string `header:"Idempotency-Key" hidden:"true"`
	}
)

func (a *API) tasks(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "pay-task", Method: http.MethodPost, Path: "/v1/tasks/{id}/pay", Tag: "Money", Summary: "Pay for a task", Roles: payers,
		OptionalBody: true,
		Description: "Without an amount: what is left of the task's fee; no items when nothing is. More than that needs confirm. " +
			"The same Idempotency-Key, or without one the same amount within 24 hours, is the same payment.",
	}, func(ctx context.Context, in *payTaskInput) (*listed[ledger.Action], error) {
		asked := in.Value()
		asked.IdempotencyKey = in.IdempotencyKey
		return all(a.ledger.PayTask(ctx, scopeOf(ctx), in.ID, asked))
	})
	admin.Register(api, admin.Operation{
		ID: "pay-creator", Method: http.MethodPost, Path: "/v1/campaigns/{id}/creators/{creator_id}/pay", Tag: "Money",
		Summary: "Pay a creator for every approved task of a campaign", Roles: payers,
		Description: "What is left of each task's fee; no items when nothing is.",
	}, func(ctx context.Context, in *payCreatorInput) (*listed[ledger.Action], error) {
		return all(a.ledger.PayCreatorTasks(ctx, scopeOf(ctx), in.ID, in.CreatorID, in.IdempotencyKey))
	})
}
