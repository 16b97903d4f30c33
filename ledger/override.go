package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// The bounds of what is known of clicks that were judged again.
const (
	// MaxVerdictOverrides is how many clicks may have another verdict than the one
	// in their id.
	MaxVerdictOverrides = 2_000_000
	overrideBatch       = 1_000 // of one writing
	// keepOverridesMs is how old a click may be when room is needed: conversions of
	// 400 days may be decided again, each by the longest click window.
	keepOverridesMs = (maxReattributionDays + attribution.MaxClickWindowDays) * 24 * 60 * 60 * 1000
)

// A VerdictOverride gives a click another verdict than the one sealed into its id,
// because the click was judged again.
type VerdictOverride struct {
	ClickID      string
	ClickTime    attribution.Instant
	Verdict      attribution.Verdict
	RulesVersion uint32
	RunID        string // of the reclassification
}

// OverrideVerdicts keeps other verdicts of clicks. From then on every decision uses
// them: of conversions to come, and of those that are decided again. What was
// decided before stays until it is. Repeated, it changes nothing. When they are too
// many it is a Problem, and none is kept.
func (l *Ledger) OverrideVerdicts(ctx context.Context, overrides []VerdictOverride) error {
	if err := l.roomForOverrides(ctx, int64(len(overrides))); err != nil {
		return err
	}
	for len(overrides) > 0 {
		batch := overrides[:min(overrideBatch, len(overrides))]
		overrides = overrides[len(batch):]
		err := l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
			for i := range batch {
				o := &batch[i]
				if _, err := w.Exec(ctx, "ledger.keep_override", o.ClickID, int64(o.ClickTime), o.Verdict.String(), int64(o.RulesVersion), o.RunID, int64(w.at)); err != nil {
					return err
				}
			}
			// Whoever remembers facts learns by this number that there are more.
			var change int64
			if err := w.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
				return fmt.Errorf("ledger: taking a change number: %w", err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// roomForOverrides makes room for more by forgetting clicks that no decision asks
// for any more.
func (l *Ledger) roomForOverrides(ctx context.Context, more int64) error {
	count := func() (n int64, err error) {
		if err = l.db.Row(ctx, "ledger.count_overrides").Scan(&n); err != nil {
			return 0, fmt.Errorf("ledger: counting verdicts that were given again: %w", err)
		}
		return n, nil
	}
	kept, err := count()
	if err != nil || kept+more <= MaxVerdictOverrides {
		return err
	}
	if err := l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		_, err := w.Exec(ctx, "ledger.drop_overrides", int64(w.at)-keepOverridesMs)
		return err
	}); err != nil {
		return err
	}
	if kept, err = count(); err != nil {
		return err
	}
	if kept+more > MaxVerdictOverrides {
		return conflict("%d clicks have verdicts that were given again, and %d more are over the %d that are kept: reclassify a shorter range, or one advertiser", kept, more, MaxVerdictOverrides)
	}
	return nil
}

// An overrideSpan is when the clicks were made that have other verdicts; the zero
// span has none. It spares a look for every other click.
type overrideSpan struct{ firstMs, lastMs int64 }

func (s overrideSpan) has(clickMs int64) bool {
	return s.lastMs != 0 && s.firstMs <= clickMs && clickMs <= s.lastMs
}

// seeOverrides learns when the clicks were made that have other verdicts.
func (f *facts) seeOverrides(ctx context.Context, w *writing) error {
	if err := w.Row(ctx, "ledger.overridden_span").Scan(&f.overridden.firstMs, &f.overridden.lastMs); err != nil {
		return fmt.Errorf("ledger: reading verdicts that were given again: %w", err)
	}
	return nil
}

// verdictOf is a click's verdict: the one it was given again, or the one in its id.
func (w *writing) verdictOf(ctx context.Context, clickID string, token *attribution.ClickToken) (attribution.Verdict, error) {
	if !w.facts.overridden.has(token.AtMs) {
		return token.Verdict, nil
	}
	var name string
	err := w.Row(ctx, "ledger.override", clickID).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return token.Verdict, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ledger: reading a verdict that was given again: %w", err)
	}
	for _, verdict := range attribution.Verdicts() {
		if verdict.String() == name {
			return verdict, nil
		}
	}
	return 0, fmt.Errorf("ledger: click %s has the unknown verdict %q", clickID, name)
}

// ClicksPaid says which campaigns have ever had terms that pay per click, and
// through when their clicks are booked.
func (l *Ledger) ClicksPaid(ctx context.Context) (campaigns []string, through attribution.Instant, err error) {
	if campaigns, _, err = l.ClicksDue(ctx); err != nil || len(campaigns) == 0 {
		return nil, 0, err
	}
	if err := l.db.Row(ctx, "number.last", "clicks_paid").Scan(&through); err != nil {
		return nil, 0, fmt.Errorf("ledger: reading how far clicks were paid: %w", err)
	}
	return campaigns, through, nil
}
