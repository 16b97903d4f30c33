package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

func clicks(from, to int) [][]byte {
	var all [][]byte
	for n := from; n < to; n++ {
		all = append(all, click(n))
	}
	return all
}

func TestShipsEveryRecordOnce(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	n.sink = sink
	n.append(clicks(0, 1234)...)
	n.live()
	sink.check(t, 1234)
	if got := n.log.Committed(); got != 1234 {
		t.Errorf("committed %d, want 1234", got)
	}
}

// A laggingSink answers, until it has settled, as a replica that lacks what another
// took in before it went away.
type laggingSink struct {
	*fakeSink
	lacks   func(seq uint64) bool
	behind  bool
	refuses int // times it cannot settle yet
}

func (l *laggingSink) insert(ctx context.Context, token string, columns []Column, from, to int) error {
	err := l.fakeSink.insert(ctx, token, columns, from, to)
	l.behind = true
	return err
}

func (l *laggingSink) stored(ctx context.Context, r storedRange) (storedRows, error) {
	seqs, err := l.storedSeqs(ctx, r)
	return storedRows{count: len(seqs)}, err
}

func (l *laggingSink) storedSeqs(ctx context.Context, r storedRange) (map[uint64]bool, error) {
	seqs, err := l.fakeSink.storedSeqs(ctx, r)
	for seq := range seqs {
		if l.behind && l.lacks(seq) {
			delete(seqs, seq)
		}
	}
	return seqs, err
}

func (l *laggingSink) settled(context.Context) error {
	if l.refuses--; l.refuses >= 0 {
		return errConnection
	}
	l.behind = false
	return nil
}

// TestAReplicaThatLagsHasNothingStoredTwice fails over in the middle of batches: what
// is asked then does not have all that was stored.
func TestAReplicaThatLagsHasNothingStoredTwice(t *testing.T) {
	refusal := &clickhouse.Exception{Code: 469, Message: "Constraint is violated"}
	for name, c := range map[string]struct {
		lost    error
		lacks   func(seq uint64) bool
		forgets bool
	}{
		"a part of the rows, and the reply was lost":    {errConnection, func(seq uint64) bool { return seq%3 == 0 }, true},
		"a part of the rows, and another is refused":    {refusal, func(seq uint64) bool { return seq%3 == 0 }, true},
		"none of the rows, and another part is refused": {refusal, func(uint64) bool { return true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.batch = 300 // one delivery: a settled sink falls behind with its next insert
			const refuses = 3
			sink := &laggingSink{fakeSink: newFakeSink(), lacks: c.lacks, refuses: refuses}
			sink.forgets = c.forgets
			sink.fault = func(nth int) (error, error, bool) {
				if nth == 1 {
					return nil, c.lost, false
				}
				return nil, nil, false
			}
			n.sink = sink
			n.append(clicks(0, 300)...)
			n.live()
			sink.check(t, 300)
			if sink.refuses == refuses {
				t.Error("nobody waited for the replicas: the test tests nothing")
			}
		})
	}
}

func TestFaultsOfTheSink(t *testing.T) {
	newYear := time.Date(2027, 12, 31, 23, 59, 59, 820_000_000, time.UTC)
	overNewYear := func() (all [][]byte) {
		for i := range 500 {
			all = append(all, click(i, at(newYear.Add(time.Duration(i)*time.Millisecond))))
		}
		return all
	}
	for name, fault := range map[string]func(nth int) (before, after error, partial bool){
		"down for a while": func(nth int) (error, error, bool) {
			if nth > 2 && nth < 20 {
				return errConnection, nil, false
			}
			return nil, nil, false
		},
		"every second reply is lost": func(nth int) (error, error, bool) {
			if nth%2 == 1 {
				return nil, errConnection, false
			}
			return nil, nil, false
		},
		"every second insert is applied in part": func(nth int) (error, error, bool) {
			if nth%2 == 1 {
				return nil, errConnection, true
			}
			return nil, nil, false
		},
		"too many parts for a while": func(nth int) (error, error, bool) {
			if nth < 10 {
				return &clickhouse.Exception{Code: 252, Message: "Too many parts (3000)"}, nil, false
			}
			return nil, nil, false
		},
		"too large, after a lost reply": func(nth int) (error, error, bool) {
			switch nth {
			case 1:
				return nil, errConnection, true
			case 2, 3, 4:
				return &clickhouse.Exception{Code: 241, Message: "Memory limit exceeded"}, nil, false
			}
			return nil, nil, false
		},
	} {
		for _, forgets := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, forgets %v", name, forgets), func(t *testing.T) {
				n := newNode(t)
				sink := newFakeSink()
				sink.fault, sink.forgets = fault, forgets
				n.sink, n.batch = sink, 500 // one batch of two months
				n.append(overNewYear()...)
				n.live()
				sink.check(t, 500)
			})
		}
	}
}

