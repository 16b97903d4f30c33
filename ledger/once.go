package ledger

import (
	"context"
	"strings"

	"tributary/attribution"
)

// settleAgain settles a report of an order that was reported before: the same
// again changes nothing, other amounts are a conflict, and a signed report
// supersedes an unsigned one whose actions are not locked yet.
func (w *writing) settleAgain(ctx context.Context, report *attribution.Report, conversion *attribution.Conversion, first *ConversionRecord) (Settled, error) {
	actions, err := w.actionsOf(ctx, first)
	if err != nil {
		return Settled{}, err
	}
	refundedOther := first.RefundedMinor > 0 && conversion.Currency != first.Currency
	if report.Signed && !first.Signed && !refundedOther {
		if err := w.allUpToDate(ctx, actions); err != nil {
			return Settled{}, err
		}
		if supersedable(actions) {
			return w.supersede(ctx, report, first, actions)
		}
	}
	if conversion.AmountMinor == first.AmountMinor && conversion.Currency == first.Currency {
		return settledAs(Duplicate, first, actions), nil
	}
	settled := settledAs(Conflict, first, actions)
	return settled, attribution.Refuse(CodeOrderConflict, "order %.64q was reported before with %s, now with %s: adjust or refund it instead",
		first.OrderID, moneyText(first.AmountMinor, first.Currency), moneyText(conversion.AmountMinor, conversion.Currency))
}

func moneyText(minor int64, currency string) string {
	if currency == "" {
		return "no amount"
	}
	return attribution.FormatMoney(minor, currency) + " " + currency
}

func supersedable(actions []*ActionRecord) bool {
	for _, a := range actions {
		if !a.open() && a.State != Reversed {
			return false
		}
	}
	return true
}

// supersede puts a signed report in the place of an unsigned one: its amounts
// count, what the first left out is filled in, and who is credited stays. What was
// refunded of the order stays refunded.
func (w *writing) supersede(ctx context.Context, report *attribution.Report, first *ConversionRecord, actions []*ActionRecord) (Settled, error) {
	amended := *report
	amended.Fields = attribution.ReportFields{}
	if err := decode(first.fields, &amended.Fields); err != nil {
		return Settled{}, err
	}
	before, err := first.conversion()
	if err != nil {
		return Settled{}, err
	}
	amend(&amended.Fields, &report.Fields)
	if first.fields, err = encode(&amended.Fields); err != nil {
		return Settled{}, err
	}
	first.Signed = true
	whole, err := first.conversion()
	if err != nil {
		return Settled{}, err
	}
	first.become(whole.AmountMinor, whole.Currency)
	first.Customer, first.Source, first.UpgradedAtMs, first.UpdatedAtMs = whole.CustomerID, report.Source, int64(w.at), int64(w.at)
	repriced, err := w.upgrade(ctx, first, before, whole, actions)
	if err != nil {
		return Settled{}, err
	}
	if _, err := w.Exec(ctx, "ledger.upgrade_conversion", first.Number, first.AmountMinor, first.Currency, first.Customer, first.Source, first.fields,
		first.RefundedMinor, first.refunded.String(), int64(w.at)); err != nil {
		return Settled{}, err
	}
	if err := w.remember(ctx, &amended, whole, first); err != nil {
		return Settled{}, err
	}
	if err := w.tellConversion(ctx, verbSourceUpgrade, first, nil); err != nil {
		return Settled{}, err
	}
	status := Duplicate
	if repriced {
		status = Accepted
	}
	actions, err = w.releaseFor(ctx, first, actions)
	settled := settledAs(status, first, actions)
	settled.outcome = upgraded
	return settled, err
}

// upgrade brings the actions of an order that are open from what they were worth
// before a signed report to what they are worth by it. One that it makes worth the
// same keeps what was adjusted by hand.
func (w *writing) upgrade(ctx context.Context, order *ConversionRecord, before, whole *attribution.Conversion, actions []*ActionRecord) (repriced bool, err error) {
	was, err := w.reprice(ctx, before, actions)
	if err != nil {
		return false, err
	}
	priced, err := w.reprice(ctx, whole, actions)
	if err != nil {
		return false, err
	}
	otherAmount := whole.AmountMinor != before.AmountMinor || whole.Currency != before.Currency
	repriced = otherAmount
	for i, a := range actions {
		if !a.open() {
			continue
		}
		now := *a
		now.Reasons = now.Reasons.without(ReasonUnsigned)
		if otherAmount || priced[i].AmountMinor != was[i].AmountMinor || priced[i].IntendedMinor != was[i].IntendedMinor {
			repriced = true
			var intended int64
			now.AmountMinor, intended = order.unrefunded(priced[i].AmountMinor, priced[i].IntendedMinor)
			err = w.rebook(ctx, a, &now, intended)
		} else if a.State == Held && !now.Reasons.holds() {
			w.open(&now)
		}
		if err != nil {
			return false, err
		}
		if err := w.amend(ctx, a, &now, cause{verb: verbSourceUpgrade, role: roleSettler, note: "a signed report superseded an unsigned one"}); err != nil {
			return false, err
		}
	}
	return repriced, nil
}

