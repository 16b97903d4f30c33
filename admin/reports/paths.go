package reports

import (
	"context"
	"math/big"
	"time"

	"tributary/attribution"
	"tributary/schema"
)

// The bounds of the report on paths.
const (
	defaultPaths = 20
	maxPaths     = 200
	// maxPathTouches is the number of touches that more count as.
	maxPathTouches = 20
	// maxPathSteps is how many of a path's last steps are told.
	maxPathSteps = 10
)

// OtherCreator stands in a path for what is not the asking creator's.
const OtherCreator = "other"

// A TouchCount is how many conversions had that many touches before.
type TouchCount struct {
	Touches     int64 `json:"touches" doc:"Clicks of people at or before the event; 20 are 20 or more"`
	Conversions int64 `json:"conversions"`
}

// A Path is a sequence of platforms or creators that led to conversions.
type Path struct {
	Path        []string `json:"path" nullable:"false" doc:"Oldest first, the same one after the other once, the last 10"`
	Conversions int64    `json:"conversions"`
	Share       *string  `json:"share" doc:"Of the conversions with a touch"`
}

// A TimeToConvert is how long it took from a click to the conversion.
type TimeToConvert struct {
	MedianMs *int64       `json:"median_ms" doc:"At least half of the conversions took no longer; null without any"`
	P90Ms    *int64       `json:"p90_ms"`
	Buckets  []TimeBucket `json:"buckets" nullable:"false"`
}

// A TimeBucket counts the conversions that took less than UpToMs, and no less than
// the bucket before.
type TimeBucket struct {
	UpToMs      *int64 `json:"up_to_ms" doc:"Not included; null: no bound"`
	Conversions int64  `json:"conversions"`
}

// bucketBounds are the upper bounds of the buckets but the last.
var bucketBounds = []time.Duration{
	time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// A PathsReport is what lay before the conversions of a period.
type PathsReport struct {
	Conversions int64         `json:"conversions" doc:"By event time; with a filter by campaign, creator, task or platform, and for creators, those credited there"`
	Touched     int64         `json:"touched" doc:"Of which had a touch"`
	Touches     []TouchCount  `json:"touches" nullable:"false"`
	Platforms   []Path        `json:"platforms" nullable:"false" doc:"The most frequent"`
	Creators    []Path        `json:"creators" nullable:"false" doc:"The most frequent; a creator sees others as other"`
	FromFirst   TimeToConvert `json:"from_first_touch"`
	FromLast    TimeToConvert `json:"from_last_touch"`

	DataThrough attribution.Instant `json:"data_through" doc:"Everything received before it is included"`
	LagMs       int64               `json:"lag_ms"`
}

var pathFilters = []string{"advertiser_id", "campaign_id", "creator_id", "task_id", "platform", "event"}

// Paths tells what lay before the conversions of a period: how many touches, which
// ones, and for how long.
func (r *Reports) Paths(ctx context.Context, scope Scope, asked Narrowing, limit int, now time.Time) (*PathsReport, error) {
	var check attribution.Checker
	n := asked.check(&check, scope, now, pathFilters...)
	if limit == 0 {
		limit = defaultPaths
	}
	check.Require(limit > 0 && limit <= maxPaths, "query.limit", "must be 1 to %d", maxPaths)
	if err := check.Err(); err != nil {
		return nil, err
	}
	through := r.freshness.DataThrough(now)
	answer := &PathsReport{DataThrough: attribution.InstantOf(through), LagMs: max(0, now.Sub(through)).Milliseconds(), Touches: []TouchCount{}}
	if err := r.touchCounts(ctx, &n, answer); err != nil {
		return nil, err
	}
	var err error
	if answer.Platforms, err = r.paths(ctx, &n, "touch_platforms", limit, answer.Touched); err != nil {
		return nil, err
	}
	if answer.Creators, err = r.paths(ctx, &n, "touch_creators", limit, answer.Touched); err != nil {
		return nil, err
	}
	if answer.FromFirst, err = r.timeToConvert(ctx, &n, 1); err != nil {
		return nil, err
	}
	answer.FromLast, err = r.timeToConvert(ctx, &n, -1)
	return answer, err
}

// ask fills in one of the templates of paths and runs it.
func (r *Reports) ask(ctx context.Context, n *narrowed, name string, more map[string]any, with func(scan func(...any) error) error) error {
	parameters := n.parameters()
	input := map[string]any{}
	for name, value := range more {
		input[name] = value
	}
	input["Conditions"], input["Credited"] = n.ofConversions(parameters)
	parameters["creator"] = n.scope.CreatorID
	statement, err := schema.ClickHouseStatement(name, input)
	if err != nil {
		return err
	}
	return r.each(ctx, "what lay before conversions", statement, parameters, with)
}

func (r *Reports) touchCounts(ctx context.Context, n *narrowed, answer *PathsReport) error {
	return r.ask(ctx, n, "path_touches", map[string]any{"Most": maxPathTouches}, func(scan func(...any) error) error {
		var touches, conversions uint64
		if err := scan(&touches, &conversions); err != nil {
			return err
		}
		count := TouchCount{int64(touches), int64(conversions)}
		answer.Touches = append(answer.Touches, count)
		answer.Conversions += count.Conversions
		if touches > 0 {
			answer.Touched += count.Conversions
		}
		return nil
	})
}

func (r *Reports) paths(ctx context.Context, n *narrowed, column string, limit int, of int64) ([]Path, error) {
	paths := []Path{}
	input := map[string]any{"Column": column, "Steps": maxPathSteps, "Limit": limit, "Veiled": n.scope.CreatorID != "", "Other": OtherCreator}
	err := r.ask(ctx, n, "path_sequences", input, func(scan func(...any) error) error {
		var p Path
		var conversions uint64
		if err := scan(&p.Path, &conversions); err != nil {
			return err
		}
		share := big.NewRat(int64(conversions), of).FloatString(shareDigits)
		p.Conversions, p.Share = int64(conversions), &share
		paths = append(paths, p)
		return nil
	})
	return paths, err
}

// timeToConvert measures from a touch: 1 the first, -1 the last.
func (r *Reports) timeToConvert(ctx context.Context, n *narrowed, touch int) (TimeToConvert, error) {
	bounds := make([]int64, len(bucketBounds))
	for i, bound := range bucketBounds {
		bounds[i] = bound.Milliseconds()
	}
	t := TimeToConvert{}
	err := r.ask(ctx, n, "path_times", map[string]any{"Touch": touch, "Bounds": bounds}, func(scan func(...any) error) error {
		var conversions uint64
		var median, p90 int64
		var below []uint64
		if err := scan(&conversions, &median, &p90, &below); err != nil {
			return err
		}
		if conversions > 0 {
			t.MedianMs, t.P90Ms = &median, &p90
		}
		done := uint64(0)
		for i := range bounds {
			t.Buckets = append(t.Buckets, TimeBucket{&bounds[i], int64(below[i] - done)})
			done = below[i]
		}
		t.Buckets = append(t.Buckets, TimeBucket{nil, int64(conversions - done)})
		return nil
	})
	return t, err
}
