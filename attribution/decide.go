package attribution

import (
	"cmp"
	"slices"
)

// A Case is all that decides who earned a conversion.
type Case struct {
	Conversion *Conversion
	Touches    []Touch // in any order
	Code       *PromoCode
	Forced     *PromoCode // the task credited by force; its ID and Code are empty
	Campaigns  map[string]*CampaignCase
	// Converted holds the conversion in other currencies, where there is a rate.
	Converted map[string]*Conversion
}

// How a credit came about.
const (
	ReferralClick  = "click"
	ReferralCode   = "code"
	ReferralForced = "forced"
)

// A Credit is one creator's part of a conversion, before caps and budget.
type Credit struct {
	CampaignID    string
	TaskID        string
	CreatorID     string
	Platform      string
	LinkID        string
	PostID        string
	CodeID        string
	Code          string
	ClickID       string
	ClickTime     Instant
	Referral      string
	Model         string
	Share         Fraction
	Currency      string
	AmountMinor   int64
	IntendedMinor int64 // payout before caps and budget
	TermsVersion  int
	LockAt        Instant
	PayAt         Instant
}

// A Decision is who earned a conversion, or the reason nobody did.
type Decision struct {
	Credits []Credit
	Reason  string // when Credits is empty
	Trace   Trace
}

// Decide says who earned a conversion. The same case, its touches in any order,
// gives the same decision.
func Decide(input *Case) *Decision {
	d := &decider{input: input, conversion: input.Conversion}
	if input.Conversion.ForcedCreatorID != "" && input.Forced != nil {
		d.trace.Rule = ReferralForced
		return d.creditTask(input.Forced, ReferralForced)
	}
	d.sortTouches()
	d.chooseCompetitors()
	if d.codeCredited() {
		d.trace.Rule = ReferralCode
		return d.creditTask(input.Code, ReferralCode)
	}
	if len(d.competing) == 0 {
		return d.creditNobody()
	}
	d.trace.Rule = ReferralClick
	return d.creditTouches()
}

// A decider is one decision in the making.
type decider struct {
	input      *Case
	conversion *Conversion
	touches    []Touch // oldest first
	eligible   []int   // indexes into touches, oldest first
	competing  []int   // of the best tier, one per task
	model      string
	weights    []int64 // of competing
	codeWhy    string  // why the code earns nothing
	trace      Trace
}

func (d *decider) sortTouches() {
	d.touches = slices.Clone(d.input.Touches)
	slices.SortFunc(d.touches, func(a, b Touch) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ClickID, b.ClickID))
	})
	d.touches = slices.CompactFunc(d.touches, func(a, b Touch) bool { return a.ClickID == b.ClickID })
	d.trace.Candidates = make([]Candidate, len(d.touches))
	for i := range d.touches {
		t := &d.touches[i]
		d.trace.Candidates[i] = candidateOf(t)
		if why := d.ineligible(t); why != "" {
			d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Reason = OutcomeIneligible, why
			continue
		}
		d.eligible = append(d.eligible, i)
	}
}

// chooseCompetitors keeps the touches of the best tier, finds the model, and
// keeps one touch per creator and task: its latest, for first its earliest.
func (d *decider) chooseCompetitors() {
	best := worstTier
	for _, i := range d.eligible {
		best = min(best, d.tierOf(i))
	}
	var inTier []int
	for _, i := range d.eligible {
		if d.tierOf(i) == best {
			inTier = append(inTier, i)
		} else {
			d.lose(i, "lower_tier")
		}
	}
	if len(inTier) == 0 {
		return
	}
	d.model = d.campaignOf(inTier[len(inTier)-1]).Terms.Model
	for n, i := range inTier {
		others := inTier[n+1:]
		if d.model == ModelFirst {
			others = inTier[:n]
		}
		if slices.ContainsFunc(others, func(j int) bool { return d.sameTask(i, j) }) {
			d.lose(i, "same_task")
			continue
		}
		d.competing = append(d.competing, i)
	}
	touchedMs := make([]int64, len(d.competing))
	for n, i := range d.competing {
		touchedMs[n] = int64(d.touches[i].At)
	}
	d.weights = creditWeights(d.model, touchedMs, int64(d.conversion.EventTime))
}

// codeCredited reports whether the conversion's code takes the credit under its
// campaign's policy, and notes why not.
func (d *decider) codeCredited() bool {
	if d.conversion.Code == "" {
		return false
	}
	code := d.input.Code
	if d.codeWhy = d.codeIneligible(code); d.codeWhy != "" {
		d.trace.code(d.conversion.Code, d.codeWhy)
		return false
	}
	satisfied := false
	switch d.input.Campaigns[code.CampaignID].Terms.CodePolicy {
	case "involved":
		satisfied = slices.ContainsFunc(d.eligible, func(i int) bool { return d.touches[i].CreatorID == code.CreatorID })
	case "winner":
		satisfied = len(d.competing) > 0 && d.touches[d.competing[winnerOf(d.weights)]].CreatorID == code.CreatorID
	default:
		satisfied = true
	}
	if !satisfied {
		d.codeWhy = ReasonCodeNotInvolved
		d.trace.code(d.conversion.Code, d.codeWhy)
		return false
	}
	d.trace.code(d.conversion.Code, "")
	return true
}

