package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tributary/attribution"
)

// TestALogOlderThanWhatWasSettledFromItIsRefused restores the disk of a log from a
// backup while the database lives on.
func TestALogOlderThanWhatWasSettledFromItIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t, "")
	click := s.click(s.link, attribution.Valid)
	dir := t.TempDir()
	live, backup := filepath.Join(dir, "live"), filepath.Join(dir, "backup")
	orders := func(from, to int) {
		t.Helper()
		log := openSpool(t, live)
		settler := NewSettler(s.Ledger, log, SettlerOptions{})
		_ = must(settler.Check(s.ctx))(t)
		var all []*attribution.Report
		for i := from; i < to; i++ {
			all = append(all, s.report(fmt.Sprintf(`{"event":"sale","order_id":"o%d","amount":"1.00","currency":"USD","click_id":%q}`, i, click)))
		}
		ok(t, log.take(all...))
		records, _, through, err := log.Next(soon(t), 100)
		ok(t, err)
		equal(t, "records", len(records), len(all))
		_ = must(s.Settle(s.ctx, Batch{log.Identity(), through, all}))(t)
		ok(t, log.Commit(through))
		ok(t, log.Close())
	}
	orders(0, 3)
	ok(t, os.CopyFS(backup, os.DirFS(live)))
	orders(3, 8)
	restored := openSpool(t, backup)
	if err := NewSettler(s.Ledger, restored, SettlerOptions{}).Run(soon(t)); !errors.Is(err, ErrOlderLog) {
		t.Errorf("the settler ended with %v", err)
	}
}
