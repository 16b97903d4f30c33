package attribution

import (
	"testing"
	"time"
	_ "time/tzdata" // the same rules on every machine
)

func momentOf(t *testing.T, text string) Instant {
	t.Helper()
	var at Instant
	if err := at.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule         Schedule
		zone, from, want string
	}{
		{Schedule{Basis: "immediate"}, "UTC", "2027-01-10T09:00:00.000Z", "2027-01-10T09:00:00.000Z"},
		{Schedule{Basis: "month", Days: 27}, "UTC", "2027-01-10T09:00:00.000Z", "2027-02-28T00:00:00.000Z"},
		{Schedule{Basis: "day", Months: 1}, "UTC", "2027-01-30T09:00:00.000Z", "2027-02-28T00:00:00.000Z"},
		{Schedule{Basis: "day"}, "Asia/Bangkok", "2027-01-10T17:00:00.000Z", "2027-01-11T17:00:00.000Z"},
		// Clocks are set forward at midnight: the day begins at 01:00.
		{Schedule{Basis: "day"}, "America/Santiago", "2026-09-05T15:00:00.000Z", "2026-09-06T04:00:00.000Z"},
		{Schedule{Basis: "day", Days: 7}, "America/Santiago", "2026-08-29T15:00:00.000Z", "2026-09-06T04:00:00.000Z"},
		{Schedule{Basis: "day"}, "America/Havana", "2027-03-13T15:00:00.000Z", "2027-03-14T05:00:00.000Z"},
		{Schedule{Basis: "day"}, "Atlantic/Azores", "2027-03-27T15:00:00.000Z", "2027-03-28T01:00:00.000Z"},
		{Schedule{Basis: "day"}, "Africa/Cairo", "2027-04-29T15:00:00.000Z", "2027-04-29T22:00:00.000Z"},
		{Schedule{Basis: "day"}, "Asia/Beirut", "2027-03-27T15:00:00.000Z", "2027-03-27T22:00:00.000Z"},
		// Clocks are set back to midnight: the day begins at the first of two.
		{Schedule{Basis: "day"}, "America/Havana", "2026-10-31T15:00:00.000Z", "2026-11-01T04:00:00.000Z"},
		{Schedule{Basis: "day"}, "Asia/Amman", "2021-10-28T15:00:00.000Z", "2021-10-28T21:00:00.000Z"},
		// The day is left out: the next one.
		{Schedule{Basis: "day"}, "Pacific/Apia", "2011-12-30T09:00:00.000Z", "2011-12-30T10:00:00.000Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.schedule.After(momentOf(t, c.from), zone); got != momentOf(t, c.want) {
			t.Errorf("%+v in %s from %s: %s, want %s", c.schedule, c.zone, c.from, got.Time().UTC(), c.want)
		}
	}
}

// skipsMidnight are zones whose clocks have been set forward at midnight, by any
// rule since 2000.
var skipsMidnight = []string{
	"Africa/Cairo", "America/Asuncion", "America/Campo_Grande", "America/Coyhaique", "America/Cuiaba", "America/Fortaleza", "America/Havana",
	"America/Punta_Arenas", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund", "Asia/Amman", "Asia/Beirut", "Asia/Damascus",
	"Asia/Gaza", "Asia/Hebron", "Asia/Tehran", "Atlantic/Azores", "Pacific/Apia",
}

// TestDaysBeginWithTheirFirstMoment looks for the first quarter of an hour of each day
// in zones whose days do not always begin at 00:00.
func TestDaysBeginWithTheirFirstMoment(t *testing.T) {
	t.Parallel()
	for _, name := range skipsMidnight {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		later := 0
		before := time.Date(2000, 1, 1, 12, 0, 0, 0, zone)
		for at := before; at.Year() < 2040; at = at.Add(15 * time.Minute) {
			if year, month, day := at.Date(); dateOf(at).After(dateOf(before)) {
				if got := StartOfDay(year, month, day, zone); !got.Equal(at) {
					t.Errorf("%s: %s begins at %s, not %s", name, dateOf(at).Format(time.DateOnly), got, at)
				}
				if at.Hour() != 0 {
					later++
				}
				before = at
				at = at.Add(20 * time.Hour) // no day is shorter
			}
		}
		if later == 0 {
			t.Errorf("%s never skipped midnight: it is here by mistake", name)
		}
	}
}
