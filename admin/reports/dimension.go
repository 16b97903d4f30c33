package reports

import (
	"slices"
	"strings"
)

// A source is a table figures are read from; each knows all that the ones before
// it know, and has more rows.
type source int

const (
	byCampaign source = iota // sums of 15 minutes by campaign and platform
	byLink                   // the same by link
	byRow                    // the clicks themselves
)

// A table is a source as ClickHouse has it.
type table struct{ name, time string }

var tables = [...]table{
	byCampaign: {"campaign_clicks_15m", "bucket"},
	byLink:     {"clicks_15m", "bucket"},
	byRow:      {"clicks", "time"},
}

// A Dimension is something figures can be grouped by.
type Dimension struct {
	Name    string // as a client asks for it
	Field   string // as the answer names it
	from    source // the first that knows it
	ordered bool   // it is a time: rows of it come in order
	column  string // of a plain one
	span    string // of a time: ClickHouse's function of a time and a zone
	shown   string // how its value is written, with %s for the value
	known   known  // whose it is
}

// known says which figures a dimension can group and narrow.
type known int

const (
	ofBoth    known = iota
	ofClicks        // a click has it, an action does not
	ofActions       // an action has it, a click does not
)

// key is the expression rows are grouped by. In it the report's time zone is a
// query parameter: ClickHouse wants a constant there, which a parameter is.
func (d *Dimension) key(timeColumn string) string {
	if d.ordered {
		return d.span + "(" + timeColumn + ", {tz:String})"
	}
	return d.column
}

// text is the expression that writes the key for people. It stands apart because
// it is worked out once a group, and the key once a row.
func (d *Dimension) text(timeColumn string) string {
	return strings.Replace(d.shown, "%s", d.key(timeColumn), 1)
}

func columnOf(name, column string, from source) Dimension {
	field := column
	if name == "referrer" {
		field = name
	}
	d := Dimension{Name: name, Field: field, from: from, column: column, shown: "%s"}
	if from == byRow {
		d.known = ofClicks
	}
	return d
}

func timeSpan(name, span, shown string) Dimension {
	return Dimension{Name: name, Field: name, ordered: true, span: span, shown: shown}
}

func actionColumn(name string) Dimension {
	return Dimension{Name: name, Field: name, column: name, shown: "%s", known: ofActions}
}

// dimensions are the groupings clicks and actions have.
var dimensions = []Dimension{
	columnOf("advertiser", "advertiser_id", byCampaign),
	columnOf("campaign", "campaign_id", byCampaign),
	columnOf("platform", "platform", byCampaign),
	columnOf("creator", "creator_id", byLink),
	columnOf("task", "task_id", byLink),
	columnOf("post", "post_id", byLink),
	columnOf("link", "link_id", byLink),
	columnOf("currency", "currency", byCampaign),
	actionColumn("event"),
	actionColumn("code"),
	columnOf("observed_platform", "observed_platform", byRow),
	columnOf("country", "country", byRow),
	columnOf("device", "device", byRow),
	columnOf("os", "os", byRow),
	columnOf("referrer", "referrer_host", byRow),
	// An hour is named in Go, with its offset: a clock set back has two of one name.
	timeSpan("hour", "toStartOfHour", "toString(toUnixTimestamp(%s))"),
	timeSpan("day", "toDate", "toString(%s)"),
	timeSpan("week", "toMonday", "toString(%s)"),
	timeSpan("month", "toStartOfMonth", "substring(toString(%s), 1, 7)"),
}

// Dimensions lists the names figures can be grouped by.
func Dimensions() []string {
	names := make([]string, len(dimensions))
	for i, d := range dimensions {
		names[i] = d.Name
	}
	return names
}

// filterNamed finds the dimension a field of the answer shows; times are no
// filters.
func filterNamed(field string) (Dimension, bool) {
	i := slices.IndexFunc(dimensions, func(d Dimension) bool { return d.Field == field && !d.ordered })
	if i < 0 {
		return Dimension{}, false
	}
	return dimensions[i], true
}

func dimensionNamed(name string) (Dimension, bool) {
	i := slices.IndexFunc(dimensions, func(d Dimension) bool { return d.Name == name })
	if i < 0 {
		return Dimension{}, false
	}
	return dimensions[i], true
}

// A column is one figure of a report row.
type column struct {
	name string
	sums string // over sums of 15 minutes
	rows string // over the clicks themselves
}

// clickColumns are the figures counted from hits. A hit is any request, a click
// a valid one, and unique the first of a visitor on a link in 30 minutes.
var clickColumns = func() []column {
	columns := []column{
		{"hits", "sum(hits)", "count()"},
		{"clicks", "sum(clicks)", "countIf(verdict = 'valid')"},
		{"unique_clicks", "sum(unique_clicks)", "countIf(verdict = 'valid' AND is_unique = 1)"},
		{"invalid_clicks", "sum(hits) - sum(clicks)", "countIf(verdict != 'valid')"},
	}
	for _, verdict := range invalidVerdicts {
		columns = append(columns, column{"invalid_" + verdict, "sum(invalid_" + verdict + ")", "countIf(verdict = '" + verdict + "')"})
	}
	return columns
}()

var invalidVerdicts = []string{"test", "probe", "prefetch", "preview", "bot", "datacenter", "rate"}

// Columns lists the names of the figures, in the order a file has them.
func Columns() []string {
	var names []string
	for _, c := range clickColumns {
		names = append(names, c.name)
	}
	for _, s := range actionSums {
		if !s.inner {
			names = append(names, s.name)
		}
	}
	for _, q := range ratios {
		names = append(names, q.name)
	}
	return names
}
