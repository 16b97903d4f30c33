package reports

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/schema"
)

// A follower follows what is stored while anybody watches.
type follower struct {
	*Live
	told    *position            // what was told
	before  *position            // what was told one look earlier
	seen    map[nodeSeq]struct{} // clicks between the two: they are asked for again
	stalled bool                 // the last look failed, and it was said
	wait    time.Duration
}

// A nodeSeq names a click in its node's log.
type nodeSeq struct {
	node string
	seq  uint64
}

// A foundClick is a click and where it stands.
type foundClick struct {
	Click
	at nodeSeq
}

// run follows until nobody watches any more.
func (f *follower) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	f.wait = f.every
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake: // somebody new need not wait for the next look
		case <-timer.C:
		}
		watching := f.watching()
		if len(watching) == 0 {
			return
		}
		f.report(ctx, watching, f.look(ctx, watching))
		timer.Reset(f.wait)
	}
}

// report says once that looks fail, and once that they do not any more.
func (f *follower) report(ctx context.Context, watching []*Subscriber, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil && f.stalled:
		f.stalled, f.wait = false, f.every
		tellAll(watching, Event{Type: LiveResumed, Data: mustJSON(struct{}{})})
	case err != nil:
		if f.wait = min(2*f.wait, liveMaxWait); !f.stalled {
			f.log.Warn("live streams wait for ClickHouse", "error", err)
			tellAll(watching, Event{Type: LiveStalled, Data: mustJSON(struct{}{})})
		}
		f.stalled = true
	}
}

func tellAll(watching []*Subscriber, e Event) {
	for _, s := range watching {
		s.tell(e)
	}
}

// look asks what is new and tells it.
func (f *follower) look(ctx context.Context, watching []*Subscriber) error {
	ctx, cancel := context.WithTimeout(ctx, livePatience)
	defer cancel()
	now := f.now()
	if f.told != nil && !f.told.current(now) { // ClickHouse was away for longer than what is live
		f.told = nil
		tellAll(joined(watching), gapEvent(Gap{Reason: "too_long_ago"}))
	}
	if f.told == nil {
		start, err := f.start(ctx, now)
		if err != nil {
			return err
		}
		f.told, f.before, f.seen = start, start.clone(), map[nodeSeq]struct{}{}
	} else if err := f.news(ctx, now, joined(watching)); err != nil {
		return err
	}
	return f.welcome(ctx, now, watching)
}

func joined(watching []*Subscriber) []*Subscriber {
	return slices.DeleteFunc(slices.Clone(watching), func(s *Subscriber) bool { return s.from == nil })
}

// start is the position of what is stored now.
func (f *follower) start(ctx context.Context, now time.Time) (*position, error) {
	p := &position{AtMs: now.UnixMilli(), Nodes: map[string]uint64{}}
	query := clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"since": clickHouseTime(now.Add(-liveWindow))}))
	rows, err := f.reports.conn.Query(query, schema.ClickHouseQuery("live_positions"))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse how far clicks are stored: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var node string
		var seq uint64
		if err := rows.Scan(&node, &seq); err != nil {
			return nil, fmt.Errorf("read how far clicks are stored: %w", err)
		}
		p.Nodes[node] = seq
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read how far clicks are stored: %w", err)
	}
	if err := f.reports.conn.QueryRow(ctx, "SELECT max(number) FROM entries").Scan(&p.Entry); err != nil {
		return nil, fmt.Errorf("ask ClickHouse how far entries are stored: %w", err)
	}
	return p, nil
}

// news tells what was stored since the last look. Clicks are asked for from the
// look before it: of a cluster's shards one may show its part of a batch later.
func (f *follower) news(ctx context.Context, now time.Time, watching []*Subscriber) error {
	previous, again := f.told.clone(), f.seen
	clicks, err := f.clicks(ctx, now, f.before, watching)
	if err != nil {
		return err
	}
	entries, cut, err := f.entries(ctx, f.told.Entry)
	if err != nil {
		return err
	}
	seen := map[nodeSeq]struct{}{}
	clicks = slices.DeleteFunc(clicks, func(c foundClick) bool {
		if c.at.seq > previous.Nodes[c.at.node] {
			seen[c.at] = struct{}{}
			return false
		}
		_, told := again[c.at]
		return told
	})
	if cut || areCut(clicks) {
		tellAll(watching, gapEvent(Gap{Reason: "too_many"}))
	}
	f.tellClicks(f.told, watching, clicks)
	err = f.tellEntries(ctx, f.told, watching, entries)
	f.told.AtMs, f.before, f.seen = now.UnixMilli(), previous, seen
	return err
}

