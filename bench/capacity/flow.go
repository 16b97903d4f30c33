package capacity

import "math"

// step is the length of one round of a scenario.
const step = 0.1 // s

// A tracker in a scenario. Amounts are fractional: work flows.
type tracker struct {
	away     bool
	waiting  float64 // shoppers that were not answered yet
	spool    backlog // clicks to ship
	reports  backlog // conversions to settle
	shipping float64 // rows of this round, as far as its own cores go
	settling float64
}

// A backlog is work in the order of its coming, with the time each part came.
type backlog struct {
	amount float64
	parts  []arrivals // oldest first
}

type arrivals struct{ at, amount float64 }

func (b *backlog) add(at, amount float64) {
	if amount > 0 {
		b.amount += amount
		b.parts = append(b.parts, arrivals{at, amount})
	}
}

func (b *backlog) take(amount float64) {
	b.amount = max(b.amount-amount, 0)
	for len(b.parts) > 0 && amount >= b.parts[0].amount-1e-9 {
		amount -= b.parts[0].amount
		b.parts = b.parts[1:]
	}
	if len(b.parts) > 0 {
		b.parts[0].amount -= amount
	} else {
		b.amount = 0
	}
}

// age of the oldest.
func (b *backlog) age(now float64) float64 {
	if len(b.parts) == 0 {
		return 0
	}
	return now - b.parts[0].at
}

// A flow is a scenario under way.
type flow struct {
	costs    *Costs
	i        Installation
	s        *Scenario
	trackers []tracker
	toCopy   float64
	busy     [parts]float64 // of this second, in seconds
	second   int
	out      Outcome
	caughtUp float64
}

// Run plays a scenario. Every part gives its time first to what people wait for,
// then evenly to what can wait.
func Run(c *Costs, i Installation, s *Scenario) Outcome {
	f := &flow{costs: c, i: i, s: s, trackers: make([]tracker, i.Trackers), caughtUp: -1}
	f.out.Busiest = map[Part]float64{}
	rounds := int(math.Round(s.Seconds / step))
	for n := range rounds {
		f.round(float64(n) * step)
	}
	f.finish()
	return f.out
}

func (f *flow) round(at float64) {
	load := f.s.loadAt(at)
	alive := f.raise(f.s.dead(at))
	f.out.Clicks.Arrived += load.Clicks * step
	if alive == 0 {
		f.out.Clicks.NotAnswered += load.Clicks * step
		return
	}
	left := f.i.has()
	for p := range left {
		left[p] *= step
	}
	perTracker := left[Trackers] / float64(f.i.Trackers)
	background := 0.0 // the trackers' time that is left, together
	for n := range f.trackers {
		if t := &f.trackers[n]; !t.away {
			background += f.answer(t, at, load.times(1/float64(alive)), perTracker)
		}
	}
	left[Trackers] = background
	f.behind(at, load, alive, left)
	f.look(at)
}

// raise says which trackers are away: the last ones. What waits on their disks waits.
func (f *flow) raise(dead int) (alive int) {
	alive = max(f.i.Trackers-dead, 0)
	for n := range f.trackers {
		t := &f.trackers[n]
		if t.away = n >= alive; t.away {
			f.out.Clicks.NotAnswered += t.waiting
			t.waiting = 0
		}
	}
	return alive
}

// answer gives a tracker's time to shoppers and shops, and returns what is left of
// it. Nobody ever gets everything: a tenth of a core is always left.
func (f *flow) answer(t *tracker, at float64, load Load, has float64) (left float64) {
	most := has - 0.1*step
	perCore := (load.Clicks + t.waiting/step) / float64(f.i.TrackerCores)
	cost := f.costs.RedirectMicros(f.costs.redirectShare(perCore)) / 1e6
	taking := min(load.Conversions*step*f.costs.TakeMicros/1e6, most)
	wanted := t.waiting + load.Clicks*step
	answered := min(wanted, (most-taking)/cost)
	t.waiting = max(wanted-answered, 0)
	t.spool.add(at, answered)
	t.reports.add(at, load.Conversions*step)
	used := taking + answered*cost
	f.busy[Trackers] += used / float64(f.i.Trackers*f.i.TrackerCores)
	f.out.MostPerCore = max(f.out.MostPerCore, perCore)
	f.out.QueueSeconds = max(f.out.QueueSeconds, t.waiting*cost/float64(f.i.TrackerCores))
	return has - used
}

// behind is the work nobody waits for. Each kind gets the share of what it asks that
// the scarcest part it needs can give.
func (f *flow) behind(at float64, load Load, alive int, left [parts]float64) {
	c, want := f.costs, f.wishes(at, alive)
	asks := f.asks(load, want)
	var gives [parts]float64
	for p := range parts {
		gives[p] = 1
		if asks[p] > left[p] {
			gives[p] = left[p] / asks[p]
		}
	}
	store, copying := ClickHouse, Admins
	if f.i.Together {
		store, copying = Trackers, Trackers
	}
	shipped := min(gives[Trackers], gives[store], gives[Redis])
	settled := min(gives[Trackers], gives[Writer], gives[Database])
	copied := min(gives[copying], gives[store])
	for n := range f.trackers {
		t := &f.trackers[n]
		if t.away {
			continue
		}
		t.spool.take(t.shipping * shipped)
		f.out.Clicks.Stored += t.shipping * shipped
		t.reports.take(t.settling * settled)
		f.toCopy += t.settling * settled
	}
	f.toCopy = max(f.toCopy-want.copying*copied, 0)
	has := f.i.has()
	scale := [parts]float64{Trackers: shipped, ClickHouse: shipped, Writer: settled, Database: settled, Admins: copied, Redis: shipped}
	for p := range parts {
		if has[p] > 0 && p != Shippers {
			f.busy[p] += min(asks[p]*scale[p], left[p]) / has[p]
		}
	}
	f.busy[Shippers] += want.shipping * shipped / (c.ShipMostPerSecond * float64(alive))
}

