package ledger

import (
	"context"

	"tributary/attribution"
)

// forgetBatch bounds how many rows are emptied in one transaction.
const forgetBatch = 500

// ForgetQuarantined empties reports that came into quarantine before a time, and
// says how many. That they were refused, and why, stays: the books count them.
func (l *Ledger) ForgetQuarantined(ctx context.Context, before attribution.Instant) (emptied int, err error) {
	for {
		var old []int64
		err := read(ctx, l.db, "forget.quarantined", func(row scanner) error {
			var number int64
			err := row.Scan(&number)
			old = append(old, number)
			return err
		}, int64(before), forgetBatch)
		if err != nil || len(old) == 0 {
			return emptied, err
		}
		err = l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
			for _, number := range old {
				if _, err := w.Exec(ctx, "forget.empty_quarantined", number); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return emptied, err
		}
		emptied += len(old)
	}
}
