package ledger

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"tributary/attribution"
)

// A reattributing is a re-attribution under way.
type reattributing struct {
	Reattribution
	through  int64 // the number of the last conversion that was decided again
	begun    bool
	out      Reattributed
	creators map[creatorCurrency]*creatorSums
}

type creatorCurrency struct{ creatorID, currency string }

type creatorSums struct{ creditsBefore, creditsAfter, payoutBefore, payoutAfter, costBefore, costAfter int64 }

func newReattributing(asked Reattribution) *reattributing {
	return &reattributing{
		Reattribution: asked, creators: map[creatorCurrency]*creatorSums{},
		out: Reattributed{RunID: asked.RunID, DryRun: asked.DryRun, Items: []ReattributedConversion{}, Creators: []ReattributedCreator{}},
	}
}

// clone is a run as far as it is, to go on from again.
func (r *reattributing) clone() *reattributing {
	c := *r
	c.out.Items = slices.Clone(r.out.Items)
	c.creators = make(map[creatorCurrency]*creatorSums, len(r.creators))
	for key, sums := range r.creators {
		c.creators[key] = new(*sums)
	}
	return &c
}

// batch decides the next conversions of the run again; done is true when there are
// no more.
func (r *reattributing) batch(ctx context.Context, w *writing) (done bool, err error) {
	log, err := r.log()
	if err != nil {
		return false, err
	}
	if !r.DryRun {
		if r.through, err = r.begin(ctx, w, log); err != nil {
			return false, err
		}
		if r.through == reattributionFinished {
			r.out.AppliedBefore = !r.begun
			return true, nil
		}
	}
	r.begun = true
	var batch []*ConversionRecord
	err = w.each(ctx, "ledger.to_reattribute", func(row scanner) error {
		c, err := scanConversion(row)
		batch = append(batch, c)
		return err
	}, r.AdvertiserID, int64(r.From), int64(r.To), r.through, reattributionBatch)
	if err != nil {
		return false, err
	}
	for _, c := range batch {
		if err := r.conversion(ctx, w, c); err != nil {
			return false, err
		}
		r.through = c.Number
	}
	if done = len(batch) < reattributionBatch; done {
		r.through = reattributionFinished
	}
	if r.DryRun {
		return done, nil
	}
	_, err = w.Exec(ctx, "ledger.move_position", log, r.through, int64(w.at))
	return done, err
}

// conversion decides one conversion again.
func (r *reattributing) conversion(ctx context.Context, w *writing, c *ConversionRecord) error {
	var first attribution.Trace
	if err := decode(c.trace, &first); err != nil {
		return err
	}
	before, err := w.standing(ctx, c, &first)
	if err != nil {
		return err
	}
	conversion, decision, err := r.decide(ctx, w, c, &first)
	if problem, refused := attribution.AsProblem(err); refused {
		r.leaveAlone(c, before, problem.Error())
		return nil
	}
	if err != nil {
		return err
	}
	r.out.Conversions++
	if slices.Equal(decision.Trace.Credits, first.Credits) || !r.concerns(first.Credits) && !r.concerns(decision.Trace.Credits) {
		return nil
	}
	change := &recrediting{writing: w, run: r.RunID, record: c, conversion: conversion, first: &first, decision: decision}
	why, err := change.find(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		r.leaveAlone(c, before, why)
		return nil
	}
	if err := change.apply(ctx); err != nil {
		return err
	}
	after, err := w.standing(ctx, c, &decision.Trace)
	if err != nil {
		return err
	}
	r.tell(c, before, after)
	return nil
}

// concerns reports whether one of the credits is of a campaign in question.
func (r *reattributing) concerns(credits []attribution.CreditTrace) bool {
	return slices.ContainsFunc(credits, func(c attribution.CreditTrace) bool { return r.covers(c.CampaignID) })
}

// decide decides a conversion again, with what is overridden.
func (r *reattributing) decide(ctx context.Context, w *writing, c *ConversionRecord, first *attribution.Trace) (*attribution.Conversion, *attribution.Decision, error) {
	input, err := w.caseAgain(ctx, c, first)
	if err != nil {
		return nil, nil, err
	}
	r.override(input)
	return input.Conversion, attribution.Decide(input), nil
}

