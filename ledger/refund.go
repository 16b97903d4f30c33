package ledger

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"tributary/attribution"
)

// settleRefund takes a part of an order back from its actions by credit: of what
// is pending or held by an adjustment, of what is locked by a clawback.
//
// The part is the refunded amount over what is left of the order's; an item counts
// with its price × quantity − discount. An order without an amount can only be
// taken back whole.
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
	left := order.AmountMinor - order.RefundedMinor
	amount, wrong := refundedMinor(f, order, left)
	id, again, err := w.refundID(ctx, report, order, amount)
	switch {
	case err != nil:
		return Settled{}, err
	case again:
		return settledAs(Duplicate, order, actions), nil
	case wrong != nil:
		return Settled{OrderID: f.OrderID}, wrong
	case amount > left:
		return Settled{OrderID: f.OrderID}, attribution.Refuse(CodeRefundExceeds, "%s is more than the %s that are left of order %.64q",
			moneyText(amount, order.Currency), moneyText(left, order.Currency), order.OrderID)
	}
	if _, err := w.Exec(ctx, "ledger.insert_refund", report.AdvertiserID, id, order.ID, amount, order.Currency, f.Reason, report.ReceiptID, int64(w.at)); err != nil {
		return Settled{}, err
	}
	part := big.NewRat(1, 1)
	if left > 0 {
		part = big.NewRat(amount, left)
	}
	order.RefundedMinor += amount
	order.UpdatedAtMs = int64(w.at)
	if _, err := w.Exec(ctx, "ledger.refund_conversion", order.Number, order.RefundedMinor, int64(w.at)); err != nil {
		return Settled{}, err
	}
	for _, a := range actions {
		if err := w.takeBack(ctx, a, part, cause{verb: verbRefunded, role: roleSettler, reason: "returned", note: f.Reason}); err != nil {
			return Settled{}, err
		}
	}
	if actions, err = w.releaseFor(ctx, order, actions); err != nil {
		return Settled{}, err
	}
	err = w.tellConversion(ctx, verbRefunded, order, nil)
	return settledAs(Accepted, order, actions), err
}

// unnamedRefundMs is how long a refund without an id is taken for the same as one
// before of the order and amount: a day, as a payment of a task is.
const unnamedRefundMs = 24 * 60 * 60 * 1000

// refundID names a refund, and says whether it was taken before. One without an id
// that takes back the same amount of the order within a day is the same, sent
// again: who means another gives it an id.
func (w *writing) refundID(ctx context.Context, report *attribution.Report, order *ConversionRecord, amountMinor int64) (id string, again bool, err error) {
	var count int64
	if id = report.Refund.RefundID; id != "" {
		err = w.Row(ctx, "ledger.refund", report.AdvertiserID, id).Scan(&count)
	} else {
		id = report.ReceiptID
		whole := report.Refund.Amount == "" && len(report.Refund.Items) == 0
		err = w.Row(ctx, "ledger.unnamed_refund", order.ID, int64(w.at)-unnamedRefundMs, amountMinor, bit(whole && order.RefundedMinor == order.AmountMinor)).Scan(&count)
	}
	if err != nil {
		return "", false, fmt.Errorf("ledger: reading a refund: %w", err)
	}
	return id, count > 0, nil
}

// refundedMinor is what a refund takes back, in the order's currency.
func refundedMinor(f *attribution.RefundFields, order *ConversionRecord, leftMinor int64) (int64, error) {
	var amount int64
	switch {
	case f.Amount != "":
		minor, err := attribution.ParseMoney(f.Amount, order.Currency)
		if err != nil || minor < 0 {
			return 0, invalid("amount", "must be an amount of the order's currency %s, and not negative", order.Currency)
		}
		amount = minor
	case len(f.Items) > 0:
		var fields attribution.ReportFields
		if err := decode(order.fields, &fields); err != nil {
			return 0, err
		}
		for i, item := range f.Items {
			minor, err := itemMinor(item, fields.Items, order.Currency)
			if err != nil {
				return 0, invalid(fmt.Sprintf("items[%d]", i), "%v", err)
			}
			amount += minor
		}
	default:
		return leftMinor, nil
	}
	return amount, nil
}

