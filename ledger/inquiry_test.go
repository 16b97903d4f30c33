package ledger

import (
	"strings"
	"testing"

	"tributary/attribution"
)

// missed opens an inquiry of the shop's creator.
func (s *shop) missed(order string) Inquiry {
	s.Helper()
	return must(s.OpenInquiry(s.ctx, Scope{Role: RoleCreator, CreatorID: s.creator.ID}, InquiryFields{
		TaskID: s.link.TaskID, OrderID: order, Date: Moment(s.nowMs.Load()), Amount: "100.00"}))(s)
}

// TestInquiriesPayOnce approves inquiries for orders that are credited already.
func TestInquiriesPayOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	approve := func(q Inquiry, force bool) error {
		_, err := p.ApproveInquiry(p.ctx, adminScope, q.ID, "", force)
		return err
	}
	own := p.sale("own", "100.00", p.click(p.link, attribution.Valid)).Actions[0].ID
	for _, force := range []bool{false, true} {
		err := approve(p.missed("own"), force)
		refused(t, "credited to the creator", err, attribution.CodeConflict)
		if err == nil || !strings.Contains(err.Error(), own) {
			t.Errorf("the action is not named: %v", err)
		}
		for _, q := range must(p.Inquiries(p.ctx, adminScope, InquiryFilter{OrderID: "own", State: InquiryOpen}, Page{}))(t).Items {
			must(p.RejectInquiry(p.ctx, adminScope, q.ID, "credited"))(t)
		}
	}
	ok(t, approve(p.missed("unheard"), false))
	refused(t, "approved before", approve(p.missed("unheard"), false), attribution.CodeConflict)
	must(p.Reverse(p.ctx, adminScope, own, "other", ""))(t)
	ok(t, approve(p.missed("own"), false))
	equal(t, "credited anew", p.worths("own"), "10.00 0.00")

	bens := p.sale("ben", "100.00", p.click(p.link2, attribution.Valid)).Actions[0].ID
	inquiry := p.missed("ben")
	err := approve(inquiry, false)
	refused(t, "credited to another", err, attribution.CodeConflict)
	if err == nil || !strings.Contains(err.Error(), bens) {
		t.Errorf("the action is not named: %v", err)
	}
	ok(t, approve(inquiry, true))
	equal(t, "both, since it was said", p.worths("ben"), "10.00 10.00")

	moved := p.both("moved", "100.00").Actions[0].ID
	must(p.Approve(p.ctx, adminScope, moved))(t)
	p.refund("moved", `{}`)
	ok(t, approve(p.missed("moved"), false))
	equal(t, "refunded whole", p.worths("moved"), "0.00 0.00")

	p.sale("half", "100.00", "")
	p.refund("half", `{"amount":"50.00"}`)
	ok(t, approve(p.missed("half"), false))
	equal(t, "what is left", p.worths("half"), "5.00 0.00")
	equal(t, "of the amount", p.actions("half")[0].Amount, "50.00")
}

// TestReattributionPaysNoInquiryTwice decides an order again by which an inquiry's
// creator would be credited a second time.
func TestReattributionPaysNoInquiryTwice(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	p.both("o1", "100.00")
	must(p.ApproveInquiry(p.ctx, adminScope, p.missed("o1").ID, "", true))(t)
	equal(t, "left alone", p.replay(p.asked(attribution.ModelLinear)).LeftAlone, 1)
	equal(t, "as before", p.worths("o1"), "10.00 10.00")
}
