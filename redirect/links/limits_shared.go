package links

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"runtime"
	"slices"
	"time"
)

// A Tally adds up what trackers count of the same things, each by itself. It is
// told how much this one counted of each thing so far, and sets others to what all
// the others did, below 0 where it cannot say.
type Tally interface {
	Exchange(ctx context.Context, things [][2]uint64, own, others []int64) error
}

// LimitExchangeEvery is the time between two exchanges.
const LimitExchangeEvery = time.Second

// The bounds of an exchange.
const (
	maxChangedCounters = 4096    // that were counted up since the one before
	maxSearched        = 1 << 20 // looked at for such
	minRepeated        = 200     // others, in turn, so that what either side lost
	maxRepeated        = 2000    // is told again
	repeatWithin       = 10 * 60 // exchanges: all of them in ten minutes, up to 1.2 million
)

// limitExchange is where Exchange is, and what it asks, used again.
type limitExchange struct {
	told     []uint32 // of a counter's own clicks, that the others know of
	searched int      // counters looked at so far, in turn
	repeated int      // counters told again so far, in turn
	chosen   []uint64
	things   [][2]uint64
	own      []int64
	others   []int64
}

// The file names itself, so that others know whose counts it has: eight random
// bytes and their checksum, in the page of the header.
const (
	identityOffset = 64
	identityBytes  = 8
)

// readIdentity reads the name in the file, or writes one where there is none.
func (l *Limits) readIdentity() error {
	identity := make([]byte, identityBytes+4)
	if _, err := l.file.ReadAt(identity, identityOffset); err != nil {
		return err
	}
	if sum := crc32.Checksum(identity[:identityBytes], crcTable); binary.LittleEndian.Uint32(identity[identityBytes:]) != sum {
		rand.Read(identity[:identityBytes]) // never fails: the runtime ends the process instead
		identity = binary.LittleEndian.AppendUint32(identity[:identityBytes], crc32.Checksum(identity[:identityBytes], crcTable))
		if _, err := l.file.WriteAt(identity, identityOffset); err != nil {
			return err
		}
		if err := l.file.Sync(); err != nil {
			return err
		}
	}
	l.identity = hex.EncodeToString(identity[:identityBytes])
	return nil
}

// Identity names the file of counts: a tracker that lost it counts under another
// name, and what it counted before is known to the others as another's.
func (l *Limits) Identity() string { return l.identity }

// Exchange tells other trackers what this one counted, and learns what they did:
// first of links that had clicks since the exchange before, then of some others in
// turn. What is known of the others only ever grows, so that nothing that gets lost
// between them opens a link again. Calls do not overlap.
func (l *Limits) Exchange(ctx context.Context, tally Tally) error {
	l.mu.Lock()
	c, used := l.current.Load(), l.used
	l.mu.Unlock()
	x := &l.shared
	x.choose(c, used)
	if len(x.chosen) == 0 {
		return nil
	}
	x.things, x.own = x.things[:0], x.own[:0]
	for _, i := range x.chosen {
		counter := c.at(i)
		x.things = append(x.things, [2]uint64{counter.link.Load() >> checkBits})
		x.own = append(x.own, ownClicks(counter.clicks.Load()))
	}
	x.others = slices.Grow(x.others[:0], len(x.own))[:len(x.own)]
	err := tally.Exchange(ctx, x.things, x.own, x.others)
	for at, i := range x.chosen {
		if x.others[at] >= 0 {
			x.told[i] = uint32(x.own[at])
			c.at(i).learn(x.others[at])
		}
	}
	runtime.KeepAlive(l) // and with it the memory the counters are in
	return err
}

// choose picks the counters of the first used ones to be told.
func (x *limitExchange) choose(c *counters, used int) {
	x.chosen = x.chosen[:0]
	x.told = append(x.told, make([]uint32, used-len(x.told))...)
	for range min(used, maxSearched) {
		if len(x.chosen) == maxChangedCounters {
			break
		}
		i := x.searched % used
		x.searched = i + 1
		if counter := c.at(uint64(i)); counter.link.Load() != 0 && uint32(ownClicks(counter.clicks.Load())) != x.told[i] {
			x.chosen = append(x.chosen, uint64(i))
		}
	}
	for range min(used, maxRepeated, max(minRepeated, used/repeatWithin)) {
		i := x.repeated % used
		x.repeated = i + 1
		if c.at(uint64(i)).link.Load() != 0 {
			x.chosen = append(x.chosen, uint64(i))
		}
	}
}

// learn notes what others counted.
func (c *counter) learn(others int64) {
	others = min(others, maxOthersClicks)
	for {
		clicks := c.clicks.Load()
		if othersClicks(clicks) >= others || c.clicks.CompareAndSwap(clicks, uint64(others)<<32|clicks&maxOwnClicks) {
			return
		}
	}
}
