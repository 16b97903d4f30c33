package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"time"

	"tributary/attribution"
	"tributary/ledger"
)

// copiedColumns are the columns of each table in the order of its rows.
var copiedColumns = map[string]string{
	"conversions": `id, advertiser_id, event, order_id, amount_minor, currency, source, signed, attributed, reason, event_time, received_at,
		refunded_minor, upgraded_at, updated_at, customer, code, code_credited, code_reason, code_task, code_creator, code_campaign, code_platform,
		touch_ids, touch_times, touch_links, touch_tasks, touch_creators, touch_campaigns, touch_platforms, touch_verdicts, touch_outcomes,
		touch_reasons, version`,
	"actions": `id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, order_id, click_id,
		corrects, referral, model, credit, quantity, currency, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, reversal,
		notes, click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at, reversed_at, payout_id, terms_version, created_at,
		updated_at, seq`,
	"landings": `click_id, click_time, advertiser_id, campaign_id, creator_id, task_id, link_id, platform, page_host, seen_at, version`,
	"entries": `number, action_id, seq, at, verb, role, from_state, to_state, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id,
		code, platform, event, referral, currency, event_time, orders_nano, whole_orders, known_customer, new_customer, amount_delta,
		intended_delta, payout_delta, cost_delta, amount_minor, payout_minor, cost_minor`,
	"posts": `post_id, advertiser_id, campaign_id, creator_id, task_id, platform, currency, status, archived, posted_at, views, likes, shares,
		comments, told_at, version`,
}

// copyRows are rows of one table, and what tells them from any others: the
// numbers of the messages they came with.
type copyRows struct {
	rows  [][]any
	token hash.Hash
}

func newCopyRows(capacity int) *copyRows {
	return &copyRows{rows: make([][]any, 0, capacity), token: sha256.New()}
}

func (r *copyRows) add(row []any, number uint64) {
	r.rows = append(r.rows, row)
	r.token.Write(binary.BigEndian.AppendUint64(nil, number))
	fmt.Fprintf(r.token, "%v %v\n", row[0], row[1])
}

// outboxRows are the rows that messages make.
type outboxRows struct{ conversions, actions, landings, posts *copyRows }

// rowsOf reads messages. Those of other kinds are for others.
func rowsOf(messages []ledger.Message) (*outboxRows, error) {
	rows := &outboxRows{newCopyRows(len(messages)), newCopyRows(len(messages)), newCopyRows(0), newCopyRows(0)}
	for _, m := range messages {
		switch m.Kind {
		case ledger.OutboxConversion:
			var e ledger.ConversionEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			row, err := conversionRow(&e, m.Number)
			if err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.conversions.add(row, uint64(m.Number))
			for _, a := range e.Actions {
				rows.actions.add(actionRow(a), uint64(m.Number))
			}
		case ledger.OutboxAction:
			var e ledger.ActionEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.actions.add(actionRow(e.Action), uint64(m.Number))
		case ledger.OutboxLanding:
			var e ledger.LandingEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.landings.add(landingRow(&e, m.Number), uint64(m.Number))
		case ledger.OutboxPost:
			var e ledger.PostEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.posts.add(postRow(&e, m.Number), uint64(m.Number))
		}
	}
	return rows, nil
}

func conversionRow(e *ledger.ConversionEvent, number int64) ([]any, error) {
	c, trace := e.Conversion, attribution.Trace{}
	if err := json.Unmarshal(e.Trace, &trace); err != nil {
		return nil, fmt.Errorf("how conversion %s was decided: %w", c.ID, err)
	}
	if trace.Code == nil {
		trace.Code = &attribution.CodeTrace{}
	}
	row := []any{
		c.ID, c.AdvertiserID, c.Event, c.OrderID, c.AmountMinor, c.Currency, c.Source, bit(c.Signed), bit(c.Attributed), c.Reason,
		stamp(c.EventTimeMs), stamp(c.ReceivedAtMs), c.RefundedMinor, stamp(c.UpgradedAtMs), stamp(c.UpdatedAtMs), c.Customer,
		trace.Code.Code, bit(trace.Code.Credited), trace.Code.Reason, trace.Code.TaskID, trace.Code.CreatorID, trace.Code.CampaignID, trace.Code.Platform,
	}
	return append(append(row, touchColumns(trace.Candidates)...), uint64(number)), nil
}

