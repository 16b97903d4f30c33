package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// The loads of the money experiment.
const (
	singleConnections = 64
	arrayConnections  = 4
	arrayLength       = 1_000
	arrayRequests     = 50  // of a run: what they bring must be settled after it
	waitRate          = 500 // conversions a second, each waiting to be settled
	settlePatience    = 10 * time.Minute
)

// money measures conversions: how fast they are taken one by one and in arrays,
// how fast they are settled, and how long one waits that wants to know what
// became of it. ClickHouse is away; the database is SQLite.
func money(ctx context.Context, b *bench) error {
	t, err := b.startTributary(ctx, serverCore, "money", spoolOnly...)
	if err != nil {
		return err
	}
	back, err := moveTo(ctx, generatorCore)
	if err != nil {
		return errors.Join(err, t.stop())
	}
	m, err := newMerchant(t)
	if err == nil {
		err = errors.Join(m.singles(ctx, b), m.arrays(ctx, b), m.waiting(ctx, b))
	}
	return errors.Join(err, back(), t.stop())
}

// moveTo pins the bench itself, which generates this load, until back is called.
func moveTo(ctx context.Context, core string) (back func() error, err error) {
	return func() error { return unpin(context.WithoutCancel(ctx), os.Getpid()) }, pin(ctx, core, os.Getpid())
}

// pin moves all threads of a running process to cores.
func pin(ctx context.Context, cores string, pid int) error {
	_, err := output(ctx, allCores, "taskset", "-a", "-c", "-p", cores, strconv.Itoa(pid))
	return err
}

// unpin lets a process use every core again.
func unpin(ctx context.Context, pid int) error {
	return pin(ctx, fmt.Sprint("0-", runtime.NumCPU()-1), pid)
}

// A merchant posts conversions of a click, each of another order.
type merchant struct {
	*target
	address, key, click string
	orders              atomic.Int64
	client              fasthttp.Client
}

func newMerchant(t *target) (*merchant, error) {
	link, err := url.Parse(t.link)
	if err != nil {
		return nil, err
	}
	m := &merchant{target: t, address: "http://" + link.Host + "/t/conversions", client: fasthttp.Client{MaxConnsPerHost: singleConnections}}
	if m.click, err = clickOf(t.link); err != nil {
		return nil, err
	}
	list, err := t.call(http.MethodGet, "/v1/advertisers", nil)
	if err != nil {
		return nil, err
	}
	advertiser := list["items"].([]any)[0].(map[string]any)["id"]
	made, err := t.post("/v1/keys", map[string]any{"role": "ingest", "advertiser_id": advertiser})
	if err != nil {
		return nil, err
	}
	m.key, _ = made["key"].(string)
	return m, nil
}

// clickOf clicks a link as a person and returns the click id.
func clickOf(link string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		return "", err
	}
	name, agent, _ := strings.Cut(browser, ": ")
	request.Header.Set(name, agent)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil {
		return "", err
	}
	return location.Query().Get("tcid"), nil
}

// singles posts one conversion at a time on each connection.
func (m *merchant) singles(ctx context.Context, b *bench) error {
	var rates, tails []float64
	for range b.rounds {
		until := time.Now().Add(b.duration)
		run, err := m.together(singleConnections, func() (bool, error) {
			return ctx.Err() == nil && time.Now().Before(until), m.report("", 1)
		})
		if err != nil {
			return err
		}
		rates, tails = append(rates, run.perSecond()), append(tails, run.p99())
		if err := m.waitFor(ctx, settlePatience, m.settled); err != nil {
			return err
		}
	}
	b.report.add(fmt.Sprintf("one by one, %d connections", singleConnections), "conversions/s", rates...)
	b.report.add(fmt.Sprintf("one by one, %d connections, p99", singleConnections), "ms", tails...)
	return nil
}

// arrays posts conversions by the thousand, and then waits for the settler.
func (m *merchant) arrays(ctx context.Context, b *bench) error {
	var taken, settled []float64
	for range b.rounds {
		var requests atomic.Int64
		run, err := m.together(arrayConnections, func() (bool, error) {
			return ctx.Err() == nil && requests.Add(1) < arrayRequests, m.report("", arrayLength)
		})
		if err != nil {
			return err
		}
		left, err := m.metric("tributary_spool_records")
		if err != nil {
			return err
		}
		began := time.Now()
		if err := m.waitFor(ctx, settlePatience, m.settled); err != nil {
			return err
		}
		taken, settled = append(taken, run.perSecond()*arrayLength), append(settled, left/time.Since(began).Seconds())
	}
	b.report.add(fmt.Sprintf("in arrays of %d, %d connections", arrayLength, arrayConnections), "conversions/s", taken...)
	b.report.add("settled, from what arrays left in the spool", "conversions/s", settled...)
	return nil
}

