package background

import (
	"cmp"
	"context"
	"time"
)

// A Pace says how long work that is repeated rests.
type Pace struct {
	// Every is the rest after a time that left nothing to do.
	Every time.Duration
	// Again is the rest after a failure, and twice as long after each next one in a
	// row, up to Most. Zero Again: Every; zero Most: all are Again.
	Again, Most time.Duration
	// Wake ends a rest early, except after a failure; when it is closed, for the last
	// time. Nil: nothing does.
	Wake <-chan struct{}
}

// Repeat does something until ctx ends, again at once while there is more to do.
// What fails is tried again, and failed is told of it: of the same failure once,
// until it works or fails otherwise.
func Repeat(ctx context.Context, pace Pace, failed func(error), do func(context.Context) (more bool, err error)) {
	told, again := "", cmp.Or(pace.Again, pace.Every)
	rest := again
	for ctx.Err() == nil {
		more, err := do(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if err.Error() != told {
				told = err.Error()
				failed(err)
			}
			pause(ctx, rest, nil)
			rest = max(rest, min(2*rest, pace.Most))
		default:
			told, rest = "", again
			if !more && !pause(ctx, pace.Every, pace.Wake) {
				pace.Wake = nil
			}
		}
	}
}

// pause returns after a time, or when it is woken. It reports false when nothing
// will wake anybody again.
func pause(ctx context.Context, rest time.Duration, wake <-chan struct{}) (open bool) {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case _, open := <-wake:
		return open
	}
	return true
}
