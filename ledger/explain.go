package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
)

// An Explanation says how a conversion was decided, as data and in English.
type Explanation struct {
	ConversionID string             `json:"conversion_id"`
	ActionID     string             `json:"action_id,omitempty"`
	Sentence     string             `json:"sentence"`
	TermsVersion int64              `json:"terms_version,omitempty"`
	Trace        *attribution.Trace `json:"trace" doc:"Candidates, why each won or lost, and the rule"`
	Signals      []FraudSignal      `json:"signals,omitempty" doc:"What the rules against fraud said; creators do not see it"`
}

// ExplainConversion says who earned a conversion and why, or why nobody did.
func (l *Ledger) ExplainConversion(ctx context.Context, scope Scope, id string) (Explanation, error) {
	c, err := l.conversionRecord(ctx, scope, id)
	if err != nil {
		return Explanation{}, err
	}
	e, err := l.explain(ctx, scope, c)
	if err != nil {
		return e, err
	}
	e.Signals, err = l.explainSignals(ctx, scope, FraudFilter{ConversionID: c.ID})
	return e, err
}

// ExplainAction says why an action is whose it is, and what became of it.
func (l *Ledger) ExplainAction(ctx context.Context, scope Scope, id string) (Explanation, error) {
	a, err := l.actionRecord(ctx, scope, id)
	var e Explanation
	if err != nil {
		return e, err
	}
	if a.ConversionID == "" {
		e.Sentence = "No conversion led to this action: it was made for a " + a.Referral + "."
	} else {
		c, err := scanConversion(l.db.Row(ctx, "ledger.conversion", a.ConversionID))
		if err != nil {
			return e, err
		}
		if e, err = l.explain(ctx, scope, c); err != nil {
			return e, err
		}
	}
	e.ActionID, e.TermsVersion = a.ID, a.TermsVersion
	e.Sentence += " " + stateInWords(scope, a)
	e.Signals, err = l.explainSignals(ctx, scope, FraudFilter{ActionID: a.ID})
	return e, err
}

func (l *Ledger) explain(ctx context.Context, scope Scope, c *ConversionRecord) (Explanation, error) {
	e := Explanation{ConversionID: c.ID, Trace: &attribution.Trace{}}
	if err := decode(c.trace, e.Trace); err != nil {
		return e, err
	}
	if !scope.admin() {
		e.Trace.Replaced = nil
	}
	if scope.creator() {
		onlyOwn(e.Trace, scope.CreatorID)
	}
	names := map[string]string{}
	for i := range e.Trace.Credits {
		credit := &e.Trace.Credits[i]
		if scope.advertiser() {
			var margin int64
			if err := l.db.Row(ctx, "ledger.agency_margin", credit.CampaignID).Scan(&margin); err != nil {
				return e, fmt.Errorf("ledger: reading an agency's margin: %w", err)
			}
			if scope.hidesPayout(margin != 0) {
				credit.IntendedPayout = attribution.Amount{}
			}
		}
		if credit.CreatorID == "" {
			continue
		}
		var text string
		if err := l.db.Row(ctx, "ledger.creator_name", credit.CreatorID).Scan(&text); err != nil {
			return e, fmt.Errorf("ledger: reading a creator's name: %w", err)
		}
		var fields struct{ Name string }
		if err := decode(text, &fields); err != nil {
			return e, err
		}
		names[credit.CreatorID] = fields.Name
	}
	e.Sentence = e.Trace.Sentence(func(id string) string {
		if name := names[id]; name != "" {
			return name
		}
		return "Another creator"
	})
	return e, nil
}

// onlyOwn takes out of a trace what tells one creator of another.
func onlyOwn(trace *attribution.Trace, creatorID string) {
	if code := trace.Code; code != nil && code.CreatorID != creatorID {
		trace.Code = &attribution.CodeTrace{Code: code.Code, Credited: code.Credited, Reason: code.Reason}
	}
	for i, c := range trace.Candidates {
		if c.CreatorID != creatorID {
			trace.Candidates[i] = attribution.Candidate{Time: c.Time, Outcome: c.Outcome, Reason: c.Reason, Credit: c.Credit}
		}
	}
	for i, c := range trace.Credits {
		if c.CreatorID != creatorID {
			trace.Credits[i] = attribution.CreditTrace{Credit: c.Credit}
		}
	}
}

