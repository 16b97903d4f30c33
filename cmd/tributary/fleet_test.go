package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestFleetRollingRestartFailsNoRedirect restarts every node in turn under load,
// behind a balancer that tries nothing twice: no shopper notices, and every click is
// stored once.
func TestFleetRollingRestartFailsNoRedirect(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	admin := f.node("admin")
	trackers := []*fleetNode{f.node("tracker"), f.node("tracker")}
	var links []map[string]any
	for range 2 {
		links = append(links, admin.makeLink())
	}
	for _, n := range trackers {
		n.knows(len(links))
	}
	b := balance(t, trackers...)
	b.allReady(t)
	crowd := gather(t, links, 11)
	crowd.tracker.Store(&b.address)
	crowd.clicking(t, 100)
	for _, n := range trackers {
		b.restart(n)
		crowd.clicking(t, 100)
	}
	admin.life.stops()
	admin.start()
	crowd.clicking(t, 50)
	books := crowd.disperse()
	books.undisturbed(t)
	if books.farewells == 0 {
		t.Error("nobody was told that a connection ends: the test tests little")
	}
	for _, n := range trackers {
		n.drainedAll()
	}
	f.store.has(&books)
	for _, n := range append(trackers, admin) {
		t.Logf("%s", n.audits())
	}
	f.refusesStrangers()
	f.startsWhileAllIsAway(admin, trackers, links[0])
	f.lostNodesHoldReportsBack(admin, trackers, links[0])
}

// lostNodesHoldReportsBack kills both trackers: reports reach no further than they
// did, until the disk of one is drained elsewhere and the other's is given up.
func (f *fleetWorld) lostNodesHoldReportsBack(admin *fleetNode, trackers []*fleetNode, link map[string]any) {
	f.t.Helper()
	reach := func() time.Time {
		f.t.Helper()
		report := admin.call(http.MethodGet, "/v1/reports/campaigns", nil, http.StatusOK)
		through, err := time.Parse(time.RFC3339Nano, report["data_through"].(string))
		if err != nil {
			f.t.Fatal(err)
		}
		return through
	}
	for _, n := range trackers {
		n.clicked(link, phone)
		n.life.signal(syscall.SIGKILL)
		n.life.ended()
	}
	lost := time.Now()
	time.Sleep(2 * beatEvery) // in which nothing may move
	if through := reach(); through.After(lost) {
		f.t.Errorf("reports reach to %v, two trackers were lost at %v", through, lost)
	}
	list := func() string {
		said, _ := tributary(f.t, exitOK, append([]string{"nodes", "list"}, f.flags[2:4]...)...)
		return said
	}
	if said := list(); strings.Count(said, "tracker ") != 2 || strings.Count(said, "stopped, empty") != 1 { // the stranger
		f.t.Errorf("nodes are\n%s", said)
	}
	tributary(f.t, exitOK, append([]string{"drain", "--data", trackers[0].dir}, trackers[0].flags...)...)
	said := list()
	if strings.Count(said, "stopped, empty") != 2 {
		f.t.Errorf("after a drain nodes are\n%s", said)
	}
	if through := reach(); through.After(lost) {
		f.t.Errorf("reports reach to %v with one disk lost", through)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, "tracker") && !strings.Contains(line, "stopped, empty") {
			id, _, _ := strings.Cut(line, " ")
			tributary(f.t, exitOK, append([]string{"nodes", "forget", id}, f.flags[2:4]...)...)
		}
	}
	eventually(f.t, func() error {
		if through := reach(); !through.After(lost) {
			return fmt.Errorf("reports reach to %v, both disks are accounted for", through)
		}
		return nil
	})
}

