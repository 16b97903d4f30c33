package reports

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
)

// A Scope is what is seen: everything, or what belongs to the advertiser and the
// creator that are named. The zero Scope sees nothing.
type Scope struct {
	All          bool
	AdvertiserID string
	CreatorID    string
}

// The bounds of a report.
const (
	MaxGroupings = 3
	MaxRows      = 100_000
	DefaultRows  = 1_000
	maxFilter    = 500 // values of one filter
)

// A Query is a checked question for figures; NewQuery makes one.
type Query struct {
	scope   Scope
	groupBy []Dimension
	from    time.Time
	to      time.Time
	zone    *time.Location
	filters []filter
	sortBy  string
	falling bool
	limit   int
	clicks  bool // it asks for figures of clicks
	actions bool // it asks for figures of actions
}

// A filter keeps the hits whose dimension has one of the values.
type filter struct {
	dimension Dimension
	values    []string
}

// A Question is what a client asks, unchecked.
type Question struct {
	GroupBy  []string            // names of Dimensions
	From, To string              // RFC 3339 times or days (2027-01-31) in the time zone; empty: the first click, now
	TZ       string              // IANA time zone; empty: UTC
	Filters  map[string][]string // values by field of the answer, such as campaign_id
	Sort     string              // a field of the answer, "-" in front for falling; empty: time rising, else hits (actions where there are no clicks) falling
	Limit    int                 // 0: DefaultRows
}

// NewQuery checks a question. Every part that cannot be answered is named in the
// Problem it returns.
func NewQuery(scope Scope, q Question, now time.Time) (*Query, error) {
	var check attribution.Checker
	query := &Query{scope: scope, limit: q.Limit, zone: time.UTC}
	query.groupBy = checkGroupings(&check, q.GroupBy)
	if q.TZ != "" {
		zone, err := time.LoadLocation(q.TZ)
		if err != nil || q.TZ == "Local" {
			check.Add("query.tz", "must be an IANA time zone such as Asia/Bangkok")
			zone = time.UTC
		}
		query.zone = zone
	}
	query.from, query.to = checkPeriod(&check, q.From, q.To, query.zone, now)
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		dimension, known := filterNamed(name)
		check.Require(known, "query."+name, "is no filter")
		check.Require(len(q.Filters[name]) <= maxFilter, "query."+name, "has more than %d values", maxFilter)
		query.filters = append(query.filters, filter{dimension, q.Filters[name]})
	}
	query.choose(&check)
	query.sortBy, query.falling = checkSort(&check, q.Sort, query)
	if query.limit == 0 {
		query.limit = DefaultRows
	}
	check.Require(query.limit > 0 && query.limit <= MaxRows, "query.limit", "must be 1 to %d", MaxRows)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return query, nil
}

func checkGroupings(check *attribution.Checker, names []string) []Dimension {
	check.Require(len(names) > 0 && len(names) <= MaxGroupings, "query.group_by",
		"must name 1 to %d of: %s", MaxGroupings, strings.Join(Dimensions(), " "))
	var groupings []Dimension
	for _, name := range names {
		dimension, known := dimensionNamed(name)
		twice := slices.ContainsFunc(groupings, func(d Dimension) bool { return d.Name == name })
		switch {
		case !known:
			check.Add("query.group_by", "%q is none of: %s", name, strings.Join(Dimensions(), " "))
		case twice:
			check.Add("query.group_by", "names %s twice", name)
		default:
			groupings = append(groupings, dimension)
		}
	}
	return groupings
}

// checkPeriod reads the half-open period; a day without a time begins at
// midnight in the report's zone, and as an end includes nothing of that day.
func checkPeriod(check *attribution.Checker, fromText, toText string, zone *time.Location, now time.Time) (from, to time.Time) {
	read := func(location, text string, fallback time.Time) time.Time {
		if text == "" {
			return fallback
		}
		if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
			return day
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			check.Add(location, "must be a day (2027-01-31) or an RFC 3339 time (2027-01-31T00:00:00Z)")
			return fallback
		}
		return at
	}
	// The fallback end is on a quarter of an hour, so that the common report is
	// read from the rollup.
	to = read("query.to", toText, now.Truncate(15*time.Minute).Add(15*time.Minute))
	from = read("query.from", fromText, time.Unix(0, 0))
	check.Require(from.Before(to), "query.from", "must be before to")
	return from, to
}

// choose says which figures the question is about: those that all groupings and
// filters know. A filter by event narrows actions only.
func (q *Query) choose(check *attribution.Checker) {
	q.clicks, q.actions = true, true
	for _, d := range q.groupBy {
		q.clicks, q.actions = q.clicks && d.known != ofActions, q.actions && d.known != ofClicks
	}
	for _, f := range q.filters {
		q.clicks = q.clicks && (f.dimension.known != ofActions || f.dimension.Name == "event")
		q.actions = q.actions && f.dimension.known != ofClicks
	}
	check.Require(q.clicks || q.actions, "query.group_by", "and the filters name both what only clicks have and what only actions have")
}

func checkSort(check *attribution.Checker, sort string, q *Query) (field string, falling bool) {
	groupBy := q.groupBy
	if sort == "" {
		for _, d := range groupBy {
			if d.ordered {
				return d.Field, false
			}
		}
		if !q.clicks {
			return "actions", true
		}
		return "hits", true
	}
	field, falling = strings.CutPrefix(sort, "-")
	known := slices.Contains(Columns(), field) || field == "currency" ||
		slices.ContainsFunc(groupBy, func(d Dimension) bool { return d.Field == field })
	check.Require(known, "query.sort", "must be a field of the answer, with - in front for falling order")
	return field, falling
}

// source is the smallest table that can answer, grouped by some dimensions: it
// knows every one of them, every filter and the scope, and the period begins and
// ends on its steps.
func (q *Query) source(groupBy []Dimension) source {
	onStep := func(t time.Time) bool { return t.Equal(t.Truncate(15 * time.Minute)) }
	if !onStep(q.from) || !onStep(q.to) {
		return byRow
	}
	needed := byCampaign
	if q.scope.CreatorID != "" {
		needed = byLink
	}
	for _, d := range groupBy {
		needed = max(needed, d.from)
	}
	for _, f := range q.filters {
		needed = max(needed, f.dimension.from)
	}
	return needed
}
