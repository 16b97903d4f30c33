package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHardBudgetHoldsAgainstACrowdAndKills lets two events compete for the last
// of a budget, over many connections, and kills the process in between.
func TestHardBudgetHoldsAgainstACrowdAndKills(t *testing.T) {
	t.Parallel()
	const (
		orders, connections = 1_000, 50 // each order is a sale and a lead
		costCents           = 1493      // of a payout of 10.00 under a margin of 33 %
		room                = 50
	)
	s := openShop(t)
	m := s.client.makeMerchant("Acme", 1, map[string]any{
		// A cent less than one more would cost.
		"budget": map[string]any{"amount": dollars(costCents*(room+1) - 1), "mode": "hard"}, "margin_rate": "0.33",
		"terms": map[string]any{"events": map[string]any{
			"sale": map[string]any{"type": "percent", "rate": "0.10"}, "lead": map[string]any{"type": "flat", "amount": "10.00"},
		}, "lock": lockMuchLater},
	})
	till := s.opensTill(m.ingestKey, connections)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	var drawn, answered atomic.Int64
	var crowd sync.WaitGroup
	for range connections {
		crowd.Go(func() {
			for n := drawn.Add(1); n <= 2*orders && ctx.Err() == nil; n = drawn.Add(1) {
				report := map[string]any{"event": "sale", "order_id": fmt.Sprint("o", n/2), "amount": "100.00", "currency": "USD", "click_id": m.clickIDs[0]}
				if n%2 == 0 {
					report["event"], report["order_id"] = "lead", fmt.Sprint("o", n/2-1) // of the sale before
				}
				if answers := till.persist(ctx, "/t/conversions", report); len(answers) != 1 || answers[0].Status != "accepted" {
					t.Errorf("%v is answered %v", report, answers)
				}
				answered.Add(1)
			}
		})
	}
	s.killAfter(&answered, 5, 40, orders/2, orders)
	crowd.Wait()
	s.client.settledAll()
	t.Logf("%d kills; %s", s.kills, till)

	s.budgetIs(m, 2*orders, room, costCents)
	if t.Failed() {
		return
	}
	// What waits is taken as there is room, also when the process is killed at once.
	const more = 10
	s.client.call(http.MethodPatch, "/v1/campaigns/"+m.campaign, map[string]any{"budget": map[string]any{"amount": dollars(costCents * (room + more)), "mode": "hard"}}, http.StatusOK)
	s.kill()
	s.attend()
	s.budgetIs(m, 2*orders, room+more, costCents)
	s.closes()
}

// budgetIs checks that so many actions took their part of the budget and that
// all later ones wait.
func (s *shop) budgetIs(m *merchant, total, pending int, costCents int64) {
	s.t.Helper()
	states := map[string]int{}
	for _, action := range s.client.all("/v1/actions", url.Values{"campaign_id": {m.campaign}}) { // newest first
		state := action["state"].(string)
		states[state]++
		want := [...]any{"held", "0.00", "0.00", "10.00", `["over_budget"]`}
		if state == "pending" {
			want = [...]any{"pending", "10.00", dollars(costCents), "10.00", `[]`}
		}
		if got := [...]any{state, action["payout"], action["cost"], action["intended_payout"], asText(action["reasons"])}; got != want {
			s.t.Errorf("there is an action %v, want %v", got, want)
		}
		if state == "held" && states["pending"] > 0 {
			s.t.Errorf("the action %v waits although later ones do not", action["id"])
		}
	}
	if states["pending"] != pending || states["held"] != total-pending || len(states) != 2 {
		s.t.Errorf("of %d actions there are %v, want %d pending and the others held", total, states, pending)
	}
	campaign := s.client.call(http.MethodGet, "/v1/campaigns/"+m.campaign, nil, http.StatusOK)
	budget, _ := campaign["budget"].(map[string]any)
	if campaign["status"] != "over_budget" || budget["committed"] != dollars(costCents*int64(pending)) {
		s.t.Errorf("the campaign is %v and has committed %v, want %s", campaign["status"], budget["committed"], dollars(costCents*int64(pending)))
	}
}

func dollars(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