func TestRefusedAndUndecodableRecordsGoToQuarantine(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	sink.poison = func(sub1 string) bool { return sub1 == "poison" }
	n.sink = sink
	records := clicks(0, 1000)
	records[17], records[500], records[501] = click(17, sub1("poison")), click(500, sub1("poison")), click(501, sub1("poison"))
	records[42], records[999] = []byte("no click"), []byte{1}
	n.append(records...)
	n.live()
	sink.check(t, 1000, 18, 43, 501, 502, 1000)
	entries, _, err := n.quarantine.List(t.Context(), QuarantineFilter{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	for _, e := range entries {
		got[e.Seq] = e.Reason
		if string(e.Record) != string(records[e.Seq-1]) || e.Detail == "" {
			t.Errorf("entry %d does not hold its record and a detail: %+v", e.Seq, e)
		}
	}
	want := map[uint64]string{18: ReasonRefused, 501: ReasonRefused, 502: ReasonRefused, 43: ReasonUndecodable, 1000: ReasonUndecodable}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("quarantine holds %v, want %v", got, want)
	}
}

func TestTableThatRefusesEverythingKeepsItsRows(t *testing.T) {
	n := newNode(t)
	n.batch = 1000
	sink := newFakeSink()
	broken := true
	sink.poison = func(string) bool { return broken }
	sink.fault = func(nth int) (error, error, bool) { // the migration comes late
		broken = nth < 2000
		return nil, nil, false
	}
	n.sink = sink
	n.append(clicks(0, 1000)...)
	n.live()
	stored, aside := len(sink.rows), int(n.quarantine.Counts()[ReasonRefused])
	if stored+aside != 1000 {
		t.Errorf("%d stored and %d in quarantine, want 1000 together", stored, aside)
	}
}

// TestKilledBetweenAnyTwoSteps ends a life at each step, in turn and more than
// once, with poison rows, records that are none and lost replies on the way.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		for _, step := range steps {
			for nth := 1; nth <= 3; nth++ {
				t.Run(fmt.Sprintf("%s %d forgets %v", step, nth, forgets), func(t *testing.T) {
					n := newNode(t)
					sink := newFakeSink()
					sink.forgets = forgets
					sink.poison = func(sub1 string) bool { return sub1 == "poison" }
					sink.fault = func(nth int) (error, error, bool) {
						switch {
						case nth == 1:
							return &clickhouse.Exception{Code: 241, Message: "Memory limit exceeded"}, nil, false
						case nth%5 == 2:
							return nil, errConnection, false
						}
						return nil, nil, false
					}
					n.sink = sink
					records := clicks(0, 600)
					records[150], records[333] = click(150, sub1("poison")), click(333, sub1("poison"))
					records[5], records[120], records[444] = nil, []byte("x"), []byte("y")
					records[5] = []byte("z")
					n.append(records...)
					for range 2 {
						n.checkpoint = killAt(step, nth)
						n.live()
					}
					n.checkpoint = nil
					n.live()
					sink.check(t, 600, 6, 121, 151, 334, 445)
					if got := n.quarantine.Counts(); got[ReasonRefused] != 2 || got[ReasonUndecodable] != 3 {
						t.Errorf("quarantine counts %v, want 2 refused and 3 undecodable", got)
					}
				})
			}
		}
	}
}

func TestStopsSoonWhileClickHouseIsDown(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	sink.fault = func(int) (error, error, bool) { return errConnection, nil, false }
	n.sink = sink
	n.append(clicks(0, 500)...)
	s := n.shipper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, "some tries", func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return sink.inserts >= 5
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("stopped with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("does not stop")
	}
	if got := n.log.Stats().Pending; got != 500 {
		t.Errorf("%d records are left in the log, want all 500", got)
	}
	sink.fault = nil
	n.live()
	sink.check(t, 500)
}

func TestMetricsOthersRelyOn(t *testing.T) {
	n := newNode(t)
	n.sink = newFakeSink()
	n.append(clicks(0, 250)...)
	n.append([]byte("no click"))
	s := n.shipper()
	n.quarantine.metrics = s.Metrics
	gather := func() map[string]float64 { return gathered(t, n.metrics) }
	before := gather()
	if before["tributary_spool_records,log=clicks"] != 251 || before["tributary_ship_lag_seconds"] <= 0 {
		t.Errorf("before shipping: %v", before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	n.awaitEmpty()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	after := gather()
	for name, want := range map[string]float64{
		"tributary_spool_records,log=clicks": 0, "tributary_ship_lag_seconds": 0,
		"tributary_shipped_rows_total,table=clicks": 250, "tributary_quarantined_total,reason=undecodable": 1,
	} {
		if got, there := after[name]; !there || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// gathered are the values of all metrics, by name and labels.
func gathered(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetName() + "=" + l.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}
