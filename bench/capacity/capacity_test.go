package capacity_test

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"tributary/bench/capacity"
)

// round is a machine with costs that are easy to reckon with.
func round() *capacity.Costs {
	c := &capacity.Costs{}
	value := reflect.ValueOf(c).Elem()
	for i := range value.NumField() {
		if value.Field(i).Kind() == reflect.Float64 {
			value.Field(i).SetFloat(1)
		}
	}
	c.RedirectIdleMicros, c.RedirectIdleRate, c.RedirectBusyMicros = 20, 10_000, 10
	c.TakeMicros, c.SettleSQLiteMicros, c.WriterSQLiteMicros = 20, 100, 125
	c.SettlePostgresMicros, c.PostgresMicros, c.WriterPostgresMicros = 100, 200, 500
	c.ShipRowMicros, c.ShipInsertMicros, c.ShipMostPerSecond = 2, 1_000, 200_000
	c.StoreRowMicros, c.StoreInsertMicros = 4, 20_000
	c.CopyMicros, c.CopyStoreMicros = 50, 50
	c.SpoolClickBytes, c.StoredClickBytes, c.RoundTripMicros = 300, 60, 50
	return c
}

// four is an installation of machines for everything.
func four(trackers int) capacity.Installation {
	return capacity.Installation{Trackers: trackers, TrackerCores: 4, Shards: 1, ShardCores: 16, DatabaseCores: 4, AdminCores: 4, RedisMasters: 1}
}

