package ledger

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"unicode/utf8"
)

// maxRecent is how many results are kept for who asks late: between a report being
// durable and its asker waiting, it may be settled already.
const maxRecent = 20_000

// recent keeps the latest results by receipt and wakes who waits for one.
type recent struct {
	mu      sync.Mutex
	results map[string]Settled
	order   []string // a ring of the receipts in results
	next    int
	waiters map[string][]chan struct{}
}

func newRecent() *recent {
	return &recent{results: map[string]Settled{}, waiters: map[string][]chan struct{}{}}
}

func (r *recent) add(results []Settled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range results {
		id := result.ReceiptID
		if id == "" {
			continue
		}
		if len(r.order) < maxRecent {
			r.order = append(r.order, id)
		} else {
			delete(r.results, r.order[r.next])
			r.order[r.next] = id
			r.next = (r.next + 1) % maxRecent
		}
		r.results[id] = result
		for _, woken := range r.waiters[id] {
			close(woken)
		}
		delete(r.waiters, id)
	}
}

// wait returns what became of a receipt, once it is known or ctx ends.
func (r *recent) wait(ctx context.Context, id string) (Settled, bool) {
	r.mu.Lock()
	if result, found := r.results[id]; found {
		r.mu.Unlock()
		return result, true
	}
	woken := make(chan struct{})
	r.waiters[id] = append(r.waiters[id], woken)
	r.mu.Unlock()
	select {
	case <-woken:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := slices.DeleteFunc(r.waiters[id], func(c chan struct{}) bool { return c == woken }); len(left) > 0 {
		r.waiters[id] = left
	} else {
		delete(r.waiters, id)
	}
	result, found := r.results[id]
	return result, found
}

// Wait says what became of reports of this process, by their receipts, waiting
// until ctx ends for those not settled yet. What is not settled by then is left
// out. Give it receipts whose reports are durable.
func (s *Settler) Wait(ctx context.Context, receiptIDs []string) []Settled {
	var settled []Settled
	for _, id := range receiptIDs {
		if result, found := s.recent.wait(ctx, id); found {
			settled = append(settled, result)
		}
	}
	return settled
}

// quoted is a record that is no report as JSON has texts.
func quoted(record []byte) json.RawMessage {
	const most = 64 << 10
	text := string(record[:min(len(record), most)])
	if !utf8.ValidString(text) {
		encoded, _ := json.Marshal(record[:min(len(record), most)]) // base 64
		return encoded
	}
	encoded, _ := json.Marshal(text)
	return encoded
}
