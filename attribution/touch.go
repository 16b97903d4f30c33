package attribution

import "time"

// The reasons a touch, a code or a conversion earns nothing. Those of a campaign
// that was not live and of an expired link are Unpayable's.
const (
	ReasonClickForged      = "click_forged"
	ReasonClickInvalid     = "click_invalid"
	ReasonTestClick        = "test"
	ReasonNoTouch          = "no_touch"
	ReasonOutsideWindow    = "outside_window"
	ReasonCreatorNotJoined = "creator_not_joined"
	ReasonEventNotInTerms  = "event_not_in_terms"
	ReasonCustomerNotNew   = "customer_not_new"
	ReasonCurrencyMismatch = "currency_mismatch"
	ReasonCodeUnknown      = "code_unknown"
	ReasonCodeInactive     = "code_inactive"
)

// A Touch is a click that may have led to a conversion. Of a forged one nothing
// but the click id is known.
type Touch struct {
	ClickID    string
	At         Instant
	Forged     bool
	Verdict    Verdict
	Unpayable  Unpayable // as the tracker sealed it into the click id
	PaidSearch bool      // likewise: it carried a parameter of paid search
	Network    uint16    // likewise: NetworkTag of where it came from
	LinkID     string
	PostID     string
	TaskID     string
	CreatorID  string
	CampaignID string
	Platform   string
	Named      bool // by the conversion; else known of its customer
}

// A PromoCode is the code a conversion brought, where the advertiser has it.
type PromoCode struct {
	ID         string
	Code       string
	TaskID     string
	CreatorID  string
	CampaignID string
	Platform   string
	StartsAt   Instant // 0: always was
	EndsAt     Instant // 0: never ends
}

func (k *PromoCode) activeAt(at Instant) bool {
	return at >= k.StartsAt && (k.EndsAt == 0 || at < k.EndsAt)
}

// A CampaignCase is a campaign as it was around a conversion.
type CampaignCase struct {
	ID           string
	Currency     string
	Zone         *time.Location
	Terms        Terms // in force at the event time, defaults written out
	TermsVersion int
	States       []CampaignStateFrom // oldest first
	Creators     map[string]*CreatorCase
}

// A CampaignStateFrom is the state a campaign had from a moment on.
type CampaignStateFrom struct {
	From  Instant
	State CampaignState
}

// A CreatorCase is a creator's participation as it was around a conversion.
type CreatorCase struct {
	Joined   []Span // when the creator was joined
	Tier     string
	Override *TermsOverride
}

// A Span is [From, To); a zero To is open.
type Span struct{ From, To Instant }

// JoinedAt reports whether the creator was joined at a time.
func (c *CreatorCase) JoinedAt(at Instant) bool {
	if c == nil {
		return false
	}
	for _, s := range c.Joined {
		if at >= s.From && (s.To == 0 || at < s.To) {
			return true
		}
	}
	return false
}

// unpayableAt says why a touch at a moment could not earn in the campaign, or
// Payable.
func (c *CampaignCase) unpayableAt(at Instant) Unpayable {
	state := CampaignState{}
	for _, s := range c.States {
		if s.From > at && s.From != c.States[0].From {
			break
		}
		state = s.State
	}
	return state.Unpayable(int64(at))
}

// ineligible tests a touch in the order of the rules and returns the first
// failure, or "".
func (d *decider) ineligible(c *contender) string {
	t, campaign := c.touch, c.campaign
	switch {
	case t.Forged || campaign == nil:
		return ReasonClickForged
	case t.Verdict == Test:
		return ReasonTestClick
	case t.Verdict != Valid:
		return ReasonClickInvalid
	case t.At > d.conversion.EventTime:
		return ReasonNoTouch
	case d.conversion.EventTime-t.At > Instant(campaign.Terms.ClickWindowDays)*24*60*60*1000:
		return ReasonOutsideWindow
	}
	if why := campaign.unpayableAt(t.At); why != Payable {
		return why.String()
	}
	if t.Unpayable == LinkExpired {
		return LinkExpired.String()
	}
	return d.outOfTerms(campaign, c.creator)
}

// codeIneligible tests a code the same way, as of the event time.
func (d *decider) codeIneligible(code *PromoCode) string {
	if code == nil {
		return ReasonCodeUnknown
	}
	campaign := d.input.Campaigns[code.CampaignID]
	if campaign == nil || !code.activeAt(d.conversion.EventTime) {
		return ReasonCodeInactive
	}
	if why := campaign.unpayableAt(d.conversion.EventTime); why != Payable {
		return why.String()
	}
	return d.outOfTerms(campaign, campaign.Creators[code.CreatorID])
}

// outOfTerms are the tests that touches and codes share.
func (d *decider) outOfTerms(campaign *CampaignCase, creator *CreatorCase) string {
	_, inTerms := campaign.Terms.Events[d.conversion.Event]
	switch {
	case !creator.JoinedAt(d.conversion.EventTime):
		return ReasonCreatorNotJoined
	case !inTerms:
		return ReasonEventNotInTerms
	case campaign.Terms.Customers == "new" && !d.conversion.customerIsNew():
		return ReasonCustomerNotNew
	case d.inCurrency(campaign.Currency) == nil:
		return ReasonCurrencyMismatch
	}
	return ""
}
