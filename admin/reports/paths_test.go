package reports

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/ledger"
	"tributary/schema/schematest"
)

func TestPathsEqualARecount(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(2_000, 900)
	j.store(t, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	for name, c := range map[string]struct {
		scope   Scope
		filters map[string][]string
		keep    func(*converted, *ledger.ActionRecord) bool // an action; nil: one without
	}{
		"everything":    {scope: Scope{All: true}, keep: func(*converted, *ledger.ActionRecord) bool { return true }},
		"an advertiser": {scope: Scope{AdvertiserID: "adv_1"}, keep: func(c *converted, _ *ledger.ActionRecord) bool { return c.advertiser == "adv_1" }},
		"a creator": {scope: Scope{CreatorID: "crt_3"},
			keep: func(_ *converted, a *ledger.ActionRecord) bool {
				return a != nil && a.CreatorID == "crt_3" && a.State != "reversed"
			}},
		"a campaign's platform": {scope: Scope{All: true}, filters: map[string][]string{"campaign_id": {"cmp_2"}, "platform": {"tiktok"}, "event": {"sale"}},
			keep: func(c *converted, a *ledger.ActionRecord) bool {
				return a != nil && a.CampaignID == "cmp_2" && a.Platform == "tiktok" && a.State != "reversed" && c.event == "sale"
			}},
		"nobody": {keep: func(*converted, *ledger.ActionRecord) bool { return false }},
	} {
		answer, err := reports.Paths(t.Context(), c.scope, Narrowing{Filters: c.filters}, maxPaths, reportTime)
		must(t, err)
		touches, platforms, creators := map[int64]int64{}, map[string]int64{}, map[string]int64{}
		var fromFirst, fromLast []int64
		for i := range j.conversions {
			conversion := &j.conversions[i]
			kept := c.keep(conversion, nil)
			for n := range conversion.actions {
				kept = kept || c.keep(conversion, &conversion.actions[n])
			}
			if !kept || !conversion.at.Before(reportTime.Add(15*time.Minute)) {
				continue
			}
			visits := conversion.visits()
			touches[int64(len(visits))]++
			if len(visits) == 0 {
				continue
			}
			var byPlatform, byCreator []string
			for _, v := range visits {
				platform, creator := v.platform, v.creator
				if c.scope.CreatorID != "" && creator != c.scope.CreatorID {
					platform, creator = "other", "other"
				}
				byPlatform, byCreator = append(byPlatform, platform), append(byCreator, creator)
			}
			platforms[strings.Join(slices.Compact(byPlatform), ">")]++
			creators[strings.Join(slices.Compact(byCreator), ">")]++
			fromFirst = append(fromFirst, conversion.at.Sub(visits[0].at).Milliseconds())
			fromLast = append(fromLast, conversion.at.Sub(visits[len(visits)-1].at).Milliseconds())
		}
		for _, count := range answer.Touches {
			if touches[count.Touches] != count.Conversions {
				t.Errorf("%s: %d conversions with %d touches, want %d", name, count.Conversions, count.Touches, touches[count.Touches])
			}
			delete(touches, count.Touches)
		}
		if len(touches) > 0 {
			t.Errorf("%s: numbers of touches are missing: %v", name, touches)
		}
		checkPaths(t, name+", platforms", answer.Platforms, platforms)
		checkPaths(t, name+", creators", answer.Creators, creators)
		checkTimes(t, name+", from the first", &answer.FromFirst, fromFirst)
		checkTimes(t, name+", from the last", &answer.FromLast, fromLast)
	}
}

func checkPaths(t *testing.T, name string, got []Path, want map[string]int64) {
	t.Helper()
	counts := slices.Sorted(maps.Values(want))
	slices.Reverse(counts)
	if len(got) != min(len(want), maxPaths) {
		t.Fatalf("%s: %d paths, want %d", name, len(got), len(want))
	}
	for i, path := range got {
		if key := strings.Join(path.Path, ">"); want[key] != path.Conversions || path.Conversions != counts[i] {
			t.Errorf("%s: path %d, %s, led to %d, want %d and place %d", name, i, key, path.Conversions, want[key], counts[i])
		}
	}
}

func checkTimes(t *testing.T, name string, got *TimeToConvert, took []int64) {
	t.Helper()
	slices.Sort(took)
	if len(took) == 0 {
		if got.MedianMs != nil {
			t.Errorf("%s: a median of nothing", name)
		}
		return
	}
	at := func(level float64) int64 { return took[min(len(took)-1, int(level*float64(len(took))))] }
	if *got.MedianMs != at(0.5) || *got.P90Ms != at(0.9) {
		t.Errorf("%s: median %d, p90 %d, want %d, %d", name, *got.MedianMs, *got.P90Ms, at(0.5), at(0.9))
	}
	for _, bucket := range got.Buckets {
		n := int64(0)
		for len(took) > 0 && (bucket.UpToMs == nil || took[0] < *bucket.UpToMs) {
			n, took = n+1, took[1:]
		}
		if bucket.Conversions != n {
			t.Errorf("%s: %d conversions in the bucket, want %d", name, bucket.Conversions, n)
		}
	}
}
