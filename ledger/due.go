package ledger

import (
	"context"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// A Due is what an advertiser owes its creators in one currency, in one state, to
// be paid at one time.
type Due struct {
	Currency string
	State    string // held, pending, locked, payable, or in_payout: in a payout that is not paid yet
	PayAt    attribution.Instant
	Payout   string
	Actions  int64

	Minor int64 // of Payout
}

// StateInPayout is the state of a Due whose payout is made and not paid.
const StateInPayout = "in_payout"

// dueStepMs is how exactly a Due knows its time: schedules end at midnights, and
// every time zone's are on a quarter of an hour.
const dueStepMs = 15 * 60 * 1000

// Due lists what an advertiser owes and has not paid, by when it is to be paid. An
// advertiser sees it without campaigns where an agency has a margin.
func (l *Ledger) Due(ctx context.Context, scope Scope, advertiserID string) ([]Due, error) {
	if !scope.manages(advertiserID) {
		return nil, notFound("advertiser", advertiserID)
	}
	given := database.Given{"advertiser_id": advertiserID}
	if scope.advertiser() {
		given["agency"] = 0
	}
	rows, err := l.db.Filter(ctx, "ledger.due", given)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	dues := []Due{}
	for rows.Next() {
		var d Due
		var step int64
		if err := rows.Scan(&d.Currency, &d.State, &step, &d.Minor, &d.Actions); err != nil {
			return nil, fmt.Errorf("ledger: reading what is due: %w", err)
		}
		d.PayAt, d.Payout = attribution.Instant(step*dueStepMs), attribution.FormatMoney(d.Minor, d.Currency)
		dues = append(dues, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: reading what is due: %w", err)
	}
	return dues, nil
}

// A PayoutPreview is what a payout run would pay one creator in one currency.
type PayoutPreview struct {
	CreatorID   string
	CreatorName string
	Currency    string
	Amount      *string // advertisers do not see it where an agency has a margin
	Actions     int64
	CarriesOver bool // it is too little, or less than nothing, and waits for more
}

// PreviewPayouts says what CreatePayouts would pay now, largest first, and what it would
// leave.
func (l *Ledger) PreviewPayouts(ctx context.Context, scope Scope, advertiserID string) ([]PayoutPreview, error) {
	if !scope.manages(advertiserID) {
		return nil, notFound("advertiser", advertiserID)
	}
	least, err := leastPayouts(ctx, l.db, advertiserID)
	if err != nil {
		return nil, err
	}
	rows, err := l.db.Rows(ctx, "ledger.payable", advertiserID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	payables := []PayoutPreview{}
	for rows.Next() {
		var p PayoutPreview
		var minor int64
		var agency bool
		var fields string
		if err := rows.Scan(&p.CreatorID, &fields, &p.Currency, &minor, &p.Actions, &agency); err != nil {
			return nil, fmt.Errorf("ledger: reading what is payable: %w", err)
		}
		var creator struct{ Name string }
		if err := decode(fields, &creator); err != nil {
			return nil, err
		}
		p.CreatorName, p.CarriesOver = creator.Name, minor <= 0 || minor < least[p.Currency]
		if !scope.hidesPayout(agency) {
			p.Amount = new(attribution.FormatMoney(minor, p.Currency))
		}
		payables = append(payables, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: reading what is payable: %w", err)
	}
	return payables, nil
}
