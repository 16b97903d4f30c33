package verdict

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
)

// A Rate is a number of hits in a span of time; the zero Rate is no limit.
type Rate struct {
	Hits     uint32
	WindowMs int64
}

// rateUnits are the spans a rate can be given for, and what String writes.
var rateUnits = []struct {
	name     string
	windowMs int64
}{{"s", 1_000}, {"min", 60_000}, {"h", 3_600_000}}

const maxRateHits = 1_000_000_000

// ParseRate reads a rate such as "600/min", "10/s" or "5000/h"; "0" is no limit.
func ParseRate(text string) (Rate, error) {
	if text == "0" {
		return Rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	hits, err := strconv.ParseUint(number, 10, 32)
	if err == nil && hits <= maxRateHits {
		for _, u := range rateUnits {
			if u.name == unit && hits == 0 {
				return Rate{}, nil
			}
			if u.name == unit {
				return Rate{uint32(hits), u.windowMs}, nil
			}
		}
	}
	return Rate{}, fmt.Errorf("rate %q: write hits in a second, minute or hour, such as 10/s, 600/min or 5000/h, or 0 for no limit", text)
}

// String writes a rate as ParseRate reads it.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if u.windowMs == r.WindowMs {
			return strconv.FormatUint(uint64(r.Hits), 10) + "/" + u.name
		}
	}
	return "0"
}

// A RateWindow counts hits per network and link and says which are too many. A
// key's window opens with its first hit and closes when it is over, as Redis's
// INCR and PEXPIRE count; up to twice the limit can so pass across the end of a
// window.
//
// It never holds more than rateKeys keys, in buckets of a few. When a bucket is
// full of open windows, the one with the fewest hits makes room, so that it
// forgets those far from the limit first. All its errors are on one side: a
// forgotten key starts again and a hit too many may pass, but a hit is called too
// many only if its own key has made that many, unless two keys share a 64-bit
// hash: at a million live keys, the odds that any two do are 1 in 30 million.
type RateWindow struct {
	limit  Rate
	seed   maphash.Seed
	shards []rateShard
}

const (
	rateShards     = 64
	shardBuckets   = 512
	bucketKeys     = 4
	rateKeys       = rateShards * shardBuckets * bucketKeys // 131,072 keys, 3 MiB
	shardBits      = 6
	bucketBits     = 9
	bucketBitsMask = shardBuckets - 1
)

// A rateShard is a part of the table under its own lock.
type rateShard struct {
	mu      sync.Mutex
	buckets [shardBuckets][bucketKeys]rateCount
	_       [56]byte // keeps two shards' locks off one cache line
}

type rateCount struct {
	key      uint64
	openedMs int64
	hits     uint32
}

// NewRateWindow makes a window for a limit; without a limit nothing is counted.
func NewRateWindow(limit Rate) *RateWindow {
	if limit.Hits == 0 {
		return &RateWindow{}
	}
	return &RateWindow{limit: limit, seed: maphash.MakeSeed(), shards: make([]rateShard, rateShards)}
}

// Exceeded counts one hit of a network on a link and reports whether it is above
// the limit. network is any hash of the truncated address, link the link's
// number, nowMs the time in milliseconds. It is safe for concurrent use.
func (w *RateWindow) Exceeded(network, link uint64, nowMs int64) bool {
	if w.limit.Hits == 0 {
		return false
	}
	key := maphash.Comparable(w.seed, [2]uint64{network, link})
	shard := &w.shards[key>>(64-shardBits)]
	bucket := &shard.buckets[key>>(64-shardBits-bucketBits)&bucketBitsMask]
	shard.mu.Lock()
	hits := w.count(bucket, key, nowMs)
	shard.mu.Unlock()
	return hits > w.limit.Hits
}

// count counts a hit and returns how many its key has made in its window.
func (w *RateWindow) count(bucket *[bucketKeys]rateCount, key uint64, nowMs int64) uint32 {
	free := &bucket[0]
	for i := range bucket {
		c := &bucket[i]
		// A hit may read its clock before, and come here after, another's.
		ageMs := nowMs - c.openedMs
		if ageMs >= w.limit.WindowMs || ageMs <= -w.limit.WindowMs {
			c.hits = 0
		}
		if c.hits > 0 && c.key == key {
			c.hits = min(c.hits, w.limit.Hits) + 1
			return c.hits
		}
		if c.hits < free.hits {
			free = c
		}
	}
	*free = rateCount{key, nowMs, 1}
	return 1
}
