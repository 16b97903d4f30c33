package reports

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tributary/admin"
)

// The pace of a stream.
const (
	liveHeartbeat = 15 * time.Second
	liveWrite     = 10 * time.Second // a client that takes nothing for so long is left
	liveAge       = 5 * time.Minute  // then the client comes back, with a key that is still good
	liveRetryMs   = 2_000            // after which it does
)

// LiveRoutes add the live stream to the API.
func LiveRoutes(l *Live) admin.Routes {
	return func(api *admin.API) {
		admin.Register(api, admin.Operation{
			ID: "live", Method: http.MethodGet, Path: "/v1/live", Tag: "Clicks", Roles: readers, Timeout: -1, MediaType: "text/event-stream",
			Summary: "Clicks and what happens to actions, as they arrive (server-sent events)",
			Description: "Events: `ready` (the stream begins), `click` (as in GET /v1/clicks, with every verdict), `action` (something happened to an action: " +
				"its verb, state and by how much amounts changed), `gap` (events are missing here, with the reason: slow_client, too_many, too_long_ago, " +
				"unknown_position), `stalled` and `resumed` (the analytical store does not answer, and does again). Come back with Last-Event-ID, as " +
				"browsers do by themselves, to be told what you missed, up to ten minutes and 200 events. A stream ends after five minutes; come back then. " +
				"Filters that only clicks know leave actions out. Too many streams: 503 with Retry-After.",
		}, func(ctx context.Context, in *liveInput) (*huma.StreamResponse, error) {
			subscriber, err := l.Subscribe(scopeOf(ctx), LiveQuestion{Filters: in.filters(), Events: in.Events}, in.LastEventID)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				defer subscriber.Close()
				ctx.SetHeader("Content-Type", "text/event-stream")
				ctx.SetHeader("X-Accel-Buffering", "no") // nginx would hold events back
				ctx.SetStatus(http.StatusOK)
				if w, ok := ctx.BodyWriter().(http.ResponseWriter); ok {
					stream(ctx.Context(), w, subscriber)
				}
			}}, nil
		})
	}
}

type liveInput struct {
	LastEventID string   `header:"Last-Event-ID" doc:"id of the last event you had"`
	Events      []string `query:"events" doc:"click, action; both by default"`
	HitFilter
}

// stream writes events until the client leaves, the subscriber is ended, or the
// stream is old.
func stream(ctx context.Context, w http.ResponseWriter, s *Subscriber) {
	heartbeat := time.NewTicker(liveHeartbeat)
	defer heartbeat.Stop()
	age := time.NewTimer(liveAge)
	defer age.Stop()
	// The connection's deadlines are those of short answers.
	if http.NewResponseController(w).SetReadDeadline(time.Time{}) != nil || !send(w, fmt.Sprintf("retry: %d\n\n", liveRetryMs)) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-age.C:
			return
		case <-heartbeat.C:
			if !send(w, ": still here\n\n") {
				return
			}
		case <-s.Ready():
			events, more := s.Take()
			if len(events) > 0 && !send(w, frames(events)) || !more {
				return
			}
		}
	}
}

// frames writes events as the standard has them.
func frames(events []Event) string {
	var text strings.Builder
	for _, e := range events {
		if e.ID != "" {
			fmt.Fprintf(&text, "id: %s\n", e.ID)
		}
		fmt.Fprintf(&text, "event: %s\ndata: %s\n\n", e.Type, e.Data)
	}
	return text.String()
}

// send writes to the client, and reports false when it takes nothing.
func send(w http.ResponseWriter, text string) bool {
	connection := http.NewResponseController(w)
	if err := connection.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return false
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return false
	}
	return connection.Flush() == nil
}
