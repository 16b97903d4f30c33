package reclassify

import (
	"slices"
	"testing"
	"time"

	"tributary/ingest"
	"tributary/schema"
	"tributary/schema/schematest"
)

// Hits that the replica which is read does not have yet are judged with the others, and
// sums are corrected where all replicas say whether they are.
func TestLateReplicas(t *testing.T) {
	b := newBench(t)
	window := ingest.NewMemoryWindow(0)
	spiders := func(minutes ...int) (clicks []click) {
		for _, minute := range minutes {
			clicks = append(clicks, click{at: january.Add(time.Duration(minute) * time.Minute), userAgent: "spider"})
		}
		return clicks
	}
	var waited []string
	b.conn = schematest.Replicas(t, func(table string) {
		if table == "clicks_local" && !slices.Contains(waited, table) {
			b.store(window, spiders(1, 100))
		}
		waited = append(waited, table)
	})
	b.ok(schema.MigrateClickHouse(b.ctx, b.conn))
	b.store(window, spiders(0, 2))
	b.judgeBy(strict)
	if f := b.run(Asked{}).Figures; f.Hits != 2 || len(waited) > 0 {
		t.Errorf("a dry run needs every replica: %+v, %v", f, waited)
	}
	if f := b.run(apply(Asked{})).Figures; f.Hits != 4 || f.Changed != 4 {
		t.Errorf("late hits are left out: %+v", f)
	}
	b.sumsAreRight("late replicas")
	for _, table := range []string{"campaign_clicks_15m_local", "click_changes_local", "clicks_15m_local"} {
		if !slices.Contains(waited, table) {
			t.Errorf("nobody waits for %s: %v", table, waited)
		}
	}
}
