package caller

import (
	"hash/maphash"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Limit is how many keys a network may try that open nothing, in a window that
// opens with the first of them.
type Limit struct {
	Failures uint32
	Window   time.Duration
}

// KeyLimit is that of keys sent with requests. A key has 256 bits, so the limit is
// there to make guessing visible and cheap to answer; it is wide enough for a
// program that goes on with a revoked key.
var KeyLimit = Limit{Failures: 600, Window: time.Minute}

// SignInLimit is that of keys typed into the sign-in page.
var SignInLimit = Limit{Failures: 10, Window: time.Minute}

// Tries counts keys that opened nothing, by network. A network above the limit
// waits until its window is over, but for keys that opened something for it
// before: a shop goes on reporting while its neighbour in a cloud guesses.
//
// Its memory is fixed. When a bucket is full of open windows, the network with the
// fewest failures makes room. So it may forget, never accuse. It is safe for
// concurrent use.
type Tries struct {
	limit Limit
	seed  maphash.Seed
	// closedUntilMs is when the last network that must wait may try again: until
	// somebody must wait, nobody pays for it.
	closedUntilMs atomic.Int64
	mu            sync.Mutex
	networks      [triesBuckets][bucketNetworks]failures
	passed        [passedKeys]atomic.Uint64 // hashes of network and key
}

const (
	triesBuckets   = 2048
	bucketNetworks = 4 // 8,192 networks in all, 192 KiB
	passedKeys     = 8192
)

type failures struct {
	network  uint64 // its hash
	openedMs int64
	count    uint32
}

// NewTries makes a Tries for a limit; a limit of no failures is none.
func NewTries(limit Limit) *Tries { return &Tries{limit: limit, seed: maphash.MakeSeed()} }

// Wait says how long a client at addr must wait before it may try this secret;
// zero: it may try now.
func (t *Tries) Wait(addr netip.Addr, secret string, now time.Time) time.Duration {
	nowMs := now.UnixMilli()
	if nowMs >= t.closedUntilMs.Load() {
		return 0
	}
	network := Network(addr)
	if pass := t.pass(network, secret); t.passed[pass%passedKeys].Load() == pass {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f, found := t.find(network, nowMs)
	if !found || f.count < t.limit.Failures {
		return 0
	}
	return time.Duration(f.openedMs-nowMs)*time.Millisecond + t.limit.Window
}

// RetryAfter is a wait as the header of that name has it: in whole seconds.
func RetryAfter(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

// Failed notes that a secret of a client at addr opened nothing.
func (t *Tries) Failed(addr netip.Addr, now time.Time) {
	if t.limit.Failures == 0 {
		return
	}
	nowMs := now.UnixMilli()
	t.mu.Lock()
	defer t.mu.Unlock()
	f, found := t.find(Network(addr), nowMs)
	if !found {
		*f = failures{network: t.hash(Network(addr)), openedMs: nowMs}
	}
	f.count++
	if until := f.openedMs + t.limit.Window.Milliseconds(); f.count >= t.limit.Failures && until > t.closedUntilMs.Load() {
		t.closedUntilMs.Store(until)
	}
}

// Passed notes that a secret opened something for a client at addr.
func (t *Tries) Passed(addr netip.Addr, secret string) {
	pass := t.pass(Network(addr), secret)
	if slot := &t.passed[pass%passedKeys]; slot.Load() != pass {
		slot.Store(pass)
	}
}

// find returns the network's failures in its open window, or else the place for
// them.
func (t *Tries) find(network netip.Prefix, nowMs int64) (place *failures, found bool) {
	hash := t.hash(network)
	bucket := &t.networks[hash%triesBuckets]
	place = &bucket[0]
	for i := range bucket {
		f := &bucket[i]
		// A clock that was set back closes windows too.
		if ageMs := nowMs - f.openedMs; ageMs >= t.limit.Window.Milliseconds() || ageMs < 0 {
			f.count = 0
		}
		if f.count > 0 && f.network == hash {
			return f, true
		}
		if f.count < place.count {
			place = f
		}
	}
	return place, false
}

func (t *Tries) hash(network netip.Prefix) uint64 { return maphash.Comparable(t.seed, network) }

// pass is never zero, which an unused slot is.
func (t *Tries) pass(network netip.Prefix, secret string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	maphash.WriteComparable(&h, network)
	_, _ = h.WriteString(secret)
	return h.Sum64() | 1<<63
}
