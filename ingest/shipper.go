package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/background"
	"tributary/ingest/spool"
)

// A Log is where records come from: a *spool.Log.
type Log interface {
	Next(ctx context.Context, maxRecords, maxBytes int) (*spool.Batch, error)
	ReadRange(ctx context.Context, first, last uint64) (*spool.Batch, error)
	Commit(last uint64) error
	Committed() uint64
	Identity() string
	Stats() spool.Stats
	OldestPending() time.Time
}

// Options say what a Shipper ships, from where to where. Fields without a
// default are required.
type Options struct {
	// Name names the log in metrics and messages: "clicks".
	Name string
	// Node names this tracker in the rows.
	Node string
	// Dir is where the batches in flight are noted; it exists and holds nothing
	// of the log's own.
	Dir        string
	Log        Log
	Table      Table
	ClickHouse driver.Conn
	Quarantine *Quarantine
	Metrics    *Metrics     // nil: not counted
	Logger     *slog.Logger // nil: silent
	// BatchRecords bounds a batch; 50,000 when 0. Batches of a log that is not
	// behind are as small as Interval makes them.
	BatchRecords int
	// BatchBytes bounds the records of a batch; 32 MiB when 0.
	BatchBytes int
	// Interval is the time between two batches of a log that is not behind, and
	// so most of what a row waits; 300 ms when 0.
	Interval time.Duration
	// StopGrace is how long inserts that are under way may take to end when the
	// shipper is stopped; 5 s when 0. Those cut off are sent again by the next life.
	StopGrace time.Duration

	sink       sink                    // tests put a faulty one in ClickHouse's place
	checkpoint func(step string) error // tests end a life between two steps
	sleep      func(context.Context, time.Duration)
	retry      backoff
}

// RecordingMargin is how long a click may be on its way from its time to the log.
const RecordingMargin = 100 * time.Millisecond

// inFlight is the number of batches sent at once: while the engine writes one,
// the next is encoded.
const inFlight = 2

// A Shipper moves the records of one log into one table. Only one may work on
// a log at a time.
type Shipper struct {
	Options
	node   string // node column: unique for the log
	claims *claims
	health health
	turns  chan struct{} // one for each batch from its claim to its commit
}

// NewShipper reads what an earlier life left in flight.
func NewShipper(o Options) (*Shipper, error) {
	setDefault(&o.BatchRecords, 50_000)
	setDefault(&o.BatchBytes, 32<<20)
	setDefault(&o.Interval, 300*time.Millisecond)
	setDefault(&o.StopGrace, 5*time.Second)
	setDefault(&o.retry, backoff{First: 100 * time.Millisecond, Most: 5 * time.Second})
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.sink == nil {
		o.sink = &clickhouseSink{conn: o.ClickHouse, table: o.Table.Name(), remembers: tokensRemembered}
	}
	if o.checkpoint == nil {
		o.checkpoint = func(string) error { return nil }
	}
	if o.sleep == nil {
		o.sleep = sleep
	}
	identity := o.Log.Identity()
	claims, err := openClaims(filepath.Join(o.Dir, o.Name+".inflight.json"), identity, o.Log.Committed())
	if err != nil {
		return nil, err
	}
	s := &Shipper{Options: o, node: o.Node + "/" + identity[:min(12, len(identity))], claims: claims, turns: make(chan struct{}, inFlight)}
	s.health = health{log: o.Logger, name: o.Name}
	o.Metrics.watch(o.Name, watchedLog{
		lag:     func() time.Duration { return s.Lag(time.Now()) },
		records: func() uint64 { return o.Log.Stats().Pending },
	})
	return s, nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// DataThrough is the time before which every record received is in ClickHouse
// or in quarantine. now is the wall clock's.
func (s *Shipper) DataThrough(now time.Time) time.Time {
	through := now
	if oldest := s.Log.OldestPending(); !oldest.IsZero() && oldest.Before(through) {
		through = oldest
	}
	return through.Add(-RecordingMargin)
}

// Lag is the age of the oldest record that is not in ClickHouse; 0 without one.
func (s *Shipper) Lag(now time.Time) time.Duration {
	oldest := s.Log.OldestPending()
	if oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(oldest))
}

// Run ships until ctx ends, and then returns nil within StopGrace: what is not
// shipped stays in the log. Everything that may pass is waited for, so that it
// returns for no other reason. It is called once, on a log opened by this process.
func (s *Shipper) Run(ctx context.Context) error {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	// Inserts outlive the order to stop, so that most end in an answer.
	inserting, stopInserting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInserting()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.StopGrace, stopInserting) })()

	filled := make(chan *batch)           // numbered in the order of the log
	sent := make(chan *batch, inFlight-2) // claimed and under way: one more is dispatch's, one this function's
	free := make(chan *batch, inFlight+1)
	for range cap(free) {
		free <- &batch{block: s.Table.NewBlock()}
	}
	go func() {
		defer close(filled)
		background.GiveWay()
		f := &filler{Shipper: s, free: free, filled: filled}
		end(f.run(life))
	}()
	go func() {
		defer close(sent)
		if err := s.dispatch(life, inserting, filled, sent); err != nil {
			end(err)
		}
	}()
	whole := true
	for b := range sent { // in order: nothing is committed behind a batch that was not delivered
		err := <-b.delivered
		if err == nil && whole {
			err = s.commit(life, b)
		}
		if err != nil {
			whole = false
			end(err)
			continue
		}
		<-s.turns
		free <- b
	}
	end(nil)
	for range filled { // let fill see that nobody takes its batches
	}
	if err := context.Cause(life); err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return fmt.Errorf("ship %s: %w", s.Name, err)
	}
	return nil
}

// dispatch claims batches and sends them, inFlight at once.
func (s *Shipper) dispatch(life, inserting context.Context, filled <-chan *batch, sent chan<- *batch) error {
	for b := range filled {
		select {
		case s.turns <- struct{}{}:
		case <-life.Done():
			return life.Err()
		}
		if !b.claimed {
			err := s.untilDone(life, "note the batch in flight", func() error { return s.claims.add(b.span) })
			if err != nil {
				return err
			}
		}
		if err := s.checkpoint("claimed"); err != nil {
			return err
		}
		b.delivered = make(chan error, 1)
		d := &delivery{Shipper: s, batch: b, life: life, inserting: inserting}
		go func() { b.delivered <- d.run() }()
		select {
		case sent <- b:
		case <-life.Done():
			<-b.delivered
			return life.Err()
		}
	}
	return nil
}

// commit moves the log's cursor behind a batch that is stored.
func (s *Shipper) commit(life context.Context, b *batch) error {
	if err := s.checkpoint("delivered"); err != nil {
		return err
	}
	err := s.untilDone(life, "move the log's cursor", func() error { return s.Log.Commit(b.Last) })
	if err != nil {
		return err
	}
	s.claims.dropThrough(b.Last)
	s.Metrics.missed(s.Name, uint64(b.missing))
	return s.checkpoint("committed")
}

// untilDone tries until it works or life ends, and says so when it does not.
func (s *Shipper) untilDone(life context.Context, what string, try func() error) error {
	for attempt := 0; ; attempt++ {
		err := try()
		if err == nil {
			s.health.works(what)
			return nil
		}
		if life.Err() != nil {
			return life.Err()
		}
		s.health.fails(what, err)
		s.sleep(life, s.retry.wait(attempt))
	}
}
