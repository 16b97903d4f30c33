package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// settleRefund takes a part of an order back from its actions by credit: of what
// is pending or held by an adjustment, of what is locked by a clawback.
//
// The part is the refunded amount over what is left of the order's, or what the
// refunded articles cost over what those did that are left: an item counts with its
// price × quantity − discount. An order without an amount can only be taken back
// whole.
func (w *writing) settleRefund(ctx context.Context, report *attribution.Report) (Settled, error) {
	f := report.Refund
	if f == nil || f.OrderID == "" {
		return Settled{}, attribution.Refuse(attribution.CodeValidation, "a refund without its order_id")
	}
	event := f.Event
	if event == "" {
		event = saleEvent
	}
	order, err := w.conversionOfOrder(ctx, f.OrderID, report.AdvertiserID, event)
	if err != nil {
		return Settled{OrderID: f.OrderID}, err
	}
	if order == nil {
		return Settled{OrderID: f.OrderID}, attribution.Refuse(CodeOrderUnknown, "there is no %s of order %.64q to refund", event, f.OrderID)
	}
	actions, err := w.actionsOf(ctx, order)
	if err != nil {
		return Settled{}, err
	}
	part, wrong := partOf(f, order)
	id, again, err := w.refundID(ctx, report, order, part)
	left := order.AmountMinor - order.RefundedMinor
	switch {
	case err != nil:
		return settledAs(Conflict, order, actions), err
	case again:
		return settledAs(Duplicate, order, actions), nil
	case wrong != nil:
		return Settled{OrderID: f.OrderID}, wrong
	case part.amountMinor > left:
		return Settled{OrderID: f.OrderID}, attribution.Refuse(CodeRefundExceeds, "%s is more than the %s that are left of order %.64q",
			moneyText(part.amountMinor, order.Currency), moneyText(left, order.Currency), order.OrderID)
	}
	if _, err := w.Exec(ctx, "ledger.insert_refund", report.AdvertiserID, id, order.ID, part.named, part.amountMinor, order.Currency, f.Reason, report.ReceiptID, int64(w.at)); err != nil {
		return Settled{}, err
	}
	return w.refund(ctx, order, actions, part, f.Reason)
}

// refund takes a part of an order from its actions, after what was due before.
func (w *writing) refund(ctx context.Context, order *ConversionRecord, actions []*ActionRecord, part *refundPart, note string) (Settled, error) {
	order.refund(part)
	order.UpdatedAtMs = int64(w.at)
	if _, err := w.Exec(ctx, "ledger.refund_conversion", order.Number, order.RefundedMinor, order.refunded.String(), int64(w.at)); err != nil {
		return Settled{}, err
	}
	if err := w.allUpToDate(ctx, actions); err != nil {
		return Settled{}, err
	}
	for _, a := range actions {
		if err := w.takeBack(ctx, a, part, cause{verb: verbRefunded, role: roleSettler, reason: "returned", note: note}); err != nil {
			return Settled{}, err
		}
	}
	actions, err := w.releaseFor(ctx, order, actions)
	if err != nil {
		return Settled{}, err
	}
	err = w.tellConversion(ctx, verbRefunded, order, nil)
	return settledAs(Accepted, order, actions), err
}

// CodeRefundConflict is why a refund is in quarantine whose refund_id another order
// was refunded by.
const CodeRefundConflict = "refund_conflict"

// unnamedRefundMs is how long a refund without an id is taken for the same as one
// before that names the same of its order: a day, as a payment of a task is.
const unnamedRefundMs = 24 * 60 * 60 * 1000

// refundID names a refund, and says whether it was taken before. One without an id
// that names the same amount and articles of the order within a day is the same,
// sent again: who means another gives it an id. An id of another order's refund is
// a Problem.
func (w *writing) refundID(ctx context.Context, report *attribution.Report, order *ConversionRecord, part *refundPart) (id string, again bool, err error) {
	if id = report.Refund.RefundID; id != "" {
		var of string
		err = w.Row(ctx, "ledger.refund", report.AdvertiserID, id).Scan(&of)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return id, false, nil
		case err == nil && of != order.ID:
			return id, false, attribution.Refuse(CodeRefundConflict, "refund %.64q was reported before, of another order than %.64q: give each refund its own refund_id", id, order.OrderID)
		}
		again = true
	} else if id = report.ReceiptID; part != nil {
		var count int64
		err = w.Row(ctx, "ledger.unnamed_refund", order.ID, int64(w.at)-unnamedRefundMs, part.named).Scan(&count)
		again = count > 0
	}
	if err != nil {
		return "", false, fmt.Errorf("ledger: reading a refund: %w", err)
	}
	return id, again, nil
}

// takeBack takes a part of what an action is still worth. releaseOverBudget is to
// follow.
func (w *writing) takeBack(ctx context.Context, a *ActionRecord, part *refundPart, why cause) error {
	if a.State == Reversed {
		return nil
	}
	if a.open() {
		p, err := w.purse(ctx, a.CampaignID)
		if err != nil {
			return err
		}
		now := *a
		now.AmountMinor -= proportion(a.AmountMinor, part.ofAmount)
		now.IntendedMinor -= proportion(a.IntendedMinor, part.ofPayout)
		now.PayoutMinor -= proportion(a.PayoutMinor, part.ofPayout)
		now.CostMinor = min(a.CostMinor, attribution.CostMinor(now.PayoutMinor, p.margin, p.agency)) // margins may have changed
		return w.amend(ctx, a, &now, why)
	}
	return w.clawBack(ctx, a, part, why)
}

// clawBack is takeBack for an action that is locked. Its corrections that are open,
// such as those that wait for budget, stay so with what is left of them; where
// nothing is, they are reversed.
func (w *writing) clawBack(ctx context.Context, a *ActionRecord, part *refundPart, why cause) error {
	has, err := w.worth(ctx, a)
	if err != nil {
		return err
	}
	for _, c := range has.open {
		if part.ofPayout.Cmp(wholePart()) == 0 {
			err = w.reverse(ctx, c, why)
		} else {
			err = w.takeBack(ctx, c, part, why)
		}
		if err != nil {
			return err
		}
	}
	_, err = w.correct(ctx, a, has, has.amountMinor-proportion(has.amountMinor, part.ofAmount), has.payoutMinor-proportion(has.payoutMinor, part.ofPayout), why)
	return err
}
