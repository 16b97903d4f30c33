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
	d := decider{input: input, conversion: input.Conversion}
	if input.Conversion.ForcedCreatorID != "" && input.Forced != nil {
		if d.inCurrency(input.Campaigns[input.Forced.CampaignID].Currency) == nil {
			d.codeWhy = ReasonCurrencyMismatch
			return d.creditNobody()
		}
		d.trace.Rule = ReferralForced
		return d.creditTask(input.Forced, ReferralForced)
	}
	var contenders [usualTouches]contender
	var numbers [2 * usualTouches]int
	d.contenders, d.eligible, d.competing = contenders[:0], numbers[:0:usualTouches], numbers[usualTouches:usualTouches]
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
	contenders []contender // oldest first
	eligible   []int       // indexes into contenders, oldest first
	competing  []int       // of the best tier, one per task
	model      string
	weights    []int64 // of competing
	codeWhy    string  // why the code, or a forced credit, earns nothing
	trace      Trace
	due        campaignSchedule // of the campaign that was credited last
}

// A contender is a touch and what it is judged by.
type contender struct {
	touch    *Touch
	campaign *CampaignCase // nil: none that is known
	creator  *CreatorCase  // nil: never took part
	tier     int           // of an eligible one; 0 is the best
}

// usualTouches is how many touches a decision has room for before it asks for
// more.
const usualTouches = 8

// sortTouches puts the touches in order, each once, and tests them.
func (d *decider) sortTouches() {
	for i := range d.input.Touches {
		d.contenders = append(d.contenders, contender{touch: &d.input.Touches[i]})
	}
	slices.SortFunc(d.contenders, func(a, b contender) int {
		return cmp.Or(cmp.Compare(a.touch.At, b.touch.At), cmp.Compare(a.touch.ClickID, b.touch.ClickID), namedFirst(a.touch.Named, b.touch.Named))
	})
	d.contenders = slices.CompactFunc(d.contenders, func(a, b contender) bool { return a.touch.ClickID == b.touch.ClickID })
	d.trace.Candidates = make([]Candidate, len(d.contenders))
	for i := range d.contenders {
		c := &d.contenders[i]
		if c.campaign = d.input.Campaigns[c.touch.CampaignID]; c.campaign != nil {
			c.creator = c.campaign.Creators[c.touch.CreatorID]
		}
		d.trace.Candidates[i].put(c.touch)
		if why := d.ineligible(c); why != "" {
			d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Reason = OutcomeIneligible, why
			continue
		}
		c.tier = c.creator.tier()
		d.eligible = append(d.eligible, i)
	}
}

func namedFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// chooseCompetitors keeps the touches of the best tier, finds the model, and
// keeps one touch per creator and task: its latest, for first its earliest.
func (d *decider) chooseCompetitors() {
	best, latest := worstTier, -1
	for _, i := range d.eligible {
		if tier := d.contenders[i].tier; tier <= best {
			best, latest = tier, i
		}
	}
	if latest < 0 {
		return
	}
	d.model = d.contenders[latest].campaign.Terms.Model
	for n, i := range d.eligible {
		if d.contenders[i].tier != best {
			d.lose(i, "lower_tier")
			continue
		}
		others := d.eligible[n+1:]
		if d.model == ModelFirst {
			others = d.eligible[:n]
		}
		if d.alsoOf(others, i) {
			d.lose(i, "same_task")
			continue
		}
		d.competing = append(d.competing, i)
	}
	var memory [usualTouches]int64
	touchedMs := memory[:0]
	for _, i := range d.competing {
		touchedMs = append(touchedMs, int64(d.contenders[i].touch.At))
	}
	d.weights = creditWeights(d.model, touchedMs, int64(d.conversion.EventTime))
}

// alsoOf reports whether others have a touch of the same tier, creator and task.
func (d *decider) alsoOf(others []int, i int) bool {
	c := &d.contenders[i]
	for _, n := range others {
		other := &d.contenders[n]
		if other.tier == c.tier && other.touch.TaskID == c.touch.TaskID && other.touch.CreatorID == c.touch.CreatorID {
			return true
		}
	}
	return false
}

// codeCredited reports whether the conversion's code takes the credit under its
// campaign's policy, and notes why not.
func (d *decider) codeCredited() bool {
	if d.conversion.Code == "" {
		return false
	}
	code := d.input.Code
	if d.codeWhy = d.codeIneligible(code); d.codeWhy != "" {
		d.trace.code(d.conversion.Code, code, d.codeWhy)
		return false
	}
	satisfied := false
	switch d.input.Campaigns[code.CampaignID].Terms.CodePolicy {
	case "involved":
		satisfied = slices.ContainsFunc(d.eligible, func(i int) bool { return d.contenders[i].touch.CreatorID == code.CreatorID })
	case "winner":
		satisfied = len(d.competing) > 0 && d.contenders[d.competing[winnerOf(d.weights)]].touch.CreatorID == code.CreatorID
	default:
		satisfied = true
	}
	if !satisfied {
		d.codeWhy = ReasonCodeNotInvolved
		d.trace.code(d.conversion.Code, code, d.codeWhy)
		return false
	}
	d.trace.code(d.conversion.Code, code, "")
	return true
}

