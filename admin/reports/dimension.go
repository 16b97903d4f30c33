package reports

import "slices"

// A Dimension is something figures can be grouped by.
type Dimension struct {
	Name    string // as a client asks for it
	Field   string // as the answer names it
	rollup  string // expression over the 15-minute rollup; empty: only rows know it
	rows    string // expression over the click rows
	ordered bool   // rows of it are in the order of time
}

// The columns that say when. In their expressions the report's time zone is a
// query parameter: ClickHouse wants a constant there, which a parameter is.
const (
	bucketTime = "bucket"
	clickTime  = "time"
)

func timeDimension(name string, expression func(column string) string) Dimension {
	return Dimension{Name: name, Field: name, rollup: expression(bucketTime), rows: expression(clickTime), ordered: true}
}

func plainDimension(name, column string) Dimension {
	return Dimension{Name: name, Field: column, rollup: column, rows: column}
}

func rowDimension(name, field, expression string) Dimension {
	return Dimension{Name: name, Field: field, rows: expression}
}

// dimensions are the groupings a click has.
var dimensions = []Dimension{
	plainDimension("advertiser", "advertiser_id"),
	plainDimension("campaign", "campaign_id"),
	plainDimension("platform", "platform"),
	plainDimension("creator", "creator_id"),
	plainDimension("task", "task_id"),
	plainDimension("post", "post_id"),
	plainDimension("link", "link_id"),
	plainDimension("currency", "currency"),
	rowDimension("observed_platform", "observed_platform", "observed_platform"),
	rowDimension("country", "country", "country"),
	rowDimension("device", "device", "device"),
	rowDimension("os", "os", "os"),
	rowDimension("referrer", "referrer", "referrer_host"),
	// An hour is named in Go, with its offset: a clock set back has two of one name.
	timeDimension("hour", func(t string) string { return "toString(toUnixTimestamp(toStartOfHour(" + t + ", {tz:String})))" }),
	timeDimension("day", func(t string) string { return "toString(toDate(" + t + ", {tz:String}))" }),
	timeDimension("week", func(t string) string { return "toString(toMonday(" + t + ", {tz:String}))" }),
	timeDimension("month", func(t string) string { return "substring(toString(toStartOfMonth(" + t + ", {tz:String})), 1, 7)" }),
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
	name   string
	rollup string
	rows   string
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
	names := make([]string, len(clickColumns))
	for i, c := range clickColumns {
		names[i] = c.name
	}
	return names
}
