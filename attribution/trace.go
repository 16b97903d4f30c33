package attribution

import (
	"fmt"
	"strings"
)

// What became of a candidate touch.
const (
	OutcomeCredited   = "credited"
	OutcomeLost       = "lost"
	OutcomeIneligible = "ineligible"
)

// ReasonCodeNotInvolved is why a valid code was only noted: its policy asks for a
// click of its creator.
const ReasonCodeNotInvolved = "code_not_involved"

// A Trace says how a decision came about. It is stored with every decision.
type Trace struct {
	Rule       string        `json:"rule" doc:"click, code, forced or none"`
	Model      string        `json:"model,omitempty"`
	Reason     string        `json:"reason,omitempty" doc:"Why nobody was credited"`
	Code       *CodeTrace    `json:"code,omitempty"`
	Candidates []Candidate   `json:"candidates"`
	Credits    []CreditTrace `json:"credits,omitempty"`
	// Run and Replaced are set where a re-attribution decided anew.
	Run      string `json:"run,omitempty" doc:"The re-attribution that decided anew"`
	Replaced *Trace `json:"replaced,omitempty" doc:"What was decided first; for admins"`
}

// A Candidate is one touch and what became of it.
type Candidate struct {
	ClickID    string   `json:"click_id"`
	Time       Instant  `json:"time,omitzero"`
	LinkID     string   `json:"link_id,omitempty"`
	TaskID     string   `json:"task_id,omitempty"`
	CreatorID  string   `json:"creator_id,omitempty"`
	CampaignID string   `json:"campaign_id,omitempty"`
	Platform   string   `json:"platform,omitempty"`
	Verdict    string   `json:"verdict,omitempty"`
	Named      bool     `json:"named" doc:"By the conversion; else known of its customer"`
	Outcome    string   `json:"outcome" doc:"credited, lost or ineligible"`
	Reason     string   `json:"reason,omitempty"`
	Credit     Fraction `json:"credit,omitzero"`
}

// A CodeTrace is the code a conversion brought, whose it is, and why it was only
// noted.
type CodeTrace struct {
	Code       string `json:"code"`
	Credited   bool   `json:"credited"`
	Reason     string `json:"reason,omitempty"`
	TaskID     string `json:"task_id,omitempty"`
	CreatorID  string `json:"creator_id,omitempty"`
	CampaignID string `json:"campaign_id,omitempty"`
	Platform   string `json:"platform,omitempty"`
}

// A CreditTrace is one creator's part and its arithmetic.
type CreditTrace struct {
	CreatorID      string   `json:"creator_id"`
	CampaignID     string   `json:"campaign_id"`
	TaskID         string   `json:"task_id"`
	Credit         Fraction `json:"credit"`
	Currency       string   `json:"currency"`
	Amount         Amount   `json:"amount"`
	IntendedPayout Amount   `json:"intended_payout"`
	TermsVersion   int      `json:"terms_version"`
}

// put fills in what is known of the touch.
func (c *Candidate) put(t *Touch) {
	c.ClickID, c.Named = t.ClickID, t.Named
	if !t.Forged {
		c.Time, c.LinkID, c.TaskID, c.CreatorID, c.CampaignID = t.At, t.LinkID, t.TaskID, t.CreatorID, t.CampaignID
		c.Platform, c.Verdict = t.Platform, t.Verdict.String()
	}
}

func (t *CreditTrace) put(c *Credit) {
	t.CreatorID, t.CampaignID, t.TaskID, t.Credit, t.Currency = c.CreatorID, c.CampaignID, c.TaskID, c.Share, c.Currency
	t.Amount, t.IntendedPayout = AmountOf(c.AmountMinor, c.Currency), AmountOf(c.IntendedMinor, c.Currency)
	t.TermsVersion = c.TermsVersion
}

// code notes the code of a conversion; of is nil where the advertiser has none such.
func (t *Trace) code(code string, of *PromoCode, why string) {
	t.Code = &CodeTrace{Code: code, Credited: why == "", Reason: why}
	if of != nil {
		t.Code.TaskID, t.Code.CreatorID, t.Code.CampaignID, t.Code.Platform = of.TaskID, of.CreatorID, of.CampaignID, of.Platform
	}
}

// Sentence says the decision in English. name turns an identifier into what a
// reader knows it by.
func (t *Trace) Sentence(name func(id string) string) string {
	if len(t.Credits) == 0 {
		return fmt.Sprintf("Nobody earned this conversion: %s.", reasonInWords(t.Reason))
	}
	parts := make([]string, len(t.Credits))
	for i, c := range t.Credits {
		if c.IntendedPayout == (Amount{}) { // hidden from the reader
			parts[i] = fmt.Sprintf("%s is credited with %s", name(c.CreatorID), saleInWords(c.Credit))
			continue
		}
		parts[i] = fmt.Sprintf("%s earns %s %s for %s", name(c.CreatorID), c.IntendedPayout, c.Currency, saleInWords(c.Credit))
	}
	return strings.Join(parts, ", ") + ": " + t.ruleInWords() + "."
}

func (t *Trace) ruleInWords() string {
	switch t.Rule {
	case ReferralForced:
		return "credited by an administrator"
	case ReferralCode:
		return "the shopper used the code " + t.Code.Code
	}
	eligible, lost := 0, 0
	for _, c := range t.Candidates {
		switch c.Outcome {
		case OutcomeIneligible:
			lost++
		default:
			eligible++
		}
	}
	words := modelInWords(t.Model, eligible)
	switch {
	case lost == 1:
		words += "; 1 other click does not count"
	case lost > 1:
		words += fmt.Sprintf("; %d other clicks do not count", lost)
	}
	return words
}

// modelInWords says who a model credits of so many clicks that count.
func modelInWords(model string, clicks int) string {
	if clicks == 1 {
		return "it was the only click that counts"
	}
	who := map[string]string{
		"last": "the last of %d clicks that count", "first": "the first of %d clicks that count", "linear": "%d clicks share it equally",
		"position": "%d clicks share it, most of it the first and the last", "time_decay": "%d clicks share it, the later the more",
	}[model]
	if who == "" {
		return fmt.Sprintf("by the model %s over %d clicks", model, clicks)
	}
	return fmt.Sprintf(who, clicks)
}

func saleInWords(credit Fraction) string {
	if credit == whole {
		return "the sale"
	}
	return credit.String() + " of the sale"
}

func reasonInWords(reason string) string {
	words := map[string]string{
		ReasonNoTouch:               "no click and no code led to it",
		ReasonClickForged:           "its click id is forged or altered",
		ReasonClickInvalid:          "its click was not a person's",
		ReasonTestClick:             "its click was a test",
		ReasonOutsideWindow:         "its click is older than the click window",
		ReasonCreatorNotJoined:      "the creator had not joined the campaign",
		ReasonEventNotInTerms:       "the terms do not pay for this event",
		ReasonCustomerNotNew:        "the terms pay for new customers only",
		ReasonCurrencyMismatch:      "there is no rate from its currency to the campaign's",
		ReasonCodeUnknown:           "no creator has its code",
		ReasonCodeInactive:          "its code was not active",
		ReasonCodeNotInvolved:       "no click of the code's creator led to it",
		CampaignNotStarted.String(): "the campaign had not started at the click",
		CampaignEnded.String():      "the campaign had ended at the click",
		CampaignDraft.String():      "the campaign was not approved at the click",
		CampaignPaused.String():     "the campaign was paused at the click",
		CampaignClosed.String():     "the campaign was closed at the click",
		LinkExpired.String():        "the link had expired at the click",
	}
	if said, known := words[reason]; known {
		return said
	}
	return reason
}
