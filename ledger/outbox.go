package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tributary/schema/database"
)

// The kinds of messages in the outbox, and the types of their payloads. The
// catalog writes some, in its own transactions and under the same numbers.
const (
	OutboxConversion = "conversion" // ConversionEvent
	OutboxAction     = "action"     // ActionEvent
	OutboxLanding    = "landing"    // LandingEvent
	OutboxQuarantine = "quarantine" // QuarantineEvent
	OutboxCampaign   = "campaign"   // CampaignEvent, the catalog's too
	OutboxBudget     = "budget"     // BudgetEvent
)

// The readers of the outbox. Each passes the messages at its own pace, and a
// message is deleted once all have. None is passed over: a reader that stands
// still makes the outbox grow, which tributary_outbox_messages shows, and loses
// nothing.
const (
	ReaderClickHouse = "clickhouse"
	ReaderEvents     = "events"
)

// A Message is something that happened, told once, in the order of commits.
type Message struct {
	Number  int64           `json:"number"`
	Kind    string          `json:"kind"`
	Payload json.RawMessage `json:"payload"`
}

// An OutboxBatch is what a reader reads at once. A number is never used again;
// numbers have gaps.
type OutboxBatch struct {
	Reader   string
	Messages []Message

	after int64
}

// maxMessages bounds one read of the outbox.
const maxMessages = 10_000

// ErrReadElsewhere is returned by OutboxDone when another process was done with
// the messages first.
var ErrReadElsewhere = errors.New("ledger: another process has read these messages of the outbox")

// Outbox reads up to limit messages that a reader has not passed, in order.
func (l *Ledger) Outbox(ctx context.Context, reader string, limit int) (OutboxBatch, error) {
	batch := OutboxBatch{Reader: reader}
	if err := l.db.Row(ctx, "outbox.cursor", reader).Scan(&batch.after); err != nil {
		return batch, fmt.Errorf("ledger: how far the outbox was read by %s: %w", reader, err)
	}
	err := read(ctx, l.db, "outbox.read", func(row scanner) error {
		var m Message
		var payload string
		err := row.Scan(&m.Number, &m.Kind, &payload)
		m.Payload = json.RawMessage(payload)
		batch.Messages = append(batch.Messages, m)
		return err
	}, batch.after, min(max(limit, 1), maxMessages))
	return batch, err
}

// OutboxDone has a batch's reader pass its messages, and deletes those that every
// reader has passed. In a transaction of the caller's, what the caller made of the
// messages is kept exactly when they are passed: ErrReadElsewhere must end it.
func (l *Ledger) OutboxDone(ctx context.Context, batch OutboxBatch) error {
	if len(batch.Messages) == 0 {
		return nil
	}
	return l.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		moved, err := tx.Exec(ctx, "outbox.pass", batch.Messages[len(batch.Messages)-1].Number, batch.Reader, batch.after)
		if err != nil {
			return err
		}
		if moved == 0 {
			return ErrReadElsewhere
		}
		_, err = tx.Exec(ctx, "outbox.forget")
		return err
	})
}

// OutboxBehind counts the messages that each reader has not passed.
func (l *Ledger) OutboxBehind(ctx context.Context) (map[string]int64, error) {
	behind := map[string]int64{}
	err := read(ctx, l.db, "outbox.behind", func(row scanner) error {
		var reader string
		var messages int64
		err := row.Scan(&reader, &messages)
		behind[reader] = messages
		return err
	})
	return behind, err
}
