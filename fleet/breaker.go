package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A breaker keeps callers from waiting for a server that is away: after a failure
// calls fail at once, and one at a time is let through to see whether the server
// is back. It implements redis.Hook.
//
// A connection that breaks or cannot be made counts at once. A late answer may
// only have had an impatient caller: several in a row are needed.
type breaker struct {
	now func() time.Time

	mu     sync.Mutex
	late   int       // timeouts in a row
	broken bool      // calls fail
	until  time.Time // when the next may try
	pause  time.Duration
}

const (
	lateInARow    = 3
	shortestPause = 100 * time.Millisecond
	longestPause  = time.Second
)

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now} }

// DialHook implements redis.Hook.
func (b *breaker) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (b *breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return b.through(ctx, []redis.Cmder{cmd}, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (b *breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return b.through(ctx, cmds, func(ctx context.Context) error { return next(ctx, cmds) })
	}
}

// admitted marks the context of a call that was let through: the greetings of a
// new connection, which are calls, too, belong to it.
type admitted struct{}

func (b *breaker) through(ctx context.Context, cmds []redis.Cmder, do func(context.Context) error) error {
	if ctx.Value(admitted{}) != nil {
		return do(ctx)
	}
	if !b.allow() {
		for _, cmd := range cmds {
			cmd.SetErr(ErrAway)
		}
		return ErrAway
	}
	err := do(context.WithValue(ctx, admitted{}, true))
	seen := err
	for _, cmd := range cmds {
		if isAway(cmd.Err()) {
			seen = cmd.Err()
		}
	}
	b.report(seen)
	return err
}

// allow reports whether a call may be made. The result of each must be reported.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.broken {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(dialTimeout + 2*replyTimeout) // the one let through is answered by then
	return true
}

// report notes how a call ended.
func (b *breaker) report(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !isAway(err) {
		b.late, b.broken, b.pause = 0, false, 0
		return
	}
	if !b.broken && isTimeout(err) {
		b.late++
		if b.late < lateInARow {
			return
		}
	}
	b.broken = true
	b.pause = min(max(2*b.pause, shortestPause), longestPause)
	b.until = b.now().Add(b.pause)
}
