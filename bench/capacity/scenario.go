package capacity

// A Scenario is a load over time, and what goes wrong meanwhile.
type Scenario struct {
	Name    string
	Load    Load
	Seconds float64
	Bursts  []Burst
	Away    []Span // ClickHouse does not answer
	Deaths  []Death
}

// A Span is a time from the scenario's start.
type Span struct{ From, To float64 }

func (s Span) holds(at float64) bool { return s.From <= at && at < s.To }

// A Burst is a time at which everything arrives so many times as often.
type Burst struct {
	Span
	Times float64
}

// A Death ends one tracker. Its disk is away with it until it returns, or for good.
type Death struct{ Span }

func (s *Scenario) loadAt(at float64) Load {
	for _, b := range s.Bursts {
		if b.holds(at) {
			return s.Load.times(b.Times)
		}
	}
	return s.Load
}

func (s *Scenario) clickHouseAnswers(at float64) bool {
	for _, away := range s.Away {
		if away.holds(at) {
			return false
		}
	}
	return true
}

// dead is how many trackers are away.
func (s *Scenario) dead(at float64) int {
	n := 0
	for _, d := range s.Deaths {
		if d.holds(at) {
			n++
		}
	}
	return n
}

// An Outcome is what a scenario did to an installation.
type Outcome struct {
	Busiest          map[Part]float64 // the highest share of its time each part was busy in a second
	MostPerCore      float64          // redirects a second of one core, at the worst moment
	QueueSeconds     float64          // the longest a full tracker's queue was, as the time to answer it
	LagSeconds       float64          // the most: age of the oldest click on a living tracker's disk
	SpoolBytes       float64          // the most on one tracker's disk
	SettleLagSeconds float64          // the most: reports that wait to be settled, as time
	ReportsWaiting   float64          // the most reports that wait to be settled
	SettledSeconds   float64          // from the start until no report waited, after the most did
	CaughtUpSeconds  float64          // from the last fault's or burst's end until hardly anything waits; -1: not within the scenario
	Clicks           Fate
}

// A Fate says where clicks are: all that arrived are in one of these.
type Fate struct{ Arrived, Stored, Spooled, OnDeadDisks, NotAnswered float64 }

// RedirectP99Millis is what 99 of 100 shoppers wait at most at the worst moment, in a
// tracker of so many cores and its queue: pauses of machines and networks come on top.
func (o *Outcome) RedirectP99Millis(c *Costs, cores int) float64 {
	if o.QueueSeconds > 0 {
		return o.QueueSeconds * 1e3
	}
	return Redirects(c, Tracker{Cores: cores}, o.MostPerCore*float64(cores), 1).P99Millis
}
