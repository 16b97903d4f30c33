package ledger

import (
	"context"
	"database/sql"
	"errors"

	"tributary/attribution"
	"tributary/schema/database"
)

// Models lists the attribution models, in the order they are told.
func Models() []string { return models[:] }

// UnderModels decides stored conversions under every model, each from the clicks
// and the code of its decision, and tells with what the credits would be: before
// caps and budget, refunds and reversals, and nothing is kept. All is read from
// one snapshot. What is not stored, or cannot be decided again, is passed over.
func (l *Ledger) UnderModels(ctx context.Context, conversionIDs []string, with func(model string, credits []attribution.Credit) error) error {
	return l.db.View(ctx, func(ctx context.Context, tx *database.Tx) error {
		w := &writing{Tx: tx, l: l, at: l.instant(), facts: newFacts()}
		for _, id := range conversionIDs {
			if err := w.underModels(ctx, id, with); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *writing) underModels(ctx context.Context, id string, with func(model string, credits []attribution.Credit) error) error {
	c, err := scanConversion(w.Row(ctx, "ledger.conversion", id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var first attribution.Trace
	if err := decode(c.trace, &first); err != nil {
		return err
	}
	input, err := w.caseAgain(ctx, c, &first)
	if _, refused := attribution.AsProblem(err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	for _, model := range models {
		for _, campaign := range input.Campaigns {
			campaign.Terms.Model = model
		}
		if err := with(model, attribution.Decide(input).Credits); err != nil {
			return err
		}
	}
	return nil
}
