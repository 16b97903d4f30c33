package ingest

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// A jury of a test says what it is told to.
type testJury struct {
	says Judgement
	err  error
}

func (j *testJury) Judge(_ context.Context, _ []Hit, judgements []Judgement) error {
	for i := range judgements {
		judgements[i] = j.says
	}
	return j.err
}

func TestTrackersDecideTogetherOrAlone(t *testing.T) {
	jury := &testJury{}
	metrics := NewMetrics(prometheus.NewRegistry())
	w := NewSharedWindow(NewMemoryWindow(1000), jury, metrics, slog.New(slog.DiscardHandler))
	atMs := day.UnixMilli()
	visit := func(visitor uint64, says Judgement, err error, want bool, why string) {
		t.Helper()
		atMs += 1000
		jury.says, jury.err = says, err
		hits := []Hit{{Link: 1, Visitor: visitor, AtMs: atMs, Number: 1}}
		if err := w.Mark(context.Background(), hits); err != nil {
			t.Fatal(err)
		}
		if hits[0].Unique != want {
			t.Errorf("%s: unique is %v", why, hits[0].Unique)
		}
	}
	away := errors.New("away")
	visit(1, First, nil, true, "a new visitor")
	visit(2, Again, nil, false, "a visitor others have seen")
	visit(2, First, nil, true, "what all together say counts")
	visit(3, Undecided, away, true, "alone, a new visitor")
	visit(3, Undecided, away, false, "alone, a visitor seen before")
	visit(1, Undecided, away, false, "alone, a visitor seen together")
	visit(3, First, nil, false, "together again, a visitor seen alone")
	visit(4, First, nil, true, "together again, a new visitor")
	atMs += 2 * UniqueWindowLength.Milliseconds()
	visit(5, First, nil, true, "a new visitor, much later")
	visit(5, First, nil, true, "together, as before")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Mark(ctx, []Hit{{Link: 1, Visitor: 9, AtMs: atMs, Number: 1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a life that ended got %v", err)
	}
}