func stateInWords(scope Scope, a *ActionRecord) string {
	said := "It is " + a.State
	switch {
	case a.State == Reversed:
		said += ": " + strings.ReplaceAll(a.Reversal, "_", " ")
	case len(a.Reasons) > 0:
		words := make([]string, 0, len(a.Reasons))
		for _, reason := range a.Reasons {
			if word := reasonInWords(scope, reason); !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
		said += ": " + strings.Join(words, ", ")
	}
	return said + "."
}

// reasonInWords says an action's reason. A creator is told that it is looked at,
// not what for.
func reasonInWords(scope Scope, reason string) string {
	if !strings.HasPrefix(reason, "fraud_") {
		return strings.ReplaceAll(reason, "_", " ")
	}
	if scope.creator() {
		reason = ReasonFraudReview
	}
	return attribution.FraudReasonInWords(reason)
}

// An Entry is one line of the ledger: who changed an action, when, how and why.
type Entry struct {
	Seq           int64               `json:"seq"`
	At            attribution.Instant `json:"at"`
	Verb          string              `json:"verb"`
	Role          string              `json:"role" doc:"Of the key, or settler, clock or ledger"`
	KeyID         *string             `json:"key_id"`
	Reason        *string             `json:"reason"`
	Note          *string             `json:"note"`
	FromState     *string             `json:"from_state"`
	ToState       string              `json:"to_state"`
	Reasons       Reasons             `json:"reasons" doc:"The action's, behind this entry"`
	AmountDelta   string              `json:"amount_delta"`
	IntendedDelta *string             `json:"intended_payout_delta"`
	PayoutDelta   *string             `json:"payout_delta"`
	CostDelta     *string             `json:"cost_delta"`
}

// History lists the entries of an action, oldest first: their deltas sum to what
// it is.
func (l *Ledger) History(ctx context.Context, scope Scope, actionID string) ([]Entry, error) {
	a, err := l.actionRecord(ctx, scope, actionID)
	if err != nil {
		return nil, err
	}
	var margin int64
	if err := l.db.Row(ctx, "ledger.agency_margin", a.CampaignID).Scan(&margin); err != nil {
		return nil, fmt.Errorf("ledger: reading an agency's margin: %w", err)
	}
	rows, err := l.db.Rows(ctx, "ledger.entries", a.Number)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	entries := []Entry{}
	for rows.Next() {
		e, err := scanEntry(rows, a.Currency)
		if err != nil {
			return nil, err
		}
		if scope.creator() {
			e.CostDelta, e.KeyID, e.Note = nil, nil, nil
		}
		if scope.hidesPayout(margin != 0) {
			e.PayoutDelta, e.IntendedDelta = nil, nil
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

func scanEntry(row scanner, currency string) (Entry, error) {
	var e Entry
	var number, amount, intended, payout, cost int64
	var keyID, reason, note, from, reasons string
	err := row.Scan(&number, &e.Seq, &e.At, &e.Verb, &keyID, &e.Role, &reason, &note, &from, &e.ToState, &reasons, &amount, &intended, &payout, &cost)
	if err != nil {
		return e, fmt.Errorf("ledger: reading an entry: %w", err)
	}
	money := func(minor int64) *string { return new(attribution.FormatMoney(minor, currency)) }
	e.KeyID, e.Reason, e.Note, e.FromState = textOrNil(keyID), textOrNil(reason), textOrNil(note), textOrNil(from)
	e.Reasons, e.AmountDelta, e.IntendedDelta, e.PayoutDelta, e.CostDelta = reasonsOf(reasons), *money(amount), money(intended), money(payout), money(cost)
	return e, nil
}
