package dashboard

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"tributary/admin/reports"
)

// A chart is lines over time as a table, which chart.js draws.
type chart struct {
	Title  string
	Step   string // Day, Hour or Week
	Labels []string
	Series []series
}

// Groups are the names of the groups of lines, in their order.
func (c *chart) Groups() (names []string) {
	if c == nil {
		return nil
	}
	for _, s := range c.Series {
		if !slices.Contains(names, s.Group) {
			names = append(names, s.Group)
		}
	}
	return names
}

// A series is one line. Series of one Group are drawn together.
type series struct {
	Label    string
	Group    string
	Color    int // 1 to 3, of the style sheet
	Dashed   bool
	Currency string // of money; empty for counts
	Points   []point
}

// A point is a value for the chart, and in words for people.
type point struct{ Value, Text string }

// A line is a figure to draw, by its name in the API.
type line struct {
	Figure, Label, Group string
	Color                int
	Money                bool
}

// timeline asks for figures step by step over the period, and over the one before
// where they are compared. Lines of money are of one currency.
func (v *visit) timeline(title, currency string, filters map[string][]string, lines ...line) (*chart, error) {
	c := &chart{Title: title, Step: human(v.Period.Grouping())}
	for _, name := range v.Period.steps() {
		c.Labels = append(c.Labels, stepLabel(name, v.Zone))
	}
	periods := []period{v.Period}
	if v.Period.Compare {
		periods = append(periods, v.Period.Before())
	}
	answers, failed := make([]map[string][]figureRow, len(periods)), make([]error, len(periods))
	var wg sync.WaitGroup
	for i, p := range periods {
		wg.Go(func() { answers[i], failed[i] = v.steps(p, filters, lines) })
	}
	wg.Wait()
	for i, p := range periods {
		if failed[i] != nil {
			return nil, failed[i]
		}
		steps := answers[i]
		for _, l := range lines {
			s := series{Label: l.Label, Group: l.Group, Color: l.Color, Dashed: i > 0}
			if l.Money {
				s.Currency = currency
			}
			if s.Dashed {
				s.Label += ", " + v.Period.BeforeLabel()
			}
			s.Points = pointsOf(steps, p.steps(), l, currency, v.Now, v.Zone)
			for len(s.Points) < len(c.Labels) {
				s.Points = append(s.Points, point{Text: "–"})
			}
			s.Points = s.Points[:len(c.Labels)]
			c.Series = append(c.Series, s)
		}
	}
	return c, nil
}

// steps are the period's figures by the beginning of the step.
func (v *visit) steps(p period, filters map[string][]string, lines []line) (map[string][]figureRow, error) {
	var columns []string
	for _, l := range lines {
		columns = append(columns, l.Figure)
	}
	answer, err := v.ask(p, reports.Question{GroupBy: []string{p.Grouping()}, Filters: filters, Columns: columns})
	if err != nil {
		return nil, err
	}
	steps := map[string][]figureRow{}
	for _, row := range answer.Rows {
		steps[row.Key] = append(steps[row.Key], row)
	}
	return steps, nil
}

// pointsOf are a line's values, step by step; steps that are still to come have
// none.
func pointsOf(steps map[string][]figureRow, names []string, l line, currency string, now time.Time, zone *time.Location) []point {
	points := make([]point, len(names))
	for i, name := range names {
		if begins, err := stepTime(name, zone); err == nil && begins.After(now) {
			points[i] = point{Text: "–"}
			continue
		}
		if !l.Money {
			var sum uint64
			for _, row := range steps[name] {
				sum += row.Count(l.Figure)
			}
			points[i] = point{strconv.FormatUint(sum, 10), count(sum)}
			continue
		}
		points[i] = point{"0", money("0", currency)}
		for _, row := range steps[name] {
			if text, known := textOf(row.Get(l.Figure)); row.Currency == currency && known {
				points[i] = point{text, money(text, currency)}
			}
		}
	}
	return points
}

func stepTime(name string, zone *time.Location) (time.Time, error) {
	if len(name) == len(time.DateOnly) {
		return time.ParseInLocation(time.DateOnly, name, zone)
	}
	return time.Parse(time.RFC3339, name)
}

func stepLabel(name string, zone *time.Location) string {
	at, err := stepTime(name, zone)
	switch {
	case err != nil:
		return name
	case len(name) > len(time.DateOnly):
		return at.In(zone).Format("15:04")
	}
	return at.Format("2 Jan")
}

// A bar is one row of a breakdown.
type bar struct{ Label, Country, Href, Text, Note, Width string }
