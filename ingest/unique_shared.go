package ingest

import (
	"context"
	"log/slog"
	"time"
)

// A Judgement says what several trackers together know of a hit.
type Judgement byte

// The judgements.
const (
	Undecided Judgement = iota // nothing for certain: this tracker decides alone
	First                      // the hit is unique
	Again                      // it is not
)

// A Jury remembers the hits of several trackers. It gives the same hit the same
// judgement however often it is asked, and no two of a visitor on a link within a
// window are First. Hits it could not be asked about are Undecided; the error says why.
type Jury interface {
	Judge(ctx context.Context, hits []Hit, judgements []Judgement) error
}

// juryWait bounds how long a batch waits for a Jury.
const juryWait = 2 * time.Second

// A SharedWindow is the UniqueWindow of a tracker among several. All of them decide
// together; the tracker's own window watches, so that it can decide alone as soon
// as, and as long as, they cannot. For a window's length behind a hit it decided
// alone, a visitor it has seen itself is not unique, whatever the others know:
// they may not know of that hit.
type SharedWindow struct {
	alone        *MemoryWindow
	jury         Jury
	metrics      *Metrics
	log          *slog.Logger
	judgements   []Judgement
	watchUntilMs int64 // for hits before this, both decide
	failing      bool  // it was logged
}

// NewSharedWindow makes a window of a tracker's own and a Jury.
func NewSharedWindow(alone *MemoryWindow, jury Jury, metrics *Metrics, log *slog.Logger) *SharedWindow {
	return &SharedWindow{alone: alone, jury: jury, metrics: metrics, log: log}
}

// Mark implements UniqueWindow. It fails only when ctx ends.
func (w *SharedWindow) Mark(ctx context.Context, hits []Hit) error {
	if len(hits) == 0 {
		return nil
	}
	if err := w.alone.Mark(ctx, hits); err != nil {
		return err
	}
	if len(w.judgements) < len(hits) {
		w.judgements = make([]Judgement, len(hits))
	}
	judgements := w.judgements[:len(hits)]
	clear(judgements)
	asking, cancel := context.WithTimeout(ctx, juryWait)
	defer cancel()
	err := w.jury.Judge(asking, hits, judgements)
	if ctx.Err() != nil {
		return ctx.Err() // what was not answered may be yet, by the next life
	}
	w.note(err)
	w.decide(hits, judgements)
	return nil
}

// decide puts the judgements in the place of what the tracker's own window said.
func (w *SharedWindow) decide(hits []Hit, judgements []Judgement) {
	undecided := 0
	for i := range hits {
		h := &hits[i]
		switch judgements[i] {
		case Again:
			h.Unique = false
		case First:
			h.Unique = h.Unique || h.AtMs >= w.watchUntilMs
		default:
			undecided++
			w.watchUntilMs = max(w.watchUntilMs, h.AtMs+UniqueWindowLength.Milliseconds())
		}
	}
	w.metrics.uniqueDecided(len(hits)-undecided, undecided)
}

// note logs when the others stop answering, and when they do again.
func (w *SharedWindow) note(err error) {
	switch {
	case err != nil && !w.failing:
		w.log.Warn("unique visitors are counted by this tracker alone; one who visits several may count more than once", "error", err)
	case err == nil && w.failing:
		w.log.Info("unique visitors are counted by all trackers together again")
	}
	w.failing = err != nil
}

// Seen remembers a hit in the tracker's own window.
func (w *SharedWindow) Seen(h Hit) { w.alone.Seen(h) }
