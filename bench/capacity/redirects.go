package capacity

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// A Tracker as shoppers meet it, request by request.
type Tracker struct {
	Cores int
	// Pauses are what the machine takes from each core; the zero value takes nothing.
	Pauses Pauses
	// Client, when it is there, is one core that sends and reads everything, as a
	// generator of load does. Its slowness is measured with the tracker's.
	Client *Client
	// RoundTripMicros is what a redirect takes when there is no other, its service
	// and the way to it included; 0: its service alone.
	RoundTripMicros float64
}

// A Client is a generator of load.
type Client struct {
	Pauses Pauses
	Micros float64 // of its time for each request
}

// Waits are how long shoppers wait.
type Waits struct{ P50Millis, P99Millis, P999Millis float64 }

// requests of one simulation: enough for the 99.9th percentile.
const requests = 400_000

// Redirects sends requests at a rate to a tracker, and
// says how long they waited. Cores serve in the order of arrival, each request for
// as long as a redirect costs at that load.
func Redirects(c *Costs, t Tracker, perSecond float64, seed uint64) Waits {
	random := rand.New(rand.NewPCG(seed, 1))
	horizon := 2 * requests / perSecond * 1e6 // µs
	cores := make([]core, t.Cores)
	for n := range cores {
		cores[n].pauses = t.Pauses.draw(random, horizon)
	}
	client := &core{}
	clientMicros := 0.0
	if t.Client != nil {
		client.pauses, clientMicros = t.Client.Pauses.draw(random, horizon), t.Client.Micros
	}
	perCore := perSecond / float64(t.Cores)
	service := c.RedirectMicros(c.redirectShare(perCore))
	alone := t.RoundTripMicros
	if alone == 0 {
		alone = service
	}
	waits := make([]float64, requests)
	due := 0.0
	for n := range waits {
		between := 1e6 / perSecond
		if t.Client == nil { // a generator sends by the clock, shoppers do not
			between *= random.ExpFloat64()
		}
		due += between
		sent := client.serve(due, clientMicros/2) // the other half reads answers
		free := &cores[0]
		for k := range cores {
			if cores[k].free < free.free {
				free = &cores[k]
			}
		}
		answered := client.pauses.after(free.serve(sent, service))
		waits[n] = answered - due - service - clientMicros/2 + alone
	}
	slices.Sort(waits)
	at := func(q float64) float64 { return waits[int(q*float64(len(waits)-1))] / 1e3 }
	return Waits{at(0.50), at(0.99), at(0.999)}
}

// A core serves one request after the other.
type core struct {
	free   float64
	pauses pauses
}

// serve returns when a request that came at a time is done.
func (c *core) serve(at, micros float64) float64 {
	begin := c.pauses.after(max(at, c.free))
	c.free = begin + micros + c.pauses.within(begin, begin+micros)
	return c.free
}

// pauses are spans in which a core does nothing, in order, apart from each other.
type pauses []Span

// draw lays pauses out at random: their lengths are drawn from the quantiles.
func (p Pauses) draw(random *rand.Rand, horizon float64) (drawn pauses) {
	if p.PerSecond == 0 || len(p.Micros) == 0 {
		return nil
	}
	at := 0.0
	for at < horizon {
		at += random.ExpFloat64() * 1e6 / p.PerSecond
		until := at + p.Micros[random.IntN(len(p.Micros))]
		drawn = append(drawn, Span{at, until})
		at = until
	}
	return drawn
}

// next is the first pause that has not ended at a time.
func (p pauses) next(at float64) pauses {
	return p[sort.Search(len(p), func(i int) bool { return p[i].To > at }):]
}

// after is the first moment from a time on at which the core works.
func (p pauses) after(at float64) float64 {
	if next := p.next(at); len(next) > 0 && next[0].From <= at {
		return next[0].To
	}
	return at
}

// within is how much of pauses a piece of work meets that would be done at a time.
func (p pauses) within(begin, end float64) (paused float64) {
	for _, span := range p.next(begin) {
		if span.From >= end+paused {
			break
		}
		paused += span.To - span.From
	}
	return paused
}
