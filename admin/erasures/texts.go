package erasures

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tributary/schema/database"
)

const outbox = "outbox"

// A textTable is a table with texts in which a customer's hash could stand, and the
// queries that find its rows and replace the hash in one.
type textTable struct{ name, find, rename string }

// told is what the ledger told and not every reader has passed.
var told = textTable{outbox, "erasure.outbox", "erasure.rename_outbox"}

// texts are the tables with what was made of that, or written by people.
var texts = [...]textTable{
	{"webhook_deliveries", "erasure.webhook_deliveries", "erasure.rename_webhook_deliveries"},
	{"notifications", "erasure.notifications", "erasure.rename_notifications"},
	{"mails", "erasure.mails", "erasure.rename_mails"},
	{"inquiries", "erasure.inquiries", "erasure.rename_inquiries"},
}

// maxRenamed bounds how many rows one transaction rewrites.
const maxRenamed = 500

// eraseTexts replaces the customer in what was made of the ledger's messages.
func (s *Service) eraseTexts(ctx context.Context, e *Erasure) error {
	for _, hash := range e.hashes {
		for _, table := range texts {
			rows := map[int64]bool{}
			if err := numbers(ctx, s.o.DB, rows, table.find, "%"+hash+"%"); err != nil {
				return err
			}
			for part := range slices.Chunk(slices.Sorted(maps.Keys(rows)), maxRenamed) {
				if err := s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
					for _, number := range part {
						if _, err := tx.Exec(ctx, table.rename, number, hash, e.standIn); err != nil {
							return err
						}
					}
					e.Found[table.name] += int64(len(part))
					return keepFound(ctx, tx, e)
				}); err != nil {
					return err
				}
			}
		}
		if err := s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
			changed, err := tx.Exec(ctx, "erasure.rename_idempotency", "%"+hash+"%", hash, e.standIn)
			if err != nil || changed == 0 {
				return err
			}
			e.Found["idempotency"] += changed
			return keepFound(ctx, tx, e)
		}); err != nil {
			return err
		}
	}
	return nil
}

// replaceIn replaces a hash in the texts of a table.
func (table textTable) replaceIn(ctx context.Context, tx *database.Tx, hash, by string) (int64, error) {
	rows := map[int64]bool{}
	if err := numbers(ctx, tx, rows, table.find, "%"+hash+"%"); err != nil {
		return 0, err
	}
	for number := range rows {
		if _, err := tx.Exec(ctx, table.rename, number, hash, by); err != nil {
			return 0, err
		}
	}
	return int64(len(rows)), nil
}

// countTexts counts what eraseTexts would change.
func (s *Service) countTexts(ctx context.Context, e *Erasure) error {
	for _, hash := range e.hashes {
		for _, table := range texts {
			rows := map[int64]bool{}
			if err := numbers(ctx, s.o.DB, rows, table.find, "%"+hash+"%"); err != nil {
				return err
			}
			if len(rows) > 0 {
				e.Found[table.name] += int64(len(rows))
			}
		}
		var kept int64
		if err := s.o.DB.Row(ctx, "erasure.count_idempotency", "%"+hash+"%").Scan(&kept); err != nil {
			return fmt.Errorf("erasures: counting kept answers: %w", err)
		}
		if kept > 0 {
			e.Found["idempotency"] += kept
		}
	}
	return nil
}
