package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// The states of an inquiry.
const (
	InquiryOpen     = "open"
	InquiryApproved = "approved"
	InquiryRejected = "rejected"
)

const (
	prefixInquiry = "inq_"
	verbInquiry   = "inquiry_approved"
	// SourceInquiry is how a conversion came that nobody but its creator reported.
	SourceInquiry = "inquiry"
	eventSale     = "sale"

	maxEvidence = 4_000
)

// InquiryFields are what a creator says of a sale it misses.
type InquiryFields struct {
	TaskID   string              `json:"task_id,omitempty" doc:"The task that led to the sale; a creator who has only one need not name it"`
	OrderID  string              `json:"order_id"`
	Date     Moment              `json:"date" doc:"When it was bought: a time, or a day such as 2027-01-10, which is its beginning in UTC"`
	Amount   attribution.Decimal `json:"amount"`
	Currency string              `json:"currency,omitempty" doc:"The campaign's by default"`
	Evidence string              `json:"evidence,omitempty" doc:"What shows that it was so"`
}

// A Moment is an instant that can be given as a day alone.
type Moment attribution.Instant

// MarshalText writes the moment as an instant.
func (m Moment) MarshalText() ([]byte, error) { return attribution.Instant(m).MarshalText() }

// UnmarshalText reads RFC 3339, or a day.
func (m *Moment) UnmarshalText(text []byte) error {
	if day, err := time.Parse(time.DateOnly, string(text)); err == nil {
		*m = Moment(attribution.InstantOf(day))
		return nil
	}
	return (*attribution.Instant)(m).UnmarshalText(text)
}

// An Inquiry is a sale that a creator misses.
type Inquiry struct {
	ID           string `json:"id"`
	AdvertiserID string `json:"advertiser_id"`
	CreatorID    string `json:"creator_id"`
	CampaignID   string `json:"campaign_id"`
	InquiryFields
	State     string               `json:"state" doc:"open, approved or rejected"`
	Reason    *string              `json:"reason" doc:"What was decided, in words"`
	ActionID  *string              `json:"action_id" doc:"What an approval made"`
	CreatedAt *attribution.Instant `json:"created_at"`
	UpdatedAt *attribution.Instant `json:"updated_at"`

	number int64
}

// OpenInquiry takes a creator's word for a sale it misses, for others to decide.
func (l *Ledger) OpenInquiry(ctx context.Context, scope Scope, fields InquiryFields) (Inquiry, error) {
	var opened Inquiry
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		if fields.TaskID == "" {
			var err error
			if fields.TaskID, err = w.onlyTask(ctx); err != nil {
				return err
			}
		}
		task, err := scanPayableTask(w.Row(ctx, "ledger.task", fields.TaskID))
		if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(task.advertiserID, task.creatorID) {
			return notFound("task", fields.TaskID)
		}
		if err != nil {
			return err
		}
		campaign, err := w.facts.campaign(ctx, w, task.campaignID)
		if err != nil {
			return err
		}
		if err := fields.check(campaign.currency, w.at); err != nil {
			return err
		}
		if err := w.refuseSecondInquiry(ctx, task, fields.OrderID); err != nil {
			return err
		}
		id, err := w.l.newID(prefixInquiry, w.at)
		if err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "ledger.insert_inquiry", w.next(), id, task.advertiserID, task.creatorID, task.campaignID, fields.OrderID, text, int64(w.at)); err != nil {
			return err
		}
		opened, err = l.Inquiry(ctx, scope, id)
		return err
	})
	return opened, err
}

// onlyTask is the task of a creator who has one.
func (w *writing) onlyTask(ctx context.Context) (string, error) {
	var id string
	var tasks int
	if err := w.Row(ctx, "ledger.only_task", w.scope.CreatorID).Scan(&id, &tasks); err != nil {
		return "", fmt.Errorf("ledger: looking for a creator's task: %w", err)
	}
	var check attribution.Checker
	check.Require(tasks == 1, "body.task_id", "is required, unless the creator who asks has exactly one task")
	return id, check.Err()
}

// check fills in and checks the fields.
func (f *InquiryFields) check(currency string, now attribution.Instant) error {
	var check attribution.Checker
	f.OrderID, f.Currency = strings.TrimSpace(f.OrderID), strings.ToUpper(f.Currency)
	if f.Currency == "" {
		f.Currency = currency
	}
	check.Require(f.OrderID != "" && len(f.OrderID) <= attribution.MaxOrderIDBytes, "body.order_id", "is required, at most %d bytes", attribution.MaxOrderIDBytes)
	check.Require(f.Date != 0 && attribution.Instant(f.Date) <= now, "body.date", "is required, and must not be in the future")
	check.Require(len(f.Evidence) <= maxEvidence, "body.evidence", "must be at most %d bytes", maxEvidence)
	if minor, err := attribution.ParseMoney(f.Amount, f.Currency); err != nil {
		check.Add("body.amount", "%v", err)
	} else {
		check.Require(minor > 0, "body.amount", "must be more than zero")
		f.Amount = attribution.Decimal(attribution.FormatMoney(minor, f.Currency))
	}
	return check.Err()
}

