package reports

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/schema"
)

// An Entry is one thing that happened to an action. Amounts are what it changed
// them by.
type Entry struct {
	ActionID     string              `json:"action_id"`
	At           attribution.Instant `json:"at"`
	Verb         string              `json:"verb"`
	FromState    *string             `json:"from_state" doc:"Null: the action was made"`
	State        string              `json:"state"`
	AdvertiserID string              `json:"advertiser_id"`
	CampaignID   string              `json:"campaign_id"`
	CreatorID    string              `json:"creator_id"`
	Currency     string              `json:"currency"`
	Amount       string              `json:"amount"`
	Payout       *string             `json:"payout" doc:"Null for an advertiser where an agency has a margin"`
	Cost         *string             `json:"cost" doc:"Null for a creator"`

	number uint64
}

// seenBy is an entry as a scope may see it. agency: an agency has a margin there.
func (e Entry) seenBy(scope Scope, agency bool) Entry {
	if scope.CreatorID != "" {
		e.Cost = nil
	}
	if agency && !scope.All && scope.CreatorID == "" {
		e.Payout = nil
	}
	return e
}

// entries are those above a number, in order. cut says that there were more than
// are shown.
func (f *follower) entries(ctx context.Context, above uint64) (entries []Entry, cut bool, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{
		"number": fmt.Sprint(above), "each": fmt.Sprint(liveEach), "limit": fmt.Sprint(liveMost),
	}))
	rows, err := f.reports.conn.Query(ctx, schema.ClickHouseQuery("live_entries"))
	if err != nil {
		return nil, false, fmt.Errorf("ask ClickHouse for live entries: %w", err)
	}
	defer rows.Close()
	each := map[string]int{}
	for rows.Next() {
		var e Entry
		var at time.Time
		var from string
		var amount, payout, cost int64
		err := rows.Scan(&e.number, &e.ActionID, &at, &e.Verb, &from, &e.State, &e.AdvertiserID, &e.CampaignID, &e.CreatorID, &e.Currency,
			&amount, &payout, &cost)
		if err != nil {
			return nil, false, fmt.Errorf("read live entries: %w", err)
		}
		paid, costs := attribution.FormatMoney(payout, e.Currency), attribution.FormatMoney(cost, e.Currency)
		e.At, e.FromState, e.Amount = attribution.InstantOf(at), orNull(from), attribution.FormatMoney(amount, e.Currency)
		e.Payout, e.Cost = &paid, &costs
		each[e.AdvertiserID]++
		cut = cut || each[e.AdvertiserID] == liveEach
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read live entries: %w", err)
	}
	cut = cut || len(entries) == liveMost
	slices.Reverse(entries)
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.number == b.number }), cut, nil
}

// tellEntries hands entries out, each as its subscriber may see it.
func (f *follower) tellEntries(ctx context.Context, at *position, watching []*Subscriber, entries []Entry) error {
	margins := map[string][]string{} // campaigns in which an agency has a margin, by advertiser
	for i := range entries {
		e := &entries[i]
		at.Entry = max(at.Entry, e.number)
		id := ""
		for _, s := range watching {
			if !s.wanted.entry(e) {
				continue
			}
			agencies, asked := margins[s.scope.AdvertiserID]
			if !asked {
				var err error
				if agencies, err = f.reports.agencies(ctx, s.scope); err != nil {
					return err
				}
				margins[s.scope.AdvertiserID] = agencies
			}
			if id == "" {
				id = f.write(at)
			}
			s.tell(Event{Type: LiveAction, ID: id, Data: mustJSON(e.seenBy(s.scope, slices.Contains(agencies, e.CampaignID)))})
		}
	}
	return nil
}