// itemMinor is what a refunded item cost; where the refund does not say, what the
// order said of its SKU.
func itemMinor(item attribution.ReportItem, ordered []attribution.ReportItem, currency string) (int64, error) {
	quantity := max(item.Quantity, 1)
	unit, off := item.Price, item.Discount
	share := big.NewRat(1, 1)
	for _, line := range ordered {
		if unit == "" && line.SKU != "" && strings.EqualFold(line.SKU, item.SKU) {
			unit, off = line.Price, line.Discount
			share = big.NewRat(quantity, max(line.Quantity, 1)) // of the line's discount
		}
	}
	if unit == "" {
		return 0, fmt.Errorf("needs a price: the order has no item %.64q with one", item.SKU)
	}
	price, err := attribution.ParseMoney(unit, currency)
	if err != nil || price < 0 || price > maxLineMinor/quantity {
		return 0, fmt.Errorf("the price is no amount of %s", currency)
	}
	var discount int64
	if off != "" {
		if discount, err = attribution.ParseMoney(off, currency); err != nil {
			return 0, fmt.Errorf("the discount is no amount of %s", currency)
		}
	}
	return max(0, price*quantity-proportion(discount, share)), nil
}

// takeBack takes a part of what an action is still worth. releaseOverBudget is to
// follow.
func (w *writing) takeBack(ctx context.Context, a *ActionRecord, part *big.Rat, why cause) error {
	if a.State == Reversed {
		return nil
	}
	if a.open() {
		p, err := w.purse(ctx, a.CampaignID)
		if err != nil {
			return err
		}
		now := *a
		now.AmountMinor -= proportion(a.AmountMinor, part)
		now.IntendedMinor -= proportion(a.IntendedMinor, part)
		now.PayoutMinor -= proportion(a.PayoutMinor, part)
		now.CostMinor = min(a.CostMinor, attribution.CostMinor(now.PayoutMinor, p.margin, p.agency)) // margins may have changed
		return w.amend(ctx, a, &now, why)
	}
	amount, payout, err := w.worth(ctx, a)
	if err != nil {
		return err
	}
	_, err = w.correct(ctx, a, -proportion(amount, part), -proportion(payout, part), why)
	return err
}

// worth is what a locked action and its corrections add up to.
func (w *writing) worth(ctx context.Context, a *ActionRecord) (amountMinor, payoutMinor int64, err error) {
	amountMinor, payoutMinor = a.AmountMinor, a.PayoutMinor
	err = w.each(ctx, "ledger.corrections", func(row scanner) error {
		c, err := scanAction(row)
		if err == nil && c.State != Reversed {
			amountMinor += c.AmountMinor
			payoutMinor += c.PayoutMinor
		}
		return err
	}, a.ID)
	return amountMinor, payoutMinor, err
}

// correct makes an adjustment action for one that is locked. It locks at once and
// becomes payable by the terms the first pins. releaseOverBudget is to follow.
func (w *writing) correct(ctx context.Context, first *ActionRecord, amountMinor, payoutMinor int64, why cause) (*ActionRecord, error) {
	if amountMinor == 0 && payoutMinor == 0 {
		return first, nil
	}
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return nil, err
	}
	campaign, err := w.facts.campaign(ctx, w, first.CampaignID)
	if err != nil {
		return nil, err
	}
	a := *first
	a.ID, a.Corrects, a.Referral, a.AmountMinor, a.Reasons, a.Notes, a.Seq = id, first.ID, ReferralAdjustment, amountMinor, Reasons{}, why.note, 0
	a.ReceivedAtMs, a.LockAtMs = int64(w.at), int64(w.at)
	a.PayAtMs = int64(campaign.version(first.TermsVersion).terms.Pay.After(w.at, campaign.zone))
	a.LockedAtMs, a.PayableAtMs, a.PaidAtMs, a.PayoutID = 0, 0, 0, ""
	if err := w.book(ctx, &a, payoutMinor); err != nil {
		return nil, err
	}
	if err := w.enter(ctx, nil, &a, why); err != nil {
		return nil, err
	}
	if err := w.nowOver(ctx, &a); err != nil {
		return nil, err
	}
	return &a, w.tellAction(ctx, why.verb, &a)
}