// startsWhileAllIsAway starts a tracker and an admin without database and Redis: one
// redirects and takes orders, the other says that it cannot do its job, and both do
// everything when what was away is back.
func (f *fleetWorld) startsWhileAllIsAway(admin *fleetNode, trackers []*fleetNode, link map[string]any) {
	f.t.Helper()
	clicks, sold := trackers[0], map[string]any{"event": "sale", "order_id": "in the dark", "amount": "10.00", "currency": "USD"}
	advertiser := admin.call(http.MethodGet, "/v1/campaigns/"+link["campaign_id"].(string), nil, http.StatusOK)["advertiser_id"]
	key := admin.call(http.MethodPost, "/v1/keys", map[string]any{"role": "ingest", "advertiser_id": advertiser}, http.StatusCreated)["key"].(string)
	till := openTill(f.t, key, 1)
	till.goTo(f.of(admin, clicks))
	till.persist(f.t.Context(), "/t/conversions", map[string]any{"event": "sale", "order_id": "in the light", "amount": "10.00", "currency": "USD"})

	for _, n := range []*fleetNode{clicks, admin} {
		n.life.stops()
	}
	f.postgres.Kill()
	f.redis.Kill()
	clicks.start()
	admin.start()
	clicks.clicked(link, phone)
	till.goTo(f.of(admin, clicks))
	if answers := till.persist(f.t.Context(), "/t/conversions", sold); len(answers) != 1 || answers[0].Status != "accepted" {
		f.t.Errorf("an order in the dark is answered %v", answers)
	}
	clicks.call(http.MethodGet, "/readyz", nil, http.StatusOK)
	if problem := admin.call(http.MethodGet, "/readyz", nil, http.StatusServiceUnavailable); problem["code"] != "not_ready" {
		f.t.Errorf("an admin without a database says %v", problem)
	}
	others := f.t.TempDir() + "/others.json"
	tributary(f.t, exitOK, "key", "make-secrets", others)
	stranger := f.node("tracker,admin", "--secrets", others) // it cannot be known yet

	if err := f.postgres.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.redis.Restart()
	eventually(f.t, func() error {
		if conversions := admin.trying("/v1/conversions?order_id=in+the+dark"); len(conversions) != 1 {
			return fmt.Errorf("the order has %d conversions", len(conversions))
		}
		return nil
	})
	admin.call(http.MethodGet, "/readyz", nil, http.StatusOK)
	eventually(f.t, func() error { return stranger.life.logs("this node has secrets of its own") })
	stranger.call(http.MethodGet, "/readyz", nil, http.StatusServiceUnavailable)
	if answer, err := http.Get("http://" + *stranger.at.Load() + "/readyz"); err != nil {
		f.t.Error(err)
	} else if answer.Body.Close(); answer.StatusCode != http.StatusServiceUnavailable {
		f.t.Errorf("as a tracker it is ready: %s", answer.Status)
	}
	stranger.life.stops()
}

// trying is the first page of a list; nil while there is none to be had.
func (a *testApp) trying(path string) []any {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, "http://"+a.adminListener.Addr().String()+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	response, err := a.http.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var page struct{ Items []any }
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		return nil
	}
	return page.Items
}

// knows waits until a tracker knows so many links, without a click nobody keeps
// account of.
func (n *fleetNode) knows(links int) {
	n.f.t.Helper()
	eventually(n.f.t, func() error {
		known, err := n.metric("tributary_links")
		if err == nil && known != float64(links) {
			err = fmt.Errorf("the tracker knows %v links", known)
		}
		return err
	})
}

// refusesStrangers starts nodes without the secrets of those that use the database
// already.
func (f *fleetWorld) refusesStrangers() {
	f.t.Helper()
	others := f.t.TempDir() + "/others.json"
	tributary(f.t, exitOK, "key", "make-secrets", others)
	for name, flags := range map[string][]string{"made by itself": nil, "others": {"--secrets", others}} {
		dir := f.t.TempDir()
		for try := range 2 { // nothing the first left makes the second go otherwise
			life := startServe(f.t, dir, append(append([]string{"--roles", "tracker"}, f.flags[2:]...), flags...)...)
			if code := life.ended(); code != exitFailed {
				f.t.Errorf("%s, start %d: exit code %d", name, try+1, code)
			}
			if err := life.logs("other nodes use this database with other secrets"); err != nil {
				f.t.Errorf("%s: %v", name, err)
			}
		}
	}
	for flag, want := range map[string]string{f.secrets: "the secrets are those of the other nodes", others: "other nodes use this database with other secrets"} {
		var out, errs bytes.Buffer
		run(terminal{Args: append([]string{"doctor", "--data", f.t.TempDir(), "--secrets", flag}, f.flags[2:]...), Out: &out, Err: &errs})
		if !strings.Contains(out.String(), want) {
			f.t.Errorf("the doctor says:\n%s%s", &out, &errs)
		}
	}
}

// TestFleetCountsOnceWhatSeveralNodesDo lets two trackers and two admins do the same
// at the same time, kills some of them and Redis, and then compares everything.
func TestFleetCountsOnceWhatSeveralNodesDo(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	admins := []*fleetNode{f.node("admin"), f.node("admin")}
	trackers := []*fleetNode{f.node("tracker"), f.node("tracker")}
	link := f.propagates(admins[0], trackers)
	b := balance(t, trackers...)
	b.allReady(t)
	crowd := gather(t, []map[string]any{link}, 17)
	crowd.tracker.Store(&b.address)

	made := []*merchant{f.ordersOfBothCountOnce(admins, trackers), f.budgetOfBothHolds(admins, trackers)}
	f.nobodyIsPaidTwice(admins, trackers)

	// A tracker and Redis die; whoever is left goes on, and so do both when they are back.
	trackers[1].life.signal(syscall.SIGKILL)
	trackers[1].life.ended()
	f.redis.Kill()
	crowd.clicking(t, 50)
	f.redis.Restart()
	trackers[1].start()
	b.allReady(t)
	f.propagates(admins[1], trackers)

	f.leaderIsFollowed(admins, trackers, made[0])
	crowd.clicking(t, 50)
	books := crowd.disperse()
	for _, n := range trackers {
		n.drainedAll()
	}
	stored := f.store.verdicts()
	for id, verdict := range books.answered {
		if stored[id] != verdict {
			t.Fatalf("the click %s is stored as %q, want %s", id, stored[id], verdict)
		}
	}
	for _, n := range append(trackers, admins...) {
		t.Logf("%s", n.audits())
	}
	t.Logf("shoppers: %s", &books)
}

