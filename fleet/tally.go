package fleet

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Tally adds up what nodes count of the same things, each by itself: Redis
// holds for each thing what every node has said it counted so far. As a node says
// a sum, never an increase, it may say it twice; as only a greater one replaces
// what it said before, also late. What Redis lost is right again once the nodes
// have said it again.
type Tally struct {
	client *Client
	kind   string
	node   string
	keep   time.Duration
	script *redis.Script
}

//go:embed tally.lua
var tallyText string

// NewTally makes the Tally of a kind of things, for a node with a name that no
// other node has or will have. A thing is forgotten when nobody spoke of it for
// the time to keep it.
func (c *Client) NewTally(kind, node string, keep time.Duration) *Tally {
	return &Tally{client: c, kind: kind, node: node, keep: keep, script: redis.NewScript(tallyText)}
}

// Exchange says how much this node has counted of each thing, and sets others to
// what all other nodes have, -1 where that could not be learnt. What Redis has of
// this node beyond what it says, because it lost its own count, is in others too.
// The error is the first of those that kept Redis from answering.
func (t *Tally) Exchange(ctx context.Context, things [][2]uint64, own, others []int64) error {
	calls := make([]call, len(things))
	for i, thing := range things {
		calls[i] = call{keys: []string{t.key(thing)}, args: []any{t.node, own[i], t.keep.Milliseconds()}}
	}
	err := t.client.runAll(ctx, t.script, calls)
	for i := range calls {
		others[i] = -1
		if calls[i].err() != nil {
			continue
		}
		sum, failed := calls[i].answer.Int64()
		if failed != nil {
			return fmt.Errorf("count %s together: %w", t.kind, failed)
		}
		others[i] = max(0, sum-own[i])
	}
	if err != nil {
		return fmt.Errorf("count %s together: %w", t.kind, err)
	}
	return nil
}

func (t *Tally) key(thing [2]uint64) string {
	name := append(make([]byte, 0, 48), t.kind...)
	name = strconv.AppendUint(append(name, ':'), thing[0], 36)
	if thing[1] != 0 {
		name = strconv.AppendUint(append(name, '.'), thing[1], 36)
	}
	return t.client.SpreadKey(string(name))
}