// creditTask credits one task with the whole conversion.
func (d *decider) creditTask(task *PromoCode, referral string) *Decision {
	for _, i := range d.competing {
		d.lose(i, "code_credited")
	}
	campaign := d.input.Campaigns[task.CampaignID]
	credits := make([]Credit, 1)
	credit := &credits[0]
	d.fill(credit, campaign, task.CreatorID, whole)
	credit.TaskID, credit.Platform, credit.CodeID, credit.Code = task.TaskID, task.Platform, task.ID, task.Code
	credit.Referral, credit.Model = referral, campaign.Terms.Model
	credit.AmountMinor = d.inCurrency(campaign.Currency).AmountMinor
	credit.IntendedMinor = d.payoutOf(campaign, campaign.Creators[task.CreatorID], task.Code).minor(whole)
	return d.decided(credits)
}

// creditTouches shares the conversion among the competing touches.
func (d *decider) creditTouches() *Decision {
	sum, credited := int64(0), 0
	for _, w := range d.weights {
		sum += w
		if w != 0 {
			credited++
		}
	}
	code := ""
	if d.input.Code != nil {
		code = d.input.Code.Code
	}
	credits := make([]Credit, 0, credited)
	var payoutMemory [usualTouches]exactPayout
	var amountMemory [usualTouches]int64
	payouts, amounts := payoutMemory[:0], amountMemory[:0]
	var before *contender // the one credited before, whose payout may be the same
	for n, i := range d.competing {
		if d.weights[n] == 0 {
			d.lose(i, "no_credit_under_"+d.model)
			continue
		}
		c := &d.contenders[i]
		if before == nil || before.campaign.Currency != c.campaign.Currency {
			amounts = appendSplit(amounts[:0], d.inCurrency(c.campaign.Currency).AmountMinor, d.weights)
		}
		if before != nil && before.campaign == c.campaign && before.creator.Override == c.creator.Override {
			payouts = append(payouts, payouts[len(payouts)-1])
		} else {
			payouts = append(payouts, d.payoutOf(c.campaign, c.creator, code))
		}
		credits = credits[:len(credits)+1]
		credit, t := &credits[len(credits)-1], c.touch
		d.fill(credit, c.campaign, t.CreatorID, reduced(d.weights[n], sum))
		credit.TaskID, credit.Platform, credit.LinkID, credit.PostID = t.TaskID, t.Platform, t.LinkID, t.PostID
		credit.ClickID, credit.ClickTime, credit.Referral, credit.Model = t.ClickID, t.At, ReferralClick, d.model
		credit.AmountMinor = amounts[n]
		d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Credit = OutcomeCredited, credit.Share
		before = c
	}
	sharePayouts(credits, payouts, d.weights)
	return d.decided(credits)
}

// sharePayouts sets what each credit is to be paid. Where all would be paid the
// same for the whole conversion, in one currency, the parts sum to that exactly;
// else each is rounded by itself.
func sharePayouts(credits []Credit, payouts []exactPayout, weights []int64) {
	equal := true
	for n := range credits {
		equal = equal && payouts[n] == payouts[0] && credits[n].Currency == credits[0].Currency
	}
	if !equal {
		for n := range credits {
			credits[n].IntendedMinor = payouts[n].minor(credits[n].Share)
		}
		return
	}
	var memory [2 * usualTouches]int64
	credited := memory[:0:usualTouches]
	for _, w := range weights {
		if w != 0 {
			credited = append(credited, w)
		}
	}
	for n, part := range appendSplit(memory[usualTouches:usualTouches], payouts[0].minor(whole), credited) {
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
	for i := range slices.Backward(d.contenders) {
		if d.contenders[i].touch.Named {
			reason = d.trace.Candidates[i].Reason
			break
		}
	}
	d.trace.Rule, d.trace.Reason = "none", reason
	return &Decision{Reason: reason, Trace: d.trace}
}

// fill puts in what every credit of a campaign has.
func (d *decider) fill(credit *Credit, campaign *CampaignCase, creatorID string, share Fraction) {
	if d.due.campaign != campaign {
		lockAt := campaign.Terms.Lock.After(d.conversion.scheduleFrom(), campaign.Zone)
		d.due = campaignSchedule{campaign, lockAt, campaign.Terms.Pay.After(lockAt, campaign.Zone)}
	}
	credit.CampaignID, credit.CreatorID, credit.Share, credit.Currency = campaign.ID, creatorID, share, campaign.Currency
	credit.TermsVersion, credit.LockAt, credit.PayAt = campaign.TermsVersion, d.due.lockAt, d.due.payAt
}

// A campaignSchedule is when the conversion's actions of a campaign are due.
type campaignSchedule struct {
	campaign      *CampaignCase
	lockAt, payAt Instant
}

func (d *decider) payoutOf(campaign *CampaignCase, creator *CreatorCase, code string) exactPayout {
	var override *TermsOverride
	if creator != nil {
		override = creator.Override
	}
	return wholePayout(d.inCurrency(campaign.Currency), &campaign.Terms, override, code, campaign.Currency)
}

func (d *decider) decided(credits []Credit) *Decision {
	d.trace.Model = credits[0].Model
	d.trace.Credits = make([]CreditTrace, len(credits))
	for i := range credits {
		d.trace.Credits[i].put(&credits[i])
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

func (d *decider) lose(i int, why string) {
	d.trace.Candidates[i].Outcome, d.trace.Candidates[i].Reason = OutcomeLost, why
}

const worstTier = 3

// tier ranks the participation; 0 is the best.
func (c *CreatorCase) tier() int {
	switch c.Tier {
	case "preferred":
		return 0
	case "low":
		return 2
	default:
		return 1
	}
}