func (w *writing) refuseSecondInquiry(ctx context.Context, task *payableTask, orderID string) error {
	var id string
	err := w.Row(ctx, "ledger.open_inquiry_of", task.creatorID, task.advertiserID, orderID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: looking for an inquiry: %w", err)
	}
	return conflict("there is an open inquiry for this order already: %s", id)
}

// Inquiry finds an inquiry in scope.
func (l *Ledger) Inquiry(ctx context.Context, scope Scope, id string) (Inquiry, error) {
	q, err := scanInquiry(l.db.Row(ctx, "ledger.inquiry", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(q.AdvertiserID, q.CreatorID) {
		return Inquiry{}, notFound("inquiry", id)
	}
	return q, err
}

// An InquiryFilter narrows a list of inquiries: every field that is given.
type InquiryFilter struct{ AdvertiserID, CreatorID, CampaignID, OrderID, State string }

// Inquiries lists inquiries in scope, newest first.
func (l *Ledger) Inquiries(ctx context.Context, scope Scope, f InquiryFilter, p Page) (List[Inquiry], error) {
	given := database.Given{"advertiser_id": f.AdvertiserID, "creator_id": f.CreatorID, "campaign_id": f.CampaignID, "order_id": f.OrderID, "state": f.State}
	if !scope.limit(given) {
		return List[Inquiry]{Items: []Inquiry{}}, nil
	}
	return page(ctx, l.db, "ledger.inquiry_list", given, p, false, scanInquiry, func(q Inquiry) int64 { return q.number })
}

func scanInquiry(row scanner) (Inquiry, error) {
	var q Inquiry
	var fields, reason, action string
	var created, updated int64
	if err := row.Scan(&q.number, &q.ID, &q.AdvertiserID, &q.CreatorID, &q.CampaignID, &fields, &q.State, &reason, &action, &created, &updated); err != nil {
		return q, fmt.Errorf("ledger: reading an inquiry: %w", err)
	}
	q.Reason, q.ActionID, q.CreatedAt, q.UpdatedAt = textOrNil(reason), textOrNil(action), instantOrNil(created), instantOrNil(updated)
	return q, decode(fields, &q.InquiryFields)
}

// ApproveInquiry credits the creator with the sale, by the terms of the campaign,
// through caps and budget. What the merchant reported of the order counts before
// what the creator said of it, and what was refunded of it is not credited. An order
// that this creator has an action of is a conflict; one that another creator is
// credited with is one too, unless force says that both are to be paid.
func (l *Ledger) ApproveInquiry(ctx context.Context, scope Scope, id, note string, force bool) (Inquiry, error) {
	return l.decideInquiry(ctx, scope, id, InquiryApproved, note, func(ctx context.Context, w *writing, q *Inquiry) (string, error) {
		a, err := w.creditInquiry(ctx, q, force)
		if err != nil {
			return "", err
		}
		now := *a
		now.remark("inquiry " + q.ID)
		now.remark(note)
		return a.ID, w.change(ctx, a, &now, cause{verb: verbInquiry, reason: q.ID, note: note})
	})
}

// RejectInquiry refuses an inquiry, with a reason the creator is told.
func (l *Ledger) RejectInquiry(ctx context.Context, scope Scope, id, reason string) (Inquiry, error) {
	if strings.TrimSpace(reason) == "" {
		return Inquiry{}, invalid("body.reason", "is required: the creator is told")
	}
	return l.decideInquiry(ctx, scope, id, InquiryRejected, reason, func(context.Context, *writing, *Inquiry) (string, error) { return "", nil })
}

func (l *Ledger) decideInquiry(ctx context.Context, scope Scope, id, state, reason string, do func(context.Context, *writing, *Inquiry) (actionID string, err error)) (Inquiry, error) {
	if err := checkNote(reason); err != nil {
		return Inquiry{}, err
	}
	var decided Inquiry
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		q, err := l.Inquiry(ctx, scope, id)
		switch {
		case err != nil:
			return err
		case !scope.manages(q.AdvertiserID):
			return forbidden(scope, "decide inquiries")
		case q.State != InquiryOpen:
			return conflict("the inquiry is %s already", q.State)
		}
		actionID, err := do(ctx, w, &q)
		if err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "ledger.close_inquiry", id, state, reason, actionID, int64(w.at)); err != nil {
			return err
		}
		decided, err = l.Inquiry(ctx, scope, id)
		return err
	})
	return decided, err
}

