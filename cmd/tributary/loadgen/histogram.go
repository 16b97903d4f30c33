package loadgen

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets no wider than a 64th of their value,
// from a microsecond to over an hour. The zero value is empty.
type histogram struct {
	counts [buckets]uint64
	total  uint64
	max    time.Duration
}

const (
	precisionBits = 6
	precision     = 1 << precisionBits
	octaves       = 32
	buckets       = precision * octaves
)

func (h *histogram) record(d time.Duration) {
	h.counts[bucketOf(max(0, d.Microseconds()))]++
	h.total++
	h.max = max(h.max, d)
}

// quantile returns a value that at least the share q of all durations is not
// above, at most a 64th too high.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > rank || seen == h.total && n > 0 {
			return min(h.max, time.Duration(bucketTop(i))*time.Microsecond)
		}
	}
	return h.max
}

// bucketOf numbers the bucket of a value: the first 2×precision values have one
// each, every further octave has precision of them.
func bucketOf(us int64) int {
	octave := max(0, bits.Len64(uint64(us))-precisionBits-1)
	return min(buckets-1, octave<<precisionBits+int(us>>octave))
}

// bucketTop is the largest value of a bucket.
func bucketTop(i int) int64 {
	octave := max(0, i>>precisionBits-1)
	return int64(i-octave<<precisionBits+1)<<octave - 1
}
