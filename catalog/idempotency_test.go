package catalog

import (
	"context"
	"errors"
	"testing"

	"tributary/attribution"
)

// TestRequestsThatWaitHappenOnceOutsideOfTransactions writes, in the middle of a
// request, from somewhere else: inside a transaction that would wait for itself.
func TestRequestsThatWaitHappenOnceOutsideOfTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openSQLite(t))
	done := 0
	request := func(hash string, failure error) (status int, body string, replayed bool, err error) {
		status, answer, replayed, err := w.IdempotentApart(w.ctx, admin, "once", hash, func(context.Context) (int, []byte, error) {
			done++
			if _, err := w.CreateCode(context.Background(), admin, w.task.ID, CodeFields{}); err != nil {
				t.Error(err)
			}
			if _, _, _, err := w.IdempotentApart(w.ctx, admin, "once", hash, nil); failure == nil {
				refused(t, err, attribution.CodeConflict)
			}
			return 200, []byte("answer"), failure
		})
		return status, string(answer), replayed, err
	}
	broken := errors.New("broken")
	if _, _, _, err := request("hash", broken); !errors.Is(err, broken) {
		t.Errorf("a failure is %v", err)
	}
	for i, replay := range []bool{false, true} {
		status, body, replayed, err := request("hash", nil)
		if err != nil || status != 200 || body != "answer" || replayed != replay {
			t.Errorf("request %d: %d %q, replayed %v (%v)", i, status, body, replayed, err)
		}
	}
	_, _, _, err := request("other", nil)
	refused(t, err, CodeIdempotencyMismatch)
	equal(t, "done", done, 2)
}
