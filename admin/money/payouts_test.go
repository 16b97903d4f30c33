package money

import (
	"strconv"
	"strings"
	"testing"

	"tributary/attribution"
	"tributary/ledger"
)

// TestBankFilesHaveAllOrNothing reads lists of several pages, of which a file has at
// most 2,500.
func TestBankFilesHaveAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		payouts int
		refused bool
	}{{0, false}, {1, false}, {1_000, false}, {2_499, false}, {2_500, false}, {2_501, true}, {9_000, true}} {
		pages := 0
		got, err := everyPayout("", 2_500, func(p ledger.Page) (part ledger.List[ledger.CreatorPayout], err error) {
			pages++
			from, _ := strconv.Atoi(p.Cursor)
			part.Items = make([]ledger.CreatorPayout, min(p.Limit, c.payouts-from))
			if from += len(part.Items); from < c.payouts {
				part.NextCursor = strconv.Itoa(from)
			}
			return part, nil
		})
		problem, refused := attribution.AsProblem(err)
		if refused != c.refused || !refused && len(got) != c.payouts || pages > 3 {
			t.Errorf("of %d payouts the file has %d, read in %d pages: %v", c.payouts, len(got), pages, err)
		}
		if refused && (problem.Code != attribution.CodeValidation || !strings.Contains(problem.Error(), "narrow the filter")) {
			t.Errorf("%d payouts are refused by %v", c.payouts, problem)
		}
	}
}
