package ledger

import (
	"fmt"
	"testing"

	"tributary/attribution"
)

// Under every model the same conversions are credited, in whole, and nothing is
// kept; what a model gives is what a re-attribution by it would.
func TestUnderModels(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	ids := []string{p.both("o1", "120.01").ConversionID, p.both("o2", "0.10").ConversionID}
	for order := range 5 {
		ids = append(ids, p.both(fmt.Sprint("more", order), "30.00").ConversionID)
	}
	ids = append(ids, p.sale("o3", "50.00", "forged").ConversionID, "cnv_none")
	before := p.rows()
	payouts, amounts, credited := map[string]map[string]int64{}, map[string]int64{}, map[string]int{}
	ok(t, p.UnderModels(p.ctx, ids, func(model string, credits []attribution.Credit) error {
		if payouts[model] == nil {
			payouts[model] = map[string]int64{}
		}
		for _, c := range credits {
			payouts[model][c.CreatorID] += c.IntendedMinor
			amounts[model] += c.AmountMinor
		}
		if len(credits) > 0 {
			credited[model]++
		}
		return nil
	}))
	equal(t, "nothing is kept", p.rows(), before)
	for _, model := range Models() {
		equal(t, model+", credited", credited[model], 7)
		equal(t, model+", sale amount", amounts[model], 12_001+10+5*3_000)
		asked := p.asked(model)
		asked.DryRun = true
		for _, c := range p.replay(asked).Creators {
			equal(t, model+", as a re-attribution says", attribution.FormatMoney(payouts[model][c.CreatorID], "USD"), c.PayoutAfter)
		}
	}
	equal(t, "last", fmt.Sprint(payouts["last"][p.creator.ID], payouts["last"][p.second.ID]), "0 2701")
	equal(t, "first", fmt.Sprint(payouts["first"][p.creator.ID], payouts["first"][p.second.ID]), "2701 0")
	equal(t, "linear", fmt.Sprint(payouts["linear"][p.creator.ID], payouts["linear"][p.second.ID]), "1351 1350")
}

func BenchmarkUnderModels(b *testing.B) {
	p := newPair(b, "")
	var ids []string
	for order := range 1_000 {
		ids = append(ids, p.both(fmt.Sprint("o", order), "30.00").ConversionID)
	}
	for b.Loop() {
		ok(b, p.UnderModels(p.ctx, ids, func(string, []attribution.Credit) error { return nil }))
	}
	b.ReportMetric(float64(b.N*len(ids))/b.Elapsed().Seconds(), "conversions/s")
}
