package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/ingest/spool"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// TestFiguresReachAsFarAsTheNodeFurthestBehind is about what others told.
func TestFiguresReachAsFarAsTheNodeFurthestBehind(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	var n neighbours
	if clicks, reports := n.through(); clicks != at(0) || reports != at(0) {
		t.Errorf("before anything is known: %v, %v", clicks, reports)
	}
	self := node{ID: "self", ClicksThroughMs: 1, ReportsThroughMs: 1}
	gone := node{ID: "gone", ClicksThroughMs: nothingLeft, ReportsThroughMs: nothingLeft}
	behind := node{ID: "behind", ClicksThroughMs: 500, ReportsThroughMs: 900}
	late := node{ID: "late", ClicksThroughMs: 800, ReportsThroughMs: 600}
	n.learn([]node{self, gone}, "self", at(1000)) // one that had stopped may have begun again since
	if clicks, reports := n.through(); clicks != at(1000) || reports != at(1000) {
		t.Errorf("alone it reaches to %v, %v", clicks.UnixMilli(), reports.UnixMilli())
	}
	n.learn([]node{self, gone, behind, late}, "self", at(1000))
	if clicks, reports := n.through(); clicks != at(500) || reports != at(600) {
		t.Errorf("with others it reaches to %v, %v", clicks.UnixMilli(), reports.UnixMilli())
	}
	shared := sharedFreshness{fixedFreshness(at(700)), &n}
	if through := shared.DataThrough(at(1000)); through != at(500) {
		t.Errorf("reports reach to %v", through.UnixMilli())
	}
	shared.own = fixedFreshness(at(400))
	if through := shared.DataThrough(at(1000)); through != at(400) {
		t.Errorf("reports reach to %v", through.UnixMilli())
	}
	if gone.silent(at(1e12)) || !behind.silent(at(1e12)) || len(n.list()) != 3 {
		t.Errorf("others are %v", n.list())
	}
}

type fixedFreshness time.Time

func (f fixedFreshness) DataThrough(time.Time) time.Time { return time.Time(f) }

// TestExpiredClicksOfOneOfSeveralNodes is about what an audit can say once retention
// has dropped clicks.
func TestExpiredClicksOfOneOfSeveralNodes(t *testing.T) {
	stats := spool.Stats{Appended: 110, Committed: 100}
	for name, c := range map[string]struct{ accounted, others, all, summed, want uint64 }{
		"alone, all there":              {100, 0, 100, 100, 0},
		"alone, some dropped":           {90, 0, 90, 100, 10},
		"alone, lost and not dropped":   {90, 0, 90, 90, 0},
		"among others, all there":       {100, 50, 150, 150, 0},
		"among others, theirs dropped":  {100, 50, 150, 180, 0},
		"among others, ours dropped":    {90, 50, 140, 150, 10},
		"among others, both dropped":    {90, 50, 140, 180, 10},
		"among others, lost of our own": {90, 50, 140, 145, 5},
	} {
		if got := expiredOf(stats, c.accounted, c.others, c.all, c.summed); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestGoneNodesAreForgotten: only those that stopped with nothing left, and long ago.
func TestGoneNodesAreForgotten(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t)
	now := time.UnixMilli(1_800_000_000_000)
	old, recent := now.Add(-time.Hour).UnixMilli(), now.Add(time.Hour).UnixMilli()
	for _, n := range []node{
		{ID: "gone long ago", SeenMs: old, ClicksThroughMs: nothingLeft, ReportsThroughMs: nothingLeft},
		{ID: "gone just now", SeenMs: recent, ClicksThroughMs: nothingLeft, ReportsThroughMs: nothingLeft},
		{ID: "lost with reports", SeenMs: old, ClicksThroughMs: nothingLeft, ReportsThroughMs: 7},
		{ID: "lost with clicks", SeenMs: old, ClicksThroughMs: 7, ReportsThroughMs: nothingLeft},
		{ID: "gone with a quarantine", SeenMs: old, ClicksThroughMs: nothingLeft, ReportsThroughMs: nothingLeft},
	} {
		err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
			_, err := tx.Exec(ctx, "node.beat", n.ID, "machine", "tracker", n.SeenMs, 0, 0, n.ClicksThroughMs, n.ReportsThroughMs, strings.Count(n.ID, "quarantine"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := forgetGoneNodes(t.Context(), db, now); err != nil {
		t.Fatal(err)
	}
	left, err := allNodes(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range left {
		ids = append(ids, n.ID)
	}
	if want := []string{"gone just now", "gone with a quarantine", "lost with clicks", "lost with reports"}; !slices.Equal(ids, want) {
		t.Errorf("left are %q, want %q", ids, want)
	}
}
