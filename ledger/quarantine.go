package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// prefixQuarantine begins the identifiers of what is in quarantine.
const prefixQuarantine = "qrn_"

// A Quarantined is a report that could not be taken, and why.
type Quarantined struct {
	ID           string               `json:"id"`
	AdvertiserID *string              `json:"advertiser_id"`
	Kind         string               `json:"kind" doc:"conversion, refund or landing"`
	Code         string               `json:"code" doc:"The typed reason"`
	Reason       string               `json:"reason"`
	ReceiptID    *string              `json:"receipt_id"`
	Event        *string              `json:"event"`
	OrderID      *string              `json:"order_id"`
	Source       *string              `json:"source"`
	Report       json.RawMessage      `json:"report" doc:"What was reported"`
	Raw          *string              `json:"raw" doc:"What came, where it could not be read"`
	At           attribution.Instant  `json:"at"`
	ReplayedAt   *attribution.Instant `json:"replayed_at" doc:"When a replay settled it"`
	Outcome      *string              `json:"outcome" doc:"What the replay made of it: accepted or duplicate"`

	number int64
	report string
}

// A QuarantineEvent is what the outbox tells of a report that could not be taken,
// under the kind "quarantine".
type QuarantineEvent struct {
	ID           string `json:"id"`
	AdvertiserID string `json:"advertiser_id"`
	Kind         string `json:"kind"`
	Status       string `json:"status"` // rejected or conflict
	Code         string `json:"code"`
	Reason       string `json:"reason"`
	Event        string `json:"event"`
	OrderID      string `json:"order_id"`
	Source       string `json:"source"`
	AtMs         int64  `json:"at_ms"`
}

// quarantine keeps a report that could not be taken.
func (w *writing) quarantine(ctx context.Context, report *attribution.Report, why Settled) error {
	id, err := w.l.newID(prefixQuarantine, w.at)
	if err != nil {
		return err
	}
	read := *report
	read.Raw = nil // it has a column of its own, as text: numbers in it may be beyond what readers of JSON take
	text, err := encode(&read)
	if err != nil {
		return err
	}
	event, order := report.Fields.Event, report.Fields.OrderID
	if report.Refund != nil {
		event, order = report.Refund.Event, report.Refund.OrderID
	}
	_, err = w.Exec(ctx, "ledger.insert_quarantine", w.next(), id, report.AdvertiserID, report.Kind, why.Code, why.Reason, report.ReceiptID,
		event, order, report.Source, text, string(report.Raw), int64(w.at))
	if err != nil {
		return err
	}
	return w.tell(ctx, OutboxQuarantine, QuarantineEvent{id, report.AdvertiserID, report.Kind, why.Status, why.Code, why.Reason, event, order, report.Source, int64(w.at)})
}

// A QuarantineFilter narrows what is listed of the quarantine.
type QuarantineFilter struct {
	AdvertiserID string
	Code         string
	Kind         string
	OrderID      string
	Replayed     *bool
}

// Quarantine lists what could not be taken, newest first. Creators see none of it.
func (l *Ledger) Quarantine(ctx context.Context, scope Scope, f QuarantineFilter, p Page) (List[Quarantined], error) {
	given := database.Given{"advertiser_id": f.AdvertiserID, "code": f.Code, "kind": f.Kind, "order_id": f.OrderID}
	switch {
	case f.Replayed == nil:
	case *f.Replayed:
		given["replayed"] = 1
	default:
		given["waiting"] = 1
	}
	if scope.creator() || !scope.limit(given) {
		return List[Quarantined]{Items: []Quarantined{}}, nil
	}
	return page(ctx, l.db, "ledger.quarantine_list", given, p, false, scanQuarantined, func(q Quarantined) int64 { return q.number })
}

func scanQuarantined(row scanner) (Quarantined, error) {
	var q Quarantined
	var advertiser, receipt, event, order, source, raw, outcome string
	var replayed int64
	err := row.Scan(&q.number, &q.ID, &advertiser, &q.Kind, &q.Code, &q.Reason, &receipt, &event, &order, &source, &q.report, &raw, &q.At, &replayed, &outcome)
	if err != nil {
		return q, fmt.Errorf("ledger: reading the quarantine: %w", err)
	}
	q.AdvertiserID, q.ReceiptID, q.Event, q.OrderID = textOrNil(advertiser), textOrNil(receipt), textOrNil(event), textOrNil(order)
	q.Source, q.Raw, q.Outcome, q.ReplayedAt = textOrNil(source), textOrNil(raw), textOrNil(outcome), instantOrNil(replayed)
	if q.report != "" {
		q.Report = json.RawMessage(q.report)
	}
	return q, nil
}

// maxReplays bounds one call of ReplayQuarantine.
const maxReplays = 1_000

// ReplayQuarantine settles reports again that are in quarantine. What is taken now
// is marked as replayed; what is refused again stays, under its new reason. What
// was replayed before says so and is left alone. The results are as the scope sees
// them.
func (l *Ledger) ReplayQuarantine(ctx context.Context, scope Scope, ids ...string) ([]Settled, error) {
	if len(ids) > maxReplays {
		return nil, invalid("body.ids", "must be at most %d", maxReplays)
	}
	if scope.creator() {
		return nil, forbidden(scope, "replay the quarantine")
	}
	var results []Settled
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		results = make([]Settled, 0, len(ids))
		for _, id := range ids {
			result, err := w.replay(ctx, id)
			if err != nil {
				return err
			}
			results = append(results, result.View(scope))
		}
		return w.keepOutcomes(ctx, logQuarantine)
	})
	return results, err
}

func (w *writing) replay(ctx context.Context, id string) (Settled, error) {
	q, err := scanQuarantined(w.Row(ctx, "ledger.quarantined", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && (q.AdvertiserID == nil && !w.scope.admin() || q.AdvertiserID != nil && !w.scope.manages(*q.AdvertiserID)) {
		return Settled{}, notFound("report in quarantine", id)
	}
	if err != nil {
		return Settled{}, err
	}
	if q.ReplayedAt != nil || q.report == "" {
		return Settled{Status: Rejected, Code: attribution.CodeConflict, Reason: "it was replayed already, or could never be read", Actions: []ActionBrief{}}, nil
	}
	var report attribution.Report
	if err := decode(q.report, &report); err != nil {
		return Settled{}, err
	}
	if w.scope.admin() || report.Fields.CreatorID == "" { // only an admin forces a credit, by a replay too
		report.Rejected = nil // intake's reason may be gone: the settler looks again
	}
	result, err := w.settle(ctx, &report, false)
	if err != nil {
		return Settled{}, err
	}
	replayedAt, outcome := int64(0), ""
	if result.Status == Accepted || result.Status == Duplicate {
		replayedAt, outcome = int64(w.at), result.Status
		result.Code, result.Reason = q.Code, q.Reason
	}
	_, err = w.Exec(ctx, "ledger.quarantine_replayed", q.number, replayedAt, outcome, result.Code, result.Reason)
	if outcome != "" {
		result.Code, result.Reason = "", ""
	}
	return result, err
}
