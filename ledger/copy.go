package ledger

import (
	"context"
	"fmt"

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
	Currency      string
	AmountDelta   int64
	IntendedDelta int64
	PayoutDelta   int64
	CostDelta     int64
}

// Entries reads up to limit entries above a number, in order.
func (l *Ledger) Entries(ctx context.Context, after int64, limit int) ([]EntryRecord, error) {
	var entries []EntryRecord
	err := read(ctx, l.db, "ledger.entries_after", func(row scanner) error {
		var e EntryRecord
		err := row.Scan(&e.Number, &e.ActionID, &e.Seq, &e.AtMs, &e.Verb, &e.Role, &e.FromState, &e.ToState, &e.AdvertiserID, &e.CampaignID,
			&e.CreatorID, &e.Currency, &e.AmountDelta, &e.IntendedDelta, &e.PayoutDelta, &e.CostDelta)
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
