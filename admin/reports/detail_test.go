package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
	"tributary/schema/schematest"
)

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A converted is a conversion of the test data with what led to it.
type converted struct {
	id, advertiser, event, customer, code, codeOwner string
	at                                               time.Time
	touches                                          []touchOf
	actions                                          []ledger.ActionRecord
}

type touchOf struct {
	click           *stored // nil: forged
	outcome, reason string
}

// A journey is shoppers' way through it all: clicks, landings, conversions.
type journey struct {
	clicks      []stored
	landed      map[int]bool // by index of the click
	conversions []converted
}

// drawJourney draws conversions of clicks, weeks after some of them, with codes,
// customers, forged and late touches, and actions in every state.
func drawJourney(clicks, conversions int) *journey {
	random := rand.New(rand.NewPCG(23, 29))
	j := &journey{clicks: generate(clicks), landed: map[int]bool{}}
	for i := range j.clicks {
		if random.IntN(4) == 0 {
			j.landed[i] = true
		}
	}
	for n := range conversions {
		advertiser := random.IntN(2)
		c := converted{id: fmt.Sprintf("cnv_%05d", n), advertiser: fmt.Sprintf("adv_%d", advertiser), event: []string{"sale", "lead"}[random.IntN(2)]}
		var latest time.Time
		for range random.IntN(6) {
			if random.IntN(12) == 0 {
				c.touches = append(c.touches, touchOf{outcome: "ineligible", reason: "click_forged"})
				continue
			}
			at := random.IntN(clicks)
			if j.clicks[at].advertiser != c.advertiser {
				continue
			}
			c.touches = append(c.touches, touchOf{click: &j.clicks[at], outcome: "lost", reason: []string{"same_task", "outside_window"}[random.IntN(2)]})
			if j.clicks[at].at.After(latest) {
				latest = j.clicks[at].at
			}
		}
		c.at = latest.Add(time.Duration(random.Int64N(int64(50 * 24 * time.Hour)))).Truncate(time.Millisecond)
		if latest.IsZero() {
			c.at = time.Date(2026, 10, 20+random.IntN(20), random.IntN(24), 7, 0, 0, time.UTC)
		}
		if random.IntN(9) == 0 && !latest.IsZero() { // some of the touches come after the event
			c.at = latest.Add(-time.Hour)
		}
		slices.SortStableFunc(c.touches, func(a, b touchOf) int { return a.time().Compare(b.time()) })
		if random.IntN(3) > 0 {
			c.customer = fmt.Sprintf("customer-%d", random.IntN(conversions/4))
		}
		if random.IntN(3) == 0 {
			c.code, c.codeOwner = []string{"Summer", "SUMMER", "üb", "nobody's"}[random.IntN(4)], fmt.Sprintf("crt_%d", advertiser)
			if c.code == "nobody's" {
				c.codeOwner = ""
			}
		}
		for i := range c.touches {
			t := &c.touches[i]
			if t.click == nil || t.click.verdict != "valid" || t.click.at.After(c.at) || random.IntN(2) == 0 {
				continue
			}
			t.outcome, t.reason = "credited", ""
			c.actions = append(c.actions, ledger.ActionRecord{
				ID: fmt.Sprintf("act_%05d_%d", n, i), ConversionID: c.id, AdvertiserID: c.advertiser, CampaignID: t.click.campaign, CreatorID: t.click.creator,
				TaskID: t.click.task, LinkID: t.click.link, Platform: t.click.platform, Event: c.event, ClickID: t.click.id, Referral: "click", Currency: t.click.currency,
				State: actionStates[random.IntN(6)], Seq: 5, ClickTimeMs: t.click.at.UnixMilli(), EventTimeMs: c.at.UnixMilli(), Reasons: ledger.Reasons{},
			})
		}
		j.conversions = append(j.conversions, c)
	}
	return j
}

func (t *touchOf) time() time.Time {
	if t.click == nil {
		return time.UnixMilli(0).UTC()
	}
	return t.click.at
}

