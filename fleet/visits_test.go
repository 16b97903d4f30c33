package fleet_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tributary/fleet"
	"tributary/fleet/redistest"
)

const windowMs = 30 * 60 * 1000

// began is when the tests' clicks begin: midnight of some day.
const began = int64(20_600) * 24 * 60 * 60 * 1000

// patient is a client that waits as long as a busy machine needs.
func patient(t testing.TB, installation string, urls ...string) *fleet.Client {
	t.Helper()
	for i := range urls {
		urls[i] += "?dial_timeout=20s&read_timeout=20s&write_timeout=20s&pool_timeout=20s"
	}
	c, err := fleet.Open(fleet.Options{Addresses: urls, Installation: installation, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	redistest.Eventually(t, "the client is connected", c.Connected)
	return c
}

// servers are what windows are tried on, one after the other.
func servers(t *testing.T, test func(t *testing.T, client *fleet.Client, flush func())) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		test(t, patient(t, "test", s.URL()), func() { s.Do("FLUSHALL") })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t, false)
		test(t, patient(t, "test", c.URLs()...), func() {
			for _, s := range c.Masters {
				s.Do("FLUSHALL")
			}
		})
	})
}

// A visitModel is the definition: a hit is unique when no other one known of its
// visitor is less than a window before or behind it, or when it was before.
type visitModel struct {
	times  map[uint64][]int64 // of known hits by key
	unique map[uint32]bool    // by number of the hit
	known  map[uint32]bool
}

func newVisitModel() *visitModel {
	return &visitModel{times: map[uint64][]int64{}, unique: map[uint32]bool{}, known: map[uint32]bool{}}
}

func (m *visitModel) judge(v fleet.Visit) bool {
	if m.known[v.Number] {
		return m.unique[v.Number]
	}
	unique := true
	for _, key := range []uint64{v.Key, v.Earlier} {
		if key == 0 {
			continue
		}
		for _, at := range m.times[key] {
			unique = unique && (at-v.AtMs >= windowMs || v.AtMs-at >= windowMs)
		}
		m.times[key] = append(m.times[key], v.AtMs)
	}
	m.known[v.Number], m.unique[v.Number] = true, unique
	return unique
}

// traffic makes hits of a crowd over four hours, in the order of their times.
func traffic(random *rand.Rand, hits int) []fleet.Visit {
	const crowd = 400
	visits := make([]fleet.Visit, hits)
	atMs := began
	for i := range visits {
		atMs += random.Int64N(2 * 4 * 60 * 60 * 1000 / int64(hits))
		who := random.Uint64N(crowd)
		visits[i] = fleet.Visit{Place: who % 40, Key: who + 1, Number: uint32(i + 1), AtMs: atMs}
		if random.IntN(8) == 0 {
			visits[i].Earlier = 1<<40 + (who+random.Uint64N(2)*40)%crowd // of this place, its own or another's
		}
	}
	return visits
}

// A court is the Visits of several trackers, asked at the time of the last hit.
type court struct {
	t     *testing.T
	nodes []*fleet.Visits
	nowMs int64
}

func newCourt(t *testing.T, client *fleet.Client, nodes int) *court {
	c := &court{t: t, nowMs: began - 2*windowMs}
	for range nodes {
		c.nodes = append(c.nodes, client.NewVisits(windowMs*time.Millisecond, func() time.Time { return time.UnixMilli(c.nowMs) }))
	}
	// Each place is asked for long before: what is remembered reaches back a window.
	var first []fleet.Visit
	for place := range uint64(40) {
		first = append(first, fleet.Visit{Place: place, Key: 1 << 50, Number: 1 << 31, AtMs: c.nowMs})
	}
	c.judge(0, first)
	return c
}

func (c *court) judge(node int, visits []fleet.Visit) []fleet.Judgement {
	c.t.Helper()
	judgements := make([]fleet.Judgement, len(visits))
	for i := range visits {
		c.nowMs = max(c.nowMs, visits[i].AtMs)
	}
	if err := c.nodes[node].Judge(context.Background(), visits, judgements); err != nil {
		c.t.Fatal(err)
	}
	return judgements
}