// amend puts the signed report's amounts into the first one's fields and fills in
// what those left out.
func amend(fields, signed *attribution.ReportFields) {
	fields.Amount, fields.Currency = signed.Amount, strings.ToUpper(signed.Currency)
	if signed.Discount != "" {
		fields.Discount = signed.Discount
	}
	if signed.Tax != "" {
		fields.Tax = signed.Tax
	}
	if signed.Shipping != "" {
		fields.Shipping = signed.Shipping
	}
	if len(signed.Items) > 0 {
		fields.Items = signed.Items
	}
	for _, pair := range []struct{ have, given *string }{
		{&fields.ClickID, &signed.ClickID}, {&fields.Code, &signed.Code}, {&fields.CustomerID, &signed.CustomerID},
		{&fields.CustomerStatus, &signed.CustomerStatus}, {&fields.Country, &signed.Country}, {&fields.Note, &signed.Note},
	} {
		if *pair.have == "" {
			*pair.have = *pair.given
		}
	}
	if len(fields.ClickIDs) == 0 {
		fields.ClickIDs = signed.ClickIDs
	}
	if fields.Consent == nil {
		fields.Consent = signed.Consent
	}
}

// actionsOf are the actions a conversion made, in touch order, without the
// adjustments of later.
func (w *writing) actionsOf(ctx context.Context, c *ConversionRecord) ([]*ActionRecord, error) {
	var actions []*ActionRecord
	err := w.each(ctx, "ledger.conversion_actions", func(row scanner) error {
		a, err := scanAction(row)
		if err == nil && a.Referral != ReferralAdjustment {
			actions = append(actions, a)
		}
		return err
	}, c.OrderID, c.ID)
	return actions, err
}

// allUpToDate brings actions up to date, in place: what was due before now has
// happened.
func (w *writing) allUpToDate(ctx context.Context, actions []*ActionRecord) (err error) {
	for i := range actions {
		if actions[i], err = w.upToDate(ctx, actions[i]); err != nil {
			return err
		}
	}
	return nil
}

// releaseFor releases what has room in the campaigns of a conversion's actions,
// and returns the actions as they are then.
func (w *writing) releaseFor(ctx context.Context, c *ConversionRecord, actions []*ActionRecord) ([]*ActionRecord, error) {
	for _, a := range actions {
		if err := w.releaseOverBudget(ctx, a.CampaignID); err != nil {
			return nil, err
		}
	}
	return w.actionsOf(ctx, c)
}

// reprice prices actions of a conversion for the conversion as it is to be, each
// under the terms it pins.
func (w *writing) reprice(ctx context.Context, c *attribution.Conversion, actions []*ActionRecord) ([]attribution.Credit, error) {
	input := &attribution.Case{Conversion: c, Campaigns: map[string]*attribution.CampaignCase{}}
	if c.Code != "" {
		input.Code = &attribution.PromoCode{Code: c.Code}
	}
	credits := make([]attribution.Credit, len(actions))
	for i, a := range actions {
		if err := w.addCreator(ctx, input, a.CampaignID, a.CreatorID); err != nil {
			return nil, err
		}
		known, err := w.facts.campaign(ctx, w, a.CampaignID)
		if err != nil {
			return nil, err
		}
		v := known.version(a.TermsVersion)
		input.Campaigns[a.CampaignID].Terms, input.Campaigns[a.CampaignID].TermsVersion = v.terms, int(v.number)
		credits[i] = attribution.Credit{CampaignID: a.CampaignID, CreatorID: a.CreatorID, TaskID: a.TaskID, Code: a.Code, Referral: a.Referral,
			Share: attribution.ParseFraction(a.Credit), Currency: a.Currency}
	}
	if err := w.addConverted(ctx, input); err != nil {
		return nil, err
	}
	for _, campaign := range input.Campaigns {
		if c.Currency != "" && campaign.Currency != c.Currency && input.Converted[campaign.Currency] == nil {
			return nil, attribution.Refuse(attribution.ReasonCurrencyMismatch, "there is no rate from %s to %s for the day of the order", c.Currency, campaign.Currency)
		}
	}
	return attribution.Reprice(input, credits), nil
}

// rebook takes an action that is not locked out of budget and caps and books it
// anew for another intended payout. What waits for budget goes on waiting; what
// has its part of the budget keeps it, and waits only if it needs more than is
// there.
func (w *writing) rebook(ctx context.Context, was, now *ActionRecord, intendedMinor int64) error {
	p, err := w.purse(ctx, was.CampaignID)
	if err != nil {
		return err
	}
	gone := *was
	gone.State = Reversed // counts for nothing
	if err := w.count(ctx, p, was, &gone); err != nil {
		return err
	}
	without := *p
	without.committedMinor -= was.countedCost()
	without.overBudget = was.Reasons.has(ReasonOverBudget)
	booking, err := w.price(ctx, &without, now, intendedMinor)
	if err == nil && booking.OverBudget && !without.overBudget {
		without.hard = false
		if unlimited, unlimitedErr := w.price(ctx, &without, now, intendedMinor); unlimitedErr == nil && unlimited.CostMinor <= was.CostMinor {
			booking = unlimited
		}
	}
	if err != nil {
		return err
	}
	if err := w.count(ctx, p, &gone, was); err != nil {
		return err
	}
	now.apply(intendedMinor, booking)
	w.open(now)
	return w.nowOver(ctx, now)
}
