package ledger

import (
	"fmt"
	"time"

	"tributary/attribution"
)

// A PostCutoff is when a month's payout run is closed to posts: 00:00 of a day of
// the month that follows it. A post that is approved later is in the next run.
type PostCutoff struct {
	Day  int // of the month, 1 to 28
	Zone *time.Location
}

// String is the form of the setting.
func (c PostCutoff) String() string { return fmt.Sprintf("%d %s", c.Day, c.Zone) }

// defaultPostCutoff is the 5th, 00:00 in Asia/Singapore, which has no clock changes.
var defaultPostCutoff = PostCutoff{Day: 5, Zone: time.FixedZone("Asia/Singapore", 8*60*60)}

// run is when the payout run is due that a post is in: the first after the month
// it was posted in that had not closed when it was approved.
func (c PostCutoff) run(posted, approved attribution.Instant) attribution.Instant {
	month := func(from attribution.Instant, later int) attribution.Instant {
		year, month, _ := from.Time().In(c.Zone).Date()
		return attribution.InstantOf(attribution.StartOfDay(year, month+time.Month(later), c.Day, c.Zone))
	}
	at := month(approved, 0)
	if at < approved {
		at = month(approved, 1)
	}
	return max(at, month(posted, 1))
}
