package main

import (
	"context"
	"flag"
	"maps"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// moneyRepeats is enough for every connection to repeat the order through every
// crash; 100000 takes minutes.
var moneyRepeats = flag.Int("money.repeats", 5_000, "how often the same order is posted")

// TestTheSameOrderAgainAndAgainCountsOnce posts one order over a hundred
// connections, kills the process in between, and expects one conversion with one
// set of actions.
//
//	go test ./cmd/tributary -run SameOrder -v -money.repeats 100000
func TestTheSameOrderAgainAndAgainCountsOnce(t *testing.T) {
	t.Parallel()
	const connections = 100
	s := openShop(t)
	m := s.client.makeMerchant("Acme", 2, map[string]any{
		"budget": map[string]any{"amount": "1000.00", "mode": "hard"}, "margin_rate": "0.33",
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "model": "linear", "lock": lockMuchLater},
	})
	till := s.opensTill(m.ingestKey, connections)
	order := map[string]any{"event": "sale", "order_id": "the order", "amount": "100.00", "currency": "USD", "click_ids": m.clickIDs}

	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	var drawn, answered atomic.Int64
	var books repeatBooks
	var crowd sync.WaitGroup
	repeats := int64(*moneyRepeats)
	for range connections {
		crowd.Go(func() {
			for n := drawn.Add(1); n <= repeats && ctx.Err() == nil; n = drawn.Add(1) {
				path := "/t/conversions"
				if n%2 == 0 {
					path += "?wait=10s"
				}
				books.enter(till.persist(ctx, path, order))
				answered.Add(1)
			}
		})
	}
	s.killAfter(&answered, 1, repeats/4, repeats/2, repeats*3/4)
	crowd.Wait()
	s.client.settledAll()
	t.Logf("%d kills; %s; results %v", s.kills, till, books.statuses)

	if books.statuses["accepted"]+books.statuses["duplicate"] != int(repeats) || len(books.statuses) != 2 {
		t.Errorf("%d times the same order is answered %v", repeats, books.statuses)
	}
	if books.settledFirst > 1 {
		t.Errorf("%d answers say that they were the first", books.settledFirst)
	}
	byOrder := url.Values{"order_id": {"the order"}}
	conversions, actions := s.client.all("/v1/conversions", byOrder), s.client.all("/v1/actions", byOrder)
	if len(conversions) != 1 || len(actions) != 2 {
		t.Fatalf("there are %d conversions and %d actions", len(conversions), len(actions))
	}
	if ids := slices.Collect(maps.Keys(books.conversions)); len(ids) != 1 || ids[0] != conversions[0]["id"] {
		t.Errorf("answers name the conversions %v, there is %v", ids, conversions[0]["id"])
	}
	var costs int64
	for _, action := range actions {
		if action["payout"] != "5.00" || action["credit"] != "1/2" || action["state"] != "pending" || !books.actions[action["id"].(string)] {
			t.Errorf("there is the action %v", action)
		}
		costs += s.client.cents(action["cost"])
	}
	if len(books.actions) != 2 {
		t.Errorf("answers name the actions %v", books.actions)
	}
	if all := s.client.all("/v1/actions", nil); len(all) != 2 || s.client.committed(m.campaign) != costs || costs != 2*746 {
		t.Errorf("%d actions cost %d cents, committed are %d", len(all), costs, s.client.committed(m.campaign))
	}
	if held := s.client.all("/v1/quarantine", nil); len(held) != 0 {
		t.Errorf("%d reports are in quarantine, for one %v", len(held), held[0])
	}
	s.closes()
}

// repeatBooks keep what one order was answered, over and over.
type repeatBooks struct {
	mu                   sync.Mutex
	statuses             map[string]int
	conversions, actions map[string]bool
	settledFirst         int // answers of a report that made the conversion
}

func (b *repeatBooks) enter(answers []itemAnswer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.statuses == nil {
		b.statuses, b.conversions, b.actions = map[string]int{}, map[string]bool{}, map[string]bool{}
	}
	if len(answers) != 1 {
		b.statuses["none"]++
		return
	}
	a := answers[0]
	b.statuses[a.Status]++
	if a.ConversionID == "" {
		return
	}
	b.conversions[a.ConversionID] = true
	if a.Status == "accepted" {
		b.settledFirst++
	}
	for _, action := range a.Actions {
		b.actions[action.ID] = true
	}
}
