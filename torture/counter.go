package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A counter has cashiers that report orders from a shop's server, as such a server
// should: what was not answered is reported again until it is.
type counter struct {
	journal *journal
	world   *world
	client  *http.Client
	leave   context.CancelFunc
	inside  sync.WaitGroup

	heavy        atomic.Bool  // orders have many lines, to fill a disk
	unavailable  atomic.Int64 // requests answered 503
	impatient    atomic.Int64 // of them, without Retry-After
	unanswered   atomic.Int64
	mu           sync.Mutex
	unacceptable []string // answers no shop may get, some of them
}

const (
	cashiers         = 4
	cashierPause     = 20 * time.Millisecond
	mostOrdersAtOnce = 5
	orderPrefix      = "t-"
)

// orderName and amountOf follow from an order's number, so that what is stored can
// be told from what was sent.
func orderName(n int) string { return orderPrefix + strconv.Itoa(n) }

func amountOf(n int) string {
	minor := 100 + n*7919%100_000
	return fmt.Sprintf("%d.%02d", minor/100, minor%100)
}

// orderNumber is -1 for an order of somebody else's.
func orderNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, orderPrefix))
	if err != nil || orderName(n) != name {
		return -1
	}
	return n
}

// open lets cashiers report until the counter is closed.
func (t *trial) open(ctx context.Context, w *world) *counter {
	c := &counter{journal: w.orders, world: w, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: cashiers}}}
	ctx, c.leave = context.WithCancel(ctx)
	for n := range cashiers {
		c.inside.Go(func() { c.work(ctx, 1+n%mostOrdersAtOnce) })
	}
	t.atEnd(func() error { c.close(); return nil })
	return c
}

// close waits for the answers that are under way.
func (c *counter) close() {
	c.leave()
	c.inside.Wait()
	c.client.CloseIdleConnections()
}

func (c *counter) work(ctx context.Context, atOnce int) {
	for sleep(ctx, cashierPause) == nil {
		orders := make([]int, atOnce)
		for i := range orders {
			orders[i] = c.journal.send()
		}
		for !c.report(orders) && sleep(ctx, 5*cashierPause) == nil {
		}
	}
}

// report posts orders and notes the answers. It reports whether there were any.
func (c *counter) report(orders []int) bool {
	var reports []map[string]any
	for _, n := range orders {
		report := map[string]any{"event": "sale", "order_id": orderName(n), "amount": amountOf(n), "currency": "USD", "click_id": c.world.clickID}
		if c.heavy.Load() {
			report["items"] = heavyItems()
		}
		reports = append(reports, report)
	}
	body, err := json.Marshal(reports)
	if err != nil {
		c.refuse("%v", err)
		return true
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+c.world.server.tracker+"/t/conversions", bytes.NewReader(body))
	if err != nil {
		c.refuse("%v", err)
		return true
	}
	request.Header.Set("Authorization", "Bearer "+c.world.ingestKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		c.unanswered.Add(1)
		return false
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		c.unanswered.Add(1)
		return false
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		c.unavailable.Add(1)
		if response.Header.Get("Retry-After") == "" {
			c.impatient.Add(1)
		}
		return false
	}
	var answer struct {
		Results []struct {
			OrderID string `json:"order_id"`
			Status  string
		}
	}
	if err := json.Unmarshal(content, &answer); err != nil || response.StatusCode != http.StatusOK || len(answer.Results) != len(orders) {
		c.refuse("%d orders are answered %s: %.200s", len(orders), response.Status, content)
		return true
	}
	for i, a := range answer.Results {
		if a.Status != "accepted" || a.OrderID != orderName(orders[i]) {
			c.refuse("order %d is answered %s, %s", orders[i], a.OrderID, a.Status)
			continue
		}
		c.journal.acknowledge(orders[i], amountOf(orders[i]), false)
	}
	return true
}

// heavyItems make an order's record about 30 KB long.
func heavyItems() (items []map[string]any) {
	text := strings.Repeat("x", 250)
	for range 40 {
		items = append(items, map[string]any{"sku": text, "name": text, "category": text, "quantity": 1, "price": "1.00"})
	}
	return items
}

func (c *counter) refuse(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unacceptable) < 5 {
		c.unacceptable = append(c.unacceptable, fmt.Sprintf(format, args...))
	}
}

// taking waits for some more orders to be accepted.
func (c *counter) taking(ctx context.Context, more int) error {
	_, before := c.journal.counts()
	return within(ctx, time.Minute, func() error {
		if _, now := c.journal.counts(); now-before < more {
			return fmt.Errorf("%d of %d orders were accepted", now-before, more)
		}
		return nil
	})
}
