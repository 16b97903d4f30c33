package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

var (
	moneyKills = flag.Int("money.kills", defaultKills/5, "how often the settling test kills")
	moneySeed  = flag.Uint64("money.seed", 0, "seed of the settling test's moments and orders; 0: another each time")
)

// TestKilledAgainAndAgainEveryAcceptedOrderIsSettledOnce kills the process at
// random moments of intake and settling, as often as -money.kills says, and then
// compares order by order and cent by cent.
//
//	go test ./cmd/tributary -run AcceptedOrder -v -money.kills 100 -money.seed 7
func TestKilledAgainAndAgainEveryAcceptedOrderIsSettledOnce(t *testing.T) {
	t.Parallel()
	seed := *moneySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -money.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, seed))
	s := openShop(t)
	m := s.client.makeMerchant("Acme", 1, map[string]any{
		"budget": map[string]any{"amount": "100000000.00", "mode": "hard"}, "margin_rate": "0.33",
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "lock": lockMuchLater},
	})
	c := openCounter(t, s.opensTill(m.ingestKey, cashiers), m, seed)
	moments := map[string]int{}
	for range *moneyKills {
		moment := "starting"
		if s.client != nil || random.IntN(4) > 0 {
			s.attend()
			c.taking(20)
			moment = "serving"
		}
		moments[moment]++
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		s.kill()
	}
	s.attend()
	c.taking(20)
	books := c.close()
	s.client.settledAll()
	t.Logf("%d kills, %v; %d orders posted, %d answered accepted; %s", s.kills, moments, len(books.posted), len(books.accepted), s.till)
	if len(books.accepted) < 10**moneyKills {
		t.Errorf("only %d orders were accepted: the test tests little", len(books.accepted))
	}
	s.settledOnce(m, books)
	s.closes()
}

const (
	cashiers     = 6
	cashierPause = 25 * time.Millisecond // of each: at most 240 requests a second in all
	mostAtOnce   = 20                    // orders of one request
)

// A counter has cashiers that each post new orders, one or several at a time, at
// a bounded rate, and keep the books.
type counter struct {
	t      *testing.T
	till   *till
	m      *merchant
	leave  context.CancelFunc
	inside sync.WaitGroup

	mu sync.Mutex
	counterBooks
}

type counterBooks struct {
	posted   map[string]int64 // order → cents
	accepted map[string]bool  // order
}

func openCounter(t *testing.T, till *till, m *merchant, seed uint64) *counter {
	c := &counter{t: t, till: till, m: m, counterBooks: counterBooks{posted: map[string]int64{}, accepted: map[string]bool{}}}
	ctx, leave := context.WithCancel(context.Background())
	c.leave = leave
	for n := range cashiers {
		c.inside.Go(func() { c.work(ctx, n, rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	t.Cleanup(func() { c.close() })
	return c
}

// close stops the cashiers once what they are posting is answered or the server is
// gone; what was not answered may be taken or not.
func (c *counter) close() counterBooks {
	c.leave()
	c.inside.Wait()
	return c.counterBooks
}

func (c *counter) work(ctx context.Context, cashier int, random *rand.Rand) {
	pause := time.NewTicker(cashierPause)
	defer pause.Stop()
	for request := 0; ; request++ {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		count := 1
		if random.IntN(2) == 0 {
			count += random.IntN(mostAtOnce)
		}
		reports := make([]map[string]any, count)
		c.mu.Lock()
		for i := range reports {
			order, cents := fmt.Sprintf("o-%d-%d-%d", cashier, request, i), 1+random.Int64N(1_000_00)
			c.posted[order] = cents
			reports[i] = map[string]any{"event": "sale", "order_id": order, "amount": dollars(cents), "currency": "USD", "click_id": c.m.clickIDs[0]}
		}
		c.mu.Unlock()
		c.enter(reports, c.till.persist(ctx, "/t/conversions", reports))
	}
}

// enter books the answers; without any the reports may have been taken all the same.
func (c *counter) enter(reports []map[string]any, answers []itemAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answers == nil {
		return
	}
	if len(answers) != len(reports) {
		c.t.Errorf("%d reports have %d answers", len(reports), len(answers))
		return
	}
	for i, a := range answers {
		if a.Status != "accepted" || a.ReceiptID == "" || a.OrderID != reports[i]["order_id"] {
			c.t.Errorf("%v is answered %+v", reports[i], a)
			continue
		}
		c.accepted[a.OrderID] = true
	}
}

// taking waits for some more orders to be accepted.
func (c *counter) taking(more int) {
	c.t.Helper()
	count := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.accepted)
	}
	before := count()
	eventually(c.t, func() error {
		if taken := count() - before; taken < more {
			return fmt.Errorf("%d of %d orders are accepted; %s", taken, more, c.till)
		}
		return nil
	})
}

// settledOnce compares what was answered with the ledger: every order is one
// conversion with one action, each amount follows from it, and the sums agree.
func (s *shop) settledOnce(m *merchant, books counterBooks) {
	s.t.Helper()
	conversions := map[string]string{} // order → id
	for _, conversion := range s.client.all("/v1/conversions", url.Values{"advertiser_id": {m.advertiser}}) {
		order := conversion["order_id"].(string)
		cents, posted := books.posted[order]
		if _, again := conversions[order]; again || !posted {
			s.t.Errorf("there is another conversion of %s, or nobody reported it", order)
		}
		if conversion["amount"] != dollars(cents) || conversion["attributed"] != true {
			s.t.Errorf("the conversion of %s is %v, want %s", order, conversion, dollars(cents))
		}
		conversions[order] = conversion["id"].(string)
	}
	missing := 0
	for order := range books.accepted {
		if conversions[order] == "" {
			missing++
		}
	}
	if missing > 0 {
		s.t.Errorf("%d orders were accepted and are not settled", missing)
	}
	var payouts, costs int64
	paid := map[string]bool{}
	for _, action := range s.client.all("/v1/actions", url.Values{"campaign_id": {m.campaign}}) {
		order := action["order_id"].(string)
		if paid[order] || action["conversion_id"] != conversions[order] {
			s.t.Errorf("there is another action of %s, or of another conversion", order)
		}
		paid[order] = true
		if want := dollars((books.posted[order] + 5) / 10); action["payout"] != want || action["state"] != "pending" {
			s.t.Errorf("the action of %s pays %v and is %v, want %s", order, action["payout"], action["state"], want)
		}
		payouts, costs = payouts+s.client.cents(action["payout"]), costs+s.client.cents(action["cost"])
	}
	if len(paid) != len(conversions) {
		s.t.Errorf("%d conversions have %d actions", len(conversions), len(paid))
	}
	if committed := s.client.committed(m.campaign); committed != costs {
		s.t.Errorf("actions cost %d cents, committed are %d", costs, committed)
	}
	balances := s.client.call(http.MethodGet, "/v1/creators/"+m.creators[0]+"/balance", nil, http.StatusOK)["items"].([]any)
	if len(balances) != 1 || s.client.cents(balances[0].(map[string]any)["pending"]) != payouts {
		s.t.Errorf("actions pay %d cents, balances are %v", payouts, balances)
	}
	if held := s.client.all("/v1/quarantine", nil); len(held) != 0 {
		s.t.Errorf("%d reports are in quarantine, for one %v", len(held), held[0])
	}
	s.t.Logf("%d conversions, %d of them never answered; %s committed", len(conversions), len(conversions)-(len(books.accepted)-missing), dollars(costs))
}