// of is a client that talks to one node's API and another's tracker.
func (f *fleetWorld) of(admin, tracker *fleetNode) *testApp {
	client := *admin.testApp
	client.app = &app{adminListener: admin.adminListener, trackerListener: tracker.trackerListener}
	return &client
}

// propagates makes a link on one node, changes it, and kills another: every tracker
// does as it says. It returns the link that works.
func (f *fleetWorld) propagates(admin *fleetNode, trackers []*fleetNode) (link map[string]any) {
	f.t.Helper()
	link, killed := admin.makeLink(), admin.makeLink()
	began := time.Now()
	for _, n := range trackers {
		f.of(admin, n).clicked(link, phone)
		f.of(admin, n).clicked(killed, phone)
	}
	made := time.Since(began)
	admin.call(http.MethodPatch, "/v1/links/"+link["id"].(string), map[string]any{"destination": "https://shop.example/other"}, http.StatusOK)
	admin.call(http.MethodDelete, "/v1/links/"+killed["id"].(string), nil, http.StatusNoContent)
	began = time.Now()
	for _, n := range trackers {
		eventually(f.t, func() error {
			if to := f.of(admin, n).click(link, phone); !strings.HasPrefix(to, "https://shop.example/other?") {
				return fmt.Errorf("the changed link leads to %s", to)
			}
			return nil
		})
		eventually(f.t, func() error {
			if status := n.statusOf(killed); status == http.StatusFound {
				return errors.New("the killed link still leads somewhere")
			}
			return nil
		})
	}
	f.t.Logf("a new link works on every tracker after %v, a changed and a killed one after %v", made.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return link
}

func (n *fleetNode) statusOf(link map[string]any) int {
	n.f.t.Helper()
	answer, err := n.http.Get(fmt.Sprintf("http://%s/%s", n.trackerListener.Addr(), link["slug"]))
	if err != nil {
		n.f.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// both posts the same report to every tracker at once, and returns their answers.
func (f *fleetWorld) both(tills []*till, report map[string]any) []itemAnswer {
	answers := make([]itemAnswer, len(tills))
	var posting sync.WaitGroup
	for i, till := range tills {
		posting.Go(func() {
			if a := till.persist(f.t.Context(), "/t/conversions?wait=10s", report); len(a) == 1 {
				answers[i] = a[0]
			}
		})
	}
	posting.Wait()
	return answers
}

func (f *fleetWorld) tills(m *merchant, admin *fleetNode, trackers []*fleetNode) (tills []*till) {
	for _, n := range trackers {
		till := openTill(f.t, m.ingestKey, 8)
		till.goTo(f.of(admin, n))
		tills = append(tills, till)
	}
	return tills
}

// ordersOfBothCountOnce reports each order to both trackers at the same time.
func (f *fleetWorld) ordersOfBothCountOnce(admins, trackers []*fleetNode) *merchant {
	f.t.Helper()
	const orders = 60
	client := f.of(admins[0], trackers[0])
	m := client.makeMerchant("Twice", 2, map[string]any{
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "model": "linear", "lock": lockMuchLater},
	})
	tills := f.tills(m, admins[0], trackers)
	var shops sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		shops.Go(func() {
			for n := next.Add(1); n <= orders; n = next.Add(1) {
				answers := f.both(tills, map[string]any{"event": "sale", "order_id": fmt.Sprint("twice-", n), "amount": "100.00", "currency": "USD", "click_ids": m.clickIDs})
				statuses := map[string]int{answers[0].Status: 1}
				statuses[answers[1].Status]++
				if answers[0].ConversionID != answers[1].ConversionID || statuses["accepted"] != 1 || statuses["duplicate"] != 1 {
					f.t.Errorf("one order reported to both is answered %+v", answers)
				}
			}
		})
	}
	shops.Wait()
	byCampaign := url.Values{"campaign_id": {m.campaign}}
	conversions, actions := client.all("/v1/conversions", url.Values{"advertiser_id": {m.advertiser}}), client.all("/v1/actions", byCampaign)
	if len(conversions) != orders || len(actions) != 2*orders {
		f.t.Errorf("%d orders made %d conversions and %d actions", orders, len(conversions), len(actions))
	}
	return m
}

// budgetOfBothHolds has both trackers spend one budget.
func (f *fleetWorld) budgetOfBothHolds(admins, trackers []*fleetNode) *merchant {
	f.t.Helper()
	const orders, room, costCents = 200, 60, 1493 // of a payout of 10.00 under a margin of 33 %
	client := f.of(admins[1], trackers[0])
	m := client.makeMerchant("Budget", 1, map[string]any{
		"budget": map[string]any{"amount": dollars(costCents*(room+1) - 1), "mode": "hard"}, "margin_rate": "0.33",
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "lock": lockMuchLater},
	})
	var shops sync.WaitGroup
	for i, till := range f.tills(m, admins[0], trackers) {
		for c := range 4 {
			shops.Go(func() {
				for n := c; n < orders/2; n += 4 {
					report := map[string]any{"event": "sale", "order_id": fmt.Sprint("b-", i, "-", n), "amount": "100.00", "currency": "USD", "click_id": m.clickIDs[0]}
					if answers := till.persist(f.t.Context(), "/t/conversions", report); len(answers) != 1 || answers[0].Status != "accepted" {
						f.t.Errorf("%v is answered %v", report, answers)
					}
				}
			})
		}
	}
	shops.Wait()
	for _, n := range trackers {
		n.settledAll()
	}
	(&shop{t: f.t, client: client}).budgetIs(m, orders, room, costCents)
	return m
}

