package caller

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

var (
	guesser   = netip.MustParseAddr("203.0.113.7")
	neighbour = netip.MustParseAddr("203.0.113.200") // in the same /24
	stranger  = netip.MustParseAddr("198.51.100.7")
	noon      = time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)
)

func TestWhoGuessesWaits(t *testing.T) {
	tries := NewTries(Limit{Failures: 3, Window: time.Minute})
	tries.Passed(neighbour, "good")
	for i := range 3 {
		if wait := tries.Wait(guesser, "bad", noon); wait != 0 {
			t.Fatalf("try %d must wait %v", i, wait)
		}
		tries.Failed(guesser, noon.Add(time.Duration(i)*time.Second))
	}
	later := noon.Add(10 * time.Second)
	for name, c := range map[string]struct {
		from   netip.Addr
		secret string
		at     time.Time
		want   time.Duration
	}{
		"a guess too many":                     {guesser, "bad", later, 50 * time.Second},
		"a key that may be right":              {guesser, "fresh", later, 50 * time.Second},
		"a neighbour's first":                  {neighbour, "fresh", later, 50 * time.Second},
		"a key its network has used before":    {neighbour, "good", later, 0},
		"that key from another network":        {stranger, "good", later, 0},
		"another network":                      {stranger, "bad", later, 0},
		"the last moment of the window":        {guesser, "bad", noon.Add(time.Minute - time.Millisecond), time.Millisecond},
		"the end of the window":                {guesser, "bad", noon.Add(time.Minute), 0},
		"a clock that was set back":            {guesser, "bad", noon.Add(-time.Hour), 0},
		"a client nobody knows the address of": {netip.Addr{}, "bad", later, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tries := copyOf(tries)
			if got := tries.Wait(c.from, c.secret, c.at); got != c.want {
				t.Errorf("waits %v, want %v", got, c.want)
			}
		})
	}
	tries.Failed(guesser, noon.Add(time.Minute))
	if wait := tries.Wait(guesser, "bad", noon.Add(time.Minute)); wait != 0 {
		t.Errorf("failures of a window that is over count: %v", wait)
	}
}

// copyOf lets each case begin with the same counts: looking at them closes windows
// that are over.
func copyOf(t *Tries) *Tries {
	c := NewTries(t.limit)
	c.seed, c.networks = t.seed, t.networks
	c.closedUntilMs.Store(t.closedUntilMs.Load())
	for i := range t.passed {
		c.passed[i].Store(t.passed[i].Load())
	}
	return c
}

func TestWithoutALimitNobodyWaits(t *testing.T) {
	tries := NewTries(Limit{})
	for range 1000 {
		tries.Failed(guesser, noon)
	}
	if wait := tries.Wait(guesser, "bad", noon); wait != 0 {
		t.Errorf("waits %v", wait)
	}
}

// A flood from a million networks does not free one that is at its limit.
func TestAFloodOfNetworksFreesNobody(t *testing.T) {
	tries := NewTries(Limit{Failures: 5, Window: time.Minute})
	for range 5 {
		tries.Failed(guesser, noon)
	}
	for i := range uint32(1_000_000) {
		var octets [4]byte
		binary.BigEndian.PutUint32(octets[:], i<<8)
		tries.Failed(netip.AddrFrom4(octets), noon)
	}
	if wait := tries.Wait(guesser, "bad", noon); wait == 0 {
		t.Error("who guessed is forgotten")
	}
}

func TestTryingDoesNotAllocate(t *testing.T) {
	tries := NewTries(Limit{Failures: 1, Window: time.Minute})
	tries.Failed(stranger, noon)
	if n := testing.AllocsPerRun(100, func() {
		tries.Failed(guesser, noon)
		tries.Passed(guesser, "secret")
		tries.Wait(guesser, "secret", noon)
		tries.Wait(guesser, "other", noon)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
