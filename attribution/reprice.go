package attribution

import "slices"

// Reprice prices credits that were decided earlier for the conversion as it is
// now, amended by a later report or by hand: who is credited and in which share
// stays, the amounts and payouts follow. Where the credits are not the whole
// conversion, each payout is rounded by itself.
func Reprice(input *Case, credits []Credit) []Credit {
	d := &decider{input: input, conversion: input.Conversion}
	priced := slices.Clone(credits)
	weights, complete := commonWeights(priced)
	payouts := make([]exactPayout, len(priced))
	for n := range priced {
		c := &priced[n]
		campaign := input.Campaigns[c.CampaignID]
		code := c.Code
		if c.Referral == ReferralClick && input.Code != nil {
			code = input.Code.Code
		}
		c.AmountMinor = splitByWeight(d.inCurrency(campaign.Currency).AmountMinor, weights)[n]
		payouts[n] = d.payoutOf(campaign, campaign.Creators[c.CreatorID], code)
		c.IntendedMinor = payouts[n].minor(c.Share)
	}
	if complete && len(priced) > 0 {
		sharePayouts(priced, payouts, weights)
	}
	return priced
}

// commonWeights brings shares to a common denominator. What the shares leave of
// the whole is one more weight.
func commonWeights(credits []Credit) (weights []int64, complete bool) {
	den := int64(1)
	for _, c := range credits {
		den *= reduced(den, c.Share.Den).Den // the least common multiple
	}
	left := den
	for _, c := range credits {
		w := c.Share.Num * (den / c.Share.Den)
		weights = append(weights, w)
		left -= w
	}
	if left <= 0 {
		return weights, true
	}
	return append(weights, left), false
}