// compare counts judgements that are not the model's.
func (c *court) compare(m *visitModel, visits []fleet.Visit, judgements []fleet.Judgement) {
	c.t.Helper()
	wrong := 0
	for i, v := range visits {
		want := fleet.Again
		if m.judge(v) {
			want = fleet.First
		}
		if judgements[i] != want {
			wrong++
		}
	}
	if wrong > 0 {
		c.t.Fatalf("%d of %d judgements are not what the definition says: %v", wrong, len(visits), judgements)
	}
}

// TestVisitsAreWhatTheyAreDefinedToBe compares what three trackers are told with
// the definition: hits in the order of their times, batches of any size, some asked
// for again.
func TestVisitsAreWhatTheyAreDefinedToBe(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, _ func()) {
		random := rand.New(rand.NewPCG(7, 8))
		c, m := newCourt(t, client, 3), newVisitModel()
		var before [][]fleet.Visit
		for rest := traffic(random, 6000); len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(300))
			batch := rest[:n]
			rest = rest[n:]
			c.compare(m, batch, c.judge(random.IntN(3), batch))
			before = append(before, batch)
			if random.IntN(3) == 0 { // its answer was lost, or its tracker died
				again := before[max(0, len(before)-1-random.IntN(3))]
				c.compare(m, again, c.judge(random.IntN(3), again))
			}
		}
	})
}

// TestVisitsInDisorder has trackers ship minutes apart: the definition still holds
// for what is known, and nobody is unique twice within a window.
func TestVisitsInDisorder(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, _ func()) {
		random := rand.New(rand.NewPCG(9, 10))
		c, m := newCourt(t, client, 3), newVisitModel()
		all := traffic(random, 4000)
		shipped := slices.Clone(all)
		lateMs := make(map[uint32]int64)
		for _, v := range all {
			lateMs[v.Number] = v.AtMs + random.Int64N(3)*4*60_000 + random.Int64N(3000)
		}
		slices.SortFunc(shipped, func(a, b fleet.Visit) int { return int(lateMs[a.Number] - lateMs[b.Number]) })
		for rest := shipped; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(300))
			batch := slices.Clone(rest[:n])
			rest = rest[n:]
			judgements := c.judge(random.IntN(3), batch)
			compareByStretch(c, m, batch, judgements)
			compareByStretch(c, m, batch, c.judge(random.IntN(3), batch))
		}
		last := map[uint64]int64{}
		for _, v := range all { // in the order of their times
			if !m.unique[v.Number] {
				continue
			}
			if before, there := last[v.Key]; there && v.AtMs-before < windowMs {
				t.Fatalf("visitor %d is unique at %d and %d", v.Key, before, v.AtMs)
			}
			last[v.Key] = v.AtMs
		}
	})
}

// compareByStretch compares in the order in which a batch is looked at: by
// stretches of 30 minutes.
func compareByStretch(c *court, m *visitModel, batch []fleet.Visit, judgements []fleet.Judgement) {
	c.t.Helper()
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(batch[a].AtMs/windowMs - batch[b].AtMs/windowMs) })
	var visits []fleet.Visit
	var said []fleet.Judgement
	for _, i := range order {
		visits, said = append(visits, batch[i]), append(said, judgements[i])
	}
	c.compare(m, visits, said)
}

func TestVisitsSayWhatTheyCannotKnow(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, flush func()) {
		c := newCourt(t, client, 1)
		ask := func(v fleet.Visit) fleet.Judgement { return c.judge(0, []fleet.Visit{v})[0] }
		c.nowMs = began
		hit := fleet.Visit{Place: 3, Key: 5, Number: 1, AtMs: began}
		if got := ask(hit); got != fleet.First {
			t.Errorf("a new visitor is %d", got)
		}
		flush()
		other := fleet.Visit{Place: 3, Key: 5, Number: 2, AtMs: began + 1000}
		if got := ask(other); got != fleet.Undecided {
			t.Errorf("after everything was lost, a visitor is %d", got)
		}
		other.Number, other.AtMs = 3, began+2000
		if got := ask(other); got != fleet.Again {
			t.Errorf("a visitor seen since then is %d", got)
		}
		c.nowMs = began + 10*windowMs
		late := fleet.Visit{Place: 4, Key: 6, Number: 4, AtMs: began}
		if got := ask(late); got != fleet.Undecided {
			t.Errorf("a hit shipped hours late is %d", got)
		}
		ahead := fleet.Visit{Place: 4, Key: 6, Number: 5, AtMs: c.nowMs + 1}
		c.nowMs -= windowMs
		judgements := make([]fleet.Judgement, 1)
		if err := c.nodes[0].Judge(context.Background(), []fleet.Visit{ahead}, judgements); err != nil || judgements[0] != fleet.Undecided {
			t.Errorf("a hit of half an hour ahead is %d: %v", judgements[0], err)
		}
	})
}

