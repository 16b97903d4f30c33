package reports

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"text/template"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/schema"
)

// The bounds of the live stream.
const (
	MaxLive        = 100              // subscribers of a process
	maxLiveEach    = 10               // of them by one tenant
	liveInterval   = time.Second      // between two looks at ClickHouse
	liveWindow     = 10 * time.Minute // a click that is stored later than this after it was made is not live
	liveQueue      = 512              // events that wait for one subscriber
	liveEach       = 500              // newest clicks of one advertiser and node, of one look
	liveMost       = 5_000            // clicks, and entries, of one look
	liveCatchUp    = 200              // newest missed clicks of one who comes back
	livePatience   = 10 * time.Second // for ClickHouse's answer
	liveMaxWait    = 10 * time.Second // between two looks while ClickHouse does not answer
	maxLiveIDBytes = 4 << 10
)

// Live tells what arrives to everybody who watches: clicks, and what happens to
// actions. While anybody does, one loop asks ClickHouse once a second for all of
// them, and hands out what it finds by scope and filter. It follows each node's
// log by sequence number and the ledger by entry number, and so tells everything
// once whichever node received it. A subscriber who does not keep up, or more
// events than may be shown, lose events, and are told so.
//
// Make it with NewLive, and run Run.
type Live struct {
	reports *Reports
	query   *template.Template
	seal    cipher.AEAD
	now     func() time.Time
	log     *slog.Logger
	every   time.Duration // between two looks at ClickHouse

	wake chan struct{} // somebody came

	mu          sync.Mutex
	stopped     bool
	subscribers map[*Subscriber]struct{}
	tenants     map[Scope]int
}

// NewLive makes a Live over reports. The key (32 bytes) seals the positions
// clients come back with; every process of an installation must have the same.
func NewLive(r *Reports, key []byte, now func() time.Time, log *slog.Logger) (*Live, error) {
	seal, err := newSeal(key)
	if err != nil {
		return nil, fmt.Errorf("live stream: %w", err)
	}
	return &Live{
		reports: r, seal: seal, now: now, log: log, every: liveInterval, wake: make(chan struct{}, 1),
		query:       template.Must(template.New("live").Parse(schema.ClickHouseQuery("live"))),
		subscribers: map[*Subscriber]struct{}{}, tenants: map[Scope]int{},
	}, nil
}

// A LiveQuestion says what to tell of. Empty filters choose everything in scope.
type LiveQuestion struct {
	Filters map[string][]string // as of clicks; "verdict" and others only clicks have leave actions out
	Events  []string            // LiveClick, LiveAction; empty: both
}

// The types of events.
const (
	LiveReady   = "ready"   // the stream begins here
	LiveClick   = "click"   // a Click
	LiveAction  = "action"  // an Entry
	LiveGap     = "gap"     // events are missing here
	LiveStalled = "stalled" // the store does not answer; what happens meanwhile is told later
	LiveResumed = "resumed" // it answers again
)

// An Event is told to a subscriber.
type Event struct {
	Type string
	ID   string // to come back with; may be empty
	Data json.RawMessage
}

// A Gap says that events are missing.
type Gap struct {
	Reason  string `json:"reason" doc:"slow_client, too_many, too_long_ago, unknown_position"`
	Dropped int    `json:"dropped,omitempty"`
}

// Subscribe begins to tell. lastID is the id of the last event the client had
// before, if any. It refuses with admin.CodeBusy beyond the bounds. Close the
// subscriber when done.
func (l *Live) Subscribe(scope Scope, q LiveQuestion, lastID string) (*Subscriber, error) {
	wanted, err := newLiveFilter(scope, q)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return nil, attribution.Refuse(admin.CodeBusy, "the server stops; come back in a moment")
	case len(l.subscribers) >= MaxLive:
		return nil, attribution.Refuse(admin.CodeBusy, "%d live streams are open already; come back later, or close one", MaxLive)
	case !scope.All && l.tenants[scope] >= maxLiveEach:
		return nil, attribution.Refuse(admin.CodeBusy, "you have %d live streams open already; close one", maxLiveEach)
	}
	s := &Subscriber{live: l, scope: scope, wanted: wanted, lastID: lastID, ready: make(chan struct{}, 1)}
	l.subscribers[s] = struct{}{}
	l.tenants[scope]++
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return s, nil
}

func (l *Live) forget(s *Subscriber) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.subscribers[s]; !known {
		return
	}
	delete(l.subscribers, s)
	if l.tenants[s.scope]--; l.tenants[s.scope] == 0 {
		delete(l.tenants, s.scope)
	}
}

// watching are the subscribers of this moment.
func (l *Live) watching() []*Subscriber {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Subscriber, 0, len(l.subscribers))
	for s := range l.subscribers {
		all = append(all, s)
	}
	return all
}

// Run looks and tells until ctx ends, and ends every stream then. While nobody
// watches it asks nothing.
func (l *Live) Run(ctx context.Context) {
	defer l.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		(&follower{Live: l}).run(ctx)
	}
}

func (l *Live) end() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	for _, s := range l.watching() {
		s.end()
	}
}

// A Subscriber is one who watches. Events wait in it until Next takes them.
type Subscriber struct {
	live   *Live
	scope  Scope
	wanted *liveFilter
	lastID string

	from  *position // of the follower: it is told what comes after; nil until then
	ready chan struct{}

	mu      sync.Mutex
	queue   []Event
	dropped int
	ended   bool
}

// Close ends the telling.
func (s *Subscriber) Close() {
	s.end()
	s.live.forget(s)
}

func (s *Subscriber) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.signal()
}

// Ready has a value when there is something to take.
func (s *Subscriber) Ready() <-chan struct{} { return s.ready }

func (s *Subscriber) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// tell queues an event, and never waits.
func (s *Subscriber) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 || len(s.queue) >= liveQueue {
		s.dropped++
		return
	}
	s.queue = append(s.queue, e)
	s.signal()
}

// Take removes what waits. more is false once the stream has ended.
func (s *Subscriber) Take() (events []Event, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.queue = s.queue, nil
	if s.dropped > 0 {
		events = append(events, gapEvent(Gap{Reason: "slow_client", Dropped: s.dropped}))
		s.dropped = 0
	}
	return events, !s.ended
}

func gapEvent(g Gap) Event { return Event{Type: LiveGap, Data: mustJSON(g)} }

// mustJSON writes what always can be written.
func mustJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("reports: %v", err))
	}
	return data
}
