package ledger

import (
	"testing"

	"tributary/attribution"
)

// TestWordsThatNotEveryDatabaseHolds are refused where people write them.
func TestWordsThatNotEveryDatabaseHolds(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	id := s.soldOnce("o1")
	_, err := s.Release(s.ctx, adminScope, id, "a\x00b")
	refused(t, "a note", err, attribution.CodeValidation)
	payout := attribution.Decimal("1.00")
	_, err = s.Adjust(s.ctx, adminScope, id, Adjustment{Payout: &payout, Reason: "a\x00b"})
	refused(t, "a reason", err, attribution.CodeValidation)
	_ = must(s.Adjust(s.ctx, adminScope, id, Adjustment{Payout: &payout, Reason: "two\r\n\tlines ☃"}))(t)
	_, err = s.MarkPaid(s.ctx, adminScope, "pay_none", "bank\n1")
	refused(t, "a reference", err, attribution.CodeValidation)
}
