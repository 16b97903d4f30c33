package ledger

import (
	"fmt"
	"testing"
	"time"

	"tributary/attribution"
)

// TestVerdictsGivenAgain pays a creator for a click that is judged again: decisions
// to come use the new verdict at once, what was decided when it is decided again.
func TestVerdictsGivenAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	person := p.click(p.link, attribution.Valid)
	p.nowMs.Add(time.Second.Milliseconds())
	click, at := p.click(p.link2, attribution.Valid), attribution.Instant(p.nowMs.Load())
	p.sale("o1", "120.00", click, fmt.Sprintf(`"click_ids":[%q]`, person))
	equal(t, "paid", p.worths("o1"), "0.00 12.00")
	judged := func(verdict attribution.Verdict) {
		t.Helper()
		override := VerdictOverride{ClickID: click, ClickTime: at, Verdict: verdict, RulesVersion: 7, RunID: "rcl_1"}
		ok(t, p.OverrideVerdicts(p.ctx, []VerdictOverride{override}))
	}
	judged(attribution.Bot)
	equal(t, "nothing moves by itself", p.worths("o1"), "0.00 12.00")
	p.sale("o2", "100.00", click, `"note":"later"`)
	equal(t, "a sale to come", p.worths("o2"), "0.00 0.00")

	dry := p.asked("")
	dry.DryRun = true
	found := p.replay(dry)
	equal(t, "the dry run", fmt.Sprint(found.Changed, " ", p.worths("o1")), "1 0.00 12.00")
	p.replay(p.asked(""))
	equal(t, "decided again", p.worths("o1"), "12.00 0.00")

	judged(attribution.Valid)
	p.replay(p.asked(""))
	equal(t, "taken back", p.worths("o1")+" "+p.worths("o2"), "0.00 12.00 0.00 10.00")
}
