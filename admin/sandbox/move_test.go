package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

// A schedule is a life in which something is due at some times.
type schedule struct {
	clock *Clock
	due   []attribution.Instant
	seen  []string // when each was done
}

func (s *schedule) NextDue(context.Context) (attribution.Instant, error) {
	if len(s.due) == 0 {
		return 0, nil
	}
	return slices.Min(s.due), nil
}

func (s *schedule) Tick(context.Context) error {
	now := attribution.InstantOf(s.clock.Now())
	s.due = slices.DeleteFunc(s.due, func(at attribution.Instant) bool {
		if at <= now {
			s.seen = append(s.seen, fmt.Sprintf("%s at %s", at, now))
		}
		return at <= now
	})
	return nil
}

func at(text string) attribution.Instant {
	var instant attribution.Instant
	if err := instant.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return instant
}

func openClock(t *testing.T, path string) *Clock {
	t.Helper()
	clock, err := OpenClock(path, func(path string, content []byte) error { return os.WriteFile(path, content, 0o600) })
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

func rehearse(t *testing.T, due ...attribution.Instant) (*Rehearsal, *schedule) {
	t.Helper()
	life := &schedule{clock: openClock(t, filepath.Join(t.TempDir(), "clock.json")), due: due}
	return &Rehearsal{
		Clock: life.clock, Life: life,
		Settled: func(context.Context) error { return nil },
		Moved:   func(attribution.Instant) error { return nil },
	}, life
}

func (r *Rehearsal) must(t *testing.T, m Move) {
	t.Helper()
	if _, err := r.Move(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestClockStandsOnceItIsSetAndOnlyMovesForward(t *testing.T) {
	r, _ := rehearse(t)
	if before := time.Now(); r.Clock.Now().Before(before) || r.Clock.stands() {
		t.Error("a clock that was never set is not the machine's")
	}
	past := at("2001-01-10T09:00:00Z")
	r.must(t, Move{Set: &past})
	r.must(t, Move{Advance: "1h30m"})
	r.must(t, Move{Advance: "1ms"})
	want := at("2001-01-10T10:30:00.001Z")
	if got := attribution.InstantOf(r.Clock.Now()); got != want {
		t.Errorf("the clock shows %s, want %s", got, want)
	}
	if again := openClock(t, r.Clock.path); attribution.InstantOf(again.Now()) != want {
		t.Errorf("after a restart the clock shows %s", again.Now())
	}
	for _, m := range []Move{{}, {Set: &past}, {Set: &want, Advance: "1h"}, {Advance: "soon"}, {Advance: "-1h"}, {Set: new(at("9999-01-01T00:00:00Z"))}, {Set: new(attribution.Instant(-1))}} {
		if _, err := r.Move(t.Context(), m); err == nil {
			t.Errorf("the move %+v was made", m)
		}
	}
	r.must(t, Move{Set: &want}) // the present is not the past
}

func TestEverythingHappensAtTheTimeItIsDue(t *testing.T) {
	r, life := rehearse(t, at("2099-01-02T00:00:00Z"), at("2099-01-01T00:00:00Z"), at("2099-02-01T00:00:00Z"))
	start, end := at("2098-12-31T00:00:00Z"), at("2099-01-31T00:00:00Z")
	r.must(t, Move{Set: &start})
	r.must(t, Move{Set: &end})
	want := "2099-01-01T00:00:00.000Z at 2099-01-01T00:00:00.000Z, 2099-01-02T00:00:00.000Z at 2099-01-02T00:00:00.000Z"
	if got := strings.Join(life.seen, ", "); got != want {
		t.Errorf("happened: %s", got)
	}
	r.must(t, Move{Advance: "24h"})
	if len(life.seen) != 3 {
		t.Errorf("what is due at the new time has not happened: %v", life.seen)
	}
}

func TestClockWaitsForWhatWasReceived(t *testing.T) {
	r, _ := rehearse(t)
	start := at("2099-01-01T00:00:00Z")
	r.must(t, Move{Set: &start})
	r.Settled = func(context.Context) error {
		if now := attribution.InstantOf(r.Clock.Now()); now != start {
			t.Errorf("it is settled at %s", now)
		}
		return errors.New("the database is down")
	}
	if _, err := r.Move(t.Context(), Move{Advance: "1h"}); err == nil || attribution.InstantOf(r.Clock.Now()) != start {
		t.Errorf("the clock moved to %s: %v", r.Clock.Now(), err)
	}
}

func TestDamagedClockIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	if err := os.WriteFile(path, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenClock(path, nil); err == nil || !strings.Contains(err.Error(), "damaged: write {} into it") {
		t.Errorf("got %v", err)
	}
}
