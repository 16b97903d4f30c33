package links

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tributary/attribution"
)

// A Finder finds single links where all nodes' links are.
type Finder interface {
	// Find looks slugs up, in any case. What it returns has their order: the link's
	// last change, or nil where there is no such link. An error says that it cannot
	// tell.
	Find(ctx context.Context, slugs ...string) ([]*attribution.RouteChange, error)
}

// Misses asks for slugs the index does not have, once each, and brings what is
// found into the index. Shoppers wait for an answer at most missPatience; random
// slugs by the million cost a bounded number of questions a second, and bounded
// memory.
type Misses struct {
	index  *Index
	finder Finder
	wait   time.Duration // missPatience, but for tests

	mu      sync.Mutex
	flights map[uint64]*flight // by the hash of the folded slug
	unknown unknownSlugs
	budget  budget

	asked, found, nowhere, remembered, refused, failed atomic.Uint64
}

const (
	missPatience   = 50 * time.Millisecond
	maxFlights     = 64              // questions under way
	unknownFor     = 5 * time.Second // a slug that leads nowhere is not asked for again
	maxUnknown     = 1 << 16         // slugs remembered as such, twice at most
	questions      = 1000            // a second, of an index that has all links
	questionsOfFew = 10_000          // a second, of one that has MaxLinks
)

// A flight is a question under way, and who waits for it.
type flight struct {
	done      chan struct{}
	answer    Answer
	overtaken bool // under Misses.mu: the feed told of the slug meanwhile
}

// An Answer says what became of a miss.
type Answer uint8

// The answers.
const (
	Nowhere Answer = iota // no link has the slug, as far as anybody knows
	Found                 // the index has it now
	Unsure                // it may be a link's that is not held: nobody could tell in time
)

// NewMisses makes the index ask a Finder. Call it before the index is used.
func NewMisses(x *Index, finder Finder) *Misses {
	m := &Misses{index: x, finder: finder, wait: missPatience, flights: map[uint64]*flight{}, budget: budget{perSecond: questions}}
	if x.max > 0 {
		m.budget.perSecond = questionsOfFew
	}
	x.misses.Store(m)
	return m
}

// Ask asks for a slug that Lookup did not find.
func (m *Misses) Ask(slug []byte) Answer {
	var lower [MaxSlugBytes]byte
	folded := fold(&lower, slug)
	if folded == nil {
		return Nowhere
	}
	f, known := m.board(m.index.hash.folded(folded), string(slug))
	switch {
	case known:
		return Nowhere
	case f == nil:
		return m.unsure()
	}
	patience := time.NewTimer(m.wait)
	defer patience.Stop()
	select {
	case <-f.done:
		return f.answer
	case <-patience.C:
		return m.unsure()
	}
}

// unsure is the answer where nobody could tell. An index that has all links goes
// by what it has.
func (m *Misses) unsure() Answer {
	if m.index.max > 0 {
		return Unsure
	}
	return Nowhere
}

// board returns the flight for a slug, which it starts where there is none; nil
// when there are too many, or the answer could be from before what an index of few
// links knows. known tells that the slug is known to lead nowhere.
func (m *Misses) board(hash uint64, slug string) (f *flight, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.unknown.has(hash, now) {
		m.remembered.Add(1)
		return nil, true
	}
	if f = m.flights[hash]; f != nil {
		return f, false
	}
	if m.index.max > 0 && m.index.behind.Load() { // from here on overtake tells
		m.failed.Add(1)
		return nil, false
	}
	if len(m.flights) >= maxFlights || !m.budget.take(now) {
		m.refused.Add(1)
		return nil, false
	}
	f = &flight{done: make(chan struct{})}
	m.flights[hash] = f
	go m.fly(f, hash, slug)
	return f, false
}

func (m *Misses) fly(f *flight, hash uint64, slug string) {
	ctx, cancel := context.WithTimeout(context.Background(), m.wait)
	defer cancel()
	m.asked.Add(1)
	links, err := m.finder.Find(ctx, slug)
	switch {
	case err != nil:
		m.failed.Add(1)
		f.answer = m.unsure()
	case links[0] != nil && m.index.admit(links[0], f, m):
		m.found.Add(1)
		f.answer = Found
	default:
		m.nowhere.Add(1)
		f.answer = Nowhere
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, hash)
	if f.overtaken {
		f.answer = Found // or gone: the index knows
	} else if err == nil && f.answer == Nowhere {
		m.unknown.add(hash, time.Now())
	}
	close(f.done)
}

// admit brings a link that was found into the index. Where the feed told of it
// meanwhile, the index is as it should be. And an index that has all links is only
// behind by what comes after its change: one that it had up to there and has no
// more was deleted, whatever an answer from before that says.
func (x *Index) admit(c *attribution.RouteChange, f *flight, m *Misses) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.max == 0 && c.Number <= x.change.Load() {
		return false
	}
	m.mu.Lock()
	overtaken := f.overtaken
	m.mu.Unlock()
	if overtaken {
		return true
	}
	if !x.store.holds(c.Link.Identity.Number) {
		x.store.makeRoom(1)
	}
	x.store.applyLink(c.Link)
	x.store.measure()
	return true
}

// overtake hears from the feed that a slug's link changed.
func (m *Misses) overtake(slug string) {
	hash := m.index.hash.slug([]byte(slug))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unknown.remove(hash)
	if f := m.flights[hash]; f != nil {
		f.overtaken = true
	}
}

// MissStats are figures of Misses since the start.
type MissStats struct {
	Asked      uint64 // questions
	Found      uint64 // of them
	Unknown    uint64 // of them: no such link
	Failed     uint64 // of them: no answer in time, or none at all
	Remembered uint64 // misses known to lead nowhere
	Refused    uint64 // misses that were not asked for: too many at once, or a second
}

// Stats returns the figures. It waits for nobody.
func (m *Misses) Stats() MissStats {
	return MissStats{
		Asked: m.asked.Load(), Found: m.found.Load(), Unknown: m.nowhere.Load(), Failed: m.failed.Load(),
		Remembered: m.remembered.Load(), Refused: m.refused.Load(),
	}
}

// unknownSlugs remembers hashes of slugs for unknownFor to twice as long, and
// forgets earlier when there are many.
type unknownSlugs struct {
	young, old map[uint64]struct{}
	turned     time.Time // when young was begun
}

func (u *unknownSlugs) turn(now time.Time) {
	if u.young == nil || len(u.young) >= maxUnknown || now.Sub(u.turned) >= unknownFor {
		if u.old = u.young; now.Sub(u.turned) >= 2*unknownFor {
			u.old = nil
		}
		u.young, u.turned = map[uint64]struct{}{}, now
	}
}

func (u *unknownSlugs) has(hash uint64, now time.Time) bool {
	u.turn(now)
	_, young := u.young[hash]
	_, old := u.old[hash]
	return young || old
}

func (u *unknownSlugs) add(hash uint64, now time.Time) {
	u.turn(now)
	u.young[hash] = struct{}{}
}

func (u *unknownSlugs) remove(hash uint64) {
	delete(u.young, hash)
	delete(u.old, hash)
}

// A budget is a token bucket that holds a second's worth.
type budget struct {
	perSecond float64
	left      float64
	at        time.Time
}

func (b *budget) take(now time.Time) bool {
	if b.at.IsZero() {
		b.left = b.perSecond
	} else {
		b.left = min(b.perSecond, b.left+now.Sub(b.at).Seconds()*b.perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
