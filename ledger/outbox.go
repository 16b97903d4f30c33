package ledger

import (
	"context"
	"encoding/json"
	"fmt"
)

// The kinds of messages in the outbox, and the types of their payloads.
const (
	OutboxConversion = "conversion" // ConversionEvent
	OutboxAction     = "action"     // ActionEvent
	OutboxLanding    = "landing"    // LandingEvent
	OutboxQuarantine = "quarantine" // QuarantineEvent
	OutboxCampaign   = "campaign"   // CampaignEvent
	OutboxBudget     = "budget"     // BudgetEvent
)

// A Message is something that happened, told once, in the order of commits.
type Message struct {
	Number  int64           `json:"number"`
	Kind    string          `json:"kind"`
	Payload json.RawMessage `json:"payload"`
}

// maxMessages bounds one read of the outbox.
const maxMessages = 10_000

// Outbox reads up to limit messages above a number, in order. A number is never
// used again; numbers have gaps.
func (l *Ledger) Outbox(ctx context.Context, after int64, limit int) ([]Message, error) {
	rows, err := l.db.Rows(ctx, "ledger.outbox", after, min(max(limit, 1), maxMessages))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var messages []Message
	for rows.Next() {
		var m Message
		var payload string
		if err := rows.Scan(&m.Number, &m.Kind, &payload); err != nil {
			return nil, fmt.Errorf("ledger: reading the outbox: %w", err)
		}
		m.Payload = json.RawMessage(payload)
		messages = append(messages, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: reading the outbox: %w", err)
	}
	return messages, nil
}

// OutboxDone forgets the messages up to a number: everybody has them.
func (l *Ledger) OutboxDone(ctx context.Context, through int64) error {
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		_, err := w.Exec(ctx, "ledger.outbox_done", through)
		return err
	})
}