// caseAgain gathers what decides a conversion again, from the touches and the code
// of the first decision.
func (w *writing) caseAgain(ctx context.Context, c *ConversionRecord, first *attribution.Trace) (*attribution.Case, error) {
	conversion, err := c.conversion()
	if err != nil {
		return nil, err
	}
	input := &attribution.Case{Conversion: conversion, Campaigns: map[string]*attribution.CampaignCase{}}
	for i := range first.Candidates {
		if err := w.addTouch(ctx, input, first.Candidates[i].ClickID, first.Candidates[i].Named); err != nil {
			return nil, err
		}
	}
	if conversion.Code != "" {
		if err := w.addCode(ctx, input); err != nil {
			return nil, err
		}
	}
	if err := w.addForcedAgain(ctx, input, first); err != nil {
		return nil, err
	}
	if err := w.addConverted(ctx, input); err != nil {
		return nil, err
	}
	if conversion.CustomerID != "" {
		var earlier int64
		if err := w.Row(ctx, "ledger.bought_before", c.AdvertiserID, conversion.CustomerID, c.EventTimeMs, c.Number).Scan(&earlier); err != nil {
			return nil, err
		}
		conversion.CustomerBought = earlier > 0
	}
	return input, nil
}

// addForcedAgain credits by force the task that was credited so the first time.
func (w *writing) addForcedAgain(ctx context.Context, input *attribution.Case, first *attribution.Trace) error {
	if first.Rule != attribution.ReferralForced || len(first.Credits) == 0 {
		input.Conversion.ForcedCreatorID = ""
		return nil
	}
	credit := &first.Credits[0]
	input.Conversion.ForcedCreatorID = credit.CreatorID
	input.Forced = &attribution.PromoCode{TaskID: credit.TaskID, CampaignID: credit.CampaignID, CreatorID: credit.CreatorID}
	return w.addCreator(ctx, input, credit.CampaignID, credit.CreatorID)
}

// override puts the other verdicts, model and terms into a case.
func (r *reattributing) override(input *attribution.Case) {
	for i := range input.Touches {
		touch := &input.Touches[i]
		if r.Verdict == nil || touch.Forged {
			continue
		}
		if verdict, given := r.Verdict(touch.ClickID); given {
			touch.Verdict = verdict
		}
	}
	for id, campaign := range input.Campaigns {
		if !r.covers(id) {
			continue
		}
		if r.Terms != nil {
			campaign.Terms = replaceTerms(campaign.Terms, r.Terms)
		}
		if r.Model != "" {
			campaign.Terms.Model = r.Model
		}
	}
}

// replaceTerms are terms with what others give in its place.
func replaceTerms(terms attribution.Terms, by *attribution.Terms) attribution.Terms {
	terms.Events = by.Events
	if by.Groups != nil {
		terms.Groups = by.Groups
	}
	if by.Lock != nil {
		terms.Lock = by.Lock
	}
	if by.Pay != nil {
		terms.Pay = by.Pay
	}
	terms.ClickWindowDays = cmp.Or(by.ClickWindowDays, terms.ClickWindowDays)
	terms.CodePolicy = cmp.Or(by.CodePolicy, terms.CodePolicy)
	terms.Model = cmp.Or(by.Model, terms.Model)
	terms.Customers = cmp.Or(by.Customers, terms.Customers)
	return terms
}

// A standing is what one creator has of a conversion: the sums of its actions and
// their adjustments, without reversed ones.
type standing struct {
	creditKey
	credit, currency                    string
	amountMinor, payoutMinor, costMinor int64
}

// A creditKey names a credit within a conversion: there is one of each.
type creditKey struct{ campaignID, creatorID, taskID string }

func (a *ActionRecord) creditKey() creditKey { return creditKey{a.CampaignID, a.CreatorID, a.TaskID} }

func keyOf(c *attribution.CreditTrace) creditKey {
	return creditKey{c.CampaignID, c.CreatorID, c.TaskID}
}

