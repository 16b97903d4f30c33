package reports

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// wholeDays reports whether the period is made of whole days of the zone.
func (q *Query) wholeDays() bool { return beginsDay(q.from, q.zone) && beginsDay(q.to, q.zone) }

// previous is the period of equal length before: as many whole months of the zone,
// else as many whole days, else as much time.
func (q *Query) previous() period {
	if !q.wholeDays() {
		return period{q.from.Add(-q.to.Sub(q.from)), q.from}
	}
	from, to := dayOf(q.from, q.zone), dayOf(q.to, q.zone)
	begin := from.AddDate(0, 0, -daysBetween(from, to))
	if from.Day() == 1 && to.Day() == 1 {
		begin = from.AddDate(0, -monthsBetween(from, to), 0)
	}
	return period{startOfDay(begin.Year(), begin.Month(), begin.Day(), q.zone), q.from}
}

// comparison fills in a report that compares. Both periods are read as a whole, up
// to MaxRows rows each, and put side by side here: a row may be in one of them only.
func (r *Reports) comparison(ctx context.Context, q *Query, agencies []string, report *Report) error {
	before := q.previous()
	report.PreviousFrom = before.from
	rows, totals, truncated, err := r.figures(ctx, q, agencies, period{q.from, q.to}, MaxRows)
	if err != nil {
		return err
	}
	previous, previousTotals, previousTruncated, err := r.figures(ctx, q, agencies, before, MaxRows)
	if err != nil {
		return err
	}
	rows = q.beside(rows, previous, before)
	slices.SortFunc(rows, func(a, b Row) int { return q.inOrder(q.groupBy, &a, &b) })
	report.Truncated = truncated || previousTruncated || len(rows) > q.limit
	report.Rows = rows[:min(len(rows), q.limit)]
	report.Totals = q.beside(totals, previousTotals, before)
	slices.SortFunc(report.Totals, func(a, b Row) int { return strings.Compare(a.Currency, b.Currency) })
	return nil
}

// beside gives every row the one of the period before, and adds those that only the
// period before has.
func (q *Query) beside(rows, previous []Row, before period) []Row {
	places := make(map[string]int, len(rows))
	for i := range rows {
		rows[i].Previous = &Row{Currency: rows[i].Currency}
		places[rows[i].name()] = i
	}
	for i := range previous {
		row := &previous[i]
		now := Row{Keys: slices.Clone(row.Keys), Currency: row.Currency, Previous: row}
		met := true
		for n, key := range row.Keys {
			var ok bool
			now.Keys[n], ok = q.counterpart(q.groupBy[n], key, before)
			met = met && ok
		}
		place, found := places[now.name()]
		if !met || !found {
			rows = append(rows, now)
			continue
		}
		rows[place].Previous = row
	}
	return rows
}

// counterpart is what a key of the period before stands beside: the step of time
// that is as many steps into this period, and for all others the same. It is empty
// and false where this period has no such step.
func (q *Query) counterpart(d Dimension, key string, before period) (string, bool) {
	switch d.Name {
	case "hour":
		return q.counterpartHour(key, before)
	case "day", "week", "month":
		layout := time.DateOnly
		if d.Name == "month" {
			layout = "2006-01"
		}
		then, err := time.Parse(layout, key)
		if err != nil {
			return "", false
		}
		first, now := firstOf(d.Name, dayOf(before.from, q.zone)), firstOf(d.Name, dayOf(q.from, q.zone))
		if d.Name == "month" {
			now = now.AddDate(0, monthsBetween(first, then), 0)
		} else {
			now = now.AddDate(0, 0, daysBetween(first, then))
		}
		if !startOfDay(now.Year(), now.Month(), now.Day(), q.zone).Before(q.to) {
			return "", false
		}
		return now.Format(layout), true
	}
	return key, true
}

// counterpartHour is the hour of the same name, as many days into this period, when
// the period is of whole days; a clock that was set may leave it without one. Else
// it is as many hours into it.
func (q *Query) counterpartHour(key string, before period) (string, bool) {
	then, err := time.Parse(time.RFC3339, key)
	if err != nil {
		return "", false
	}
	then = then.In(q.zone)
	var now time.Time
	if q.wholeDays() {
		day := dayOf(q.from, q.zone).AddDate(0, 0, daysBetween(dayOf(before.from, q.zone), dayOf(then, q.zone)))
		start := startOfDay(day.Year(), day.Month(), day.Day(), q.zone)
		for now = start; dayOf(now, q.zone).Equal(day) && !sameHour(now, then); now = now.Add(time.Hour) {
		}
		if second := then.Add(-time.Hour); sameHour(second, then) {
			now = now.Add(time.Hour)
		}
		if !dayOf(now, q.zone).Equal(day) || !sameHour(now, then) {
			return "", false
		}
	} else {
		now = hourOf(q.from, q.zone).Add(then.Sub(hourOf(before.from, q.zone)))
	}
	if !now.Before(q.to) {
		return "", false
	}
	return now.Format(time.RFC3339), true
}

// sameHour reports whether clocks in the same zone show the same hour and minute.
func sameHour(a, b time.Time) bool { return a.Hour() == b.Hour() && a.Minute() == b.Minute() }

// hourOf is the beginning of the hour that the zone's clocks show.
func hourOf(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	into := time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	return at.Add(-into)
}

// inOrder sorts rows as statement.sorted does, grouped some way.
func (q *Query) inOrder(groupBy []Dimension, a, b *Row) int {
	compared := 0
	if i, isColumn := figureIndex[q.sortBy]; isColumn && len(groupBy) > 0 {
		compared = q.compareFigures(&columns[i], a, b)
	} else if q.sortBy == "currency" && len(groupBy) > 0 {
		compared = q.turned(strings.Compare(a.Currency, b.Currency))
	}
	for i, d := range groupBy {
		if d.Field == q.sortBy {
			compared = q.compareKeys(d, a.Keys[i], b.Keys[i], q.turned)
		}
	}
	for i, d := range groupBy {
		compared = cmp.Or(compared, q.compareKeys(d, a.Keys[i], b.Keys[i], func(order int) int { return order }))
	}
	compared = cmp.Or(compared, strings.Compare(a.Currency, b.Currency))
	if compared == 0 && a.Previous != nil && b.Previous != nil { // rows of the period before only
		compared = slices.Compare(a.Previous.Keys, b.Previous.Keys)
	}
	return compared
}

func (q *Query) turned(order int) int {
	if q.falling {
		return -order
	}
	return order
}

// compareKeys puts a time that is not of this period last.
func (q *Query) compareKeys(d Dimension, a, b string, turned func(int) int) int {
	if d.ordered && (a == "") != (b == "") {
		return cmp.Compare(len(b), len(a))
	}
	return turned(strings.Compare(a, b))
}

// compareFigures puts what a row does not show last.
func (q *Query) compareFigures(c *Column, a, b *Row) int {
	report := Report{known: q.known, creator: q.scope.CreatorID != ""}
	shownA, shownB := report.shows(a, c), report.shows(b, c)
	if !shownA || !shownB {
		return cmp.Compare(bit(shownB), bit(shownA))
	}
	exactA, exactB := c.exact(a), c.exact(b)
	if exactA == nil || exactB == nil {
		return cmp.Compare(bit(exactB != nil), bit(exactA != nil))
	}
	return q.turned(exactA.Cmp(exactB))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
