package fleet

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Visit is a valid hit of a visitor on a link.
type Visit struct {
	// Place is any number that is the same for all hits with this Key or Earlier:
	// they are looked at together.
	Place   uint64
	Key     uint64 // link and visitor
	Earlier uint64 // the same under the salt before, else 0
	Number  uint32 // of the hit, the same whenever it is asked for, never 0
	AtMs    int64
}

// A Judgement says what the nodes together know of a hit.
type Judgement byte

// The judgements.
const (
	Undecided Judgement = iota // they cannot say: the node decides alone
	First                      // no hit of the visitor within the window is known
	Again                      // there is one
)

// Visits is the memory of unique visits all nodes share. A hit is unique when no
// other of its visitor on its link is known that was less than a window before it
// or behind it; every hit is remembered, and which was unique. So the same hit
// gets the same judgement however often it is asked for; hits of several nodes
// may come in any order, and no two closer than a window are ever both unique.
// Where they come in the order of their times, the one that is unique is the first.
//
// Time is the hits' own. Hits shipped more than an hour or so after their time,
// see visitReach, are Undecided, and so are, of hits not known, those whose
// window reaches back beyond what Redis remembers (it was empty, or lost it) and
// those there is no room for.
//
// Memory of Redis: visits lie in buckets by place, a hash for each bucket and
// stretch of 30 minutes, that lives for visitsKept after the last write. A visit
// takes about 22 bytes as long as a hash has no more than Redis keeps compact
// (hash-max-listpack-entries, 512: two million visits in 30 minutes), then about 72; at
// most maxBucketVisits are in each, 8.4 million in 30 minutes.
type Visits struct {
	client *Client
	script *redis.Script
	window time.Duration
	now    func() time.Time
	asked  []uint64 // places of visits, in the order of their groups
}

// The bounds of what is remembered, and of one call.
const (
	visitBuckets    = 4096
	maxBucketVisits = 2048
	visitsKept      = 45 * time.Minute // the window, and a quarter of an hour of disorder
	visitReach      = 75 * time.Minute // of a hit's time before the node's
	visitAhead      = 5 * time.Minute  // and behind it
	memoryAgeKept   = 24 * time.Hour
	maxCallVisits   = 100     // with callsAtOnce, a tenth of a second of a server's time
	maxVisits       = 1 << 20 // judged in one go
	visitBytes      = 24
)

//go:embed visits.lua
var visitsText string

// NewVisits makes the Visits of windows of a length, below 2^24 ms. now is the
// node's clock.
func (c *Client) NewVisits(window time.Duration, now func() time.Time) *Visits {
	return &Visits{client: c, script: redis.NewScript(visitsText), window: window, now: now}
}

// Judge sets the judgement of each visit, in order. The error is the first of
// those that kept Redis from answering; the visits it is about are Undecided.
// Calls do not overlap.
func (v *Visits) Judge(ctx context.Context, visits []Visit, judgements []Judgement) error {
	clear(judgements)
	var first error
	for len(visits) > 0 {
		n := min(len(visits), maxVisits)
		if err := v.judge(ctx, visits[:n], judgements[:n]); err != nil && first == nil {
			first = err
		}
		visits, judgements = visits[n:], judgements[n:]
	}
	return first
}

// A visitGroup is visits of one bucket and stretch.
type visitGroup struct {
	stretch int64
	places  []uint64 // of visits, see placeOf
}

func (v *Visits) judge(ctx context.Context, visits []Visit, judgements []Judgement) error {
	groups := v.group(visits)
	calls := make([]call, len(groups))
	for i := range groups {
		calls[i] = v.call(&groups[i], visits)
	}
	err := v.client.runAll(ctx, v.script, calls)
	for i := range groups {
		if calls[i].err() != nil {
			continue
		}
		if failed := v.read(calls[i].answer, groups[i].places, visits, judgements); failed != nil {
			return failed
		}
	}
	if err != nil {
		return fmt.Errorf("judge visits together: %w", err)
	}
	return nil
}

// The parts of a place: bucket and stretch, which visits are grouped by, and the
// visit's index, which keeps their order.
const (
	indexBits   = 20
	stretchBits = 32
)

func placeOf(group uint64, index int) uint64 { return group<<indexBits | uint64(index) }

func indexOf(place uint64) int { return int(place & (1<<indexBits - 1)) }

// group puts visits of the same bucket and stretch together, in order, and leaves
// out those that are out of reach.
func (v *Visits) group(visits []Visit) []visitGroup {
	nowMs := v.now().UnixMilli()
	v.asked = v.asked[:0]
	for i := range visits {
		at := visits[i].AtMs
		if at < nowMs-visitReach.Milliseconds() || at > nowMs+visitAhead.Milliseconds() || at < 0 {
			continue
		}
		stretch := uint64(at / v.window.Milliseconds())
		v.asked = append(v.asked, placeOf(visits[i].Place%visitBuckets<<stretchBits|stretch&(1<<stretchBits-1), i))
	}
	slices.Sort(v.asked)
	var groups []visitGroup
	for rest := v.asked; len(rest) > 0; {
		n := 1
		for n < len(rest) && n < maxCallVisits && rest[n]>>indexBits == rest[0]>>indexBits {
			n++
		}
		groups = append(groups, visitGroup{stretch: visits[indexOf(rest[0])].AtMs / v.window.Milliseconds(), places: rest[:n]})
		rest = rest[n:]
	}
	return groups
}

func (v *Visits) call(g *visitGroup, visits []Visit) call {
	beganMs := g.stretch * v.window.Milliseconds()
	hits := make([]byte, 0, len(g.places)*visitBytes)
	for _, place := range g.places {
		visit := &visits[indexOf(place)]
		hits = binary.BigEndian.AppendUint64(hits, visit.Key)
		hits = binary.BigEndian.AppendUint64(hits, visit.Earlier)
		hits = binary.BigEndian.AppendUint32(hits, uint32(visit.AtMs-beganMs))
		hits = binary.BigEndian.AppendUint32(hits, visit.Number)
	}
	// The keys of a bucket share a hash tag, so that a script may use them together.
	bucket := v.client.SpreadKey("{v" + strconv.FormatUint(g.places[0]>>(indexBits+stretchBits), 36) + "}")
	of := func(stretch int64) string { return bucket + strconv.FormatInt(stretch, 36) }
	return call{
		keys: []string{of(g.stretch), of(g.stretch - 1), of(g.stretch + 1), bucket},
		args: []any{hits, v.now().UnixMilli(), maxBucketVisits, visitsKept.Milliseconds(), memoryAgeKept.Milliseconds()},
	}
}

// read takes over an answer of visits.lua.
func (v *Visits) read(answer *redis.Cmd, places []uint64, visits []Visit, judgements []Judgement) error {
	parts, err := answer.Slice()
	if err != nil {
		return fmt.Errorf("judge visits together: %w", err)
	}
	var said, since string
	if len(parts) == 2 {
		said, _ = parts[0].(string)
		since, _ = parts[1].(string)
	}
	sinceMs, err := strconv.ParseInt(since, 10, 64)
	if err != nil || len(said) != len(places) {
		return fmt.Errorf("judge visits together: Redis answered %q since %q for %d visits", said, since, len(places))
	}
	for i, place := range places {
		index := indexOf(place)
		switch {
		case said[i] == '0':
			judgements[index] = Again
		case said[i] == '1' && visits[index].AtMs-v.window.Milliseconds() >= sinceMs:
			judgements[index] = First
		}
	}
	return nil
}
