package reclassify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
	"tributary/schema/database"
)

// Options are what a Service is made of.
type Options struct {
	DB         *database.DB
	ClickHouse driver.Conn
	Money      Money
	Rules      func() Rules     // those in force
	Through    func() time.Time // up to when every hit is stored
	Now        func() time.Time
	Log        *slog.Logger
	// Reached is told of every point a crash could come at; for tests.
	Reached func(point string)
}

// Money is what the ledger is told, and says.
type Money interface {
	OverrideVerdicts(ctx context.Context, overrides []ledger.VerdictOverride) error
	// ClicksPaid says which campaigns pay per click, and through when clicks are booked.
	ClicksPaid(ctx context.Context) (campaigns []string, through attribution.Instant, err error)
}

// A Service judges stored hits again. It is safe for concurrent use.
type Service struct {
	o       Options
	reasons map[string]attribution.Reasons
	wake    chan struct{} // holds a token when a run may have begun

	mu      sync.Mutex
	changed chan struct{} // closed when a run got on, and made anew
}

// How long a step that failed waits before it is tried again.
const retryWait = 5 * time.Second

// New makes a Service. Nothing happens until Run.
func New(o Options) *Service {
	if o.Reached == nil {
		o.Reached = func(string) {}
	}
	return &Service{o: o, reasons: reasonsByName(), wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

func (s *Service) reached(point string) { s.o.Reached(point) }

// An Asked is what a run is to judge.
type Asked struct {
	AdvertiserID string              `json:"advertiser_id,omitempty" doc:"All by default"`
	From         attribution.Instant `json:"from,omitempty" doc:"Hits from then on; all that are stored by default"`
	To           attribution.Instant `json:"to,omitempty" doc:"Hits before then; by default, and at most, as far as clicks are stored"`
	DryRun       *bool               `json:"dry_run,omitempty" doc:"true by default: only says what would change"`
}

// Begin begins a run; Run does it.
func (s *Service) Begin(ctx context.Context, asked Asked) (Run, error) {
	through := attribution.InstantOf(s.o.Through())
	if asked.To == 0 || asked.To > through {
		asked.To = through
	}
	var check attribution.Checker
	check.Require(asked.From >= 0 && asked.From < asked.To, "body.from", "must be before to, and before %s, up to when clicks are stored", through)
	if err := check.Err(); err != nil {
		return Run{}, err
	}
	if asked.AdvertiserID != "" {
		var found int64
		if err := s.o.DB.Row(ctx, "ledger.advertiser_exists", asked.AdvertiserID).Scan(&found); err != nil {
			return Run{}, fmt.Errorf("reclassify: reading an advertiser: %w", err)
		}
		check.Require(found > 0, "body.advertiser_id", "there is no such advertiser")
		if err := check.Err(); err != nil {
			return Run{}, err
		}
	}
	var unique [10]byte
	_, _ = rand.Read(unique[:]) // never fails
	now := s.o.Now()
	r := &run{
		id: attribution.MakeID("rcl_", now.UnixMilli(), unique), advertiserID: asked.AdvertiserID, fromMs: int64(asked.From), toMs: int64(asked.To),
		dryRun: asked.DryRun == nil || *asked.DryRun, rulesVersion: s.o.Rules().Version(), state: Running, positionMs: int64(asked.From), found: newTally(),
		createdMs: now.UnixMilli(),
	}
	r.keyID, r.role = scopeKey(ctx)
	if err := s.o.ClickHouse.QueryRow(ctx, schema.ClickHouseQuery("reclassify_last")).Scan(&r.step); err != nil {
		return Run{}, fmt.Errorf("ask ClickHouse for the last step: %w", err)
	}
	if err := s.insert(ctx, r); err != nil {
		return Run{}, err
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return r.shown(), nil
}

// Run does runs until ctx ends: first the one that an earlier process left.
func (s *Service) Run(ctx context.Context) {
	for {
		worked, err := s.work(ctx)
		wait := retryWait
		if err == nil {
			wait = s.idleLook()
		} else if ctx.Err() == nil {
			s.o.Log.Warn("a reclassification cannot go on; it is tried again", "error", err)
		}
		if err == nil && worked {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-time.After(wait):
		}
	}
}

// idleLook is how often it is looked whether another process began a run.
func (s *Service) idleLook() time.Duration {
	if s.o.DB.Shared() {
		return 2 * time.Second
	}
	return time.Hour
}

// Finish does the run that is under way, if there is one, to its end.
func (s *Service) Finish(ctx context.Context) error {
	_, err := s.work(ctx)
	return err
}

// work does the run that is under way, to its end.
func (s *Service) work(ctx context.Context) (worked bool, err error) {
	r, err := s.one(ctx, "reclassify.running")
	if err != nil || r == nil {
		return false, err
	}
	for {
		done, err := s.next(ctx, r)
		var stopped *stoppedError
		switch {
		case errors.As(err, &stopped):
			return true, s.end(ctx, r, Stopped, stopped.why)
		case err != nil:
			return true, err
		case done:
			return true, s.end(ctx, r, Done, "")
		}
		s.tell()
	}
}

// end ends a run.
func (s *Service) end(ctx context.Context, r *run, state, why string) error {
	if err := s.dropChanges(ctx, r); err != nil {
		return err
	}
	if err := s.exec(ctx, "reclassify.finish", r.id, state, why, s.o.Now().UnixMilli(), int64(r.step)); err != nil {
		return err
	}
	s.o.Log.Info("hits were reclassified", "run", r.id, "state", state, "why", why, "dry_run", r.dryRun, "hits", r.found.Hits, "changed", r.found.Changed)
	s.tell()
	return nil
}

// A stoppedError ends a run that cannot go on.
type stoppedError struct{ why string }

func (e *stoppedError) Error() string { return e.why }

// tell wakes whoever waits for a run.
func (s *Service) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Service) turn() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Wait is a run as it is when it ends, or when ctx does.
func (s *Service) Wait(ctx context.Context, id string) (Run, error) {
	for {
		changed := s.turn()
		found, err := s.Get(context.WithoutCancel(ctx), id)
		if err != nil || found.State != Running {
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, nil
		case <-changed:
		}
	}
}

// Get finds a run.
func (s *Service) Get(ctx context.Context, id string) (Run, error) {
	r, err := s.one(ctx, "reclassify.get", id)
	if err != nil {
		return Run{}, err
	}
	if r == nil {
		return Run{}, attribution.Refuse(attribution.CodeNotFound, "there is no reclassification %.64q", id)
	}
	return r.shown(), nil
}
