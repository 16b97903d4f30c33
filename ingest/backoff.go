package ingest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A backoff is how long to wait between attempts: doubling from First to Most,
// a random half of it taken off so that trackers do not knock together.
type backoff struct{ First, Most time.Duration }

func (b backoff) wait(attempt int) time.Duration {
	d := b.Most
	if attempt < 20 {
		d = min(b.First<<attempt, b.Most)
	}
	return d - time.Duration(rand.Int64N(int64(d)/2+1))
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// health says once that something began to fail, and once that it works again.
type health struct {
	log  *slog.Logger
	name string

	mu    sync.Mutex
	since map[string]time.Time
	said  map[string]time.Time
}

// repeatComplaint is how often a lasting failure is said again.
const repeatComplaint = 10 * time.Minute

func (h *health) fails(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since == nil {
		h.since, h.said = map[string]time.Time{}, map[string]time.Time{}
	}
	now := time.Now()
	if _, failing := h.since[what]; !failing {
		h.since[what] = now
	} else if now.Sub(h.said[what]) < repeatComplaint {
		return
	}
	h.said[what] = now
	h.log.Error("shipping waits; nothing is lost, records stay in the spool", "log", h.name, "cannot", what, "error", err)
}

func (h *health) works(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since, failing := h.since[what]; failing {
		delete(h.since, what)
		h.log.Info("shipping goes on", "log", h.name, "can", what, "after", time.Since(since).Round(time.Millisecond))
	}
}