// wishes are what could be done in a round if nothing but its own pipeline held it up.
type wishes struct{ shipping, inserts, settling, copying float64 }

func (f *flow) wishes(at float64, alive int) (w wishes) {
	answers := f.s.clickHouseAnswers(at)
	_, writer := f.i.settling(f.costs)
	turns := step * 1e6 / writer / float64(alive) // of the writer, for each settler
	for n := range f.trackers {
		t := &f.trackers[n]
		t.shipping, t.settling = 0, 0
		if t.away {
			continue
		}
		if answers {
			t.shipping = min(t.spool.amount, f.costs.ShipMostPerSecond*step)
			w.inserts += insertsPerSecond(t.shipping/step) * step
		}
		t.settling = min(t.reports.amount, turns)
		w.shipping += t.shipping
		w.settling += t.settling
	}
	if answers {
		w.copying = min(f.toCopy, step*1e6/f.costs.CopyMicros) // by one goroutine
	}
	return w
}

// asks is what the wishes ask of each part, and what reports and changes do.
func (f *flow) asks(load Load, w wishes) (asks [parts]float64) {
	c := f.costs
	settle, writer := f.i.settling(c)
	if f.i.DatabaseCores > 0 {
		asks[Database] = w.settling * c.PostgresMicros / 1e6
	}
	asks[Trackers] = (w.shipping*f.i.shipRowMicros(c) + w.inserts*c.ShipInsertMicros + w.settling*settle) / 1e6
	asks[Writer] = w.settling * writer / 1e6
	asks[ClickHouse] = (w.shipping*c.StoreRowMicros + w.inserts*c.StoreInsertMicros + w.copying*c.CopyStoreMicros + load.Reports*step*c.ReportStoreMicros) / 1e6
	asks[Admins] = (w.copying*c.CopyMicros + load.Reports*step*c.ReportMicros) / 1e6
	if f.i.RedisMasters > 0 {
		asks[Redis] = (w.shipping*c.WindowMicros + load.Changes*step*c.ChangeMicros) / 1e6
	}
	if f.i.Together {
		asks[Trackers] += asks[ClickHouse] + asks[Admins]
		asks[ClickHouse], asks[Admins] = 0, 0
	}
	return asks
}

// look notes the worst there was.
func (f *flow) look(at float64) {
	now, waiting, reports := at+step, f.toCopy, 0.0
	for n := range f.trackers {
		t := &f.trackers[n]
		f.out.SpoolBytes = max(f.out.SpoolBytes, t.spool.amount*f.costs.SpoolClickBytes+t.reports.amount*f.costs.SpoolConversionBytes)
		waiting += t.waiting + t.reports.amount + t.spool.amount
		reports += t.reports.amount
		if !t.away {
			f.out.LagSeconds = max(f.out.LagSeconds, t.spool.age(now))
			f.out.SettleLagSeconds = max(f.out.SettleLagSeconds, t.reports.age(now))
		}
	}
	if f.out.ReportsWaiting = max(f.out.ReportsWaiting, reports); reports > 1 {
		f.out.SettledSeconds = now
	}
	switch troubled := f.s.troubledUntil(); {
	case now < troubled || waiting > f.s.Load.Clicks+f.s.Load.Conversions: // what came within the last second is on its way
		f.caughtUp = -1
	case f.caughtUp < 0:
		f.caughtUp = now - troubled
	}
	if second := int(math.Floor(now + step/2)); second > f.second {
		for p, busy := range f.busy {
			f.out.Busiest[Part(p)] = max(f.out.Busiest[Part(p)], busy/float64(second-f.second))
		}
		f.second, f.busy = second, [parts]float64{}
	}
}

// troubledUntil is the end of the last burst and fault.
func (s *Scenario) troubledUntil() (until float64) {
	for _, b := range s.Bursts {
		until = max(until, b.To)
	}
	for _, away := range s.Away {
		until = max(until, away.To)
	}
	for _, d := range s.Deaths {
		until = max(until, d.To)
	}
	return until
}

func (f *flow) finish() {
	for n := range f.trackers {
		t := &f.trackers[n]
		if t.away {
			f.out.Clicks.OnDeadDisks += t.spool.amount
		} else {
			f.out.Clicks.Spooled += t.spool.amount
		}
		f.out.Clicks.NotAnswered += t.waiting
	}
	f.out.LagSeconds += shipInterval // a batch is waited for before it is sent
	f.out.CaughtUpSeconds = f.caughtUp
	has := f.i.has()
	for p := range parts {
		if has[p] == 0 {
			delete(f.out.Busiest, p)
		}
	}
}
