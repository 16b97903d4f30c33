package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tributary/attribution"
	"tributary/background"
)

// A Database is the feed of changes that Redis carries further.
type Database interface {
	// LastChange returns the number of the last change that RoutesSince tells of.
	LastChange(ctx context.Context) (int64, error)
	// Routes yields every advertiser, campaign and link (in that order), each with
	// the number it last changed under.
	Routes(ctx context.Context, yield func(attribution.RouteChange) error) (through int64, err error)
	// RoutesSince returns up to limit changes after a number, in the order of their
	// commits; what changed several times may come once, as it is now.
	RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error)
}

// PublisherOptions say how a Publisher works.
type PublisherOptions struct {
	Client   *Client
	Database Database
	Changed  <-chan struct{} // says that there may be changes; nil: polling only
	Poll     time.Duration   // longest between looks at the database; 0: 500 ms
	Log      *slog.Logger    // nil: slog.Default()

	keep int // changes in the stream; 0: keepChanges
}

const (
	defaultPoll  = 500 * time.Millisecond
	maxBackoff   = time.Second
	publishBatch = 500
	stepTimeout  = 10 * time.Second // for one batch from the database to Redis

	examineEvery = 10 * time.Second // whether the read-model is whole
	lockFor      = 30 * time.Second // a filler that died is followed by another
	fillTimeout  = time.Hour
)

// A Publisher brings the database's changes of links to Redis, and fills Redis
// again when it lost them. Any number may work at once: it does not matter who
// publishes a change, nor how often.
type Publisher struct {
	o   PublisherOptions
	log *slog.Logger

	examined time.Time    // when the read-model was last found whole
	seen     string       // generation it was found whole in
	filling  chan error   // of the fill under way; nil: none
	down     bool         // as far as was logged
	lag      atomic.Int64 // changes that were not published yet, at the last look
	failing  atomic.Int64 // Unix ms since when looks fail; 0: they do not
}

// NewPublisher makes a Publisher. Run starts it.
func NewPublisher(o PublisherOptions) *Publisher {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.keep == 0 {
		o.keep = keepChanges
	}
	return &Publisher{o: o, log: o.Log}
}

// Run publishes until ctx is done. While Redis or the database is away it looks
// again, at most 1 s apart; that is logged when it begins and when it ends.
func (p *Publisher) Run(ctx context.Context) {
	defer p.awaitFill()
	pace := background.Pace{Every: p.o.Poll, Again: defaultPoll, Most: maxBackoff, Wake: p.o.Changed}
	background.Repeat(ctx, pace, func(error) {}, func(ctx context.Context) (more bool, err error) {
		if err = p.look(ctx); ctx.Err() == nil {
			p.report(err)
		}
		return false, err
	})
}

// look publishes what the database has and Redis has not.
func (p *Publisher) look(ctx context.Context) error {
	for {
		more, err := p.step(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (p *Publisher) step(parent context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(parent, stepTimeout)
	defer cancel()
	s, last, err := p.current(ctx)
	if err != nil {
		return false, err
	}
	changes, err := p.o.Database.RoutesSince(ctx, s.last, publishBatch)
	if err != nil {
		return false, fmt.Errorf("reading changes of links after %d: %w", s.last, err)
	}
	if len(changes) > 0 {
		// The read-model goes first: who reads of a change and then asks for the
		// thing must not be told what was before.
		m := &model{p.o.Client, s.generation}
		if err := m.write(ctx, changes); err != nil {
			return false, fmt.Errorf("writing links to Redis: %w", err)
		}
		if err := p.o.Client.publish(ctx, s.generation, p.o.keep, changes); err != nil {
			return false, fmt.Errorf("publishing changes of links: %w", err)
		}
	}
	if len(changes) == publishBatch {
		p.lag.Store(last - changes[len(changes)-1].Number)
		return true, nil
	}
	p.lag.Store(0)
	return false, p.examine(parent, s)
}

// current returns the state and the database's last change, after beginning a generation where there is none, or
// where Redis is ahead of a database that went back.
func (p *Publisher) current(ctx context.Context) (s state, last int64, err error) {
	s, err = p.o.Client.state(ctx)
	if err != nil && !errors.Is(err, errEmpty) {
		return s, 0, fmt.Errorf("reading the state of links in Redis: %w", err)
	}
	// The database is asked after Redis, and so is never behind what Redis knew.
	last, failed := p.o.Database.LastChange(ctx)
	if failed != nil {
		return s, 0, failed
	}
	restored := err == nil && s.last > last
	if err == nil && !restored {
		return s, last, nil
	}
	if restored {
		p.log.Warn("the database has fewer changes than Redis, as after a restore; links in Redis are written again", "database", last, "redis", s.last)
	}
	if err := p.o.Client.begin(ctx, s.generation, last, restored); err != nil {
		return s, 0, fmt.Errorf("beginning to write links to Redis: %w", err)
	}
	s, err = p.o.Client.state(ctx)
	return s, last, err
}

func newGeneration() string { return rand.Text()[:10] }

// examine sees that the read-model is whole, and has it filled where it is not.
func (p *Publisher) examine(ctx context.Context, s state) error {
	if p.filling != nil {
		select {
		case err := <-p.filling:
			p.filling = nil
			return err
		default:
			return nil
		}
	}
	if p.seen == s.generation && time.Since(p.examined) < examineEvery {
		return nil
	}
	whole, err := p.o.Client.whole(ctx, s)
	if err != nil {
		return fmt.Errorf("examining the links in Redis: %w", err)
	}
	if whole {
		p.seen, p.examined = s.generation, time.Now()
		return nil
	}
	p.filling = make(chan error, 1)
	go func() { p.filling <- p.fill(ctx, s.generation) }()
	return nil
}

func (p *Publisher) awaitFill() {
	if p.filling != nil {
		<-p.filling
	}
}

// report logs when publishing begins to fail and when it works again. That Redis is
// away is the Client's to say.
func (p *Publisher) report(err error) {
	if err == nil {
		p.failing.Store(0)
	} else {
		p.failing.CompareAndSwap(0, time.Now().UnixMilli())
	}
	switch {
	case errors.Is(err, ErrAway):
		return
	case err != nil && !p.down:
		p.log.Warn("changes of links are not published; nodes follow the database where they reach it", "error", err)
	case err == nil && p.down:
		p.log.Info("changes of links are published again")
	}
	p.down = err != nil
}

// PublisherStats are figures of a Publisher.
type PublisherStats struct {
	Lag     int64         // numbers of changes that Redis was behind the database at the last look
	Failing time.Duration // since when nothing could be published; 0: it can
}

// Stats returns the figures. It waits for nobody.
func (p *Publisher) Stats() PublisherStats {
	s := PublisherStats{Lag: p.lag.Load()}
	if since := p.failing.Load(); since > 0 {
		s.Failing = time.Since(time.UnixMilli(since))
	}
	return s
}
