package ledger

import (
	"fmt"
	"testing"

	"tributary/attribution"
)

// TestWhatIsOwed follows a sale from pending into a payout, and holds the preview of
// a payout run to the run.
func TestWhatIsOwed(t *testing.T) {
	t.Parallel()
	for _, agency := range []bool{false, true} {
		more := ""
		if agency {
			more = `{"agency_margin_rate":"0.10"}`
		}
		s := newShop(t, more)
		own := Scope{Role: RoleAdvertiser, AdvertiserID: s.advertiser.ID}
		owed := func(scope Scope) (said string) {
			for _, d := range must(s.Due(s.ctx, scope, s.advertiser.ID))(t) {
				said += fmt.Sprint(d.State, " ", d.Payout, " ", d.PayAt)
			}
			return said
		}
		a := must(s.Ledger.Action(s.ctx, adminScope, s.soldOnce("o1")))(t)
		equal(t, "pending", owed(adminScope), "pending 12.00 "+a.PayAt.String())
		equal(t, "an advertiser sees what is owed where no agency has a margin", owed(own) != "", !agency)
		equal(t, "nothing is payable", len(must(s.PreviewPayouts(s.ctx, own, s.advertiser.ID))(t)), 0)
		s.advance(12 * day)
		preview := must(s.PreviewPayouts(s.ctx, own, s.advertiser.ID))(t)
		equal(t, "one is paid", len(preview), 1)
		equal(t, "its amount is seen", preview[0].Amount != nil, !agency)
		equal(t, "its name and actions", fmt.Sprint(preview[0].CreatorName, preview[0].Actions, preview[0].CarriesOver), "Ana1 false")
		all := must(s.PreviewPayouts(s.ctx, adminScope, s.advertiser.ID))(t)
		made := must(s.CreatePayouts(s.ctx, adminScope, PayoutRequest{AdvertiserID: s.advertiser.ID}))(t)
		equal(t, "the run pays what was previewed", *made[0].Amount, *all[0].Amount)
		equal(t, "in a payout", owed(adminScope), "in_payout 12.00 "+a.PayAt.String())
		equal(t, "nothing is payable twice", len(must(s.PreviewPayouts(s.ctx, own, s.advertiser.ID))(t)), 0)
		must(s.MarkPaid(s.ctx, adminScope, made[0].ID, ""))(t)
		equal(t, "paid", owed(adminScope), "")
		for _, stranger := range []Scope{{}, {Role: RoleAdvertiser, AdvertiserID: "adv_x"}, {Role: RoleCreator, CreatorID: s.creator.ID}} {
			_, err := s.Due(s.ctx, stranger, s.advertiser.ID)
			refused(t, "a stranger's dues", err, attribution.CodeNotFound)
			_, err = s.PreviewPayouts(s.ctx, stranger, s.advertiser.ID)
			refused(t, "a stranger's preview", err, attribution.CodeNotFound)
		}
	}
}
