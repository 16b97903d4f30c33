package attribution

// FraudRulesVersion is the version of the rules below. It changes with every
// change of what a rule means; every signal names the version that gave it.
const FraudRulesVersion = 1

// The rules, in the order signals are given in.
const (
	FraudTimeToSale      = "time_to_sale"
	FraudSelfPurchase    = "self_purchase"
	FraudNetworkVelocity = "network_velocity"
	FraudLeakedCode      = "leaked_code"
	FraudBorrowedCode    = "borrowed_code"
	FraudConversionRate  = "conversion_rate"
	FraudClickSource     = "click_source"
)

// What a rule does with an action it applies to.
const (
	FraudOff  = "off"
	FraudFlag = "flag" // it is told, and changes nothing
	FraudHold = "hold" // the action is held until somebody releases or reverses it
)

// The reasons an action is held with for a suspicion, in the order they are
// listed. ActionFraudReview is a person's, and that of rules without their own.
const (
	ActionFraudReview      = "fraud_review"
	ActionFraudSelf        = "fraud_self_purchase"
	ActionFraudVelocity    = "fraud_velocity"
	ActionFraudLeakedCode  = "fraud_leaked_code"
	ActionFraudClickSource = "fraud_click_source"
)

// FraudRules are what an advertiser has looked for. A rule that is not given
// flags, by its default threshold and window.
type FraudRules struct {
	TimeToSale      *FraudRule `json:"time_to_sale,omitempty" doc:"A sale fewer than threshold (10) seconds after its click"`
	SelfPurchase    *FraudRule `json:"self_purchase,omitempty" doc:"The customer is the creator, by e-mail address"`
	NetworkVelocity *FraudRule `json:"network_velocity,omitempty" doc:"More than threshold (10) orders of one creator reported from one network within window_hours (24)"`
	LeakedCode      *FraudRule `json:"leaked_code,omitempty" doc:"More than threshold (50) orders with a code, without a click of its creator, within window_hours (24)"`
	BorrowedCode    *FraudRule `json:"borrowed_code,omitempty" doc:"More than threshold (5) orders with a code by shoppers whom other creators' links brought, within window_hours (24)"`
	ConversionRate  *FraudRule `json:"conversion_rate,omitempty" doc:"A creator's orders per click in a campaign within window_hours (24) are more than threshold (5) times those of the 28 days before"`
	ClickSource     *FraudRule `json:"click_source,omitempty" doc:"The click carried a parameter of paid search, which the terms do not allow"`
}

// A FraudRule is how one rule is applied.
type FraudRule struct {
	Action      string `json:"action,omitempty" doc:"off, flag (default) or hold"`
	Threshold   int64  `json:"threshold,omitempty" doc:"Where the rule has one"`
	WindowHours int64  `json:"window_hours,omitempty" doc:"Clock hours, the event's own included, where the rule has a window; at most 168"`
}

// MaxFraudWindowHours is the longest window of a rule.
const MaxFraudWindowHours = 168

// maxFraudThreshold bounds what a threshold may be.
const maxFraudThreshold = 1_000_000

// A fraudKind is what a rule is by itself: the reason it holds with, and its
// defaults. A rule without a threshold or a window has 0.
type fraudKind struct {
	name, reason string
	usual        FraudRule
}

var fraudKinds = [...]fraudKind{
	{FraudTimeToSale, ActionFraudReview, FraudRule{FraudFlag, 10, 0}},
	{FraudSelfPurchase, ActionFraudSelf, FraudRule{FraudFlag, 0, 0}},
	{FraudNetworkVelocity, ActionFraudVelocity, FraudRule{FraudFlag, 10, 24}},
	{FraudLeakedCode, ActionFraudLeakedCode, FraudRule{FraudFlag, 50, 24}},
	{FraudBorrowedCode, ActionFraudLeakedCode, FraudRule{FraudFlag, 5, 24}},
	{FraudConversionRate, ActionFraudReview, FraudRule{FraudFlag, 5, 24}},
	{FraudClickSource, ActionFraudClickSource, FraudRule{FraudFlag, 0, 0}},
}

// fraudRateKind is where conversion_rate stands: the one rule that is not of a
// credit.
const fraudRateKind = 5

// given are the rules in the order of fraudKinds; nil: by default.
func (r *FraudRules) given() [len(fraudKinds)]*FraudRule {
	if r == nil {
		return [len(fraudKinds)]*FraudRule{}
	}
	return [...]*FraudRule{r.TimeToSale, r.SelfPurchase, r.NetworkVelocity, r.LeakedCode, r.BorrowedCode, r.ConversionRate, r.ClickSource}
}

// A FraudPolicy is every rule as it is applied, defaults written out. The zero
// FraudPolicy looks for nothing.
type FraudPolicy [len(fraudKinds)]FraudRule

// Policy writes the defaults of what is not given out.
func (r *FraudRules) Policy() FraudPolicy {
	var p FraudPolicy
	for i, rule := range r.given() {
		p[i] = fraudKinds[i].usual
		if rule == nil {
			continue
		}
		p[i].Action = orDefault(rule.Action, p[i].Action)
		if rule.Threshold != 0 {
			p[i].Threshold = rule.Threshold
		}
		if rule.WindowHours != 0 {
			p[i].WindowHours = rule.WindowHours
		}
	}
	return p
}

// Rule is how a rule is applied, and whether it is at all.
func (p *FraudPolicy) Rule(name string) (rule FraudRule, on bool) {
	for i := range fraudKinds {
		if fraudKinds[i].name == name {
			return p[i], p[i].on()
		}
	}
	return rule, false
}

func (r FraudRule) on() bool { return r.Action == FraudFlag || r.Action == FraudHold }

// Check records every field of the rules that cannot be accepted, under location
// ("body.fraud_rules").
func (r *FraudRules) Check(c *Checker, location string) {
	for i, rule := range r.given() {
		if rule == nil {
			continue
		}
		kind, at := fraudKinds[i], location+"."+fraudKinds[i].name
		oneOf(c, at+".action", rule.Action, "", FraudOff, FraudFlag, FraudHold)
		if kind.usual.Threshold == 0 {
			c.Require(rule.Threshold == 0, at+".threshold", "this rule has no threshold")
		} else {
			c.Require(rule.Threshold >= 0 && rule.Threshold <= maxFraudThreshold, at+".threshold", "must be 1 to %d", maxFraudThreshold)
		}
		if kind.usual.WindowHours == 0 {
			c.Require(rule.WindowHours == 0, at+".window_hours", "this rule has no window")
		} else {
			c.Require(rule.WindowHours >= 0 && rule.WindowHours <= MaxFraudWindowHours, at+".window_hours", "must be 1 to %d", MaxFraudWindowHours)
		}
	}
}

// FraudReasonInWords says in English with which suspicion an action is held.
func FraudReasonInWords(reason string) string {
	switch reason {
	case ActionFraudSelf:
		return "the creator seems to be the customer"
	case ActionFraudVelocity:
		return "many orders came from one network"
	case ActionFraudLeakedCode:
		return "the code seems to have leaked"
	case ActionFraudClickSource:
		return "the click came from paid search"
	}
	return "somebody is to look at it"
}
