package main

import (
	"fmt"
	"net/http"
	"testing"
)

// TestFleetDecidesTogether sends the same visitors, a network with too many hits and
// the clicks of a link that may have ten to two trackers: all of it counts as if
// there were one.
func TestFleetDecidesTogether(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	flags := []string{"--trusted-proxies", "127.0.0.0/8", "--rate-limit", "60/h"}
	admin := f.node("admin")
	trackers := []*fleetNode{f.node("tracker", flags...), f.node("tracker", flags...)}
	for _, n := range trackers {
		n.exchanges("salts")
	}
	crowded, hasty, limited := admin.makeLink(), admin.makeLink(), admin.makeLink()
	admin.call(http.MethodPatch, "/v1/links/"+limited["id"].(string), map[string]any{"max_clicks": 10}, http.StatusOK)
	for _, n := range trackers {
		n.knows(3)
	}

	const visitors = 40
	for v := range visitors {
		for _, n := range trackers {
			n.visit(crowded, fmt.Sprintf("203.0.%d.1", v))
		}
	}
	networks := []string{"198.51.100.", "198.51.101."} // two, because the hour of one may end just now
	for range 40 {                                     // of each, which may send 60
		for _, n := range trackers {
			for _, network := range networks {
				n.visit(hasty, network+"7")
			}
		}
	}
	for v := range 7 {
		trackers[0].visit(limited, fmt.Sprintf("192.0.%d.1", v))
	}
	trackers[1].visit(limited, "192.0.7.1") // it must know the link to learn of its clicks
	for range 2 {                           // the first to ask learns of the last only then
		for _, n := range trackers {
			n.exchanges("rates")
			n.exchanges("limits")
		}
	}
	for _, n := range trackers {
		for _, network := range networks {
			n.visit(hasty, network+"8")
		}
	}
	for v := range 5 {
		trackers[1].visit(limited, fmt.Sprintf("192.0.%d.1", 10+v))
	}
	for _, n := range trackers {
		n.drainedAll()
	}

	var unique, known, above, expired uint64
	f.store.numbers(fmt.Sprintf(`SELECT countIf(is_unique AND link_id = '%s'), uniqExactIf(visitor, link_id = '%[1]s'),
		countIf(verdict = 'rate' AND link_id = '%s'), countIf(unpayable = 'link_expired' AND link_id = '%s') FROM clicks`,
		crowded["id"], hasty["id"], limited["id"]), &unique, &known, &above, &expired)
	if known != visitors || unique != visitors {
		t.Errorf("%d visitors of two trackers were recognised as %d and counted as %d", visitors, known, unique)
	}
	if above < uint64(len(trackers)) || above > uint64(len(networks)*(20+len(trackers))) {
		t.Errorf("of 80 hits of each of two networks that may send 60, and 2 behind them, %d are above the rate", above)
	}
	if expired != 3 {
		t.Errorf("of 13 clicks on a link that may have 10, %d were too many", expired)
	}
}

// exchanges waits until the tracker has exchanged something once more.
func (n *fleetNode) exchanges(what string) {
	n.f.t.Helper()
	done := fmt.Sprintf(`tributary_exchanges_total{result="done",what="%s"}`, what)
	before, _ := n.metric(done) // there is none before the first
	eventually(n.f.t, func() error {
		now, err := n.metric(done)
		if err == nil && now < before+2 { // one may have been under way
			err = fmt.Errorf("%v exchanges of %s", now, what)
		}
		return err
	})
}

// visit clicks a link from an address.
func (n *fleetNode) visit(link map[string]any, address string) {
	n.f.t.Helper()
	request, err := http.NewRequestWithContext(n.f.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/%s", n.trackerListener.Addr(), link["slug"]), nil)
	if err != nil {
		n.f.t.Fatal(err)
	}
	request.Header.Set("User-Agent", phone)
	request.Header.Set("X-Forwarded-For", address)
	answer, err := n.http.Do(request)
	if err != nil {
		n.f.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusFound {
		n.f.t.Fatalf("a click is answered %s", answer.Status)
	}
}
