package reports

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/schema"
)

// The steps of the funnel, each counted in clicks.
const (
	stepHits      = "hits"      // every request
	stepValid     = "valid"     // of people
	stepUnique    = "unique"    // the first of a visitor on a link in 30 minutes
	stepLanded    = "landed"    // the tag saw the shopper on the shop's page
	stepConverted = "converted" // a conversion named it, or knew it of its customer
	stepCredited  = "credited"  // a conversion was credited to it
	stepPaid      = "paid"      // an action of it is paid
)

// What is lost, and what joins in, where it has no name of its own.
const (
	lossRepeat       = "repeat"        // the visitor was there before; or, joining in: such a click that landed
	lossNotLanded    = "not_landed"    // the tag did not see it
	lossNotConverted = "not_converted" // no conversion came of it so far
	gainInvalid      = "invalid"       // no person's click, and the tag saw it all the same
	gainNotLanded    = "not_landed"    // the tag did not see it, and it converted all the same
	lossNotCredited  = "not_credited"  // without a reason in its decision
	lossUnbooked     = "unbooked"      // credited, and its action is not copied yet
)

// A FunnelStep is how many clicks came this far, which of them go no further, and
// which joined in without the step before. The next step's Clicks are this one's,
// less Lost, with its own Joined.
type FunnelStep struct {
	Step   string        `json:"step" doc:"hits, valid, unique, landed, converted, credited or paid"`
	Clicks int64         `json:"clicks"`
	Joined []FunnelCount `json:"joined" nullable:"false" doc:"Clicks that came here without the step before, by how"`
	Lost   []FunnelCount `json:"lost" nullable:"false" doc:"Clicks that came here and not to the next step, by why"`
}

// A FunnelCount is a number of clicks with its reason.
type FunnelCount struct {
	Reason string `json:"reason"`
	Clicks int64  `json:"clicks"`
}

// A FunnelRow is the funnel of one group.
type FunnelRow struct {
	Key   string // of the grouping; empty without one
	Steps []FunnelStep
}

// A Funnel is the answer: all clicks of the period by how far they came until now,
// with the whole of it, and by group.
type Funnel struct {
	GroupBy     string // the field; empty: rows are left out
	Rows        []FunnelRow
	Total       []FunnelStep
	DataThrough time.Time
	Lag         time.Duration
}

// funnelGroupings are what the funnel can be grouped by, and the columns.
var funnelGroupings = map[string]string{
	"advertiser": "advertiser_id", "campaign": "campaign_id", "creator": "creator_id", "platform": "platform", "task": "task_id", "link": "link_id",
}

var funnelFilters = []string{"advertiser_id", "campaign_id", "creator_id", "task_id", "link_id", "platform"}

// maxFunnels is the most groups of one answer.
const maxFunnels = 1_000

// Funnel counts how far the clicks of a period came, whenever they did: those of
// the period are followed through landings, conversions and payments until now.
func (r *Reports) Funnel(ctx context.Context, scope Scope, asked Narrowing, groupBy string, now time.Time) (*Funnel, error) {
	var check attribution.Checker
	n := asked.check(&check, scope, now, funnelFilters...)
	column := funnelGroupings[groupBy]
	check.Require(groupBy == "" || column != "", "query.group_by", "must be one of: %s", strings.Join(slices.Sorted(maps.Keys(funnelGroupings)), " "))
	if err := check.Err(); err != nil {
		return nil, err
	}
	answer := &Funnel{GroupBy: column, DataThrough: r.freshness.DataThrough(now)}
	answer.Lag = max(0, now.Sub(answer.DataThrough))
	counts, err := r.countFunnels(ctx, &n, column)
	if err != nil {
		return nil, err
	}
	whole := &funnelCounts{}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		whole.add(counts[key])
		if column != "" {
			answer.Rows = append(answer.Rows, FunnelRow{key, counts[key].steps()})
		}
	}
	if len(answer.Rows) > maxFunnels {
		check.Add("query.group_by", "has more than %d groups here: narrow the report by a filter", maxFunnels)
		return nil, check.Err()
	}
	answer.Total = whole.steps()
	return answer, nil
}