func (j *journey) store(t *testing.T, conn driver.Conn) {
	t.Helper()
	insert(t, conn, j.clicks)
	batchOf := func(name, query string) driver.Batch {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name()+name)))
		batch, err := conn.PrepareBatch(ctx, query)
		must(t, err)
		return batch
	}
	for version := range uint64(2) { // many were seen twice
		batch := batchOf(fmt.Sprint("landings", version), "INSERT INTO landings (click_id, click_time, advertiser_id, campaign_id, creator_id, task_id, link_id, platform, seen_at, version)")
		for i, c := range j.clicks {
			if j.landed[i] {
				must(t, batch.Append(c.id, c.at, c.advertiser, c.campaign, c.creator, c.task, c.link, c.platform, c.at.Add(time.Second), version))
			}
		}
		must(t, batch.Send())
	}
	var actions []ledger.ActionRecord
	for version := range uint64(2) { // the first version knew no touches
		batch := batchOf(fmt.Sprint("conversions", version), `INSERT INTO conversions (id, advertiser_id, event, event_time, customer, code, code_credited, code_creator,
			touch_ids, touch_times, touch_links, touch_tasks, touch_creators, touch_campaigns, touch_platforms, touch_verdicts, touch_outcomes, touch_reasons, version)`)
		for _, c := range j.conversions {
			columns := make([][]string, 9)
			times := []time.Time{}
			for i := range columns {
				columns[i] = []string{}
			}
			for i, touch := range c.touches {
				if version == 0 {
					break
				}
				k := touch.click
				if k == nil {
					k = &stored{id: fmt.Sprint("forged-", i)}
				}
				times = append(times, touch.time())
				for n, value := range []string{k.id, k.link, k.task, k.creator, k.campaign, k.platform, k.verdict, touch.outcome, touch.reason} {
					columns[n] = append(columns[n], value)
				}
			}
			must(t, batch.Append(c.id, c.advertiser, c.event, c.at, c.customer, c.code, uint8(len(c.code)%2), c.codeOwner,
				columns[0], times, columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], columns[7], columns[8], version))
		}
		must(t, batch.Send())
	}
	for _, c := range j.conversions {
		actions = append(actions, c.actions...)
	}
	storeRecords(t, conn, actions)
}

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

