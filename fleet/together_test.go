package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/fleet"
	"tributary/fleet/redistest"
	"tributary/ingest"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
	"tributary/redirect/visitor"
)

// A jury lets a tracker's window ask the fleet, as cmd/tributary does.
type jury struct{ visits *fleet.Visits }

func (j jury) Judge(ctx context.Context, hits []ingest.Hit, judgements []ingest.Judgement) error {
	visits, said := make([]fleet.Visit, len(hits)), make([]fleet.Judgement, len(hits))
	for i, h := range hits {
		visits[i] = fleet.Visit{Place: h.Place, Key: h.Visitor, Earlier: h.VisitorPrev, Number: h.Number, AtMs: h.AtMs}
	}
	err := j.visits.Judge(ctx, visits, said)
	for i := range said {
		judgements[i] = ingest.Judgement(said[i])
	}
	return err
}

// TestVisitorsAreCountedOnceWhateverHappensToRedis has visitors come back to two
// trackers while Redis is flushed, dies and returns empty.
func TestVisitorsAreCountedOnceWhateverHappensToRedis(t *testing.T) {
	server := redistest.Start(t)
	client := patient(t, "test", server.URL())
	nowMs := began
	var windows [2]*ingest.SharedWindow
	for i := range windows {
		visits := client.NewVisits(ingest.UniqueWindowLength, func() time.Time { return time.UnixMilli(nowMs) })
		windows[i] = ingest.NewSharedWindow(ingest.NewMemoryWindow(1000), jury{visits}, nil, slog.New(slog.DiscardHandler))
	}
	number := uint32(0)
	visit := func(why string, tracker int, visitor uint64, want bool) {
		t.Helper()
		nowMs += 1000
		number++
		hits := []ingest.Hit{{Link: 1, Visitor: visitor, AtMs: nowMs, Place: visitor, Number: number}}
		if err := windows[tracker].Mark(context.Background(), hits); err != nil {
			t.Fatal(err)
		}
		if hits[0].Unique != want {
			t.Errorf("%s: tracker %d says unique is %v", why, tracker, hits[0].Unique)
		}
	}
	visit("the first hit there ever was", 0, 1, true)
	visit("back on the other tracker", 1, 1, false)
	nowMs += 2 * windowMs
	visit("half an hour later", 1, 1, true)
	visit("back on the other tracker", 0, 1, false)
	server.Do("FLUSHALL")
	visit("seen before the flush", 0, 1, false)
	visit("known again", 1, 1, false)
	server.Kill()
	visit("seen before the crash", 0, 1, false)
	visit("new while Redis is away", 0, 2, true)
	visit("seen while Redis is away", 0, 2, false)
	server.Restart()
	redistest.Eventually(t, "Redis answers again", func() bool {
		redis, err := client.Redis()
		return err == nil && redis.Ping(context.Background()).Err() == nil
	})
	visit("seen while Redis was away", 0, 2, false)
	visit("seen by the other while Redis was away", 1, 2, false)
	visit("new after all", 1, 3, true)
	visit("and back", 0, 3, false)
	nowMs += 2 * windowMs
	visit("a window later, all decide together", 0, 2, true)
	visit("and back", 1, 2, false)
}

