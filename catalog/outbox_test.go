package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tributary/schema/database"
)

// told are the payloads of one kind of message in the outbox, in order.
func told[T any](w *world, kind string) []T {
	w.t.Helper()
	var all []T
	ok(w.t, w.db.View(w.ctx, func(ctx context.Context, tx *database.Tx) error {
		rows, err := tx.Rows(ctx, "outbox.read", 0, 1000)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var number int64
			var of, payload string
			if err := rows.Scan(&number, &of, &payload); err != nil {
				return err
			}
			if of == kind {
				var message T
				ok(w.t, json.Unmarshal([]byte(payload), &message))
				all = append(all, message)
			}
		}
		return rows.Err()
	}))
	return all
}

func poolsTold(w *world) []string {
	var all []string
	for _, e := range told[CodePoolEvent](w, OutboxCodePool) {
		all = append(all, fmt.Sprintf("%d/%d", e.Left, e.Size))
	}
	return all
}

func TestPoolIsToldOfOncePerCrossing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, size int64
		tell       bool
	}{
		{11, 50, false}, {10, 50, true}, {9, 50, false}, {1, 50, true}, // few, and then none
		{101, 1000, false}, {100, 1000, true}, {99, 1000, false}, {10, 1000, false},
		{9, 9, false}, {5, 9, false}, {1, 9, true}, // always low: only the end is news
	} {
		left, tell := CodePool{Total: c.size, Remaining: c.left}.take()
		if tell != c.tell || left.Remaining != c.left-1 {
			t.Errorf("taking one of %d of %d: told %v, left %d", c.left, c.size, tell, left.Remaining)
		}
	}
}

// testOutbox takes codes until the pool is low, refills it, and fails to write.
func testOutbox(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	fill := func(prefix string) {
		var file strings.Builder
		for i := range 12 {
			fmt.Fprintf(&file, "%s%d\n", prefix, i)
		}
		must(w.FillCodePool(w.ctx, admin, w.campaign.ID, strings.NewReader(file.String()), false))(t)
	}
	take := func(n int) {
		for range n {
			must(w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{}))(t)
		}
	}
	fill("A")
	take(4)
	equal(t, "low once", fmt.Sprint(poolsTold(w)), "[9/12]")
	fill("B")
	take(12)
	equal(t, "low again", fmt.Sprint(poolsTold(w)), "[9/12 9/24]")
	event := told[CodePoolEvent](w, OutboxCodePool)[0]
	equal(t, "of", event.CampaignID+event.AdvertiserID, w.campaign.ID+w.advertiser.ID)

	before := len(told[ParticipationEvent](w, OutboxParticipation))
	err := w.db.Write(w.ctx, func(ctx context.Context, _ *database.Tx) error {
		must(w.PatchParticipation(ctx, admin, w.campaign.ID, w.creator.ID, patchOf(`{"status":"unavailable"}`)))(t)
		return context.Canceled
	})
	equal(t, "failed", err, context.Canceled)
	equal(t, "what was not written is not told", len(told[ParticipationEvent](w, OutboxParticipation)), before)
}