// tellClicks hands clicks out and moves a position. Each is written once, whoever
// gets it.
func (f *follower) tellClicks(at *position, watching []*Subscriber, clicks []foundClick) {
	for i := range clicks {
		c := &clicks[i]
		at.Nodes[c.at.node] = max(at.Nodes[c.at.node], c.at.seq)
		var event Event
		for _, s := range watching {
			if s.from != nil && c.at.seq <= s.from.Nodes[c.at.node] || !s.wanted.click(&c.Click) {
				continue
			}
			if event.Type == "" {
				event = Event{Type: LiveClick, ID: f.write(at), Data: mustJSON(&c.Click)}
			}
			s.tell(event)
		}
	}
}

// areCut reports whether there may have been more clicks than were found.
func areCut(clicks []foundClick) bool {
	type source struct{ node, advertiser string }
	each := map[source]int{}
	for i := range clicks {
		from := source{clicks[i].at.node, clicks[i].AdvertiserID}
		if each[from]++; each[from] == liveEach {
			return true
		}
	}
	return len(clicks) == liveMost
}

// welcome lets those who are new begin, after what they missed.
func (f *follower) welcome(ctx context.Context, now time.Time, watching []*Subscriber) error {
	for _, s := range watching {
		if s.from != nil {
			continue
		}
		if s.lastID != "" {
			if err := f.catchUp(ctx, now, s); err != nil {
				return err
			}
		}
		s.from = f.told.clone()
		s.tell(Event{Type: LiveReady, ID: f.write(f.told), Data: mustJSON(struct {
			DataThrough attribution.Instant `json:"data_through"`
		}{attribution.InstantOf(f.reports.freshness.DataThrough(now))})})
	}
	return nil
}

// catchUp tells one who comes back what happened meanwhile.
func (f *follower) catchUp(ctx context.Context, now time.Time, s *Subscriber) error {
	from := f.read(s.lastID)
	switch {
	case from == nil:
		s.tell(gapEvent(Gap{Reason: "unknown_position"}))
		return nil
	case !from.current(now):
		s.tell(gapEvent(Gap{Reason: "too_long_ago"}))
		return nil
	}
	clicks, err := f.clicks(ctx, now, from, []*Subscriber{s})
	if err != nil {
		return err
	}
	entries, cut, err := f.entries(ctx, from.Entry)
	if err != nil {
		return err
	}
	cut = cut || areCut(clicks)
	clicks = slices.DeleteFunc(clicks, func(c foundClick) bool {
		return c.at.seq > f.told.Nodes[c.at.node] || !s.wanted.click(&c.Click) // what is newer comes with the news
	})
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.number > f.told.Entry || !s.wanted.entry(&e) })
	clicks, clicksCut := newest(clicks)
	entries, entriesCut := newest(entries)
	if cut || clicksCut || entriesCut {
		s.tell(gapEvent(Gap{Reason: "too_many"}))
	}
	f.tellClicks(from, []*Subscriber{s}, clicks)
	return f.tellEntries(ctx, from, []*Subscriber{s}, entries)
}

// newest are the last liveCatchUp of what somebody missed.
func newest[T any](missed []T) (kept []T, cut bool) {
	if len(missed) <= liveCatchUp {
		return missed, false
	}
	return missed[len(missed)-liveCatchUp:], true
}

// clicks are those above a position that any of the subscribers may see, in the
// order of each node's log.
func (f *follower) clicks(ctx context.Context, now time.Time, above *position, watching []*Subscriber) ([]foundClick, error) {
	if len(watching) == 0 {
		return nil, nil
	}
	parameters := clickhouse.Parameters{"since": clickHouseTime(now.Add(-liveWindow))}
	above.parameters(parameters)
	var statement strings.Builder
	input := struct {
		Conditions  []string
		Each, Limit int
	}{liveConditions(watching, parameters), liveEach, liveMost}
	if err := f.query.Execute(&statement, input); err != nil {
		return nil, fmt.Errorf("write the query for live clicks: %w", err)
	}
	rows, err := f.reports.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement.String())
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for live clicks: %w", err)
	}
	defer rows.Close()
	var clicks []foundClick
	for rows.Next() {
		var c foundClick
		c.Click, err = scanClick(func(columns ...any) error { return rows.Scan(append(columns, &c.at.node, &c.at.seq)...) })
		if err != nil {
			return nil, fmt.Errorf("read live clicks: %w", err)
		}
		clicks = append(clicks, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read live clicks: %w", err)
	}
	slices.SortFunc(clicks, func(a, b foundClick) int {
		return cmp.Or(cmp.Compare(a.at.node, b.at.node), cmp.Compare(a.at.seq, b.at.seq))
	})
	return clicks, nil
}
