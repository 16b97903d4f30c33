package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"

	"tributary/ledger"
)

// copiedColumns are the columns of each table in the order of its rows.
var copiedColumns = map[string]string{
	"conversions": `id, advertiser_id, event, order_id, amount_minor, currency, source, signed, attributed, reason, event_time, received_at,
		refunded_minor, upgraded_at, updated_at, version`,
	"actions": `id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, order_id, click_id,
		corrects, referral, model, credit, quantity, currency, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, reversal,
		click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at, reversed_at, payout_id, terms_version, created_at,
		updated_at, seq`,
	"entries": `number, action_id, seq, at, verb, role, from_state, to_state, advertiser_id, campaign_id, creator_id, currency, amount_delta,
		intended_delta, payout_delta, cost_delta`,
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
type outboxRows struct{ conversions, actions *copyRows }

// rowsOf reads messages. Those of other kinds are for others.
func rowsOf(messages []ledger.Message) (*outboxRows, error) {
	rows := &outboxRows{newCopyRows(len(messages)), newCopyRows(len(messages))}
	for _, m := range messages {
		switch m.Kind {
		case ledger.OutboxConversion:
			var e ledger.ConversionEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.conversions.add(conversionRow(e.Conversion, m.Number), uint64(m.Number))
			for _, a := range e.Actions {
				rows.actions.add(actionRow(a), uint64(m.Number))
			}
		case ledger.OutboxAction:
			var e ledger.ActionEvent
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return nil, fmt.Errorf("read message %d of the outbox: %w", m.Number, err)
			}
			rows.actions.add(actionRow(e.Action), uint64(m.Number))
		}
	}
	return rows, nil
}

func conversionRow(c *ledger.ConversionRecord, number int64) []any {
	return []any{
		c.ID, c.AdvertiserID, c.Event, c.OrderID, c.AmountMinor, c.Currency, c.Source, bit(c.Signed), bit(c.Attributed), c.Reason,
		stamp(c.EventTimeMs), stamp(c.ReceivedAtMs), c.RefundedMinor, stamp(c.UpgradedAtMs), stamp(c.UpdatedAtMs), uint64(number),
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
		a.State, reasons, a.Reversal, stamp(a.ClickTimeMs), stamp(a.EventTimeMs), stamp(a.ReceivedAtMs), stamp(a.LockAtMs), stamp(a.PayAtMs),
		stamp(a.LockedAtMs), stamp(a.PayableAtMs), stamp(a.PaidAtMs), stamp(a.ReversedAtMs), a.PayoutID, uint32(a.TermsVersion),
		stamp(a.CreatedAtMs), stamp(a.UpdatedAtMs), uint64(a.Seq),
	}
}

func entryRow(e *ledger.EntryRecord) []any {
	return []any{
		uint64(e.Number), e.ActionID, uint64(e.Seq), stamp(e.AtMs), e.Verb, e.Role, e.FromState, e.ToState, e.AdvertiserID, e.CampaignID,
		e.CreatorID, e.Currency, e.AmountDelta, e.IntendedDelta, e.PayoutDelta, e.CostDelta,
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
