package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tributary/attribution"
)

// The stream carries changes to nodes that follow. An entry's id is the number of
// its change, so that Redis itself refuses what was published before, and the
// order is that of the database's commits, whoever publishes. Beside it stands the
// state, in the same slot:
//
//	generation  names the read-model's keys; random
//	after       the stream has every change after this number
//	restored    1: the generation began because the database went back, as one
//	            does that was restored from a backup
//	filled      of which servers, by their run ids, the read-model was last filled
const (
	stateName  = "links"
	streamName = "links:changes"
	lockName   = "links:filling"

	entryField = "c"
)

// keepChanges is how many changes the stream holds; a node that was away for more
// asks the database, or reads everything again.
const keepChanges = 100_000

// A state is what stands beside the stream.
type state struct {
	generation string
	after      int64 // the stream has every change after it
	last       int64 // number up to which changes were published, at least after
	restored   bool
	filled     string
}

// errEmpty says that Redis has no links at all.
var errEmpty = errors.New("redis has no links yet; an admin node that reaches the database writes them")

// since reads the state and up to limit changes after a number, as of one moment.
func (c *Client) since(ctx context.Context, after int64, limit int) (s state, changes []attribution.RouteChange, err error) {
	all, err := c.Redis()
	if err != nil {
		return s, nil, err
	}
	var fields *redis.MapStringStringCmd
	var newest, entries *redis.XMessageSliceCmd
	_, err = all.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		fields = pipe.HGetAll(ctx, c.Key(stateName))
		newest = pipe.XRevRangeN(ctx, c.Key(streamName), "+", "-", 1)
		if limit > 0 {
			entries = pipe.XRangeN(ctx, c.Key(streamName), "("+streamID(after), "+", int64(limit))
		}
		return nil
	})
	if err != nil {
		return s, nil, err
	}
	if s, err = readState(fields.Val(), newest.Val()); err != nil || limit == 0 {
		return s, nil, err
	}
	for _, message := range entries.Val() {
		change, err := readMessage(message)
		if err != nil {
			return s, nil, err
		}
		changes = append(changes, change)
	}
	return s, changes, nil
}

func (c *Client) state(ctx context.Context) (state, error) {
	s, _, err := c.since(ctx, 0, 0)
	return s, err
}

func readState(fields map[string]string, newest []redis.XMessage) (s state, err error) {
	if fields["generation"] == "" {
		return s, errEmpty
	}
	s = state{generation: fields["generation"], restored: fields["restored"] == "1", filled: fields["filled"]}
	if s.after, err = strconv.ParseInt(fields["after"], 10, 64); err != nil {
		return s, errEntry
	}
	s.last = s.after
	if len(newest) > 0 {
		last, err := streamNumber(newest[0].ID)
		if err != nil {
			return s, err
		}
		s.last = max(s.last, last)
	}
	return s, nil
}

func readMessage(message redis.XMessage) (attribution.RouteChange, error) {
	number, err := streamNumber(message.ID)
	if err != nil {
		return attribution.RouteChange{}, err
	}
	entry, _ := message.Values[entryField].(string)
	return readEntry(number, []byte(entry))
}

func streamID(number int64) string { return strconv.FormatInt(number, 10) + "-0" }

func streamNumber(id string) (int64, error) {
	digits, _, _ := strings.Cut(id, "-")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errEntry
	}
	return number, nil
}

// begin starts a generation in the place of the one that was seen, "" for none,
// and returns whether it was this call that did.
var begin = redis.NewScript(`
if (redis.call('HGET', KEYS[1], 'generation') or '') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'after', ARGV[3], 'restored', ARGV[4])
return 1`)

// publish adds changes to the stream, those that are not in it yet, and trims it.
var publish = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return redis.error_reply('OTHERGENERATION') end
local added = 0
for i = 3, #ARGV, 2 do
	local done = redis.pcall('XADD', KEYS[2], ARGV[i] .. '-0', '` + entryField + `', ARGV[i + 1])
	if type(done) == 'table' and done.err then
		if not string.find(done.err, 'equal or smaller') then return done end
	else
		added = added + 1
	end
end
local keep = tonumber(ARGV[2])
if redis.call('XLEN', KEYS[2]) > keep + keep / 10 then
	redis.call('XTRIM', KEYS[2], 'MAXLEN', keep)
	local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1][1]
	redis.call('HSET', KEYS[1], 'after', string.format('%.0f', tonumber(string.match(first, '^%d+')) - 1))
end
return added`)

// fill notes that a generation's read-model has everything, on these servers.
var fill = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return redis.error_reply('OTHERGENERATION') end
return redis.call('HSET', KEYS[1], 'filled', ARGV[2])`)

// begin starts a generation after a change, unless another was begun meanwhile.
func (c *Client) begin(ctx context.Context, seen string, after int64, restored bool) error {
	flag := "0"
	if restored {
		flag = "1"
	}
	return c.script(ctx, begin, seen, newGeneration(), after, flag)
}

// publish brings changes into the stream of a generation, in order.
func (c *Client) publish(ctx context.Context, generation string, keep int, changes []attribution.RouteChange) error {
	args := []any{generation, keep}
	for i := range changes {
		if entry, concerns := appendEntry(nil, &changes[i]); concerns {
			args = append(args, changes[i].Number, entry)
		}
	}
	return c.script(ctx, publish, args...)
}

func (c *Client) setFilled(ctx context.Context, generation, servers string) error {
	return c.script(ctx, fill, generation, servers)
}

// script runs one on the state and the stream.
func (c *Client) script(ctx context.Context, script *redis.Script, args ...any) error {
	all, err := c.Redis()
	if err != nil {
		return err
	}
	return script.Run(ctx, all, []string{c.Key(stateName), c.Key(streamName)}, args...).Err()
}

// newsWait is how long a stop may have to wait for who listens.
const newsWait = 500 * time.Millisecond

// news returns when something was published after it began to listen, or when
// nothing was for newsWait.
func (c *Client) news(ctx context.Context) (bool, error) {
	all, err := c.Redis()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, newsWait+replyTimeout)
	defer cancel()
	streams, err := all.XRead(ctx, &redis.XReadArgs{Streams: []string{c.Key(streamName), "$"}, Count: 1, Block: newsWait}).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("listening for changes of links: %w", err)
	}
	return len(streams) > 0, nil
}
