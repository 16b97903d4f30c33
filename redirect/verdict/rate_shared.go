package verdict

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A Tally adds up what trackers count of the same things, each by itself. It is
// told how much this one counted of each thing so far, and sets others to what all
// the others did, below 0 where it cannot say.
type Tally interface {
	Exchange(ctx context.Context, things [][2]uint64, own, others []int64) error
}

// The bounds of an exchange.
const (
	rateExchangeKeys     = 1024 // those with news, and of them those with the most hits
	rateExchangeShare    = 32   // of the limit: a key with a smaller share of it is nobody else's business
	maxRateExchangeEvery = time.Second

	// MinRateExchangeEvery is the least time between two exchanges.
	MinRateExchangeEvery = 250 * time.Millisecond
)

// rateExchange is what is asked of a Tally, used again for the next exchange.
type rateExchange struct {
	counts      []rateCount
	things      [][2]uint64
	own, others []int64
}

// ExchangeEvery is the time between two exchanges: a second, less for windows of
// few seconds, but MinRateExchangeEvery.
func (w *RateWindow) ExchangeEvery() time.Duration {
	quarter := time.Duration(w.limit.WindowMs) * time.Millisecond / 4
	return min(max(quarter, MinRateExchangeEvery), maxRateExchangeEvery)
}

// Exchange tells other trackers which keys made many hits here, and learns how
// many those made there. So a network that spreads its hits over trackers is above
// the limit from the second exchange behind the hit that was one too many for all of
// them together, or later by what each of them did not speak of: up to a 32nd of the
// limit. It takes each part of the table for some microseconds. Calls do not overlap.
func (w *RateWindow) Exchange(ctx context.Context, tally Tally, nowMs int64) error {
	x := &w.asked
	x.counts = w.heaviest(x.counts[:0], nowMs)
	if len(x.counts) == 0 {
		return nil
	}
	x.things, x.own = x.things[:0], x.own[:0]
	for _, c := range x.counts {
		x.things = append(x.things, [2]uint64{c.key, uint64(c.openedMs)})
		x.own = append(x.own, int64(c.hits))
	}
	x.others = slices.Grow(x.others[:0], len(x.own))[:len(x.own)]
	err := tally.Exchange(ctx, x.things, x.own, x.others)
	for i, c := range x.counts {
		if x.others[i] >= 0 {
			w.learn(c, x.others[i])
		}
	}
	return err
}

// heaviest appends the counts to be told, those with news first.
func (w *RateWindow) heaviest(counts []rateCount, nowMs int64) []rateCount {
	share := w.limit.Hits/rateExchangeShare + 1
	for i := range w.shards {
		shard := &w.shards[i]
		shard.mu.Lock()
		for b := range shard.buckets {
			for _, c := range &shard.buckets[b] {
				if c.hits >= share && (c.hits > c.told || c.ask) && w.isOpen(&c, nowMs) {
					counts = append(counts, c)
				}
			}
		}
		shard.mu.Unlock()
	}
	if len(counts) > rateExchangeKeys {
		slices.SortFunc(counts, func(a, b rateCount) int {
			return cmp.Or(cmp.Compare(min(b.hits-b.told, 1), min(a.hits-a.told, 1)), cmp.Compare(b.hits, a.hits))
		})
		counts = counts[:rateExchangeKeys]
	}
	return counts
}

// learn notes what others counted, unless the key's window is another by now.
func (w *RateWindow) learn(told rateCount, others int64) {
	shard, bucket := w.place(told.key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for i := range bucket {
		if c := &bucket[i]; c.hits > 0 && c.key == told.key && c.openedMs == told.openedMs {
			c.ask, c.told = told.hits > c.told, told.hits
			c.others = uint32(min(others, int64(w.limit.Hits)))
		}
	}
}