// nobodyIsPaidTwice has both admins make payouts at the same time, several times.
func (f *fleetWorld) nobodyIsPaidTwice(admins, trackers []*fleetNode) {
	f.t.Helper()
	const creators, orders = 3, 30
	client := f.of(admins[0], trackers[0])
	now := map[string]any{"basis": "immediate"}
	m := client.makeMerchant("Payouts", creators, map[string]any{
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}, "lock": now, "pay": now},
	})
	till := f.tills(m, admins[0], trackers)[1]
	for n := range orders {
		till.persist(f.t.Context(), "/t/conversions?wait=10s", map[string]any{"event": "sale", "order_id": fmt.Sprint("p-", n), "amount": "10.00", "currency": "USD", "click_id": m.clickIDs[n%creators]})
	}
	eventually(f.t, func() error {
		payable := client.all("/v1/actions", url.Values{"campaign_id": {m.campaign}, "state": {"payable"}})
		if len(payable) != orders {
			return fmt.Errorf("%d of %d actions are payable", len(payable), orders)
		}
		return nil
	})
	var mu sync.Mutex
	var paid, actions int64
	var clerks sync.WaitGroup
	for n := range 6 {
		clerks.Go(func() {
			answer := admins[n%2].call(http.MethodPost, "/v1/payouts", map[string]any{"advertiser_id": m.advertiser}, http.StatusCreated)
			mu.Lock()
			defer mu.Unlock()
			for _, item := range answer["items"].([]any) {
				paid += client.cents(item.(map[string]any)["amount"])
				actions += int64(item.(map[string]any)["actions"].(float64))
			}
		})
	}
	clerks.Wait()
	if paid != orders*100 || actions != orders {
		f.t.Errorf("payouts by both are of %d cents and %d actions, want %d and %d", paid, actions, orders*100, orders)
	}
}

// leaderIsFollowed kills the admin that does what is scheduled: the other goes on.
func (f *fleetWorld) leaderIsFollowed(admins, trackers []*fleetNode, m *merchant) {
	f.t.Helper()
	const leads = `tributary_leader{work="schedule"}`
	leader := 0
	eventually(f.t, func() error {
		var sum float64
		for i, n := range admins {
			held, err := n.metric(leads)
			if err != nil {
				return err
			}
			if sum += held; held == 1 {
				leader = i
			}
		}
		if sum != 1 {
			return fmt.Errorf("%v admins lead", sum)
		}
		return nil
	})
	admins[leader].life.signal(syscall.SIGKILL)
	admins[leader].life.ended()
	died := time.Now()
	other := admins[1-leader]
	f.tills(m, other, trackers)[0].persist(f.t.Context(), "/t/conversions?wait=10s",
		map[string]any{"event": "sale", "order_id": "after the leader", "amount": "100.00", "currency": "USD", "click_id": m.clickIDs[0]})
	eventually(f.t, func() error {
		var copied uint64
		f.store.numbers("SELECT count() FROM actions WHERE order_id = 'after the leader'", &copied)
		held, err := other.metric(leads)
		if err == nil && (held != 1 || copied == 0) {
			err = fmt.Errorf("the other leads: %v; it has copied %d actions", held, copied)
		}
		return err
	})
	f.t.Logf("the other admin went on with what is scheduled %v after the leader was killed", time.Since(died).Round(time.Millisecond))
	admins[leader].start()
}
