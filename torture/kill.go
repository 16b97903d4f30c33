package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The loads of killed.
const (
	killsShort, killsLong   = 6, 500
	eventsLong              = 5_000_000
	killedShoppers          = 16
	killedRateShort         = 500.0
	killedRateLong          = 15_000.0
	longestUndisturbedShort = 400 * time.Millisecond
	longestUndisturbedLong  = 2 * time.Second
)

// killed kills the process, its ClickHouse, or both, while a life begins, while it
// serves, and while it ships.
func killed(ctx context.Context, t *trial) error {
	w, err := t.begin(ctx, "data", nil)
	if err != nil {
		return err
	}
	s := w.server
	rate, pause := killedRateLong, longestUndisturbedLong
	if t.short {
		rate, pause = killedRateShort, longestUndisturbedShort
	}
	crowd := t.gather(ctx, w, killedShoppers, rate)
	counter := t.open(ctx, w)
	k := &killing{trial: t, server: s, crowd: crowd, counter: counter, pause: pause, kills: map[string]int{}, serving: true}
	for began := time.Now(); !k.enough(w, time.Since(began)); {
		if err := k.next(ctx); err != nil {
			return err
		}
		if t.result.Cycles++; t.result.Cycles%50 == 0 {
			sent, acknowledged := w.clicks.counts()
			t.say("%d kills, %d clicks sent, %d acknowledged", t.result.Cycles, sent, acknowledged)
		}
	}
	if err := k.attend(ctx); err != nil {
		return err
	}
	if err := k.lively(ctx); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(k.kills)) {
		kinds = append(kinds, fmt.Sprintf("%d of %s", k.kills[kind], kind))
	}
	t.note("kills: %s", strings.Join(kinds, ", "))
	t.note("%d clicks and %d requests with orders were sent and never answered", crowd.unanswered.Load(), counter.unanswered.Load())
	t.unexpected(crowd, counter)
	return t.reckon(ctx, w)
}

// A killing is the server's unquiet life.
type killing struct {
	*trial
	server  *server
	crowd   *crowd
	counter *counter
	pause   time.Duration
	kills   map[string]int // by victim and moment
	serving bool           // the life is known to serve
}

func (k *killing) enough(w *world, passed time.Duration) bool {
	if k.short {
		return k.result.Cycles >= killsShort
	}
	if k.length > 0 {
		return passed >= k.length
	}
	clicks, _ := w.clicks.counts()
	return k.result.Cycles >= killsLong && clicks >= eventsLong
}

// next waits for a random moment, kills somebody, and begins the next life when the
// process was hit.
func (k *killing) next(ctx context.Context) error {
	moment := "starting"
	if k.serving || k.random.IntN(4) > 0 {
		moment = "serving"
		if err := k.attend(ctx); err != nil {
			return err
		}
		if err := k.lively(ctx); err != nil {
			return err
		}
	}
	if err := k.trial.pause(ctx, k.pause); err != nil {
		return err
	}
	victim := []string{"the process", "the process", "ClickHouse", "both"}[k.random.IntN(4)]
	k.kills[victim+" while "+moment]++
	if victim != "the process" {
		if err := k.server.killEngine(ctx); err != nil {
			return err
		}
	}
	if victim == "ClickHouse" {
		return nil
	}
	if err := k.server.kill(); err != nil {
		return err
	}
	k.serving = false
	return k.server.start()
}

func (k *killing) attend(ctx context.Context) error {
	if k.serving {
		return nil
	}
	k.serving = true
	return k.server.serving(ctx)
}

// lively waits until clicks and orders are taken again.
func (k *killing) lively(ctx context.Context) error {
	if err := k.crowd.clicking(ctx, 20); err != nil {
		return err
	}
	return k.counter.taking(ctx, 2)
}

// unexpected notes answers that nobody may ever get.
func (t *trial) unexpected(crowd *crowd, counter *counter) {
	for _, answer := range counter.unacceptable {
		t.wrong("%s", answer)
	}
	if n := counter.impatient.Load(); n > 0 {
		t.wrong("%d times 503 came without Retry-After", n)
	}
	if n := crowd.otherwise.Load(); n > 0 {
		t.note("%d clicks were answered otherwise than by a redirect: the links were still being loaded", n)
	}
}

// undisturbed notes when shoppers noticed anything.
func (t *trial) undisturbed(c *crowd) {
	if lost, turned, otherwise := c.unanswered.Load(), c.turnedAway.Load(), c.otherwise.Load(); lost+turned+otherwise > 0 {
		t.wrong("shoppers noticed: %d clicks were not answered, %d connections not taken, %d answers were no redirect", lost, turned, otherwise)
	}
}
