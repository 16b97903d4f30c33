package ledger

import (
	"context"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// A FraudSignal is what a rule against fraud said of an action, or of a creator
// in a campaign. It is told to whoever pays, never to a creator.
type FraudSignal struct {
	ID           string              `json:"id"`
	AdvertiserID string              `json:"advertiser_id"`
	CampaignID   string              `json:"campaign_id"`
	CreatorID    string              `json:"creator_id"`
	ConversionID *string             `json:"conversion_id" doc:"null where the signal is of a creator"`
	ActionID     *string             `json:"action_id"`
	OrderID      *string             `json:"order_id"`
	At           attribution.Instant `json:"at"`
	attribution.FraudSignal

	number int64
}

// prefixSignal begins the identifier of a signal.
const prefixSignal = "sig_"

func (w *writing) keepSignal(ctx context.Context, s *FraudSignal) error {
	id, err := w.l.newID(prefixSignal, w.at)
	if err != nil {
		return err
	}
	figures, err := encode(s.Figures)
	if err != nil {
		return err
	}
	_, err = w.Exec(ctx, "ledger.insert_fraud_signal", w.next(), id, s.AdvertiserID, s.CampaignID, s.CreatorID, orEmpty(s.ConversionID),
		orEmpty(s.ActionID), orEmpty(s.OrderID), s.Rule, s.Version, s.Severity, s.Reason, figures, s.Sentence, int64(w.at))
	return err
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// A FraudFilter narrows a list of signals: every field that is given.
type FraudFilter struct {
	AdvertiserID string
	CampaignID   string
	CreatorID    string
	ConversionID string
	ActionID     string
	OrderID      string
	Rule         string
	Severity     string
	From         attribution.Instant // [from, to)
	To           attribution.Instant
}

// FraudSignals lists what the rules against fraud said, newest first. Creators
// see none of it.
func (l *Ledger) FraudSignals(ctx context.Context, scope Scope, f FraudFilter, p Page) (List[FraudSignal], error) {
	given := database.Given{
		"advertiser_id": f.AdvertiserID, "campaign_id": f.CampaignID, "creator_id": f.CreatorID, "conversion_id": f.ConversionID,
		"action_id": f.ActionID, "order_id": f.OrderID, "rule": f.Rule, "severity": f.Severity,
	}
	if f.From != 0 {
		given["from"] = int64(f.From)
	}
	if f.To != 0 {
		given["to"] = int64(f.To)
	}
	if scope.creator() || !scope.limit(given) {
		return List[FraudSignal]{Items: []FraudSignal{}}, nil
	}
	if f.ConversionID != "" || f.ActionID != "" {
		given["also_creator_id"], given["also_advertiser_id"] = given["creator_id"], given["advertiser_id"]
		delete(given, "creator_id")
		delete(given, "advertiser_id")
	}
	narrowest(given, "creator_id", "advertiser_id")
	return page(ctx, l.db, "ledger.fraud_signal_list", given, p, false, scanSignal, func(s FraudSignal) int64 { return s.number })
}

func scanSignal(row scanner) (FraudSignal, error) {
	var s FraudSignal
	var conversion, action, order, figures string
	err := row.Scan(&s.number, &s.ID, &s.AdvertiserID, &s.CampaignID, &s.CreatorID, &conversion, &action, &order, &s.Rule, &s.Version, &s.Severity,
		&s.Reason, &figures, &s.Sentence, &s.At)
	if err != nil {
		return s, fmt.Errorf("ledger: reading a signal of fraud: %w", err)
	}
	s.ConversionID, s.ActionID, s.OrderID = textOrNil(conversion), textOrNil(action), textOrNil(order)
	return s, decode(figures, &s.Figures)
}

// explainSignals are the signals that belong into an explanation, in the order
// they were given in. The bound of a page is far beyond what one action has.
func (l *Ledger) explainSignals(ctx context.Context, scope Scope, f FraudFilter) ([]FraudSignal, error) {
	list, err := l.FraudSignals(ctx, scope, f, Page{Limit: MaxLimit})
	for i, j := 0, len(list.Items)-1; i < j; i, j = i+1, j-1 {
		list.Items[i], list.Items[j] = list.Items[j], list.Items[i]
	}
	return list.Items, err
}

// signalledBy names the rules that said something of an action.
func (l *Ledger) signalledBy(ctx context.Context, actionID string) (rules []string, err error) {
	rows, err := l.db.Rows(ctx, "ledger.action_fraud_rules", actionID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var rule string
		if err := rows.Scan(&rule); err != nil {
			return nil, fmt.Errorf("ledger: reading an action's signals of fraud: %w", err)
		}
		rules = append(rules, rule)
	}
	return rules, rows.Err()
}