// TestVisitsHaveABound fills a bucket: those there is no room for are left to the
// tracker, those there was room for are still known.
func TestVisitsHaveABound(t *testing.T) {
	s := redistest.Start(t)
	c := newCourt(t, patient(t, "test", s.URL()), 1)
	visits := make([]fleet.Visit, 3000)
	for i := range visits {
		visits[i] = fleet.Visit{Place: 7, Key: uint64(i + 1), Number: uint32(i + 1), AtMs: began + 1000}
	}
	count := func(of fleet.Judgement, from []fleet.Judgement) (n int) {
		for _, j := range from {
			if j == of {
				n++
			}
		}
		return n
	}
	judgements := c.judge(0, visits)
	if first, undecided := count(fleet.First, judgements), count(fleet.Undecided, judgements); first != 2048 || undecided != 3000-2048 {
		t.Errorf("of 3,000 visitors of a bucket %d are unique and %d undecided", first, undecided)
	}
	for i := range visits {
		visits[i].Number += 10_000
		visits[i].AtMs += 1000
	}
	if again := count(fleet.Again, c.judge(0, visits)); again != 2048 {
		t.Errorf("%d of them are known, want 2,048", again)
	}
}

// TestVisitsOutliveAFailover kills a master whose replica has what it had.
func TestVisitsOutliveAFailover(t *testing.T) {
	cluster := redistest.StartCluster(t, true)
	c := newCourt(t, patient(t, "test", cluster.URLs()...), 2)
	var visits []fleet.Visit
	for place := range uint64(40) {
		visits = append(visits, fleet.Visit{Place: place, Key: place + 1, Number: uint32(place + 1), AtMs: began})
	}
	m := newVisitModel()
	c.compare(m, visits, c.judge(0, visits))
	redistest.Eventually(t, "the replica has what its master has", func() bool {
		return cluster.Replicas[1].Do("DBSIZE") == cluster.Masters[1].Do("DBSIZE")
	})
	cluster.FailOver(1)
	judgements := make([]fleet.Judgement, len(visits))
	redistest.Eventually(t, "all judgements can be had again", func() bool {
		return c.nodes[1].Judge(context.Background(), visits, judgements) == nil
	})
	c.compare(m, visits, judgements)
}

// BenchmarkVisits judges batches of 50,000 hits, each of a visitor that is new in
// half of the cases.
func BenchmarkVisits(b *testing.B) {
	s := redistest.Start(b)
	client := patient(b, "test", s.URL())
	nowMs := began
	visits := client.NewVisits(windowMs*time.Millisecond, func() time.Time { return time.UnixMilli(nowMs) })
	random := rand.New(rand.NewPCG(1, 2))
	batch, judgements := make([]fleet.Visit, 50_000), make([]fleet.Judgement, 50_000)
	number, known := uint32(0), uint64(0)
	for b.Loop() {
		for i := range batch {
			key := random.Uint64N(known + 1)
			if random.IntN(2) == 0 {
				known++
				key = known
			}
			number++
			nowMs++
			batch[i] = fleet.Visit{Place: key * 0x9e3779b97f4a7c15 >> 40, Key: key + 1, Number: number, AtMs: nowMs}
		}
		if err := visits.Judge(context.Background(), batch, judgements); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(known), "visits")
	b.Log(s.Do("INFO", "memory")[:60])
}