// standing sums a conversion's actions, in the order they were made. Credits are
// those of a decision.
func (w *writing) standing(ctx context.Context, c *ConversionRecord, decided *attribution.Trace) ([]*standing, error) {
	actions, err := w.allActions(ctx, "ledger.conversion_actions", c.OrderID, c.ID)
	if err != nil {
		return nil, err
	}
	credits := map[creditKey]string{}
	for i := range decided.Credits {
		credits[keyOf(&decided.Credits[i])] = decided.Credits[i].Credit.String()
	}
	var all []*standing
	for _, a := range actions {
		if a.State == Reversed {
			continue
		}
		at := slices.IndexFunc(all, func(s *standing) bool { return s.creditKey == a.creditKey() })
		if at < 0 {
			at = len(all)
			all = append(all, &standing{creditKey: a.creditKey(), credit: cmp.Or(credits[a.creditKey()], "0"), currency: a.Currency})
		}
		s := all[at]
		s.amountMinor, s.payoutMinor, s.costMinor = s.amountMinor+a.AmountMinor, s.payoutMinor+a.PayoutMinor, s.costMinor+a.CostMinor
	}
	return all, nil
}

func viewStanding(all []*standing) []ReattributedCredit {
	views := make([]ReattributedCredit, len(all))
	for i, s := range all {
		money := func(minor int64) string { return attribution.FormatMoney(minor, s.currency) }
		views[i] = ReattributedCredit{
			CampaignID: s.campaignID, CreatorID: s.creatorID, TaskID: s.taskID, Credit: s.credit, Currency: s.currency,
			Amount: money(s.amountMinor), Payout: money(s.payoutMinor), Cost: money(s.costMinor),
		}
	}
	return views
}

func (r *reattributing) leaveAlone(c *ConversionRecord, before []*standing, why string) {
	r.out.LeftAlone++
	r.list(ReattributedConversion{ConversionID: c.ID, OrderID: c.OrderID, Event: c.Event, LeftAlone: why, Before: viewStanding(before), After: viewStanding(before)})
}

// tell adds a conversion that changed to the difference.
func (r *reattributing) tell(c *ConversionRecord, before, after []*standing) {
	r.out.Changed++
	r.list(ReattributedConversion{ConversionID: c.ID, OrderID: c.OrderID, Event: c.Event, Before: viewStanding(before), After: viewStanding(after)})
	for _, s := range before {
		sums := r.sums(s)
		sums.payoutBefore += s.payoutMinor
		sums.costBefore += s.costMinor
		if s.credit != "0" {
			sums.creditsBefore++
		}
	}
	for _, s := range after {
		sums := r.sums(s)
		sums.payoutAfter += s.payoutMinor
		sums.costAfter += s.costMinor
		if s.credit != "0" {
			sums.creditsAfter++
		}
	}
}

func (r *reattributing) list(item ReattributedConversion) {
	if len(r.out.Items) == maxReattributionItems {
		r.out.ItemsTruncated = true
		return
	}
	r.out.Items = append(r.out.Items, item)
}

func (r *reattributing) sums(s *standing) *creatorSums {
	key := creatorCurrency{s.creatorID, s.currency}
	if r.creators[key] == nil {
		r.creators[key] = &creatorSums{}
	}
	return r.creators[key]
}

// hide takes payouts of campaigns out of what was found.
func (r *reattributing) hide(campaigns []string) {
	for _, item := range r.out.Items {
		for _, credits := range [][]ReattributedCredit{item.Before, item.After} {
			for i := range credits {
				if slices.Contains(campaigns, credits[i].CampaignID) {
					credits[i].Payout = ""
				}
			}
		}
	}
	for i := range r.out.Creators { // their sums may be of several campaigns
		c := &r.out.Creators[i]
		c.PayoutBefore, c.PayoutAfter, c.PayoutChange = "", "", ""
	}
}

// result is the difference, its creators in the order of their ids, without
// payouts of hidden campaigns.
func (r *reattributing) result(hidden []string) Reattributed {
	keys := slices.SortedFunc(maps.Keys(r.creators), func(a, b creatorCurrency) int {
		return cmp.Or(cmp.Compare(a.creatorID, b.creatorID), cmp.Compare(a.currency, b.currency))
	})
	for _, key := range keys {
		s := r.creators[key]
		money := func(minor int64) string { return attribution.FormatMoney(minor, key.currency) }
		r.out.Creators = append(r.out.Creators, ReattributedCreator{
			CreatorID: key.creatorID, Currency: key.currency, CreditsBefore: s.creditsBefore, CreditsAfter: s.creditsAfter,
			PayoutBefore: money(s.payoutBefore), PayoutAfter: money(s.payoutAfter), PayoutChange: money(s.payoutAfter - s.payoutBefore),
			CostBefore: money(s.costBefore), CostAfter: money(s.costAfter),
		})
	}
	if len(hidden) > 0 {
		r.hide(hidden)
	}
	return r.out
}
