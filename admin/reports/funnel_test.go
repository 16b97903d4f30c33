package reports

import (
	"maps"
	"testing"
	"time"

	"tributary/schema/schematest"
)

// TestTheFunnelReconciles counts every click's way by hand, and checks that every
// step is the one before less what it lost with what joined.
func TestTheFunnelReconciles(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(3_000, 900)
	j.store(t, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	from, to := time.Date(2026, 10, 24, 18, 30, 0, 0, time.UTC), time.Date(2026, 11, 2, 18, 30, 0, 0, time.UTC) // days of Kolkata
	for name, c := range map[string]struct {
		scope   Scope
		filters map[string][]string
		groupBy string
		keep    func(*stored) bool
		key     func(*stored) string
	}{
		"everything":    {scope: Scope{All: true}, keep: func(*stored) bool { return true }},
		"by platform":   {scope: Scope{All: true}, groupBy: "platform", keep: func(*stored) bool { return true }, key: func(c *stored) string { return c.platform }},
		"an advertiser": {scope: Scope{AdvertiserID: "adv_1"}, groupBy: "creator", keep: func(c *stored) bool { return c.advertiser == "adv_1" }, key: func(c *stored) string { return c.creator }},
		"a creator":     {scope: Scope{CreatorID: "crt_3"}, keep: func(c *stored) bool { return c.creator == "crt_3" }},
		"a campaign": {scope: Scope{All: true}, filters: map[string][]string{"campaign_id": {"cmp_2"}, "platform": {"tiktok", "youtube"}},
			keep: func(c *stored) bool { return c.campaign == "cmp_2" && c.platform != "instagram" }},
		"nobody": {keep: func(*stored) bool { return false }},
	} {
		answer, err := reports.Funnel(t.Context(), c.scope, Narrowing{From: "2026-10-25", To: "2026-11-03", TZ: "Asia/Kolkata", Filters: c.filters}, c.groupBy, reportTime)
		must(t, err)
		want, groups := map[string]int64{}, map[string]map[string]int64{}
		for i := range j.clicks {
			click := &j.clicks[i]
			if click.at.Before(from) || !click.at.Before(to) || !c.keep(click) {
				continue
			}
			key := ""
			if c.key != nil {
				key = c.key(click)
			}
			if groups[key] == nil {
				groups[key] = map[string]int64{}
			}
			for step := range j.stepsOf(i) {
				want[step]++
				groups[key][step]++
			}
		}
		check := func(what string, steps []FunnelStep, want map[string]int64) {
			t.Helper()
			for i, step := range steps {
				if step.Clicks != want[step.Step] {
					t.Errorf("%s, %s: %d clicks at %s, want %d", name, what, step.Clicks, step.Step, want[step.Step])
				}
				if i == 0 {
					continue
				}
				sum := steps[i-1].Clicks
				for _, lost := range steps[i-1].Lost {
					sum -= lost.Clicks
				}
				for _, joined := range step.Joined {
					sum += joined.Clicks
				}
				if sum != step.Clicks {
					t.Errorf("%s, %s: %s has %d clicks, and what was lost and joined makes %d: %+v %+v", name, what, step.Step, step.Clicks, sum, steps[i-1], step)
				}
			}
		}
		check("total", answer.Total, want)
		if c.key != nil && len(answer.Rows) != len(groups) {
			t.Errorf("%s: %d groups, want %d", name, len(answer.Rows), len(groups))
		}
		for _, row := range answer.Rows {
			check(row.Key, row.Steps, groups[row.Key])
		}
	}
	lost := map[string]int64{}
	answer, err := reports.Funnel(t.Context(), Scope{All: true}, Narrowing{}, "", reportTime)
	must(t, err)
	for _, step := range answer.Total {
		for _, l := range step.Lost {
			lost[l.Reason] += l.Clicks
		}
	}
	for _, reason := range []string{"bot", "preview", "repeat", "not_landed", "not_converted", "outside_window", "same_task", "held", "reversed"} {
		if lost[reason] == 0 {
			t.Errorf("nothing is lost by %s: %v", reason, lost)
		}
	}
}

// stepsOf are the steps a click came to.
func (j *journey) stepsOf(i int) map[string]bool {
	click := &j.clicks[i]
	steps := map[string]bool{"hits": true}
	if click.verdict == "valid" {
		steps["valid"] = true
		steps["unique"] = click.unique
	}
	steps["landed"] = j.landed[i]
	for _, c := range j.conversions {
		for _, touch := range c.touches {
			if touch.click == click && !click.at.After(c.at) {
				steps["converted"] = true
				steps["credited"] = steps["credited"] || touch.outcome == "credited"
			}
		}
		for _, a := range c.actions {
			if a.ClickID == click.id && a.State == "paid" {
				steps["paid"] = true
			}
		}
	}
	maps.DeleteFunc(steps, func(_ string, came bool) bool { return !came })
	return steps
}
