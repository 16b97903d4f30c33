package loadgen

import (
	"context"
	"maps"
	"sync"
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
	plan := &plan{
		Options: o, address: dialAddress(targets[0]), requests: visits,
		start: time.Now().Add(100 * time.Millisecond), // lets every connection be made first
	}
	senders := make([]*sender, o.Connections)
	for i := range senders {
		if senders[i], err = newSender(plan, i); err != nil {
			return nil, err
		}
	}
	var running sync.WaitGroup
	for _, s := range senders {
		running.Go(func() { s.run(ctx) })
	}
	finished := make(chan struct{})
	go func() { running.Wait(); close(finished) }()
	watch(plan, senders, finished, progress)
	return gather(plan, senders), nil
}

// A plan is what all senders share; it does not change during a run.
type plan struct {
	Options
	address  string
	requests [][]byte
	start    time.Time
}

// due is the intended time of the n-th request of a run. It follows from the
// rate alone.
func (p *plan) due(n uint64) time.Time {
	return p.start.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
}

func watch(p *plan, senders []*sender, finished <-chan struct{}, progress func(time.Duration, uint64)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-finished:
			return
		case <-ticker.C:
		}
		if progress == nil {
			continue
		}
		var sent uint64
		for _, s := range senders {
			sent += s.sent.Load()
		}
		progress(time.Since(p.start), sent)
	}
}

func gather(p *plan, senders []*sender) *Result {
	var latency, lag histogram
	result := &Result{
		URLs: p.URLs, Rate: p.Rate, Connections: p.Connections,
		Statuses: map[int]uint64{}, Errors: map[string]uint64{},
	}
	var last time.Time
	for _, s := range senders {
		latency.add(&s.latency)
		lag.add(&s.lag)
		result.Due += s.due
		result.Sent += s.sent.Load()
		result.Answered += s.latency.total
		for status, n := range maps.All(s.statuses) {
			result.Statuses[status] += n
		}
		for kind, n := range maps.All(s.errors) {
			result.Errors[kind] += n
		}
		if s.lastAnswer.After(last) {
			last = s.lastAnswer
		}
	}
	if elapsed := last.Sub(p.start); elapsed > 0 {
		result.Seconds = elapsed.Seconds()
		result.AnsweredPerSecond = float64(result.Answered) / elapsed.Seconds()
	}
	result.Latency = quantilesOf(&latency)
	result.SenderLag = quantilesOf(&lag)
	return result
}
