package ledger

import (
	"context"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// A TotalKey says what is added up: an advertiser's rows of a currency and a state.
type TotalKey struct{ AdvertiserID, Currency, State string }

// A Total is how many rows there are and the sums of their money in minor units.
type Total struct{ Rows, Amount, Payout, Cost int64 }

// Totals are the ledger's sums at one moment, to be compared with what was copied.
type Totals struct {
	Actions     map[TotalKey]Total
	Conversions map[TotalKey]Total // State: attributed or unattributed; Payout: refunded
	Entries     map[TotalKey]Total // State: the one the entry led to; money: deltas
	EntrySums   map[TotalKey]Total // of entries, by their action's present state: equal to Actions
	Quarantined map[string]int64   // reports in quarantine that were not replayed, by kind and code

	Reports   []ReportTotal     // how reports ended
	Positions map[string]uint64 // how far logs are settled
	Kept      int64             // reports that ever went to quarantine
}

// A ReportTotal is how many reports of a log and a kind ended one way.
type ReportTotal struct {
	Log     string // a log's identity; "quarantine" for replays, "inquiries" for orders a creator missed
	Kind    string // conversion, refund, landing or other
	Outcome string // accepted, upgraded, duplicate, conflict or rejected
	Code    string // of why they were refused, of those in conflict and rejected
	Reports int64
}

// OfLog reports whether they were settled from a log, and not brought by hand.
func (t *ReportTotal) OfLog() bool { return t.Log != logQuarantine && t.Log != logInquiries }

// Refused reports whether they went to quarantine.
func (t *ReportTotal) Refused() bool {
	return t.OfLog() && (t.Outcome == Conflict || t.Outcome == Rejected)
}

// MadeConversion reports whether each of them is a conversion of its own.
func (t *ReportTotal) MadeConversion() bool {
	return t.Kind == attribution.ReportConversion && t.Outcome == Accepted
}

// SettledTotals adds the whole ledger up as it is when drain returns: every writer
// waits while drain copies what is left to be copied, in this transaction, and
// goes on while the sums are made from a snapshot.
func (l *Ledger) SettledTotals(ctx context.Context, drain func(ctx context.Context) error) (t *Totals, err error) {
	var done chan error // of the sums, once they are begun
	err = l.write(ctx, Scope{}, nil, func(inside context.Context, _ *writing) error {
		if done != nil { // this is a second try
			<-done
			done = nil
		}
		if err := drain(inside); err != nil {
			return err
		}
		begun, summed := make(chan struct{}), make(chan error, 1)
		done = summed
		go func() {
			var err error
			t, err = l.totals(ctx, begun) // outside of the transaction
			summed <- err
		}()
		select {
		case <-begun:
			return nil
		case err := <-summed: // it did not even begin
			summed <- nil
			return err
		}
	})
	if done != nil {
		err = errors.Join(err, <-done)
	}
	return t, err
}

// totals adds the whole ledger up, on one snapshot; begun is closed once there is
// one. It reads every row.
func (l *Ledger) totals(ctx context.Context, begun chan<- struct{}) (*Totals, error) {
	t := &Totals{Quarantined: map[string]int64{}, Positions: map[string]uint64{}}
	err := l.db.View(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if err := t.readReports(ctx, tx); err != nil {
			return err
		}
		if err := tx.Row(ctx, "ledger.quarantined_count").Scan(&t.Kept); err != nil {
			return fmt.Errorf("ledger: counting the quarantine: %w", err)
		}
		close(begun)
		for query, into := range map[string]*map[TotalKey]Total{
			"ledger.action_totals": &t.Actions, "ledger.conversion_totals": &t.Conversions,
			"ledger.entry_totals": &t.Entries, "ledger.entry_sums": &t.EntrySums,
		} {
			if *into, err = totalsOf(ctx, tx, query); err != nil {
				return err
			}
		}
		return read(ctx, tx, "ledger.quarantine_totals", func(row scanner) error {
			var kind, code string
			var n int64
			err := row.Scan(&kind, &code, &n)
			t.Quarantined[kind+" "+code] = n
			return err
		})
	})
	return t, err
}

// readReports reads how reports ended.
func (t *Totals) readReports(ctx context.Context, tx *database.Tx) error {
	if err := read(ctx, tx, "ledger.report_tallies", func(row scanner) error {
		var r ReportTotal
		err := row.Scan(&r.Log, &r.Kind, &r.Outcome, &r.Code, &r.Reports)
		t.Reports = append(t.Reports, r)
		return err
	}); err != nil {
		return err
	}
	return read(ctx, tx, "ledger.positions", func(row scanner) error {
		var log string
		var through int64
		err := row.Scan(&log, &through)
		t.Positions[log] = uint64(through)
		return err
	})
}

// EndedReports returns how reports ended and how far each log is settled, on one
// snapshot. It reads a few rows, however many reports there were.
func (l *Ledger) EndedReports(ctx context.Context) (reports []ReportTotal, positions map[string]uint64, err error) {
	t := &Totals{Positions: map[string]uint64{}}
	err = l.db.View(ctx, t.readReports)
	return t.Reports, t.Positions, err
}

func totalsOf(ctx context.Context, from database.Reader, query string) (map[TotalKey]Total, error) {
	totals := map[TotalKey]Total{}
	err := read(ctx, from, query, func(row scanner) error {
		var key TotalKey
		var total Total
		err := row.Scan(&key.AdvertiserID, &key.Currency, &key.State, &total.Rows, &total.Amount, &total.Payout, &total.Cost)
		totals[key] = total
		return err
	})
	return totals, err
}