// touchColumns are the clicks of a decision as the arrays of a conversion's row.
func touchColumns(touches []attribution.Candidate) []any {
	column := func(value func(*attribution.Candidate) string) []string {
		values := make([]string, len(touches))
		for i := range touches {
			values[i] = value(&touches[i])
		}
		return values
	}
	times := make([]time.Time, len(touches))
	for i := range touches {
		times[i] = stamp(int64(touches[i].Time))
	}
	return []any{
		column(func(c *attribution.Candidate) string { return c.ClickID }), times,
		column(func(c *attribution.Candidate) string { return c.LinkID }), column(func(c *attribution.Candidate) string { return c.TaskID }),
		column(func(c *attribution.Candidate) string { return c.CreatorID }), column(func(c *attribution.Candidate) string { return c.CampaignID }),
		column(func(c *attribution.Candidate) string { return c.Platform }), column(func(c *attribution.Candidate) string { return c.Verdict }),
		column(func(c *attribution.Candidate) string { return c.Outcome }), column(func(c *attribution.Candidate) string { return c.Reason }),
	}
}

func landingRow(e *ledger.LandingEvent, number int64) []any {
	return []any{
		e.ClickID, stamp(e.ClickTimeMs), e.AdvertiserID, e.CampaignID, e.CreatorID, e.TaskID, e.LinkID, e.Platform, e.PageHost, stamp(e.AtMs), uint64(number),
	}
}

func actionRow(a *ledger.ActionRecord) []any {
	reasons := []string(a.Reasons)
	if reasons == nil {
		reasons = []string{}
	}
	return []any{
		a.ID, a.ConversionID, a.AdvertiserID, a.CampaignID, a.CreatorID, a.TaskID, a.LinkID, a.PostID, a.Code, a.Platform, a.Event, a.OrderID,
		a.ClickID, a.Corrects, a.Referral, a.Model, a.Credit, a.Quantity, a.Currency, a.AmountMinor, a.IntendedMinor, a.PayoutMinor, a.CostMinor,
		a.State, reasons, a.Reversal, a.Notes, stamp(a.ClickTimeMs), stamp(a.EventTimeMs), stamp(a.ReceivedAtMs), stamp(a.LockAtMs), stamp(a.PayAtMs),
		stamp(a.LockedAtMs), stamp(a.PayableAtMs), stamp(a.PaidAtMs), stamp(a.ReversedAtMs), a.PayoutID, uint32(a.TermsVersion),
		stamp(a.CreatedAtMs), stamp(a.UpdatedAtMs), uint64(a.Seq),
	}
}

func entryRow(e *ledger.EntryRecord) []any {
	orders, whole := e.Order()
	counts := e.Referral != ledger.ReferralAdjustment
	return []any{
		uint64(e.Number), e.ActionID, uint64(e.Seq), stamp(e.AtMs), e.Verb, e.Role, e.FromState, e.ToState, e.AdvertiserID, e.CampaignID,
		e.CreatorID, e.TaskID, e.LinkID, e.PostID, e.Code, e.Platform, e.Event, e.Referral, e.Currency, stamp(e.EventTimeMs),
		orders, int64(bit(whole)), int64(bit(counts && e.Customer != "")), int64(bit(counts && e.Customer == "new")),
		e.AmountDelta, e.IntendedDelta, e.PayoutDelta, e.CostDelta, e.AmountMinor, e.PayoutMinor, e.CostMinor,
	}
}

func postRow(e *ledger.PostEvent, number int64) []any {
	return []any{
		e.ID, e.AdvertiserID, e.CampaignID, e.CreatorID, e.TaskID, e.Platform, e.Currency, e.Status, bit(e.Archived), stamp(e.PostedAtMs),
		e.Views, e.Likes, e.Shares, e.Comments, stamp(e.AtMs), uint64(number),
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