func TestCodeUseEqualsARecount(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(2_000, 900)
	j.store(t, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	zone, _ := time.LoadLocation("Australia/Lord_Howe")
	for name, c := range map[string]struct {
		scope   Scope
		groupBy []string
		filters map[string][]string
		keep    func(*converted) bool
	}{
		"everything":    {scope: Scope{All: true}, keep: func(*converted) bool { return true }},
		"by code":       {scope: Scope{All: true}, groupBy: []string{"code"}, keep: func(*converted) bool { return true }},
		"by day":        {scope: Scope{AdvertiserID: "adv_0"}, groupBy: []string{"day"}, keep: func(c *converted) bool { return c.advertiser == "adv_0" }},
		"a creator":     {scope: Scope{CreatorID: "crt_1"}, keep: func(c *converted) bool { return c.codeOwner == "crt_1" }},
		"one, any case": {scope: Scope{All: true}, filters: map[string][]string{"code": {"sUmMeR", "ÜB"}}, keep: func(c *converted) bool { return c.code != "nobody's" }},
		"leads":         {scope: Scope{All: true}, filters: map[string][]string{"event": {"lead"}}, keep: func(c *converted) bool { return c.event == "lead" }},
	} {
		answer, err := reports.Codes(t.Context(), c.scope, CodesQuestion{Narrowing: Narrowing{TZ: zone.String(), Filters: c.filters}, GroupBy: c.groupBy, Limit: 10_000}, reportTime)
		must(t, err)
		type figures struct{ uses, without, credited, customers int64 }
		groups, customers := map[string]*figures{}, map[string]map[string]bool{}
		byCode, byDay := len(c.groupBy) == 0 || c.groupBy[0] == "code", len(c.groupBy) == 0 || c.groupBy[0] == "day"
		for i := range j.conversions {
			conversion := &j.conversions[i]
			if conversion.code == "" || !conversion.at.Before(reportTime.Add(15*time.Minute)) || !c.keep(conversion) {
				continue
			}
			key := ""
			if byCode {
				key = strings.ToUpper(conversion.code) + conversion.advertiser
			}
			if byDay {
				key += conversion.at.In(zone).Format(time.DateOnly)
			}
			for _, key := range []string{key, "total"} {
				if groups[key] == nil {
					groups[key], customers[key] = &figures{}, map[string]bool{}
				}
				g := groups[key]
				g.uses++
				if len(conversion.visits()) == 0 {
					g.without++
				}
				g.credited += int64(len(conversion.code) % 2)
				if conversion.customer != "" {
					customers[key][conversion.customer] = true
				}
				g.customers = int64(len(customers[key]))
			}
		}
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		check := func(key string, row *CodeRow) {
			t.Helper()
			want := groups[key]
			delete(groups, key)
			got := figures{row.Uses, row.UsesWithoutClick, row.CreditedUses, row.Customers}
			if want == nil || got != *want {
				t.Errorf("%s: %s is %+v, want %+v", name, key, got, want)
				return
			}
			if share := big.NewRat(got.without, got.uses).FloatString(4); text(row.ShareWithoutClick) != share {
				t.Errorf("%s: %s has the share %s, want %s", name, key, text(row.ShareWithoutClick), share)
			}
		}
		for i := range answer.Rows {
			row := &answer.Rows[i]
			check(text(row.Code)+text(row.AdvertiserID)+text(row.Day), row)
			if i > 0 && row.UsesWithoutClick > answer.Rows[i-1].UsesWithoutClick {
				t.Errorf("%s: rows are not in falling order of uses without click", name)
			}
		}
		check("total", &answer.Total)
		if len(groups) > 0 {
			t.Errorf("%s: %d groups are missing", name, len(groups))
		}
	}
}

// visits are the clicks of people before the conversion, oldest first.
func (c *converted) visits() []*stored {
	var visits []*stored
	for _, touch := range c.touches {
		if touch.click != nil && touch.click.verdict == "valid" && !touch.click.at.After(c.at) {
			visits = append(visits, touch.click)
		}
	}
	return visits
}

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

// A fixedDeciding credits each conversion by what its id says: an even one to one
// creator, others to two, under linear by halves.
type fixedDeciding struct{ asked []string }

func (d *fixedDeciding) UnderModels(_ context.Context, ids []string, with func(string, []attribution.Credit) error) error {
	d.asked = ids
	for range ids {
		for _, model := range ledger.Models() {
			credits := []attribution.Credit{{CampaignID: "cmp_1", CreatorID: "crt_1", Platform: "tiktok", Currency: "JPY", Share: attribution.Fraction{Num: 1, Den: 1}, AmountMinor: 100, IntendedMinor: 10}}
			if model != attribution.ModelLast {
				credits = nil
				for i := range int64(3) {
					credits = append(credits, attribution.Credit{CampaignID: fmt.Sprint("cmp_", i), CreatorID: fmt.Sprint("crt_", i), Platform: "tiktok", Currency: "JPY",
						Share: attribution.Fraction{Num: 1, Den: 3}, AmountMinor: []int64{34, 33, 33}[i], IntendedMinor: []int64{4, 3, 3}[i]})
				}
			}
			if err := with(model, credits); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestModelsStandSideBySide(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(2_000, 600)
	j.store(t, conn)
	reports := New(conn, upToDate{}, agencies{"cmp_2"})
	period := Narrowing{From: "2026-10-01", To: "2027-03-01"}
	deciding := &fixedDeciding{}
	answer, err := reports.Models(t.Context(), Scope{All: true}, period, []string{"creator"}, deciding, reportTime)
	must(t, err)
	if answer.Conversions != 600 || len(deciding.asked) != 600 || len(answer.Totals) != 1 || len(answer.Rows) != 3 {
		t.Fatalf("%d conversions, %d rows, %d totals", answer.Conversions, len(answer.Rows), len(answer.Totals))
	}
	for _, model := range ledger.Models() {
		total := answer.Totals[0].Models[model]
		if total.Credit != "600.000000" || total.SaleAmount != "60000" || *total.Payout != "6000" {
			t.Errorf("the total under %s is %s", model, asJSON(t, total))
		}
	}
	if row := answer.Rows[0].Models["linear"]; row.Credit != "200.000400" || row.SaleAmount != "20400" || row.Actions != 600 {
		t.Errorf("the first creator under linear has %s", asJSON(t, row))
	}
	// An advertiser does not see payouts where an agency has a margin.
	answer, err = reports.Models(t.Context(), Scope{AdvertiserID: "adv_0"}, period, nil, deciding, reportTime)
	must(t, err)
	for _, row := range answer.Rows {
		if hidden := row.Keys[0] == "cmp_2"; (row.Models["linear"].Payout == nil) != hidden {
			t.Errorf("an advertiser sees of %s %s", row.Keys[0], asJSON(t, row.Models["linear"]))
		}
	}
	if answer.Totals[0].Models["last"].Payout != nil {
		t.Error("an advertiser sees the payout of a total that holds a hidden one")
	}
	// A creator's are those it touched or was credited for, and its own rows.
	answer, err = reports.Models(t.Context(), Scope{CreatorID: "crt_1"}, period, []string{"creator", "campaign"}, deciding, reportTime)
	must(t, err)
	var want []string
	for i := range j.conversions {
		if slices.ContainsFunc(j.conversions[i].touches, func(t touchOf) bool { return t.click != nil && t.click.creator == "crt_1" }) {
			want = append(want, j.conversions[i].id)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(deciding.asked)); !slices.Equal(got, want) || len(answer.Rows) != 1 || answer.Rows[0].Keys[0] != "crt_1" {
		t.Errorf("a creator has %d conversions, want %d, and %d rows", len(got), len(want), len(answer.Rows))
	}
}
