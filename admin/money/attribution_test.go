package money

import (
	"fmt"
	"testing"
)

func TestReplayAttribution(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sale("o1", "100.00", "USD", "MALI")
	const path = "/v1/attribution/replay"
	body := func(more string) string {
		return fmt.Sprintf(`{"advertiser_id":%q,"from":"2027-01-01T00:00:00Z","to":"2027-02-01T00:00:00Z","terms":{"events":{"sale":{"type":"percent","rate":"0.20"}}}%s}`, s.advertiser, more)
	}
	s.equal("an advertiser may try", s.call(s.ownKey, "POST", path, body(""), 200)["changed"], 1.0)
	s.call(s.ownKey, "POST", path, body(`,"dry_run":false`), 403)
	s.call(s.strangerKey, "POST", path, body(""), 404)
	s.call(s.creatorKey, "POST", path, body(""), 403)
	s.call(s.rootKey, "POST", path, body(`,"model":"best"`), 422)
	dry := s.call(s.rootKey, "POST", path, body(""), 200)
	s.equal("dry by default", dry["dry_run"], true)
	s.equal("difference", dry["creators"].([]any)[0].(map[string]any)["payout_change"], "10.00")
	payouts := func() string {
		said := ""
		for _, a := range items(s.call(s.rootKey, "GET", "/v1/actions?order_id=o1", "", 200)) {
			said += fmt.Sprint(" ", a.(map[string]any)["payout"])
		}
		return said
	}
	s.equal("not kept", payouts(), " 10.00")
	apply := body(fmt.Sprintf(`,"dry_run":false,"run_id":%q`, dry["run_id"]))
	s.equal("changed", s.call(s.rootKey, "POST", path, apply, 200)["changed"], 1.0)
	s.equal("corrected", payouts(), " 10.00 10.00")
	s.equal("again", s.call(s.rootKey, "POST", path, apply, 200)["applied_before"], true)
	s.equal("still", payouts(), " 10.00 10.00")
	audit := items(s.call(s.rootKey, "GET", "/v1/audit-log?verb=reattribute", "", 200))
	s.equal("in the audit log", len(audit), 1)
}
