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
	asOf    time.Time // zero: now
	compare bool      // with the period before
	columns []Column  // that are asked for
	known   kinds     // it asks for figures of
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
	Columns  []string            // names of Columns; empty: all
	AsOf     string              // RFC 3339 time: the figures as they stood then; empty: now
	Compare  string              // "previous": with the period of the same length before; needs From
}

// ComparePrevious is the Compare of a question that is also asked of the period
// before.
const ComparePrevious = "previous"

// NewQuery checks a question. Every part that cannot be answered is named in the
// Problem it returns.
func NewQuery(scope Scope, q Question, now time.Time) (*Query, error) {
	var check attribution.Checker
	query := &Query{scope: scope, limit: q.Limit}
	query.groupBy = checkGroupings(&check, q.GroupBy)
	query.zone = checkZone(&check, q.TZ)
	query.from, query.to = checkPeriod(&check, q.From, q.To, query.zone, now)
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		dimension, known := filterNamed(name)
		check.Require(known, "query."+name, "is no filter")
		check.Require(len(q.Filters[name]) <= maxFilter, "query."+name, "has more than %d values", maxFilter)
		query.filters = append(query.filters, filter{dimension, q.Filters[name]})
	}
	query.choose(&check)
	query.columns = checkColumns(&check, q.Columns)
	query.asOf = checkAsOf(&check, q.AsOf, now)
	query.compare = checkCompare(&check, q, query)
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

// checkPeriod reads the half-open period; a day without a time begins with its
// first moment in the report's zone, and as an end includes nothing of that day.
func checkPeriod(check *attribution.Checker, fromText, toText string, zone *time.Location, now time.Time) (from, to time.Time) {
	read := func(location, text string, fallback time.Time) time.Time {
		if text == "" {
			return fallback
		}
		at, ok := readTime(text, zone)
		if !ok {
			check.Add(location, notATime)
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
	q.known = ofAll
	for _, d := range q.groupBy {
		q.known &= d.known
	}
	for _, f := range q.filters {
		if f.dimension.Name != "event" {
			q.known &= f.dimension.known
		}
	}
	check.Require(q.known != 0, "query.group_by", "and the filters name both what only clicks have and what only actions have")
}

func checkColumns(check *attribution.Checker, names []string) []Column {
	if len(names) == 0 {
		return Definitions()
	}
	var asked []Column
	for _, name := range names {
		i, known := figureIndex[name]
		if !known || columns[i].inner {
			check.Add("query.columns", "%q is no column; GET /v1/reports/columns lists them", name)
			continue
		}
		if !slices.ContainsFunc(asked, func(c Column) bool { return c.Name == name }) {
			asked = append(asked, columns[i])
		}
	}
	return asked
}

func checkAsOf(check *attribution.Checker, text string, now time.Time) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		check.Add("query.as_of", "must be an RFC 3339 time (2027-01-31T00:00:00Z)")
		return time.Time{}
	}
	check.Require(!at.After(now), "query.as_of", "must not be in the future")
	return at
}

// checkCompare refuses a comparison without a beginning to go back from, and one
// whose steps of time would not fit over each other.
func checkCompare(check *attribution.Checker, q Question, query *Query) bool {
	if q.Compare == "" {
		return false
	}
	if q.Compare != ComparePrevious {
		check.Add("query.compare", "must be previous")
		return false
	}
	check.Require(q.From != "", "query.from", "is required with compare=previous: it is what the period before ends with")
	times := 0
	for _, d := range query.groupBy {
		if d.ordered {
			times++
		}
	}
	check.Require(times < 2 || query.wholeDays(), "query.compare", "by more than one of hour, day, week and month needs a period of whole days")
	return true
}

func checkSort(check *attribution.Checker, sort string, q *Query) (field string, falling bool) {
	groupBy := q.groupBy
	if sort == "" {
		for _, d := range groupBy {
			if d.ordered {
				return d.Field, false
			}
		}
		switch {
		case q.known&ofClicks != 0:
			return "hits", true
		case q.known&ofActions != 0:
			return "actions", true
		}
		return "views", true
	}
	field, falling = strings.CutPrefix(sort, "-")
	known := slices.Contains(Columns(), field) || field == "currency" ||
		slices.ContainsFunc(groupBy, func(d Dimension) bool { return d.Field == field })
	check.Require(known, "query.sort", "must be a field of the answer, with - in front for falling order")
	return field, falling
}

// source is the smallest table that can answer, grouped by some dimensions: it
// knows every one of them, every filter and the scope.
func (q *Query) source(groupBy []Dimension) source {
	needed := byCampaign
	if q.scope.CreatorID != "" {
		needed = byLink
	}
	for _, d := range groupBy {
		needed = max(needed, d.from)
	}
	for _, f := range q.filters {
		if f.dimension.known&ofClicks != 0 {
			needed = max(needed, f.dimension.from)
		}
	}
	return needed
}
