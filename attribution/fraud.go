package attribution

import "fmt"

// FraudFacts are what is known of a credit that may be a fraud. A fact that is
// not known is left zero, and no rule that needs it applies. Counts include the
// conversion itself.
type FraudFacts struct {
	EventAt         Instant
	ClickAt         Instant // of the credited click; 0: none, as of a code's credit
	PaidSearch      bool    // that click carried a parameter of paid search
	PaidSearchTerms bool    // and the terms, or the creator's own, allow it
	OwnPurchase     bool    // the customer's hash is one of the creator's own
	NetworkOrders   int64   // of the creator, from the network this one was reported from, in the window
	CodeUses        int64   // orders with the credited code and no click of its creator, in the window
	BorrowedUses    int64   // orders with the code by shoppers whom others' links brought, in the window
}

// A FraudSignal is what one rule says of a credit, or of a creator in a campaign.
type FraudSignal struct {
	Rule     string           `json:"rule"`
	Version  int              `json:"version" doc:"Of the rules"`
	Severity string           `json:"severity" doc:"flag or hold"`
	Reason   string           `json:"reason" doc:"What an action is held with"`
	Figures  map[string]int64 `json:"figures" doc:"What was seen, beside the threshold"`
	Sentence string           `json:"sentence"`
}

// Signals are what the rules say of a credit, in their order; nil when none
// applies. The same facts under the same policy give the same signals.
func (p *FraudPolicy) Signals(f *FraudFacts) []FraudSignal {
	var signals []FraudSignal
	for i := range fraudKinds {
		if !p[i].on() {
			continue
		}
		if figures, sentence := applyFraudRule(fraudKinds[i].name, p[i], f); sentence != "" {
			signals = append(signals, p.signal(i, figures, sentence))
		}
	}
	return signals
}

func (p *FraudPolicy) signal(kind int, figures map[string]int64, sentence string) FraudSignal {
	return FraudSignal{
		Rule: fraudKinds[kind].name, Version: FraudRulesVersion, Severity: p[kind].Action, Reason: fraudKinds[kind].reason, Figures: figures, Sentence: sentence,
	}
}

// applyFraudRule says why a rule applies; no sentence: it does not.
func applyFraudRule(name string, rule FraudRule, f *FraudFacts) (figures map[string]int64, sentence string) {
	switch name {
	case FraudTimeToSale:
		// Rounded down, so that a threshold of 10 takes in 9.999 s and not 10 s.
		seconds := int64(f.EventAt-f.ClickAt) / 1000
		if f.ClickAt == 0 || f.EventAt < f.ClickAt || seconds >= rule.Threshold {
			return nil, ""
		}
		return map[string]int64{"seconds": seconds, "threshold": rule.Threshold},
			fmt.Sprintf("The sale came %s after the click; fewer than %s is too fast for a person.", plainSeconds(seconds), plainSeconds(rule.Threshold))
	case FraudSelfPurchase:
		if !f.OwnPurchase {
			return nil, ""
		}
		return map[string]int64{}, "The customer is the creator: the order's customer id is the creator's e-mail address."
	case FraudNetworkVelocity:
		return tooMany(rule, f.NetworkOrders, "The creator has %d orders from one network in %d hours; more than %d is unusual.")
	case FraudLeakedCode:
		return tooMany(rule, f.CodeUses, "The code was used for %d orders in %d hours without a click of its creator; more than %d suggests that it has leaked.")
	case FraudBorrowedCode:
		return tooMany(rule, f.BorrowedUses, "The code was used for %d orders in %d hours by shoppers whom other creators' links brought; more than %d suggests that it is passed on.")
	case FraudClickSource:
		if !f.PaidSearch || f.PaidSearchTerms {
			return nil, ""
		}
		return map[string]int64{}, "The click carried a parameter of paid search, and the terms do not allow paid search."
	}
	return nil, "" // conversion_rate is not of one credit
}

func tooMany(rule FraudRule, orders int64, sentence string) (map[string]int64, string) {
	if orders <= rule.Threshold {
		return nil, ""
	}
	return map[string]int64{"orders": orders, "threshold": rule.Threshold, "window_hours": rule.WindowHours},
		fmt.Sprintf(sentence, orders, rule.WindowHours, rule.Threshold)
}

func plainSeconds(n int64) string {
	if n == 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", n)
}

// RateFacts are the orders that a creator's clicks in a campaign led to, within
// the window of conversion_rate and in the RateDays before it.
type RateFacts struct {
	Orders, Clicks           int64 // clicks of people
	UsualOrders, UsualClicks int64
}

// The bounds of conversion_rate: what it compares with, and below how much of
// either nothing can be told.
const (
	RateDays       = 28
	MinRateOrders  = 20
	MinUsualClicks = 100
)

// RateSignal is what conversion_rate says of a creator in a campaign. Without a
// usual order, one is taken for usual; without a click, one.
func (p *FraudPolicy) RateSignal(f RateFacts) (signal FraudSignal, applies bool) {
	rule := p[fraudRateKind]
	usual, clicks := max(f.UsualOrders, 1), max(f.Clicks, 1)
	if !rule.on() || f.Orders < MinRateOrders || f.UsualClicks < MinUsualClicks {
		return signal, false
	}
	if float64(f.Orders)*float64(f.UsualClicks) <= float64(rule.Threshold)*float64(usual)*float64(clicks) {
		return signal, false
	}
	figures := map[string]int64{
		"orders": f.Orders, "clicks": f.Clicks, "usual_orders": f.UsualOrders, "usual_clicks": f.UsualClicks,
		"threshold": rule.Threshold, "window_hours": rule.WindowHours,
	}
	return p.signal(fraudRateKind, figures, fmt.Sprintf(
		"In %d hours %d orders came of %d clicks; in the %d days before it was %d of %d. More than %d times the usual rate is suspicious.",
		rule.WindowHours, f.Orders, f.Clicks, RateDays, f.UsualOrders, f.UsualClicks, rule.Threshold)), true
}
