package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// samePaymentMs is how long the same amount for the same task is taken for the
// same payment, where no Idempotency-Key tells them apart: 24 hours.
const samePaymentMs = 24 * 60 * 60 * 1000

// EventTask is the event of what is paid for a task.
const EventTask = "task"

// A TaskPayment asks to pay for a task.
type TaskPayment struct {
	Amount         *attribution.Decimal `json:"amount,omitempty" doc:"In the campaign's currency; what is agreed and not paid yet by default"`
	Confirm        bool                 `json:"confirm,omitempty" doc:"Pay although it is more than was agreed"`
	IdempotencyKey string               `json:"-"`
}

// A payableTask is what paying for a task depends on.
type payableTask struct {
	id, campaignID, creatorID, advertiserID, platform, status string
	feeMinor                                                  int64
}

// PayTask pays for a task: the amount asked for, else what is left of its fee. It
// returns the action, locked at once; none where nothing is left; the first
// payment's where this is the same again. More than is left needs Confirm.
func (l *Ledger) PayTask(ctx context.Context, scope Scope, taskID string, asked TaskPayment) ([]Action, error) {
	var paid []Action
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		paid = nil
		task, err := w.payableTask(ctx, taskID)
		if err != nil {
			return err
		}
		record, err := w.payTask(ctx, task, asked)
		if err != nil || record == nil {
			return err
		}
		paid, err = l.viewActions(ctx, scope, []*ActionRecord{record})
		return err
	})
	return paid, err
}

// PayCreatorTasks pays what is left of the fee of every approved task of a
// creator in a campaign, and returns the actions it made.
func (l *Ledger) PayCreatorTasks(ctx context.Context, scope Scope, campaignID, creatorID, idempotencyKey string) ([]Action, error) {
	var paid []Action
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		campaign, err := w.facts.campaign(ctx, w, campaignID)
		if err != nil {
			return err
		}
		if !scope.manages(campaign.advertiserID) {
			if scope.owns(campaign.advertiserID, creatorID) {
				return forbidden(scope, "pay for tasks")
			}
			return notFound("campaign", campaignID)
		}
		if err := worksFor(ctx, w, creatorID, campaign.advertiserID); err != nil {
			return err
		}
		tasks, err := w.approvedTasks(ctx, campaignID, creatorID)
		if err != nil {
			return err
		}
		var records []*ActionRecord
		for _, task := range tasks {
			record, err := w.payTask(ctx, task, TaskPayment{IdempotencyKey: idempotencyKey})
			if err != nil {
				return err
			}
			if record != nil {
				records = append(records, record)
			}
		}
		paid, err = l.viewActions(ctx, scope, records)
		return err
	})
	return paid, err
}

// payableTask finds a task that the scope may pay for.
func (w *writing) payableTask(ctx context.Context, id string) (*payableTask, error) {
	task, err := scanPayableTask(w.Row(ctx, "ledger.task", id))
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && !w.scope.owns(task.advertiserID, task.creatorID):
		return nil, notFound("task", id)
	case err != nil:
		return nil, err
	case !w.scope.manages(task.advertiserID):
		return nil, forbidden(w.scope, "pay for tasks")
	case task.status == "rejected" || task.status == "cancelled":
		return nil, conflict("the task is %s: it is not paid", task.status)
	}
	return task, nil
}

func (w *writing) approvedTasks(ctx context.Context, campaignID, creatorID string) ([]*payableTask, error) {
	var tasks []*payableTask
	err := w.each(ctx, "ledger.approved_tasks", func(row scanner) error {
		task, err := scanPayableTask(row)
		tasks = append(tasks, task)
		return err
	}, campaignID, creatorID)
	return tasks, err
}

func scanPayableTask(row scanner) (*payableTask, error) {
	t := &payableTask{}
	err := row.Scan(&t.id, &t.campaignID, &t.creatorID, &t.advertiserID, &t.platform, &t.status, &t.feeMinor)
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a task: %w", err)
	}
	return t, nil
}

// payTask makes the payment's action, or finds that of the same payment; nil
// where nothing is left to pay.
func (w *writing) payTask(ctx context.Context, task *payableTask, asked TaskPayment) (*ActionRecord, error) {
	campaign, err := w.facts.campaign(ctx, w, task.campaignID)
	if err != nil {
		return nil, err
	}
	amount := int64(0)
	if asked.Amount != nil {
		if amount, err = attribution.ParseMoney(*asked.Amount, campaign.currency); err != nil {
			return nil, invalid("body.amount", "%v", err)
		}
		if amount <= 0 {
			return nil, invalid("body.amount", "must be more than zero")
		}
	}
	first, err := w.samePayment(ctx, task.id, amount, asked.IdempotencyKey)
	if first != nil || err != nil {
		return first, err
	}
	var agreed int64
	if err := w.Row(ctx, "ledger.task_intended", task.id).Scan(&agreed); err != nil {
		return nil, fmt.Errorf("ledger: summing what a task was paid: %w", err)
	}
	left := max(0, task.feeMinor-agreed)
	if asked.Amount == nil {
		amount = left
	}
	if amount == 0 {
		return nil, nil
	}
	if amount > left && !asked.Confirm {
		return nil, conflict("%s %s is more than the %s that are agreed and not paid yet: send \"confirm\": true to pay it all the same",
			attribution.FormatMoney(amount, campaign.currency), campaign.currency, attribution.FormatMoney(left, campaign.currency))
	}
	return w.makeTaskAction(ctx, campaign, task, amount, asked.IdempotencyKey)
}

// samePayment finds the payment that this one repeats: by its key, else, where an
// amount was asked for, by that of a day.
func (w *writing) samePayment(ctx context.Context, taskID string, amountMinor int64, key string) (*ActionRecord, error) {
	query, args := "ledger.payment_of_amount", []any{taskID, amountMinor, int64(w.at) - samePaymentMs}
	if key != "" {
		query, args = "ledger.payment_of_key", []any{taskID, key}
	} else if amountMinor == 0 {
		return nil, nil
	}
	var actionID string
	err := w.Row(ctx, query, args...).Scan(&actionID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: looking for the same payment: %w", err)
	}
	return scanAction(w.Row(ctx, "ledger.action", actionID))
}

func (w *writing) makeTaskAction(ctx context.Context, campaign *campaignFacts, task *payableTask, amountMinor int64, key string) (*ActionRecord, error) {
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return nil, err
	}
	terms := campaign.termsAt(w.at)
	a := &ActionRecord{
		ID: id, AdvertiserID: task.advertiserID, CampaignID: task.campaignID, CreatorID: task.creatorID, TaskID: task.id,
		Platform: task.platform, Event: EventTask, Referral: ReferralTask, Credit: "1", Quantity: 1, Currency: campaign.currency, Reasons: Reasons{},
		EventTimeMs: int64(w.at), ReceivedAtMs: int64(w.at), LockAtMs: int64(w.at),
		PayAtMs: int64(terms.terms.Pay.After(w.at, campaign.zone)), TermsVersion: terms.number,
	}
	if err := w.book(ctx, a, amountMinor); err != nil {
		return nil, err
	}
	if err := w.enter(ctx, nil, a, cause{verb: verbMade}); err != nil {
		return nil, err
	}
	if err := w.nowOver(ctx, a); err != nil {
		return nil, err
	}
	if err := w.tellAction(ctx, verbMade, a); err != nil {
		return nil, err
	}
	_, err = w.Exec(ctx, "ledger.insert_payment", w.next(), task.id, key, amountMinor, a.ID, int64(w.at))
	return a, err
}
