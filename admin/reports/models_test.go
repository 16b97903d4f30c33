package reports

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema/schematest"
)

// A fixedDeciding credits each conversion by what its id says: an even one to one
// creator, others to two, under linear by halves.
type fixedDeciding struct{ asked []string }

func (d *fixedDeciding) UnderModels(_ context.Context, ids []string, with func(string, []attribution.Credit) error) error {
	d.asked = ids
	for range ids {
		for _, model := range ledger.Models() {
			credits := []attribution.Credit{{CampaignID: "cmp_1", CreatorID: "crt_1", Platform: "tiktok", Currency: "JPY", Share: attribution.Fraction{Num: 1, Den: 1}, AmountMinor: 100, IntendedMinor: 10}}
			if model != attribution.ModelLast {
				credits = nil
				for i := range int64(3) {
					credits = append(credits, attribution.Credit{CampaignID: fmt.Sprint("cmp_", i), CreatorID: fmt.Sprint("crt_", i), Platform: "tiktok", Currency: "JPY",
						Share: attribution.Fraction{Num: 1, Den: 3}, AmountMinor: []int64{34, 33, 33}[i], IntendedMinor: []int64{4, 3, 3}[i]})
				}
			}
			if err := with(model, credits); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestModelsStandSideBySide(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(2_000, 600)
	j.store(t, conn)
	reports := New(conn, upToDate{}, agencies{"cmp_2"})
	period := Narrowing{From: "2026-10-01", To: "2027-03-01"}
	deciding := &fixedDeciding{}
	answer, err := reports.Models(t.Context(), Scope{All: true}, period, []string{"creator"}, deciding, reportTime)
	must(t, err)
	if answer.Conversions != 600 || len(deciding.asked) != 600 || len(answer.Totals) != 1 || len(answer.Rows) != 3 {
		t.Fatalf("%d conversions, %d rows, %d totals", answer.Conversions, len(answer.Rows), len(answer.Totals))
	}
	for _, model := range ledger.Models() {
		total := answer.Totals[0].Models[model]
		if total.Credit != "600.000000" || total.SaleAmount != "60000" || *total.Payout != "6000" {
			t.Errorf("the total under %s is %s", model, asJSON(t, total))
		}
	}
	if row := answer.Rows[0].Models["linear"]; row.Credit != "200.000400" || row.SaleAmount != "20400" || row.Actions != 600 {
		t.Errorf("the first creator under linear has %s", asJSON(t, row))
	}
	// An advertiser does not see payouts where an agency has a margin.
	answer, err = reports.Models(t.Context(), Scope{AdvertiserID: "adv_0"}, period, nil, deciding, reportTime)
	must(t, err)
	for _, row := range answer.Rows {
		if hidden := row.Keys[0] == "cmp_2"; (row.Models["linear"].Payout == nil) != hidden {
			t.Errorf("an advertiser sees of %s %s", row.Keys[0], asJSON(t, row.Models["linear"]))
		}
	}
	if answer.Totals[0].Models["last"].Payout != nil {
		t.Error("an advertiser sees the payout of a total that holds a hidden one")
	}
	// A creator's are those it touched or was credited for, and its own rows.
	answer, err = reports.Models(t.Context(), Scope{CreatorID: "crt_1"}, period, []string{"creator", "campaign"}, deciding, reportTime)
	must(t, err)
	var want []string
	for i := range j.conversions {
		if slices.ContainsFunc(j.conversions[i].touches, func(t touchOf) bool { return t.click != nil && t.click.creator == "crt_1" }) {
			want = append(want, j.conversions[i].id)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(deciding.asked)); !slices.Equal(got, want) || len(answer.Rows) != 1 || answer.Rows[0].Keys[0] != "crt_1" {
		t.Errorf("a creator has %d conversions, want %d, and %d rows", len(got), len(want), len(answer.Rows))
	}
}
