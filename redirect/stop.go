package redirect

import (
	"context"
	"errors"
	"time"
)

// The most the steps of a Shutdown take; less when its context ends sooner.
const (
	// drainTime is for the clients that keep a connection: each is told with the
	// answer to its next request that the connection ends. One that is closed
	// instead takes a request with it that was just being sent.
	drainTime = time.Second
	// lingerTime is for the rest of requests that are half sent.
	lingerTime = 5 * time.Second
)

// Shutdown makes the server unready, ends each connection with its next answer,
// and after drainTime stops accepting and closes the connections nobody speaks
// on. Requests that are under way are answered, with what is known by then; a
// client that takes longer than lingerTime to send one is cut off. It returns the
// context's error when all that takes too long.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	if s.options.Intake != nil {
		s.options.Intake.Hurry()
	}
	s.drain(ctx)
	var closing error
	if sweeper := s.serving.Load(); sweeper != nil {
		closing = sweeper.Close()
		// fasthttp takes a connection for idle only after its first answer.
		sweeper.hangUp(func(c *timedConn) bool { return !c.heard.Load() })
		linger := time.AfterFunc(within(ctx, lingerTime), func() {
			sweeper.hangUp(func(*timedConn) bool { return true })
		})
		defer linger.Stop()
	}
	return errors.Join(closing, s.http.ShutdownWithContext(ctx))
}

// drain waits until no connection is open, but not for ever: those nobody speaks
// on stay.
func (s *Server) drain(ctx context.Context) {
	end := time.After(within(ctx, drainTime))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.http.GetOpenConnectionsCount() > 0 {
		select {
		case <-end:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// within is most, or half of the time the context leaves.
func within(ctx context.Context, most time.Duration) time.Duration {
	if deadline, bounded := ctx.Deadline(); bounded {
		return max(0, min(most, time.Until(deadline)/2))
	}
	return most
}
