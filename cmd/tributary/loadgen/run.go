package loadgen

import (
	"context"
	"time"
)

// Run sends requests for the options' duration, or until ctx ends, and waits
// for the answers. progress, when not nil, is called about once a second with
// how much was sent so far.
func Run(ctx context.Context, o Options, progress func(elapsed time.Duration, sent uint64)) (*Result, error) {
	targets, err := o.check()
	if err != nil {
		return nil, err
	}
	visits, err := requests(targets, o.Visitors)
	if err != nil {
		return nil, err
	}
	plan := &plan{Options: o, address: dialAddress(targets[0]), requests: visits}
	l := newLoop(plan)
	plan.start = time.Now()
	if err := l.run(ctx, progress); err != nil {
		return nil, err
	}
	return l.result.of(plan), nil
}

// A plan says what is sent and when.
type plan struct {
	Options
	address  string
	requests [][]byte
	start    time.Time
}

// due is the intended time of the n-th request of a run, since its start. It
// follows from the rate alone.
func (p *plan) due(n uint64) time.Duration {
	return time.Duration(float64(n) / p.Rate * float64(time.Second))
}

func (t *tally) of(p *plan) *Result {
	result := &Result{
		URLs: p.URLs, Rate: p.Rate, Connections: p.Connections,
		Due: t.due, Sent: t.sent, Answered: t.latency.total, Statuses: t.statuses, Errors: t.errors,
		Latency: quantilesOf(&t.latency), SenderLag: quantilesOf(&t.lag),
	}
	if elapsed := t.lastAnswer; elapsed > 0 {
		result.Seconds = elapsed.Seconds()
		result.AnsweredPerSecond = float64(result.Answered) / elapsed.Seconds()
	}
	return result
}
