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
	Name       string // as a client asks for it
	Field      string // as the answer names it
	Definition string
	from       source // the first that knows it
	ordered    bool   // it is a time: rows of it come in order
	column     string // of a plain one
	span       string // of a time: ClickHouse's function of a time and a zone
	shown      string // how its value is written, with %s for the value
	known      kinds  // whose it is
}

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

// What a dimension can be of.
const (
	ofAll            = ofClicks | ofActions | ofPosts
	ofClicksAndMoney = ofClicks | ofActions
)

func columnOf(name, column string, from source, known kinds, definition string) Dimension {
	field := column
	if name == "referrer" {
		field = name
	}
	return Dimension{Name: name, Field: field, Definition: definition, from: from, column: column, shown: "%s", known: known}
}

func timeSpan(name, span, shown, definition string) Dimension {
	return Dimension{Name: name, Field: name, Definition: definition, ordered: true, span: span, shown: shown, known: ofAll}
}

// dimensions are the groupings clicks, actions and posts have.
var dimensions = []Dimension{
	columnOf("advertiser", "advertiser_id", byCampaign, ofAll, "Whose the campaign is."),
	columnOf("campaign", "campaign_id", byCampaign, ofAll, ""),
	columnOf("platform", "platform", byCampaign, ofAll, "The task's social platform."),
	columnOf("creator", "creator_id", byLink, ofAll, ""),
	columnOf("task", "task_id", byLink, ofAll, ""),
	columnOf("post", "post_id", byLink, ofAll, "Empty where a link or an action is of no post."),
	columnOf("link", "link_id", byLink, ofClicksAndMoney, "Empty where an action came without a link."),
	columnOf("currency", "currency", byCampaign, ofAll, "The campaign's. Every row is of one currency, whatever it is grouped by."),
	columnOf("event", "event", byLink, ofActions, "What happened: sale, lead, click, task …"),
	columnOf("code", "code", byLink, ofActions, "The referral code that earned the action; empty for none."),
	columnOf("observed_platform", "observed_platform", byRow, ofClicks, "Where clicks were seen to come from, by referrer and in-app user agent; empty where it does not show."),
	columnOf("country", "country", byRow, ofClicks, "ISO 3166 code; empty where it is not known."),
	columnOf("device", "device", byRow, ofClicks, ""),
	columnOf("os", "os", byRow, ofClicks, ""),
	columnOf("referrer", "referrer_host", byRow, ofClicks, "Host of the page with the link; empty for none."),
	// An hour is named in Go, with its offset: a clock set back has two of one name.
	timeSpan("hour", "toStartOfHour", "toString(toUnixTimestamp(%s))", "In the time zone, with its offset."),
	timeSpan("day", "toDate", "toString(%s)", "In the time zone."),
	timeSpan("week", "toMonday", "toString(%s)", "In the time zone: its Monday."),
	timeSpan("month", "toStartOfMonth", "substring(toString(%s), 1, 7)", "In the time zone."),
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