// creditTask credits one task with the whole conversion.
func (d *decider) creditTask(task *PromoCode, referral string) *Decision {
	for _, i := range d.competing {
		d.lose(i, "code_credited")
	}
	campaign := d.input.Campaigns[task.CampaignID]
	credit := d.credit(campaign, task.CreatorID, whole)
	credit.TaskID, credit.Platform, credit.CodeID, credit.Code = task.TaskID, task.Platform, task.ID, task.Code
	credit.Referral, credit.Model = referral, campaign.Terms.Model
	conversion := d.inCurrency(campaign.Currency)
	credit.AmountMinor = conversion.AmountMinor
	credit.IntendedMinor = d.payoutOf(campaign, task.CreatorID, task.Code).minor(whole)
	return d.decided([]Credit{credit})
}

// creditTouches shares the conversion among the competing touches.
func (d *decider) creditTouches() *Decision {
	sum := int64(0)
	for _, w := range d.weights {
		sum += w
	}
	code := ""
	if d.input.Code != nil {
		code = d.input.Code.Code
	}
	var credits []Credit
	var payouts []*exactPayout
	for n, i := range d.competing {
		if d.weights[n] == 0 {
			d.lose(i, "no_credit_under_"+d.model)
			continue
		}
		t := &d.touches[i]
		campaign := d.campaignOf(i)
		credit := d.credit(campaign, t.CreatorID, reduced(d.weights[n], sum))
		credit.TaskID, credit.Platform, credit.LinkID, credit.PostID = t.TaskID, t.Platform, t.LinkID, t.PostID
		credit.ClickID, credit.ClickTime, credit.Referral, credit.Model = t.ClickID, t.At, ReferralClick, d.model
		credit.AmountMinor = splitByWeight(d.inCurrency(campaign.Currency).AmountMinor, d.weights)[n]
		credits = append(credits, credit)
		payouts = append(payouts, d.payoutOf(campaign, t.CreatorID, code))
		d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Credit = OutcomeCredited, credit.Share.String()
	}
	sharePayouts(credits, payouts, d.weights)
	return d.decided(credits)
}

// sharePayouts sets what each credit is to be paid. Where all would be paid the
// same for the whole conversion, in one currency, the parts sum to that exactly;
// else each is rounded by itself.
func sharePayouts(credits []Credit, payouts []*exactPayout, weights []int64) {
	equal := true
	for n := range credits {
		equal = equal && payouts[n].micro.Cmp(&payouts[0].micro) == 0 && credits[n].Currency == credits[0].Currency
	}
	if !equal {
		for n := range credits {
			credits[n].IntendedMinor = payouts[n].minor(credits[n].Share)
		}
		return
	}
	credited := slices.DeleteFunc(slices.Clone(weights), func(w int64) bool { return w == 0 })
	for n, part := range splitByWeight(payouts[0].minor(whole), credited) {
		credits[n].IntendedMinor = part
	}
}

// creditNobody finds the reason: that of the newest named click, else the
// code's, else that nothing was named.
func (d *decider) creditNobody() *Decision {
	reason := ReasonNoTouch
	if d.codeWhy != "" {
		reason = d.codeWhy
	}
	for i := len(d.touches) - 1; i >= 0; i-- {
		if d.touches[i].Named {
			reason = d.trace.Candidates[i].Reason
			break
		}
	}
	d.trace.Rule, d.trace.Reason = "none", reason
	return &Decision{Reason: reason, Trace: d.trace}
}

// credit is what every credit of a campaign has.
func (d *decider) credit(campaign *CampaignCase, creatorID string, share Fraction) Credit {
	lockAt := campaign.Terms.Lock.After(d.conversion.scheduleFrom(), campaign.Zone)
	return Credit{
		CampaignID: campaign.ID, CreatorID: creatorID, Share: share, Currency: campaign.Currency,
		TermsVersion: campaign.TermsVersion, LockAt: lockAt, PayAt: campaign.Terms.Pay.After(lockAt, campaign.Zone),
	}
}

func (d *decider) payoutOf(campaign *CampaignCase, creatorID, code string) *exactPayout {
	var override *TermsOverride
	if creator := campaign.Creators[creatorID]; creator != nil {
		override = creator.Override
	}
	return wholePayout(d.inCurrency(campaign.Currency), &campaign.Terms, override, code, campaign.Currency)
}

func (d *decider) decided(credits []Credit) *Decision {
	d.trace.Model = credits[0].Model
	for i := range credits {
		d.trace.Credits = append(d.trace.Credits, creditTraceOf(&credits[i]))
	}
	return &Decision{Credits: credits, Trace: d.trace}
}

// inCurrency is the conversion in a campaign's currency, or nil where there is no
// rate. A conversion without an amount is worth nothing in any.
func (d *decider) inCurrency(currency string) *Conversion {
	if d.conversion.Currency == "" || d.conversion.Currency == currency {
		return d.conversion
	}
	return d.input.Converted[currency]
}

func (d *decider) campaignOf(i int) *CampaignCase { return d.input.Campaigns[d.touches[i].CampaignID] }

func (d *decider) sameTask(i, j int) bool {
	return d.touches[i].CreatorID == d.touches[j].CreatorID && d.touches[i].TaskID == d.touches[j].TaskID
}

func (d *decider) lose(i int, why string) {
	d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Reason = OutcomeLost, why
}

// The tiers, best first.
var tiers = []string{"preferred", "standard", "low"}

const worstTier = 3

// tierOf ranks the participation of a touch's creator; 0 is the best.
func (d *decider) tierOf(i int) int {
	t := &d.touches[i]
	if rank := slices.Index(tiers, d.input.Campaigns[t.CampaignID].Creators[t.CreatorID].Tier); rank >= 0 {
		return rank
	}
	return slices.Index(tiers, "standard")
}
