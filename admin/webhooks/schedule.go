package webhooks

import (
	"math/rand/v2"
	"time"
)

// retryDelays are the waits after a delivery's first, second, … failed attempt;
// the last one repeats. Each is varied by a fifth.
var retryDelays = [...]time.Duration{
	10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	6 * time.Hour, 8 * time.Hour, 10 * time.Hour, 12 * time.Hour,
}

// retryFor is how long a delivery is tried; the last attempt is at its end.
const retryFor = 72 * time.Hour

// retryAt is when a delivery is tried again after its attempts have failed, the
// last one now; zero when it is given up. A webhook that asks for a later time
// (Retry-After) is given it.
func retryAt(created, now time.Time, attempts int, asked time.Duration) time.Time {
	end := created.Add(retryFor)
	if !now.Before(end) {
		return time.Time{}
	}
	delay := retryDelays[min(max(attempts, 1), len(retryDelays))-1]
	delay = delay*4/5 + time.Duration(rand.Int64N(int64(delay)*2/5))
	if next := now.Add(max(delay, asked)); next.Before(end) {
		return next
	}
	return end
}

// The failures in a row at which a webhook's owner is told, and at which it is
// disabled.
const (
	alertAfter   = 10
	disableAfter = 20
)

// maxPause is the longest a webhook is left alone after a failure.
const maxPause = 5 * time.Minute

// pauseAfter is how long nothing is sent to a webhook after a number of failures
// in a row: 1 s, 2 s, 4 s and so on. So many deliveries waiting for it neither
// disable it in the moment its server restarts, nor are tried in vain at once.
func pauseAfter(failures int) time.Duration {
	return min(time.Second<<min(max(failures-1, 0), 10), maxPause)
}
