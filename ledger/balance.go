package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// A Balance is what a creator has earned of one advertiser in one currency, by how
// far it is from being paid. Reversed actions are in none of the sums.
type Balance struct {
	AdvertiserID string `json:"advertiser_id"`
	Currency     string `json:"currency"`
	Held         string `json:"held"`
	Pending      string `json:"pending"`
	Locked       string `json:"locked"`
	Payable      string `json:"payable" doc:"Negative when more was taken back than is to be paid: it carries over"`
	Paid         string `json:"paid"`
}

// Balances are a creator's, by advertiser and currency. An advertiser sees its
// own, without campaigns where an agency has a margin.
func (l *Ledger) Balances(ctx context.Context, scope Scope, creatorID string) ([]Balance, error) {
	given, err := l.earningsOf(ctx, scope, creatorID)
	if err != nil {
		return nil, err
	}
	rows, err := l.db.Filter(ctx, "ledger.balance", given)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	balances := []Balance{}
	for rows.Next() {
		var advertiser, currency, state string
		var minor int64
		if err := rows.Scan(&advertiser, &currency, &state, &minor); err != nil {
			return nil, fmt.Errorf("ledger: reading a balance: %w", err)
		}
		if n := len(balances); n == 0 || balances[n-1].AdvertiserID != advertiser || balances[n-1].Currency != currency {
			none := attribution.FormatMoney(0, currency)
			balances = append(balances, Balance{advertiser, currency, none, none, none, none, none})
		}
		*balances[len(balances)-1].of(state) = attribution.FormatMoney(minor, currency)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: reading a balance: %w", err)
	}
	return balances, nil
}

func (b *Balance) of(state string) *string {
	switch state {
	case Held:
		return &b.Held
	case Pending:
		return &b.Pending
	case Locked:
		return &b.Locked
	case Payable:
		return &b.Payable
	default:
		return &b.Paid
	}
}

// earningsOf is the filter of what a scope sees of a creator's earnings.
func (l *Ledger) earningsOf(ctx context.Context, scope Scope, creatorID string) (database.Given, error) {
	var fields string
	err := l.db.Row(ctx, "ledger.creator_name", creatorID).Scan(&fields)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("creator", creatorID)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a creator: %w", err)
	}
	given := database.Given{"creator_id": creatorID}
	if !scope.limit(given) {
		return nil, notFound("creator", creatorID)
	}
	if scope.advertiser() {
		if err := worksFor(ctx, l.db, creatorID, scope.AdvertiserID); err != nil {
			return nil, err
		}
		given["agency"] = 0
	}
	return given, nil
}

// worksFor refuses a creator that was never in a campaign of the advertiser, as one
// that does not exist.
func worksFor(ctx context.Context, db database.Reader, creatorID, advertiserID string) error {
	var campaigns int
	if err := db.Row(ctx, "creator.works_for", creatorID, advertiserID).Scan(&campaigns); err != nil {
		return fmt.Errorf("ledger: looking for a creator's campaigns: %w", err)
	}
	if campaigns == 0 {
		return notFound("creator", creatorID)
	}
	return nil
}

// A StatementFilter narrows a statement: every field that is given.
type StatementFilter struct {
	AdvertiserID string
	CampaignID   string
	Currency     string
	From, To     attribution.Instant // [from, to)
}

// A StatementLine is one change of a creator's pay.
type StatementLine struct {
	At           attribution.Instant `json:"at"`
	What         string              `json:"what" doc:"made, adjusted, locked, payable, paid, reversed and so on"`
	FromState    *string             `json:"from_state"`
	ToState      string              `json:"to_state"`
	Change       string              `json:"change" doc:"What this adds to the creator's earnings; a reversal takes the payout away"`
	Currency     string              `json:"currency"`
	ActionID     string              `json:"action_id"`
	AdvertiserID string              `json:"advertiser_id"`
	CampaignID   string              `json:"campaign_id"`
	TaskID       *string             `json:"task_id"`
	Event        string              `json:"event"`
	OrderID      *string             `json:"order_id"`
	Referral     string              `json:"referral"`
	PayoutID     *string             `json:"payout_id"`

	number int64
}

// Statement lists what changed of a creator's pay, oldest first. Its changes sum
// to what the balances sum to.
func (l *Ledger) Statement(ctx context.Context, scope Scope, creatorID string, f StatementFilter, p Page) (List[StatementLine], error) {
	given, err := l.earningsOf(ctx, scope, creatorID)
	if err != nil {
		return List[StatementLine]{}, err
	}
	if f.AdvertiserID != "" && scope.advertiser() && f.AdvertiserID != scope.AdvertiserID {
		return List[StatementLine]{Items: []StatementLine{}}, nil
	}
	for name, value := range map[string]string{"advertiser_id": f.AdvertiserID, "campaign_id": f.CampaignID, "currency": f.Currency} {
		if value != "" {
			given[name] = value
		}
	}
	for name, at := range map[string]attribution.Instant{"from": f.From, "to": f.To} {
		if at != 0 {
			given[name] = int64(at)
		}
	}
	return page(ctx, l.db, "ledger.statement", given, p, true, scanStatementLine, func(s StatementLine) int64 { return s.number })
}

func scanStatementLine(row scanner) (StatementLine, error) {
	var s StatementLine
	var delta, payout int64
	var from, task, order, payoutID string
	err := row.Scan(&s.number, &s.At, &s.What, &from, &s.ToState, &delta, &payout, &s.Currency, &s.ActionID, &s.AdvertiserID, &s.CampaignID, &task,
		&s.Event, &order, &s.Referral, &payoutID)
	if err != nil {
		return s, fmt.Errorf("ledger: reading a statement: %w", err)
	}
	if s.ToState == Reversed && from != Reversed { // a reversed action keeps its payout, and nobody is owed it
		delta = -payout
	}
	s.FromState, s.TaskID, s.OrderID, s.PayoutID = textOrNil(from), textOrNil(task), textOrNil(order), textOrNil(payoutID)
	s.Change = attribution.FormatMoney(delta, s.Currency)
	return s, nil
}
