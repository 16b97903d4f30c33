package ledger

import (
	"context"
	"fmt"
	"math/big"

	"tributary/schema/database"
)

// An EntryRecord is an entry of the ledger as it is copied for reports: amounts
// are deltas in minor units of Currency.
type EntryRecord struct {
	Number        int64 // entries are numbered in the order of commits, with gaps
	ActionID      string
	Seq           int64 // of the action
	AtMs          int64
	Verb          string
	Role          string
	FromState     string
	ToState       string
	AdvertiserID  string
	CampaignID    string
	CreatorID     string
	TaskID        string
	LinkID        string
	PostID        string
	Code          string
	Platform      string
	Event         string
	Referral      string
	Currency      string
	EventTimeMs   int64
	ConversionID  string // empty: the action has none
	Credit        string
	Customer      string // new or returning, as far as was known; else empty
	AmountDelta   int64
	IntendedDelta int64
	PayoutDelta   int64
	CostDelta     int64
	AmountMinor   int64 // of the action, behind the entry
	PayoutMinor   int64
	CostMinor     int64
}

// Order says how much of an order the entry's action is, in billionths, and whether
// that is all of it. An adjustment and what has no conversion are none.
func (e *EntryRecord) Order() (nano int64, whole bool) {
	if e.ConversionID == "" || e.Referral == ReferralAdjustment {
		return 0, false
	}
	const billion = 1_000_000_000
	if e.Credit == "1" {
		return billion, true
	}
	credit, ok := new(big.Rat).SetString(e.Credit)
	if !ok {
		return 0, false
	}
	part, _ := new(big.Int).SetString(credit.Mul(credit, big.NewRat(billion, 1)).FloatString(0), 10)
	return part.Int64(), false
}

// Entries reads up to limit entries above a number, in order.
func (l *Ledger) Entries(ctx context.Context, after int64, limit int) ([]EntryRecord, error) {
	var entries []EntryRecord
	err := read(ctx, l.db, "ledger.entries_after", func(row scanner) error {
		var e EntryRecord
		err := row.Scan(&e.Number, &e.ActionID, &e.Seq, &e.AtMs, &e.Verb, &e.Role, &e.FromState, &e.ToState, &e.AdvertiserID, &e.CampaignID,
			&e.CreatorID, &e.TaskID, &e.LinkID, &e.PostID, &e.Code, &e.Platform, &e.Event, &e.Referral, &e.Currency, &e.EventTimeMs, &e.ConversionID,
			&e.Credit, &e.Customer, &e.AmountDelta, &e.IntendedDelta, &e.PayoutDelta, &e.CostDelta, &e.AmountMinor, &e.PayoutMinor, &e.CostMinor)
		entries = append(entries, e)
		return err
	}, after, min(max(limit, 1), maxMessages))
	return entries, err
}

// AgencyCampaigns are the campaigns of an advertiser in which an agency has a
// margin now: the advertiser does not see payouts of them.
func (l *Ledger) AgencyCampaigns(ctx context.Context, advertiserID string) ([]string, error) {
	campaigns := []string{}
	err := read(ctx, l.db, "ledger.agency_campaigns", func(row scanner) error {
		var id string
		err := row.Scan(&id)
		campaigns = append(campaigns, id)
		return err
	}, advertiserID)
	return campaigns, err
}

// read calls with for every row of a query.
func read(ctx context.Context, from database.Reader, query string, with func(scanner) error, args ...any) error {
	rows, err := from.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := with(rows); err != nil {
			return fmt.Errorf("ledger: reading %s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: reading %s: %w", query, err)
	}
	return nil
}
