package reports

import "time"

// startOfDay is the first moment of a day: not midnight where clocks are set
// forward at midnight, and the first of two where they are set back to it.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if wanted := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); at.Day() != wanted.Day() {
		_, changed := at.ZoneBounds()
		return changed.In(zone)
	}
	if first := at.Add(-time.Hour); first.Day() == at.Day() {
		return first
	}
	return at
}

// dayOf is the day of a moment, as a date without a zone.
func dayOf(at time.Time, zone *time.Location) time.Time {
	year, month, day := at.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// beginsDay reports whether a moment is the first of a day.
func beginsDay(at time.Time, zone *time.Location) bool {
	year, month, day := at.In(zone).Date()
	return at.Equal(startOfDay(year, month, day, zone))
}

// firstOf is the day a day's week or month begins with.
func firstOf(span string, day time.Time) time.Time {
	switch span {
	case "week":
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case "month":
		return day.AddDate(0, 0, 1-day.Day())
	}
	return day
}

// daysBetween counts the days from one date to another.
func daysBetween(from, to time.Time) int { return int(to.Sub(from) / (24 * time.Hour)) }

// monthsBetween counts the months from one date's to another's.
func monthsBetween(from, to time.Time) int {
	return 12*(to.Year()-from.Year()) + int(to.Month()) - int(from.Month())
}
