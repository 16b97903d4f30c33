package ingest

import (
	"context"
	"errors"
	"testing"
	"time"
)

// running runs a shipper until the returned function is called.
func (n *node) running() (s *Shipper, stop func()) {
	n.t.Helper()
	s = n.shipper()
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
	}
}

func (n *node) awaitEmpty() {
	n.t.Helper()
	eventually(n.t, "an empty log", func() bool { return n.log.Stats().Pending == 0 })
}

// TestWhatIsStoredInAPauseIsWhatIsCommitted pauses a busy shipper again and again.
func TestWhatIsStoredInAPauseIsWhatIsCommitted(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	n.sink, n.batch = sink, 20
	n.append(clicks(0, 3000)...)
	s, stop := n.running()
	for range 10 {
		resume, err := s.Pause(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		committed := int(n.log.Committed())
		time.Sleep(5 * time.Millisecond)
		sink.check(t, committed)
		if now := int(n.log.Committed()); now != committed {
			t.Errorf("the cursor went from %d to %d in a pause", committed, now)
		}
		resume()
		time.Sleep(time.Millisecond)
	}
	n.awaitEmpty()
	stop()
	sink.check(t, 3000)
}

func TestPauseWaitsForBatchesOfAnEarlierLife(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	n.sink, n.checkpoint = sink, killAt("claimed", 2)
	n.append(clicks(0, 500)...)
	if n.live() {
		t.Fatal("the first life was not killed")
	}
	n.checkpoint = nil
	s, stop := n.running()
	resume, err := s.Pause(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sink.check(t, int(n.log.Committed()))
	if n.log.Committed() < 100 {
		t.Errorf("the batch that was claimed is not delivered: %d are committed", n.log.Committed())
	}
	resume()
	n.awaitEmpty()
	stop()
	sink.check(t, 500)
}

func TestPauseOfAShipperThatCannotShipGivesUp(t *testing.T) {
	n := newNode(t)
	sink := newFakeSink()
	down := true
	sink.fault = func(int) (error, error, bool) {
		if down {
			return errConnection, nil, false
		}
		return nil, nil, false
	}
	n.sink = sink
	n.append(clicks(0, 500)...)
	s, stop := n.running()
	eventually(t, "a claim", func() bool { return len(s.claims.all()) > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Pause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused: %v", err)
	}
	sink.mu.Lock()
	down = false
	sink.mu.Unlock()
	n.awaitEmpty()
	stop()
	sink.check(t, 500)
}
