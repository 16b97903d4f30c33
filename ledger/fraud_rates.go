package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/attribution"
)

// maxRateHolds bounds how many actions of a creator one signal holds; the newest
// are held.
const maxRateHolds = 1_000

// CreatorRate is what a creator's clicks in a campaign led to.
type CreatorRate struct {
	AdvertiserID string
	CampaignID   string
	CreatorID    string
	attribution.RateFacts
}

// A RateLook asks for the rates of some advertisers' creators: in the window that
// ends at To, and in the attribution.RateDays before it.
type RateLook struct {
	Advertisers []string
	From, To    attribution.Instant
}

// RatesDue says which rates are to be looked at, where every click before through
// has arrived: those of every hour's end, once. Hours that were missed are not
// caught up: the window of the last reaches back over them.
func (l *Ledger) RatesDue(ctx context.Context, through attribution.Instant) ([]RateLook, error) {
	through -= through % HourMs
	last, err := l.ratesLooked(ctx)
	if err != nil || through <= last {
		return nil, err
	}
	rows, err := l.db.Rows(ctx, "ledger.advertisers_rules")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	windows := map[int64]int{} // indexes into looks
	var looks []RateLook
	for rows.Next() {
		var id, text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, fmt.Errorf("ledger: reading advertisers' rules: %w", err)
		}
		policy, err := policyOf(text)
		if err != nil {
			return nil, err
		}
		rule, on := policy.Rule(attribution.FraudConversionRate)
		if !on {
			continue
		}
		i, known := windows[rule.WindowHours]
		if !known {
			i = len(looks)
			windows[rule.WindowHours] = i
			looks = append(looks, RateLook{From: through - attribution.Instant(rule.WindowHours*HourMs), To: through})
		}
		looks[i].Advertisers = append(looks[i].Advertisers, id)
	}
	return looks, rows.Err()
}

// ratesLooked is through which hour rates were looked at.
func (l *Ledger) ratesLooked(ctx context.Context) (attribution.Instant, error) {
	var last int64
	if err := l.db.Row(ctx, "number.last", "fraud_rates").Scan(&last); err != nil {
		return 0, fmt.Errorf("ledger: reading how far rates were looked at: %w", err)
	}
	return attribution.Instant(last), nil
}

// LookAtRates asks the rule conversion_rate about creators. One that was told of
// within the window is not told of again.
func (l *Ledger) LookAtRates(ctx context.Context, look RateLook, rates []CreatorRate) error {
	policies := map[string]attribution.FraudPolicy{}
	for i := range rates {
		policy, known := policies[rates[i].AdvertiserID]
		if !known {
			var err error
			if policy, err = l.policy(ctx, rates[i].AdvertiserID); err != nil {
				return err
			}
			policies[rates[i].AdvertiserID] = policy
		}
		if _, applies := policy.RateSignal(rates[i].RateFacts); !applies {
			continue // most are as usual, and wait for nobody's turn to write
		}
		if err := l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error { return w.lookAtRate(ctx, look, &rates[i]) }); err != nil {
			return err
		}
	}
	return nil
}

// policy reads an advertiser's rules; of one that is not there, those that look
// for nothing.
func (l *Ledger) policy(ctx context.Context, advertiserID string) (policy attribution.FraudPolicy, err error) {
	var text string
	err = l.db.Row(ctx, "ledger.advertiser", advertiserID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return policy, nil
	}
	if err != nil {
		return policy, fmt.Errorf("ledger: reading an advertiser's rules: %w", err)
	}
	return policyOf(text)
}

// RatesLooked keeps that the rates of every hour before through were looked at.
func (l *Ledger) RatesLooked(ctx context.Context, through attribution.Instant) error {
	last, err := l.ratesLooked(ctx)
	if err != nil || through < last+HourMs {
		return err
	}
	return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		_, err := w.Exec(ctx, "ledger.keep_fraud_rates", int64(through-through%HourMs))
		return err
	})
}

func (w *writing) lookAtRate(ctx context.Context, look RateLook, rate *CreatorRate) error {
	advertiser, err := w.facts.advertiser(ctx, w, rate.AdvertiserID)
	if err != nil || advertiser == nil {
		return err
	}
	signal, applies := advertiser.policy.RateSignal(rate.RateFacts)
	if !applies {
		return nil
	}
	var told int64
	err = w.Row(ctx, "ledger.fraud_rate_told", rate.CreatorID, rate.CampaignID, signal.Rule, int64(w.at-(look.To-look.From))).Scan(&told)
	if err != nil {
		return fmt.Errorf("ledger: reading whether a rate was told of: %w", err)
	}
	if told > 0 {
		return nil
	}
	about := FraudSignal{AdvertiserID: rate.AdvertiserID, CampaignID: rate.CampaignID, CreatorID: rate.CreatorID, FraudSignal: signal}
	if err := w.keepSignal(ctx, &about); err != nil || signal.Severity != attribution.FraudHold {
		return err
	}
	return w.holdClicks(ctx, look, rate, signal)
}

// holdClicks holds what a creator's clicks in a campaign earned in the window and
// is still pending.
func (w *writing) holdClicks(ctx context.Context, look RateLook, rate *CreatorRate, signal attribution.FraudSignal) error {
	var pending []*ActionRecord
	err := w.each(ctx, "ledger.creator_pending_clicks", func(row scanner) error {
		a, err := scanAction(row)
		pending = append(pending, a)
		return err
	}, rate.CreatorID, rate.CampaignID, int64(look.From), int64(look.To), maxRateHolds)
	if err != nil {
		return err
	}
	for _, a := range pending {
		was, err := w.upToDate(ctx, a)
		if err != nil {
			return err
		}
		if was.State != Pending {
			continue
		}
		now := *was
		now.State, now.Reasons = Held, was.Reasons.with(signal.Reason)
		now.remark(signal.Sentence)
		if err := w.amend(ctx, was, &now, cause{verb: verbHeld, role: roleLedger, reason: signal.Reason, note: signal.Sentence}); err != nil {
			return err
		}
	}
	return nil
}

// policyOf reads an advertiser's rules out of its fields.
func policyOf(text string) (attribution.FraudPolicy, error) {
	var fields struct {
		FraudRules *attribution.FraudRules `json:"fraud_rules"`
	}
	err := decode(text, &fields)
	return fields.FraudRules.Policy(), err
}
