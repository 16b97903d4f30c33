package ledger

import (
	"context"

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
}

// Totals adds the whole ledger up, on one snapshot. It reads every row.
func (l *Ledger) Totals(ctx context.Context) (*Totals, error) {
	t := &Totals{Quarantined: map[string]int64{}}
	err := l.db.View(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
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
