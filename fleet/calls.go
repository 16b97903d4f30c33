package fleet

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// A call is one run of a script, on keys that lie in one slot.
type call struct {
	keys []string
	args []any

	answer *redis.Cmd // nil: not asked
}

// err says why there is no answer, nil when there is one.
func (c *call) err() error {
	if c.answer == nil {
		return ErrAway
	}
	return c.answer.Err()
}

// callsAtOnce bounds what waits for one reply timeout.
const callsAtOnce = 128

// runAll runs a script once for each call, in order where their keys are the
// same, and returns the first error. Every call tells its own: of a Cluster, some
// servers may have answered.
func (c *Client) runAll(ctx context.Context, script *redis.Script, calls []call) error {
	client, err := c.Redis()
	if err != nil {
		return err
	}
	var first error
	for some := range slices.Chunk(calls, callsAtOnce) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := runSome(ctx, client, script, some); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// runSome sends calls together, those a server did not know the script for once
// more with its text.
func runSome(ctx context.Context, client redis.UniversalClient, script *redis.Script, calls []call) error {
	send := func(run func(redis.Scripter, *call) *redis.Cmd, chosen func(*call) bool) {
		pipeline := client.Pipeline()
		for i := range calls {
			if chosen(&calls[i]) {
				calls[i].answer = run(pipeline, &calls[i])
			}
		}
		_, _ = pipeline.Exec(ctx) // each answer has its error
	}
	send(func(to redis.Scripter, c *call) *redis.Cmd { return script.EvalSha(ctx, to, c.keys, c.args...) }, func(*call) bool { return true })
	unknown := func(c *call) bool { return redis.HasErrorPrefix(c.answer.Err(), "NOSCRIPT") }
	if slices.ContainsFunc(calls, func(c call) bool { return unknown(&c) }) {
		send(func(to redis.Scripter, c *call) *redis.Cmd { return script.Eval(ctx, to, c.keys, c.args...) }, unknown)
	}
	for i := range calls {
		if err := calls[i].err(); err != nil {
			return err
		}
	}
	return nil
}
