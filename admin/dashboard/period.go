package dashboard

import (
	"net/url"
	"strconv"
	"time"
)

// A period is the days a page is about, in the zone of the page, and whether it is
// compared with as many days before.
type period struct {
	Name     string // of a preset, or custom
	From, To time.Time
	Compare  bool
	hourly   bool
}

// A preset is a period with a name.
type preset struct{ Name, Label string }

// presets are the periods one can pick, the default among them.
var presets = []preset{
	{"today", "Today"}, {"7d", "Last 7 days"}, {"30d", "Last 30 days"}, {"90d", "Last 90 days"},
	{"month", "This month"}, {"last_month", "Last month"}, {"year", "This year"},
}

const (
	defaultPreset = "30d"
	maxPeriodDays = 731
)

// readPeriod reads ?period=, or ?from= and ?to= (both included, as people say
// days), and ?compare=none. What makes no sense is the default.
func readPeriod(query url.Values, now time.Time, zone *time.Location) period {
	now = now.In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	p := period{Name: query.Get("period"), To: midnight.AddDate(0, 0, 1), Compare: query.Get("compare") != "none"}
	firstOfMonth := midnight.AddDate(0, 0, 1-midnight.Day())
	switch p.Name {
	case "today":
		p.From, p.hourly = midnight, true
	case "7d":
		p.From = midnight.AddDate(0, 0, -6)
	case "90d":
		p.From = midnight.AddDate(0, 0, -89)
	case "month":
		p.From = firstOfMonth
	case "last_month":
		p.From, p.To = firstOfMonth.AddDate(0, -1, 0), firstOfMonth
	case "year":
		p.From = time.Date(now.Year(), 1, 1, 0, 0, 0, 0, zone)
	default:
		p.Name, p.From = defaultPreset, midnight.AddDate(0, 0, -29)
	}
	from, err1 := time.ParseInLocation(time.DateOnly, query.Get("from"), zone)
	last, err2 := time.ParseInLocation(time.DateOnly, query.Get("to"), zone)
	if query.Get("period") == "custom" && err1 == nil && err2 == nil && !from.After(last) && last.Before(from.AddDate(0, 0, maxPeriodDays)) {
		p.Name, p.From, p.To = "custom", from, last.AddDate(0, 0, 1)
		p.hourly = p.Days() == 1
	}
	return p
}

// Days is how many there are, a short one by a clock change counted as one.
func (p period) Days() int { return int((p.To.Sub(p.From) + 12*time.Hour) / (24 * time.Hour)) }

// Before is what the period is compared with: as many whole months before, where
// it is of whole months, else as many days, as the API has it.
func (p period) Before() period {
	if months := p.months(); months > 0 {
		return period{Name: "before", From: p.From.AddDate(0, -months, 0), To: p.From}
	}
	return period{Name: "before", From: p.From.AddDate(0, 0, -p.Days()), To: p.From, hourly: p.hourly}
}

// months is how many there are where the period is of whole ones, else 0.
func (p period) months() int {
	if p.From.Day() != 1 || p.To.Day() != 1 {
		return 0
	}
	return (p.To.Year()-p.From.Year())*12 + int(p.To.Month()) - int(p.From.Month())
}

// LastDay is the last one that is included.
func (p period) LastDay() time.Time { return p.To.AddDate(0, 0, -1) }

// Label says the period in words.
func (p period) Label() string {
	for _, known := range presets {
		if known.Name == p.Name {
			return known.Label
		}
	}
	return p.Dates()
}

// Dates are the first and the last day.
func (p period) Dates() string {
	from, last := p.From, p.LastDay()
	switch {
	case from.Equal(last):
		return from.Format("2 Jan 2006")
	case from.Year() == last.Year():
		return from.Format("2 Jan") + " – " + last.Format("2 Jan 2006")
	}
	return from.Format("2 Jan 2006") + " – " + last.Format("2 Jan 2006")
}

// BeforeLabel names what is compared with.
func (p period) BeforeLabel() string {
	switch months := p.months(); {
	case months == 1:
		return "the month before"
	case months > 1:
		return "the " + strconv.Itoa(months) + " months before"
	case p.Days() == 1:
		return "the day before"
	}
	return "the " + strconv.Itoa(p.Days()) + " days before"
}

// Grouping is the report's step for a line over the period.
func (p period) Grouping() string {
	switch {
	case p.hourly:
		return "hour"
	case p.Days() > 186:
		return "week"
	}
	return "day"
}

// steps are the beginnings of the period's steps, as the report names them.
func (p period) steps() (names []string) {
	switch p.Grouping() {
	case "hour":
		for at := p.From; at.Before(p.To); at = at.Add(time.Hour) {
			names = append(names, at.Format(time.RFC3339))
		}
	case "week":
		monday := p.From.AddDate(0, 0, -(int(p.From.Weekday())+6)%7)
		for at := monday; at.Before(p.To); at = at.AddDate(0, 0, 7) {
			names = append(names, at.Format(time.DateOnly))
		}
	default:
		for at := p.From; at.Before(p.To); at = at.AddDate(0, 0, 1) {
			names = append(names, at.Format(time.DateOnly))
		}
	}
	return names
}

// keepIn writes the period into an address, unless it is the default.
func (p period) keepIn(query url.Values) {
	if p.Name == "" || p.From.IsZero() {
		return
	}
	if p.Name != defaultPreset {
		query.Set("period", p.Name)
	}
	if p.Name == "custom" {
		query.Set("from", p.From.Format(time.DateOnly))
		query.Set("to", p.LastDay().Format(time.DateOnly))
	}
	if !p.Compare {
		query.Set("compare", "none")
	}
}

// Presets are the periods one can pick.
func (p period) Presets() []preset { return presets }
