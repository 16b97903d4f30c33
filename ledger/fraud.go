package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
)

// bookJudged makes the action of a credit that a report led to, once the rules
// against fraud were asked: an action they hold is held from the start.
func (w *writing) bookJudged(ctx context.Context, report *attribution.Report, input *attribution.Case, record *ConversionRecord, credit *attribution.Credit) (*ActionRecord, error) {
	a, err := w.actionOf(ctx, record, input.Conversion, credit)
	if err != nil {
		return nil, err
	}
	signals, err := w.suspicions(ctx, report, input, credit)
	if err != nil {
		return nil, err
	}
	var said []string
	for _, s := range signals {
		if s.Severity == attribution.FraudHold {
			a.Reasons = a.Reasons.with(s.Reason)
			said = append(said, s.Sentence)
		}
	}
	why := cause{verb: verbMade, role: roleSettler, note: strings.Join(said, " ")}
	if err := w.bookAction(ctx, a, credit.IntendedMinor, why); err != nil {
		return nil, err
	}
	for i := range signals {
		about := FraudSignal{AdvertiserID: a.AdvertiserID, CampaignID: a.CampaignID, CreatorID: a.CreatorID,
			ConversionID: textOrNil(a.ConversionID), ActionID: textOrNil(a.ID), OrderID: textOrNil(a.OrderID), FraudSignal: signals[i]}
		if err := w.keepSignal(ctx, &about); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// suspicions are what the rules of the advertiser say of a credit. What an
// administrator forced is no matter of theirs.
func (w *writing) suspicions(ctx context.Context, report *attribution.Report, input *attribution.Case, credit *attribution.Credit) ([]attribution.FraudSignal, error) {
	c := input.Conversion
	advertiser, err := w.facts.advertiser(ctx, w, c.AdvertiserID)
	if err != nil || advertiser == nil || credit.Referral == attribution.ReferralForced {
		return nil, err
	}
	policy := &advertiser.policy
	f := attribution.FraudFacts{EventAt: c.EventTime, ClickAt: credit.ClickTime}
	network := attribution.NetworkTag([]byte(report.Network))
	if i := slices.IndexFunc(input.Touches, func(t attribution.Touch) bool { return t.ClickID == credit.ClickID }); i >= 0 {
		f.PaidSearch, f.PaidSearchTerms = input.Touches[i].PaidSearch, paidSearchAllowed(input.Campaigns[credit.CampaignID], credit.CreatorID)
		network = cmp.Or(network, input.Touches[i].Network)
	}
	if _, on := policy.Rule(attribution.FraudSelfPurchase); on && c.CustomerID != "" && w.l.customerHash != nil {
		own, err := w.creatorHash(ctx, c.AdvertiserID, credit.CreatorID)
		if err != nil {
			return nil, err
		}
		f.OwnPurchase = own == c.CustomerID
	}
	if network != 0 {
		subject := fmt.Sprintf("network %04x %s", network, credit.CreatorID)
		if f.NetworkOrders, err = w.countFor(ctx, policy, attribution.FraudNetworkVelocity, c, subject); err != nil {
			return nil, err
		}
	}
	if credit.CodeID != "" {
		if err := w.countCode(ctx, policy, input, credit, &f); err != nil {
			return nil, err
		}
	}
	return policy.Signals(&f), nil
}

func paidSearchAllowed(campaign *attribution.CampaignCase, creatorID string) bool {
	if campaign.Terms.AllowPaidSearch {
		return true
	}
	creator := campaign.Creators[creatorID]
	return creator != nil && creator.Override != nil && creator.Override.AllowPaidSearch
}

// countCode counts an order of a code that no click of its creator led to.
func (w *writing) countCode(ctx context.Context, policy *attribution.FraudPolicy, input *attribution.Case, credit *attribution.Credit, f *attribution.FraudFacts) (err error) {
	c := input.Conversion
	others := false
	for i := range input.Touches {
		t := &input.Touches[i]
		switch {
		case t.Forged || t.Verdict != attribution.Valid || t.At > c.EventTime:
		case t.CreatorID == credit.CreatorID:
			return nil
		default:
			others = true
		}
	}
	if f.CodeUses, err = w.countFor(ctx, policy, attribution.FraudLeakedCode, c, "code "+credit.CodeID); err != nil || !others {
		return err
	}
	f.BorrowedUses, err = w.countFor(ctx, policy, attribution.FraudBorrowedCode, c, "borrowed "+credit.CodeID)
	return err
}

// countFor counts an order for a rule that looks at many, in the hour of its
// event, and returns how many there are in the rule's window; 0 for a rule that
// is off.
func (w *writing) countFor(ctx context.Context, policy *attribution.FraudPolicy, name string, c *attribution.Conversion, subject string) (orders int64, err error) {
	rule, on := policy.Rule(name)
	if !on {
		return 0, nil
	}
	hour := int64(c.EventTime - c.EventTime%HourMs)
	err = w.Row(ctx, "ledger.count_fraud", c.AdvertiserID, subject, hour, hour-rule.WindowHours*HourMs).Scan(&orders)
	if err != nil {
		return 0, fmt.Errorf("ledger: counting orders for a rule against fraud: %w", err)
	}
	return orders, nil
}

// creatorHash is what a creator would be as a customer of an advertiser, by
// e-mail address; "" without one. It is read once in a writing.
func (w *writing) creatorHash(ctx context.Context, advertiserID, creatorID string) (string, error) {
	key := advertiserID + creatorID
	if known, found := w.creatorHashes[key]; found {
		return known, nil
	}
	var text string
	if err := w.Row(ctx, "ledger.creator_name", creatorID).Scan(&text); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("ledger: reading a creator's e-mail address: %w", err)
	}
	var fields struct {
		Email string `json:"email"`
	}
	if text != "" {
		if err := decode(text, &fields); err != nil {
			return "", err
		}
	}
	hashed := ""
	if fields.Email != "" {
		hashed = w.l.customerHash(advertiserID, fields.Email)
	}
	if w.creatorHashes == nil {
		w.creatorHashes = map[string]string{}
	}
	w.creatorHashes[key] = hashed
	return hashed, nil
}

// tickFraud forgets counts that no window reaches back to.
func (l *Ledger) tickFraud(ctx context.Context) error {
	before := int64(l.instant()) - (attribution.MaxFraudWindowHours+24)*HourMs
	var old int64
	if err := l.db.Row(ctx, "ledger.old_fraud_counts", before).Scan(&old); err != nil || old == 0 {
		return err
	}
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		_, err := w.Exec(ctx, "ledger.forget_fraud_counts", before)
		return err
	})
}
