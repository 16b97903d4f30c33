package attribution

import "time"

// After returns the moment a schedule sets, counted from another: the end of
// that day or month in zone (00:00 of the next), plus calendar months clamped to
// the month's last day, plus days. Midnight is the zone's own, also where a clock
// change moves it.
func (s Schedule) After(from Instant, zone *time.Location) Instant {
	local := from.Time().In(zone)
	year, month, day := local.Date()
	switch s.Basis {
	case "day":
		day++
	case "month":
		month, day = month+1, 1
	default:
		return from
	}
	// Normalise before months are added, so that the clamp sees a real date.
	year, month, day = time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Date()
	month += time.Month(s.Months)
	day = min(day, lastDay(year, month))
	return InstantOf(StartOfDay(year, month, day+s.Days, zone))
}

// StartOfDay is the first moment of a day in zone: not midnight where clocks are
// set forward at midnight, and the first of two where they are set back to it. As
// for time.Date, days beyond a month's are those of the next.
func StartOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if asked := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); dateOf(at).Before(asked) {
		_, changed := at.ZoneBounds()
		return changed.In(zone)
	}
	if first := at.Add(-time.Hour); first.Day() == at.Day() {
		return first
	}
	return at
}

// dateOf is the date of a moment in its zone, as midnight of UTC.
func dateOf(at time.Time) time.Time {
	year, month, day := at.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// lastDay is the number of days of a month, which may be beyond December.
func lastDay(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 12, 0, 0, 0, time.UTC).Day()
}
