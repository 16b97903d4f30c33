package ledger

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"tributary/attribution"
)

// What else than a log the reports come from that are counted.
const (
	logQuarantine = "quarantine" // replayed
	logInquiries  = "inquiries"  // of orders a creator missed
)

// upgraded is the outcome of a report that superseded an unsigned one of its
// order: accepted, and no conversion of its own.
const upgraded = "upgraded"

// An outcome is what reports of a kind ended as, and the code of why they were refused.
type outcome struct{ kind, outcome, code string }

// ended counts a report of this writing.
func (w *writing) ended(kind, how, code string) {
	switch kind {
	case attribution.ReportConversion, attribution.ReportRefund, attribution.ReportLanding:
	default:
		kind = "other"
	}
	if w.outcomes == nil {
		w.outcomes = map[outcome]int64{}
	}
	w.outcomes[outcome{kind, how, code}]++
}

// keepOutcomes adds what was counted to a log's tallies.
func (w *writing) keepOutcomes(ctx context.Context, log string) error {
	for _, key := range slices.SortedFunc(maps.Keys(w.outcomes), func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.code, b.code))
	}) {
		if _, err := w.Exec(ctx, "ledger.count_reports", log, key.kind, key.outcome, key.code, w.outcomes[key]); err != nil {
			return err
		}
	}
	w.outcomes = nil
	return nil
}

// usedKey notes when the report came, and by which key.
func (w *writing) usedKey(report *attribution.Report) {
	if report.KeyID == "" {
		return
	}
	if w.keysUsed == nil {
		w.keysUsed = map[string]attribution.Instant{}
	}
	w.keysUsed[report.KeyID] = max(w.keysUsed[report.KeyID], report.ReceivedAt)
}

// keyUseStepMs is how exactly the last use of a key is kept: ten minutes.
const keyUseStepMs = 10 * 60 * 1000

// keepKeysUsed writes down when keys were used: trackers have no database to do
// it in.
func (w *writing) keepKeysUsed(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(w.keysUsed)) {
		at := w.keysUsed[id]
		if last, known := w.facts.keysUsed[id]; known && at-last < keyUseStepMs {
			continue
		}
		if _, err := w.Exec(ctx, "key.used", id, int64(at)); err != nil {
			return err
		}
		if len(w.facts.keysUsed) >= maxKnownKeys {
			clear(w.facts.keysUsed)
		}
		w.facts.keysUsed[id] = at
	}
	w.keysUsed = nil
	return nil
}
