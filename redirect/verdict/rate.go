package verdict

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"
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

// A RateWindow counts hits per network and link and says which are too many. The
// windows of a key follow one another, from a moment that the key alone decides
// and nobody can guess; up to twice the limit can so pass across the end of a
// window.
//
// It never holds more than rateKeys keys, in buckets of a few. When a bucket is
// full of open windows, the one with the fewest hits makes room, so that it
// forgets those far from the limit first. All its errors are on one side: a
// forgotten key starts again and a hit too many may pass, but a hit is called too
// many only if its own key has made that many, unless two keys share a 64-bit
// hash: at a million live keys, the odds that any two do are 1 in 30 million.
//
// Windows with the same secret, on trackers whose clocks agree, have the same
// keys and windows, and can count together (rate_shared.go).
type RateWindow struct {
	limit  Rate
	secret [4]uint64
	shards []rateShard

	asked rateExchange // of Exchange alone
}

const (
	rateShards     = 64
	shardBuckets   = 512
	bucketKeys     = 4
	rateKeys       = rateShards * shardBuckets * bucketKeys // 131,072 keys, 4 MiB
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

// A rateCount is what a key made in its window.
type rateCount struct {
	key      uint64
	openedMs int64
	hits     uint32 // here; 0: free
	others   uint32 // on other trackers, as far as it is known
	told     uint32 // of hits, that the others know of
	ask      bool   // once more what they counted: they may have told it behind us
}

// NewRateWindow makes a window for a limit; without a limit nothing is counted.
func NewRateWindow(limit Rate) *RateWindow {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: the runtime ends the process instead
	return NewSharedRateWindow(limit, secret)
}

// NewSharedRateWindow makes a window that counts like others with the same
// secret, of which nothing can be guessed from outside.
func NewSharedRateWindow(limit Rate, secret [32]byte) *RateWindow {
	w := &RateWindow{}
	if limit.Hits == 0 {
		return w
	}
	w.limit, w.shards = limit, make([]rateShard, rateShards)
	for i := range w.secret {
		w.secret[i] = binary.LittleEndian.Uint64(secret[8*i:])
	}
	return w
}

// Exceeded counts one hit of a network on a link and reports whether it is above
// the limit. network is any hash of the truncated address, link the link's
// number, nowMs the time in milliseconds. It is safe for concurrent use.
func (w *RateWindow) Exceeded(network, link uint64, nowMs int64) bool {
	if w.limit.Hits == 0 {
		return false
	}
	key := w.key(network, link)
	shard, bucket := w.place(key)
	shard.mu.Lock()
	hits := w.count(bucket, key, nowMs)
	shard.mu.Unlock()
	return hits > uint64(w.limit.Hits)
}

// key is a hash of network and link under the secret. Nobody sees it, so that
// folded products, each input under a word of the secret, are enough.
func (w *RateWindow) key(network, link uint64) uint64 {
	return fold(fold(network^w.secret[0], link^w.secret[1])^w.secret[2], w.secret[3]|1)
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

func (w *RateWindow) place(key uint64) (*rateShard, *[bucketKeys]rateCount) {
	shard := &w.shards[key>>(64-shardBits)]
	return shard, &shard.buckets[key>>(64-shardBits-bucketBits)&bucketBitsMask]
}

// opened is when the key's window around a time begins.
func (w *RateWindow) opened(key uint64, nowMs int64) int64 {
	phase := int64(key & (1<<32 - 1))
	return nowMs - (nowMs+phase)%w.limit.WindowMs
}

// count counts a hit and returns how many its key has made in its window.
func (w *RateWindow) count(bucket *[bucketKeys]rateCount, key uint64, nowMs int64) uint64 {
	openedMs := w.opened(key, nowMs)
	free := &bucket[0]
	for i := range bucket {
		c := &bucket[i]
		if c.hits > 0 && c.key == key {
			// A hit may read its clock before, and come here after, the first of the
			// next window: it counts there.
			if c.openedMs != openedMs && c.openedMs != openedMs+w.limit.WindowMs {
				*c = rateCount{key: key, openedMs: openedMs}
			}
			c.hits = min(c.hits, w.limit.Hits) + 1
			return uint64(c.hits) + uint64(c.others)
		}
		if !w.isOpen(c, nowMs) {
			c.hits = 0
		}
		if c.hits < free.hits {
			free = c
		}
	}
	*free = rateCount{key: key, openedMs: openedMs, hits: 1}
	return 1
}

// isOpen reports whether a count's window is not over, by a clock that may have
// been set back.
func (w *RateWindow) isOpen(c *rateCount, nowMs int64) bool {
	ageMs := nowMs - c.openedMs
	return ageMs < w.limit.WindowMs && ageMs > -w.limit.WindowMs
}