// countFunnels reads the clicks of every group: how many there are, and how far
// those came that left a trace behind the redirect.
func (r *Reports) countFunnels(ctx context.Context, n *narrowed, column string) (map[string]*funnelCounts, error) {
	parameters := n.parameters()
	key := column
	if key == "" {
		key = "''"
	}
	conditions := func(known ...string) []string {
		return n.conditions(parameters, func(name string) string {
			if slices.Contains(known, name) {
				return name
			}
			return ""
		})
	}
	input := struct {
		Key                           string
		Clicks, Landings, Conversions []string
	}{key, conditions(funnelFilters...), conditions(funnelFilters...), conditions("advertiser_id")}
	counts := map[string]*funnelCounts{}
	of := func(key string) *funnelCounts {
		if counts[key] == nil {
			counts[key] = &funnelCounts{}
		}
		return counts[key]
	}
	statement, err := schema.ClickHouseStatement("funnel_hits", input)
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, "the clicks of the funnel", statement, parameters, func(scan func(...any) error) error {
		var key, verdict string
		var unique uint8
		var clicks uint64
		if err := scan(&key, &verdict, &unique, &clicks); err != nil {
			return err
		}
		of(key).hit(verdict, unique == 1, int64(clicks))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if statement, err = schema.ClickHouseStatement("funnel_reached", input); err != nil {
		return nil, err
	}
	err = r.each(ctx, "how far clicks came", statement, parameters, func(scan func(...any) error) error {
		var key string
		var c reached
		var unique, landed, converted, credited uint8
		var clicks uint64
		if err := scan(&key, &c.verdict, &unique, &landed, &converted, &credited, &c.why, &c.state, &clicks); err != nil {
			return err
		}
		c.unique, c.landed, c.converted, c.credited = unique == 1, landed == 1, converted == 1, credited == 1
		of(key).reach(c, int64(clicks))
		return nil
	})
	return counts, err
}

// A reached is how far a click came behind the redirect.
type reached struct {
	verdict                             string
	unique, landed, converted, credited bool
	why                                 string // of one that converted: why it was not credited
	state                               string // of its action that came furthest; empty: it has none
}

// A funnelCounts is a funnel under way: clicks by step and reason.
type funnelCounts struct {
	clicks       map[string]int64
	joined, lost map[[2]string]int64 // by step and reason
}

func (f *funnelCounts) count(step string, clicks int64) {
	if f.clicks == nil {
		f.clicks, f.joined, f.lost = map[string]int64{}, map[[2]string]int64{}, map[[2]string]int64{}
	}
	f.clicks[step] += clicks
}

// hit counts clicks up to unique, and for a start loses all of those there.
func (f *funnelCounts) hit(verdict string, unique bool, clicks int64) {
	f.count(stepHits, clicks)
	if verdict != validVerdict {
		f.lost[[2]string{stepHits, verdict}] += clicks
		return
	}
	f.count(stepValid, clicks)
	if !unique {
		f.lost[[2]string{stepValid, lossRepeat}] += clicks
		return
	}
	f.count(stepUnique, clicks)
	f.lost[[2]string{stepUnique, lossNotLanded}] += clicks
}

// validVerdict is the verdict of a person's click.
const validVerdict = "valid"

// reach counts clicks from landed on.
func (f *funnelCounts) reach(c reached, clicks int64) {
	if c.landed {
		f.count(stepLanded, clicks)
		switch {
		case c.verdict != validVerdict:
			f.joined[[2]string{stepLanded, gainInvalid}] += clicks
		case !c.unique:
			f.joined[[2]string{stepLanded, lossRepeat}] += clicks
		default:
			f.lost[[2]string{stepUnique, lossNotLanded}] -= clicks
		}
	}
	switch {
	case c.landed && !c.converted:
		f.lost[[2]string{stepLanded, lossNotConverted}] += clicks
	case c.converted && !c.landed:
		f.count(stepConverted, 0)
		f.joined[[2]string{stepConverted, gainNotLanded}] += clicks
	}
	if !c.converted {
		return
	}
	f.count(stepConverted, clicks)
	if !c.credited {
		if c.why == "" {
			c.why = lossNotCredited
		}
		f.lost[[2]string{stepConverted, c.why}] += clicks
		return
	}
	f.count(stepCredited, clicks)
	switch c.state {
	case "paid":
		f.count(stepPaid, clicks)
	case "":
		f.lost[[2]string{stepCredited, lossUnbooked}] += clicks
	default:
		f.lost[[2]string{stepCredited, c.state}] += clicks
	}
}

func (f *funnelCounts) add(other *funnelCounts) {
	f.count(stepHits, 0)
	for step, clicks := range other.clicks {
		f.clicks[step] += clicks
	}
	for at, clicks := range other.joined {
		f.joined[at] += clicks
	}
	for at, clicks := range other.lost {
		f.lost[at] += clicks
	}
}

// steps are the funnel as it is shown: reasons without clicks are left out, the
// most frequent come first.
func (f *funnelCounts) steps() []FunnelStep {
	var steps []FunnelStep
	for _, step := range []string{stepHits, stepValid, stepUnique, stepLanded, stepConverted, stepCredited, stepPaid} {
		steps = append(steps, FunnelStep{step, f.clicks[step], reasonsAt(f.joined, step), reasonsAt(f.lost, step)})
	}
	return steps
}

func reasonsAt(counts map[[2]string]int64, step string) []FunnelCount {
	reasons := []FunnelCount{}
	for at, clicks := range counts {
		if at[0] == step && clicks != 0 {
			reasons = append(reasons, FunnelCount{at[1], clicks})
		}
	}
	slices.SortFunc(reasons, func(a, b FunnelCount) int {
		if a.Clicks != b.Clicks {
			return int(b.Clicks - a.Clicks)
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return reasons
}