// waiting posts at a steady rate with ?wait; a conversion that is late for want
// of a connection has waited too.
func (m *merchant) waiting(ctx context.Context, b *bench) error {
	var p50, p99, answered []float64
	for range b.rounds {
		began := time.Now()
		most := int64(b.duration.Seconds() * waitRate)
		var drawn atomic.Int64
		late := &tally{began: began}
		_, err := m.together(singleConnections, func() (bool, error) {
			n := drawn.Add(1)
			due := began.Add(time.Duration(n) * time.Second / waitRate)
			select {
			case <-ctx.Done():
				return false, ctx.Err()
			case <-time.After(time.Until(due)):
			}
			err := m.report("?wait=10s", 1)
			late.add(time.Since(due))
			return n+singleConnections <= most, err
		})
		if err != nil {
			return err
		}
		late.took = time.Since(began)
		p50, p99, answered = append(p50, late.quantile(0.50)), append(p99, late.p99()), append(answered, late.perSecond())
	}
	b.report.add("settled while they wait", "conversions/s", answered...)
	b.report.add("wait for settling, p50", "ms", p50...)
	b.report.add("wait for settling, p99", "ms", p99...)
	return nil
}

// settled reports an error while reports wait to be settled. The click that
// conversions name stays in its own spool, as ClickHouse is away.
func (m *merchant) settled() error {
	const theClicks = 2 // that of clickOf, and the bench's look whether the link works
	left, err := m.metric("tributary_spool_records")
	if err == nil && left > theClicks {
		err = fmt.Errorf("%.0f reports are not settled", left)
	}
	return err
}

// report posts conversions of new orders and expects each to be accepted; with a
// wait, each to be settled.
func (m *merchant) report(wait string, count int) error {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.SetRequestURI(m.address + wait)
	request.Header.SetMethod(http.MethodPost)
	request.Header.SetContentType("application/json")
	request.Header.Set("Authorization", "Bearer "+m.key)
	body := []byte("[")
	for range count {
		body = fmt.Appendf(body, `{"event":"sale","order_id":"o%d","amount":"49.90","currency":"USD","click_id":%q},`, m.orders.Add(1), m.click)
	}
	body[len(body)-1] = ']'
	request.SetBodyRaw(body)
	if err := m.client.DoTimeout(request, response, 30*time.Second); err != nil {
		return err
	}
	var answer struct {
		Results []struct {
			Status       string
			ConversionID string `json:"conversion_id"`
		}
	}
	if err := json.Unmarshal(response.Body(), &answer); err != nil || response.StatusCode() != http.StatusOK || len(answer.Results) != count {
		return fmt.Errorf("%d conversions are answered %d: %.300s", count, response.StatusCode(), response.Body())
	}
	for _, result := range answer.Results {
		if result.Status != "accepted" || wait != "" && result.ConversionID == "" {
			return fmt.Errorf("a conversion is answered %+v", result)
		}
	}
	return nil
}

// A tally is how long each request of a load took.
type tally struct {
	began time.Time
	took  time.Duration

	mu    sync.Mutex
	times []time.Duration
}

// together lets connections send requests until one of them says that it was the
// last of its connection, or fails.
func (m *merchant) together(connections int, send func() (again bool, err error)) (*tally, error) {
	r := &tally{began: time.Now()}
	var sending sync.WaitGroup
	faults := make([]error, connections)
	for n := range connections {
		sending.Go(func() {
			for again := true; again && faults[n] == nil; {
				sent := time.Now()
				again, faults[n] = send()
				r.add(time.Since(sent))
			}
		})
	}
	sending.Wait()
	r.took = time.Since(r.began)
	return r, errors.Join(faults...)
}

func (r *tally) add(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times = append(r.times, took)
}

func (r *tally) perSecond() float64 { return float64(len(r.times)) / r.took.Seconds() }

func (r *tally) p99() float64 { return r.quantile(0.99) }

// quantile is in milliseconds.
func (r *tally) quantile(q float64) float64 {
	slices.Sort(r.times)
	return float64(r.times[int(q*float64(len(r.times)-1))].Microseconds()) / 1000
}