// creditInquiry makes the action of an approved inquiry, on the order's
// conversion where the merchant reported one.
func (w *writing) creditInquiry(ctx context.Context, q *Inquiry, force bool) (*ActionRecord, error) {
	report := &attribution.Report{
		Kind: attribution.ReportConversion, AdvertiserID: q.AdvertiserID, Source: SourceInquiry, Signed: true, KeyID: w.scope.KeyID, ReceivedAt: w.at,
		Fields: attribution.ReportFields{
			Event: eventSale, OrderID: q.OrderID, Amount: q.Amount, Currency: q.Currency, EventTime: attribution.Instant(q.Date), CreatorID: q.CreatorID,
		},
	}
	conversion, err := conversionOf(report)
	if err != nil {
		return nil, err
	}
	record, err := w.conversionOfOrder(ctx, q.OrderID, q.AdvertiserID, eventSale)
	if err != nil {
		return nil, err
	}
	if record != nil {
		if err := w.refuseSecondCredit(ctx, q, record, force); err != nil {
			return nil, err
		}
		if conversion, err = record.conversion(); err != nil {
			return nil, err
		}
		conversion.ForcedCreatorID = q.CreatorID
	}
	decision, err := w.decideForced(ctx, q, conversion)
	if err != nil {
		return nil, err
	}
	switch {
	case record == nil:
		if record, err = w.insertConversion(ctx, report, conversion, decision); err == nil {
			w.ended(report.Kind, Accepted, "")
			err = w.keepOutcomes(ctx, logInquiries)
		}
	case !record.Attributed:
		_, err = w.Exec(ctx, "ledger.attribute_conversion", record.Number, int64(w.at))
		record.Attributed, record.Reason = true, ""
	}
	if err != nil {
		return nil, err
	}
	credit := &decision.Credits[0]
	credit.AmountMinor, credit.IntendedMinor = record.unrefunded(credit.AmountMinor, credit.IntendedMinor)
	a, err := w.bookCredit(ctx, record, conversion, credit)
	if err != nil {
		return nil, err
	}
	return a, w.tellConversion(ctx, Accepted, record, []*ActionRecord{a})
}

// refuseSecondCredit refuses to credit an inquiry's creator with an order that it
// has an action of, or that another is credited with, unless that is forced.
func (w *writing) refuseSecondCredit(ctx context.Context, q *Inquiry, order *ConversionRecord, force bool) error {
	actions, err := w.actionsOf(ctx, order)
	if err != nil {
		return err
	}
	for _, a := range actions {
		if a.State != Reversed && a.CreatorID == q.CreatorID {
			return conflict("the creator has action %s of order %.64q already: adjust that one, and reject the inquiry", a.ID, q.OrderID)
		}
	}
	for _, a := range actions {
		if a.State == Reversed || force {
			continue
		}
		has, err := w.worth(ctx, a)
		if err != nil {
			return err
		}
		if a.open() || has.credits() {
			return conflict("another creator is credited with order %.64q by action %s: reverse or adjust that one first, or approve with force to pay both", q.OrderID, a.ID)
		}
	}
	return nil
}

// decideForced credits a conversion to the task of an inquiry.
func (w *writing) decideForced(ctx context.Context, q *Inquiry, conversion *attribution.Conversion) (*attribution.Decision, error) {
	task, err := scanPayableTask(w.Row(ctx, "ledger.task", q.TaskID))
	if err != nil {
		return nil, err
	}
	input := &attribution.Case{Conversion: conversion, Campaigns: map[string]*attribution.CampaignCase{}, Forced: &attribution.PromoCode{
		TaskID: task.id, CampaignID: task.campaignID, CreatorID: task.creatorID, Platform: task.platform,
	}}
	if err := w.addCreator(ctx, input, task.campaignID, task.creatorID); err != nil {
		return nil, err
	}
	if err := w.addConverted(ctx, input); err != nil {
		return nil, err
	}
	currency := input.Campaigns[task.campaignID].Currency
	if conversion.Currency != "" && conversion.Currency != currency && input.Converted[currency] == nil {
		return nil, conflict("there is no rate from %s to %s for %s: set it at /v1/fx-rates", conversion.Currency, currency, conversion.EventTime)
	}
	return attribution.Decide(input), nil
}
