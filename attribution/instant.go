package attribution

import (
	"fmt"
	"time"
)

// An Instant is a moment in milliseconds since the Unix epoch; the zero Instant
// means "none". In JSON it is RFC 3339 in UTC with milliseconds.
type Instant int64

// InstantOf cuts a time to its millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// InstantOrNone is the instant of a time, none of the zero time.
func InstantOrNone(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return InstantOf(t)
}

// InstantOrNil is the instant of milliseconds since the Unix epoch, nil for none.
func InstantOrNil(ms int64) *Instant {
	if ms == 0 {
		return nil
	}
	return new(Instant(ms))
}

// Time is the instant as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// String writes the instant as JSON has it.
func (i Instant) String() string { return i.Time().Format("2006-01-02T15:04:05.000Z") }

// MarshalText writes the instant as RFC 3339 in UTC with milliseconds.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads RFC 3339; finer than a millisecond is cut off.
func (i *Instant) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("must be an RFC 3339 time such as 2027-01-10T09:00:00Z")
	}
	*i = InstantOf(t)
	return nil
}