func near(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*math.Abs(want) {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

func TestCostsThatAreMissingAreNamed(t *testing.T) {
	if err := round().Check(); err != nil {
		t.Error(err)
	}
	c := round()
	c.StoreRowMicros = 0
	if err := c.Check(); err == nil || err.Error() != "store_row_micros is 0: it must be more than 0" {
		t.Errorf("a cost is missing, and Check says %v", err)
	}
}

// Cost and share must agree: a core that redirects use to a share answers what its
// share divided by the cost at that share says.
func TestRedirectShareAgreesWithItsCost(t *testing.T) {
	c, one := round(), capacity.Installation{Trackers: 1, TrackerCores: 1}
	for _, rate := range []float64{1, 1_000, 10_000, 20_000, 60_000, 90_000, 99_999} {
		share := one.RedirectShare(c, rate)
		near(t, "share", share, rate*c.RedirectMicros(share)/1e6, 1e-9)
	}
	near(t, "share at what a busy core bears", one.RedirectShare(c, 100_000), 1, 1e-9)
}

func TestCeilingsAreWhereUseIsWhole(t *testing.T) {
	c, i, load := round(), four(3), capacity.Load{Clicks: 1_000, Conversions: 20, Reports: 1}
	ceilings := capacity.Ceilings(c, i, load)
	if len(ceilings) != 7 {
		t.Fatalf("there are ceilings of %d parts: %v", len(ceilings), ceilings)
	}
	for n, ceiling := range ceilings {
		m := ceiling.ClicksPerSecond / load.Clicks
		near(t, "use of "+ceiling.Part.String(), i.Use(c, capacity.Load{Clicks: load.Clicks * m, Conversions: load.Conversions * m, Reports: 1})[ceiling.Part], 1, 1e-3)
		if n > 0 && ceilings[n-1].ClicksPerSecond > ceiling.ClicksPerSecond {
			t.Errorf("ceilings are not in order: %v", ceilings)
		}
	}
	near(t, "clicks the writer bears", throughput(c, four(100), load), 1e6/500*50, 1e-3)
}

// throughput is the highest rate of clicks that every part bears for ever.
func throughput(c *capacity.Costs, i capacity.Installation, load capacity.Load) float64 {
	return capacity.Ceilings(c, i, load)[0].ClicksPerSecond
}

// What has no part in common doubles; what all share does not.
func TestTwoTrackersBearTwiceOfOneUntilSomethingSharedIsFull(t *testing.T) {
	c, load := round(), capacity.Load{Clicks: 1_000, Conversions: 1}
	near(t, "two trackers ÷ one", throughput(c, four(2), load)/throughput(c, four(1), load), 2, 0.001)
	near(t, "fifty trackers ÷ forty", throughput(c, four(50), load)/throughput(c, four(40), load), 1, 0.01)
}

func TestEveryClickIsSomewhere(t *testing.T) {
	c := round()
	rapid.Check(t, func(t *rapid.T) {
		s := &capacity.Scenario{Seconds: 30, Load: capacity.Load{Clicks: rapid.Float64Range(1, 600_000).Draw(t, "clicks"), Conversions: rapid.Float64Range(0, 20_000).Draw(t, "conversions")}}
		span := func(label string) capacity.Span {
			from := rapid.Float64Range(0, 20).Draw(t, label)
			return capacity.Span{From: from, To: from + rapid.Float64Range(0, 15).Draw(t, label+" long")}
		}
		s.Bursts = []capacity.Burst{{Span: span("burst"), Times: rapid.Float64Range(0, 10).Draw(t, "times")}}
		s.Away = []capacity.Span{span("away")}
		s.Deaths = []capacity.Death{{Span: span("death")}}
		i := four(rapid.IntRange(1, 5).Draw(t, "trackers"))
		if rapid.Bool().Draw(t, "one machine") {
			i = capacity.OneMachine(rapid.IntRange(1, 16).Draw(t, "cores"))
		}
		out := capacity.Run(c, i, s)
		f := out.Clicks
		if sum := f.Stored + f.Spooled + f.OnDeadDisks + f.NotAnswered; math.Abs(sum-f.Arrived) > 1e-6*f.Arrived+1e-3 {
			t.Fatalf("%v clicks arrived and %v are somewhere: %+v", f.Arrived, sum, f)
		}
		for part, busy := range out.Busiest {
			if busy < 0 || busy > 1.0001 {
				t.Fatalf("%s is busy %v of a second", part, busy)
			}
		}
		if out.QueueSeconds < 0 || out.LagSeconds < 0 || out.SpoolBytes < 0 {
			t.Fatalf("an outcome below nothing: %+v", out)
		}
	})
}

func TestALoadBelowTheCeilingIsStoredAndOneAboveIsNot(t *testing.T) {
	c, load := round(), capacity.Load{Clicks: 1_000, Conversions: 20}
	for name, i := range map[string]capacity.Installation{"one machine": capacity.OneMachine(4), "machines": four(2)} {
		most := throughput(c, i, load) / load.Clicks
		for _, part := range []float64{0.95, 1.10} {
			at := capacity.Load{Clicks: load.Clicks * most * part, Conversions: load.Conversions * most * part}
			out := capacity.Run(c, i, &capacity.Scenario{Load: at, Seconds: 60})
			if held := out.LagSeconds < 1 && out.SettleLagSeconds < 1; held != (part < 1) {
				t.Errorf("%s at %v of its ceiling: clicks lag %v s, reports %v s", name, part, out.LagSeconds, out.SettleLagSeconds)
			}
		}
	}
}

// Ten minutes of clicks wait, and are stored as fast as shippers go while others come.
func TestAnOutageIsCaughtUp(t *testing.T) {
	c, i := round(), four(2)
	out := capacity.Run(c, i, &capacity.Scenario{Load: capacity.Load{Clicks: 20_000}, Seconds: 900, Away: []capacity.Span{{From: 10, To: 610}}})
	near(t, "spool of a tracker", out.SpoolBytes, 10_000*600*c.SpoolClickBytes, 0.01)
	near(t, "lag", out.LagSeconds, 600, 0.01)
	near(t, "seconds to catch up", out.CaughtUpSeconds, 10_000*600/(c.ShipMostPerSecond-10_000), 0.05)
	near(t, "stored", out.Clicks.Stored, out.Clicks.Arrived, 1e-4)
}

func TestADeadTrackerKeepsItsSpoolAndTheOthersTakeItsShoppers(t *testing.T) {
	c, i := round(), four(2)
	s := &capacity.Scenario{Load: capacity.Load{Clicks: 20_000}, Seconds: 60, Away: []capacity.Span{{To: 20}}, Deaths: []capacity.Death{{Span: capacity.Span{From: 10, To: math.Inf(1)}}}}
	out := capacity.Run(c, i, s)
	near(t, "clicks on the dead disk", out.Clicks.OnDeadDisks, 100_000, 0.02)
	if out.Clicks.NotAnswered != 0 {
		t.Errorf("%v shoppers were not answered by the tracker that is left", out.Clicks.NotAnswered)
	}
	s.Deaths[0].To = 30
	near(t, "stored once it is back", capacity.Run(c, i, s).Clicks.Stored, 20_000*60, 1e-3)
}

// A queue of one server, arrivals at random and equal services is in the books: of
// waits, e^(-θt) × (1 - share) ÷ (share × e^θ - 1) are longer than t services, where
// share × (e^θ - 1) = θ. At nine tenths θ is 0.2067, and one in a hundred waits 22.
func TestRedirectsQueueAsBooksSay(t *testing.T) {
	c := round()
	c.RedirectIdleMicros = c.RedirectBusyMicros
	quiet := capacity.Redirects(c, capacity.Tracker{Cores: 1}, 20_000, 1)
	busy := capacity.Redirects(c, capacity.Tracker{Cores: 1}, 90_000, 1)
	near(t, "p99 at nine tenths", busy.P99Millis*1e3, 230, 0.1)
	if quiet.P50Millis != 0.01 || quiet.P99Millis > busy.P99Millis/5 {
		t.Errorf("at a fifth of the load waits are %+v, at nine tenths %+v", quiet, busy)
	}
	if again := capacity.Redirects(c, capacity.Tracker{Cores: 1}, 90_000, 1); again != busy {
		t.Errorf("the same seed gives %+v and %+v", busy, again)
	}
	if two := capacity.Redirects(c, capacity.Tracker{Cores: 2}, 180_000, 1); two.P99Millis >= busy.P99Millis {
		t.Errorf("two cores with one queue let shoppers wait %v ms, one %v", two.P99Millis, busy.P99Millis)
	}
}

func TestPausesAreWaitedFor(t *testing.T) {
	c := round()
	tracker := capacity.Tracker{Cores: 1, Pauses: capacity.Pauses{PerSecond: 10, Micros: []float64{5_000}}}
	waits := capacity.Redirects(c, tracker, 1_000, 1)
	if waits.P50Millis != 0.02 || waits.P99Millis < 3 || waits.P999Millis > 12 {
		t.Errorf("a core that pauses 5 ms ten times a second lets shoppers wait %+v", waits)
	}
}

func TestSizingLeavesTheRoomItPromises(t *testing.T) {
	c := round()
	a := capacity.Assumptions{ConversionsPerClick: 0.02, BurstTimes: 5, RedirectShare: 0.7, StoreShare: 0.5, RetentionMonths: 25, MonthRate: 1, WriterShare: 0.8, DiskBytes: 20e12,
		WindowMinutes: 30, VisitorsPerClick: 0.5, OutageHours: 4, Links: 1e5, CoresOfTracker: 8, CoresOfShard: 16, Replicas: 2}
	small := capacity.Size(c, a, 1_000)
	if !small.One || small.Machines != 1 {
		t.Errorf("a thousand clicks a minute need %+v", small.Installation)
	}
	large := capacity.Size(c, a, 5e6)
	if large.One || large.Installations != 2 {
		t.Fatalf("1,667 conversions a second of half a millisecond each: %d installations", large.Installations)
	}
	near(t, "clicks a minute of each", large.PerMinute, 2.5e6, 1e-9)
	for part, use := range large.Use {
		if most := map[bool]float64{true: a.WriterShare, false: a.StoreShare}[part == capacity.Writer]; use > most {
			t.Errorf("%s is busy %v of its time", part, use)
		}
	}
	near(t, "bytes of clicks kept", large.ClickBytes, 2.5e6*60*24*365.25/12*25*c.StoredClickBytes, 1e-9)
	if perShard := large.ClickBytes / float64(large.Installation.Shards); perShard > a.DiskBytes {
		t.Errorf("a shard holds %v bytes", perShard)
	}
	bill := large.Bill(c, a, capacity.Prices{CoreHour: 1, HoursOfAMonth: 730})
	near(t, "bill", bill.Total, bill.Cores*730, 1e-9)
	near(t, "of both installations", bill.Cores, 2*float64(8*large.Installation.Trackers+16*2*large.Installation.Shards+2*(large.Installation.DatabaseCores+large.Installation.AdminCores+large.Installation.RedisMasters)), 1e-9)
}