// TestARateIsSharedByTrackers spreads a network's hits over three trackers.
func TestARateIsSharedByTrackers(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, flush func()) {
		ctx := context.Background()
		const now = began
		var windows [3]*verdict.RateWindow
		var tallies [3]*fleet.Tally
		for i := range windows {
			windows[i] = verdict.NewSharedRateWindow(verdict.Rate{Hits: 600, WindowMs: 1 << 50}, [32]byte{5})
			tallies[i] = client.NewTally("rate", "node"+strconv.Itoa(i), time.Minute)
		}
		exchange := func() {
			t.Helper()
			for range 2 { // the first to ask learns of the last only then
				for i, w := range windows {
					if err := w.Exchange(ctx, tallies[i], now); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		hits := func(each int) (exceeded int) {
			for _, w := range windows {
				for range each {
					if w.Exceeded(9, 9, now) {
						exceeded++
					}
				}
			}
			return exceeded
		}
		if n := hits(190); n != 0 {
			t.Errorf("%d of 570 hits are above 600", n)
		}
		exchange()
		flush()
		if n := hits(1); n != 0 {
			t.Errorf("%d of 573 hits are above 600", n)
		}
		exchange()
		if n := hits(9); n != 0 {
			t.Errorf("%d of 600 hits are above 600", n)
		}
		exchange()
		if n := hits(1); n != 3 {
			t.Errorf("%d of 3 hits behind the 600th are above it", n)
		}
	})
}

// TestALinksMaximumIsShared takes clicks of a link on two trackers, and loses
// everything Redis has in between.
func TestALinksMaximumIsShared(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, flush func()) {
		var limits [3]*links.Limits
		exchange := func(i int) {
			t.Helper()
			if err := limits[i].Exchange(context.Background(), client.NewTally("limit", "node"+strconv.Itoa(i), time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range limits {
			l, err := links.OpenLimits(t.TempDir(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			limits[i] = l
		}
		for range 4 {
			limits[0].Take(1<<40, 10)
			limits[1].Take(1<<40, 10)
		}
		exchange(0)
		exchange(1)
		exchange(0)
		flush()
		if got := limits[0].Count(1 << 40); got != 8 {
			t.Errorf("%d clicks are known, want 8", got)
		}
		limits[2].Take(1<<40, 10)
		exchange(0)
		exchange(1)
		exchange(2)
		if got := limits[2].Count(1 << 40); got != 9 {
			t.Errorf("after a loss a third tracker knows of %d clicks, want 9", got)
		}
		if !limits[2].Take(1<<40, 10) || limits[2].Take(1<<40, 10) {
			t.Error("the tenth click is not the last")
		}
	})
}

func TestATallyTakesNothingTwice(t *testing.T) {
	server := redistest.Start(t)
	client := patient(t, "test", server.URL())
	a, b := client.NewTally("x", "a", time.Minute), client.NewTally("x", "b", time.Minute)
	ask := func(tally *fleet.Tally, own, want int64) {
		t.Helper()
		others := make([]int64, 1)
		if err := tally.Exchange(context.Background(), [][2]uint64{{1, 2}}, []int64{own}, others); err != nil || others[0] != want {
			t.Errorf("the others counted %d (%v), want %d", others[0], err, want)
		}
	}
	ask(a, 5, 0)
	ask(a, 5, 0)
	ask(b, 3, 5)
	ask(a, 6, 3)
	ask(a, 5, 4) // late, or it lost what it had: its own greater count stays
	ask(b, 3, 6)
	for i := range 1000 { // each in a place of its own
		if err := a.Exchange(context.Background(), [][2]uint64{{uint64(i), 7}}, []int64{1}, make([]int64, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if ttl, err := strconv.Atoi(server.Do("PTTL", "trb:test:x:1.2")); err != nil || ttl < 1 || ttl > 60_000 {
		t.Errorf("a thing is kept for %d ms (%v)", ttl, err)
	}
	server.Kill()
	others := []int64{7}
	if err := a.Exchange(context.Background(), [][2]uint64{{1, 2}}, []int64{9}, others); err == nil || others[0] != -1 {
		t.Errorf("with Redis away the others counted %d: %v", others[0], err)
	}
}

func TestTrackersAgreeOnSealedSalts(t *testing.T) {
	servers(t, func(t *testing.T, client *fleet.Client, flush func()) {
		ctx, now := context.Background(), time.Now().UnixMilli()
		const dayMs = 24 * 60 * 60 * 1000
		salts, err := client.NewSalts(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		var nodes [2]*visitor.Salts
		of := func(i int) uint64 {
			today, _, _ := nodes[i].Visitor(nil, now, netip.MustParseAddr("203.0.113.7"), []byte("Chrome"), "adv_1")
			return today
		}
		for i := range nodes {
			if nodes[i], err = visitor.OpenSalts(filepath.Join(t.TempDir(), "salts"), now); err != nil {
				t.Fatal(err)
			}
			if err := nodes[i].Agree(ctx, salts, now); err != nil {
				t.Fatal(err)
			}
		}
		was := of(0)
		if was != of(1) {
			t.Error("a shopper is two visitors")
		}
		flush()
		for i := range nodes {
			if err := nodes[i].Agree(ctx, salts, now); err != nil || of(i) != was {
				t.Errorf("after a loss the salt is another: %v", err)
			}
		}
		other, err := client.NewSalts(bytes.Repeat([]byte{2}, 32))
		if err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].Agree(ctx, other, now); !errors.Is(err, fleet.ErrOtherSecrets) || !strings.Contains(fmt.Sprint(err), "secrets.json") {
			t.Errorf("a node with other secrets got %v", err)
		}
		offer := bytes.Repeat([]byte{9}, 32) // for a day that nodes do not agree on yet
		for range 2 {
			if got, err := salts.Agree(ctx, now/dayMs+2, offer, now+2*dayMs); err != nil || !bytes.Equal(got, offer) {
				t.Errorf("an offer came back as %x: %v", got, err)
			}
		}
		redis, err := client.Redis()
		if err != nil {
			t.Fatal(err)
		}
		key := client.SpreadKey("salt:" + strconv.FormatInt(now/dayMs+2, 10))
		text, err := redis.Get(ctx, key).Bytes()
		if err != nil || bytes.Contains(text, offer) {
			t.Errorf("the salt lies open in Redis: %v", err)
		}
		if ttl := redis.PTTL(ctx, key).Val(); ttl <= 0 || ttl > 48*time.Hour {
			t.Errorf("the salt is kept for %v", ttl)
		}
	})
}
