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
	return InstantOf(time.Date(year, month, day+s.Days, 0, 0, 0, 0, zone))
}

// lastDay is the number of days of a month, which may be beyond December.
func lastDay(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 12, 0, 0, 0, time.UTC).Day()
}
