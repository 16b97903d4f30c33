package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tributary/attribution"
)

// The reasons for which a Feed cannot tell what changed after a number.
var (
	// ErrMissed: the stream does not reach back so far, or was lost since.
	ErrMissed = errors.New("redis no longer has every change since")
	// ErrRestored: the database was restored, and with it the links; everything must
	// be read again, also where a source seems to go on.
	ErrRestored = errors.New("the database went back, as after a restore")
	// ErrBehind: what is asked for was not published yet, or lost and not yet
	// published again.
	ErrBehind = errors.New("redis is behind")
)

// A Feed gives a tracker the links that Publishers write to Redis.
type Feed struct {
	client  *Client
	changed chan struct{}

	mu     sync.Mutex
	seen   string // the generation followed; empty: none yet
	filled string // servers on which it was filled, when last followed
	refill bool   // ErrMissed where the read-model had to be filled again
}

// FeedOptions say how a Feed works.
type FeedOptions struct {
	// Refilled also counts what had to be written to Redis again as missed: a node
	// that has single links from there may have read one before it was.
	Refilled bool
}

// NewFeed makes a Feed. Run makes its Changed channel work.
func NewFeed(c *Client, o FeedOptions) *Feed {
	return &Feed{client: c, changed: make(chan struct{}, 1), refill: o.Refilled}
}

// Changed has a notice whenever something was published since the last one was
// taken.
func (f *Feed) Changed() <-chan struct{} { return f.changed }

// Run listens for news until ctx is done. It may miss some: a follower also asks
// from time to time.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		news, err := f.client.news(ctx)
		if news {
			f.notify()
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(newsWait):
			}
		}
	}
}

func (f *Feed) notify() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// RoutesSince returns up to limit changes after a number, in order. Its errors
// beside Redis's own are ErrMissed, ErrRestored and ErrBehind, and that Redis has
// no links yet.
func (f *Feed) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	s, changes, err := f.client.since(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	if err := f.follow(s); err != nil {
		return nil, err
	}
	switch {
	case after < s.after:
		return nil, fmt.Errorf("%w change %d: %w", ErrMissed, after, errTrimmed(s))
	case after > s.last:
		return nil, fmt.Errorf("%w: it has changes up to %d", ErrBehind, s.last)
	}
	return changes, nil
}

func errTrimmed(s state) error { return fmt.Errorf("it begins after %d", s.after) }

// follow notes which generation is followed, and says once when that means that
// everything must be read again.
func (f *Feed) follow(s state) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	other := f.seen != "" && f.seen != s.generation
	refilled := f.filled != "" && f.filled != s.filled && s.filled != ""
	f.seen = s.generation
	if s.filled != "" {
		f.filled = s.filled
	}
	switch {
	case other && s.restored:
		return ErrRestored
	case refilled && f.refill:
		return fmt.Errorf("%w: links were written to Redis again", ErrMissed)
	}
	return nil
}

// Routes yields every advertiser, campaign and link (in that order) and returns
// the number from which to follow. It fails while the read-model is incomplete.
func (f *Feed) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (through int64, err error) {
	return f.read(ctx, yield, func(m *model) []string { return m.shelves() })
}

// Things is Routes without the links.
func (f *Feed) Things(ctx context.Context, yield func(attribution.RouteChange) error) (through int64, err error) {
	return f.read(ctx, yield, func(m *model) []string { return []string{m.advertisers(), m.campaigns()} })
}

func (f *Feed) read(ctx context.Context, yield func(attribution.RouteChange) error, shelves func(*model) []string) (int64, error) {
	s, err := f.complete(ctx)
	if err != nil {
		return 0, err
	}
	m := &model{f.client, s.generation}
	all := shelves(m)
	// Who is named goes before who names it.
	for _, some := range [][]string{all[:1], all[1:2], all[2:]} {
		if err := m.each(ctx, some, yield); err != nil {
			return 0, err
		}
	}
	after, err := f.complete(ctx)
	if err != nil || after.generation != s.generation {
		return 0, errors.Join(errIncomplete, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.filled = s.generation, s.filled
	return s.last, nil
}

// complete returns the state of a read-model that has everything.
func (f *Feed) complete(ctx context.Context) (state, error) {
	s, err := f.client.state(ctx)
	if err != nil {
		return s, err
	}
	servers, err := f.client.runIDs(ctx)
	if err == nil && s.filled != servers {
		err = errIncomplete
	}
	return s, err
}

// Find looks slugs up, in any case, and returns what each leads to, nil for those
// that lead nowhere. An error says that Redis cannot tell.
func (f *Feed) Find(ctx context.Context, slugs ...string) ([]*attribution.RouteChange, error) {
	f.mu.Lock()
	generation := f.seen
	f.mu.Unlock()
	if generation == "" {
		return nil, errIncomplete
	}
	return (&model{f.client, generation}).find(ctx, slugs)
}
