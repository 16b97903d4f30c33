package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What besieged asks for.
const (
	silentShort, silentLong       = 500, 20_000                   // connections held open
	slowShort, slowLong           = 100, 2_000                    // and those that say something now and then
	peaceShort, peaceLong         = time.Second, 35 * time.Second // longer than a silent connection may live
	settlingLong                  = 5 * time.Second
	siegeTimeShort, siegeTimeLong = time.Second, 30 * time.Second // in which every connection is cut off once
	siegeRateShort, siegeRateLong = 400.0, 2_000.0
	siegeShoppers                 = 8
	maxSlowerBesieged             = 2.0 // p99 under siege to that in peace
	maxGuesses                    = 700 // of keys, more than a network may try in a minute
	maxLeftGoroutines             = 100
)

// besieged holds thousands of connections open that are silent, half a request or a
// byte at a time, and has another network guess keys, while shoppers click and a
// shop reports. Nobody notices, in the long form not by the time either, and
// afterwards nothing is left.
func besieged(ctx context.Context, t *trial) error {
	w, err := t.begin(ctx, "data", nil)
	if err != nil {
		return err
	}
	s := w.server
	rate := siegeRateLong
	if t.short {
		rate = siegeRateShort
	}
	crowd, counter := t.gather(ctx, w, siegeShoppers, rate), t.open(ctx, w)
	if err := counter.taking(ctx, 20); err != nil {
		return err
	}
	crowd.p99()
	if err := sleep(ctx, t.lasting(peaceShort, peaceLong)); err != nil {
		return err
	}
	peace := crowd.p99()
	before, err := metrics(s.admin)
	if err != nil {
		return err
	}
	silent := t.lay(ctx, s, t.count(silentShort, silentLong), silentBesiegers)
	if err := within(ctx, time.Minute, silent.isLaid); err != nil {
		return err
	}
	if err := sleep(ctx, t.lasting(0, settlingLong)); err != nil { // thousands were opened at once
		return err
	}
	crowd.p99()
	if err := sleep(ctx, t.lasting(peaceShort, peaceLong)); err != nil {
		return err
	}
	war := crowd.p99()
	slow := t.lay(ctx, s, t.count(slowShort, slowLong), slowBesiegers)
	if err := s.refusesGuesses(ctx); err != nil {
		t.wrong("%v", err)
	}
	crowd.p99()
	if err := sleep(ctx, t.lasting(peaceShort, peaceLong)); err != nil {
		return err
	}
	dripped := crowd.p99()
	memory, err := s.highestMemory(ctx, t.lasting(siegeTimeShort, siegeTimeLong))
	if err != nil {
		return err
	}
	t.result.Cycles += silent.size + slow.size
	if err := counter.taking(ctx, 20); err != nil {
		return err
	}
	silent.lift()
	slow.lift()
	crowd.disperse()
	counter.close()
	t.note("p99 of a click %s in peace, %s among %d silent connections, %s with %d slow ones too; %d were cut off; %d MB of memory",
		peace, war, silent.size, dripped, slow.size, silent.cutOff.Load()+slow.cutOff.Load(), memory>>20)
	if worst := max(war, dripped); !t.short && float64(worst) > maxSlowerBesieged*float64(peace) {
		t.wrong("p99 rose from %s to %s", peace, worst)
	}
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	if err := t.reckon(ctx, w); err != nil {
		return err
	}
	if err := within(ctx, time.Minute, func() error { return s.nothingLeftOf(before) }); err != nil {
		t.wrong("%v", err)
	}
	return nil
}

// nothingLeftOf compares the process with itself before the siege.
func (s *server) nothingLeftOf(before map[string]float64) error {
	after, err := metrics(s.admin)
	if err != nil {
		return err
	}
	if n := after["tributary_handler_panics_total"]; n > 0 {
		return fmt.Errorf("%.0f requests ended in a fault", n)
	}
	// Goroutines that served connections stay for some seconds, for the next ones; the
	// short form does not wait for them.
	if was, is := before["go_goroutines"], after["go_goroutines"]; !s.t.short && is > was+maxLeftGoroutines {
		return fmt.Errorf("%.0f goroutines are left where %.0f were", is, was)
	}
	if was, is := before["process_open_fds"], after["process_open_fds"]; is > was+maxLeftGoroutines {
		return fmt.Errorf("%.0f files are open where %.0f were", is, was)
	}
	return nil
}

// refusesGuesses tries keys from a network of its own, on both listeners, until it
// is told to wait.
func (s *server) refusesGuesses(ctx context.Context) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 77, 1)}}
	client := http.Client{Timeout: shopperPatience, Transport: &http.Transport{DialContext: dialer.DialContext}}
	defer client.CloseIdleConnections()
	for _, target := range []struct{ method, address string }{
		{http.MethodGet, "http://" + s.admin + "/v1/campaigns"}, {http.MethodPost, "http://" + s.tracker + "/t/conversions"},
	} {
		guess := func(n int) (waits bool, err error) {
			request, err := http.NewRequestWithContext(ctx, target.method, target.address, nil)
			if err != nil {
				return false, err
			}
			request.Header.Set("Authorization", "Bearer trb_guess"+strconv.Itoa(n))
			answer, err := client.Do(request)
			if err != nil {
				return false, err
			}
			defer answer.Body.Close()
			_, _ = io.Copy(io.Discard, answer.Body)
			waits = answer.StatusCode == http.StatusTooManyRequests && answer.Header.Get("Retry-After") != ""
			if !waits && answer.StatusCode != http.StatusUnauthorized {
				return false, fmt.Errorf("%s answers a guessed key with %s", target.address, answer.Status)
			}
			return waits, nil
		}
		if err := guessAll(guess); err != nil {
			return fmt.Errorf("%s: %w", target.address, err)
		}
	}
	return nil
}

// guessAll has several guess at a time, until each is told to wait.
func guessAll(guess func(n int) (waits bool, err error)) error {
	const guessers = 16
	results := make(chan error, guessers)
	var guesses atomic.Int64
	for range guessers {
		go func() {
			for {
				n := guesses.Add(1)
				waits, err := guess(int(n))
				if err == nil && n > maxGuesses && !waits {
					err = fmt.Errorf("a network may guess %d keys", n)
				}
				if err != nil || waits {
					results <- err
					return
				}
			}
		}()
	}
	var all []error
	for range guessers {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}

// A siege is many connections that are held open and opened again when they are
// closed.
type siege struct {
	size    int
	kinds   []besieger
	target  string
	holding atomic.Int64
	cutOff  atomic.Int64 // connections the tracker closed
	leave   context.CancelFunc
	inside  sync.WaitGroup
}

// besiegersSpare is how many files of a process are not for besiegers: what the
// tracker keeps for itself, and some for shoppers and what this program needs.
const besiegersSpare = 1024 + 300

// lay begins a siege of as many connections as the tracker takes beside slow ones.
func (t *trial) lay(ctx context.Context, s *server, size int, kinds []besieger) *siege {
	g := &siege{size: size, kinds: kinds, target: s.tracker}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if most := int(files.Cur) - besiegersSpare - slowLong; g.size > most {
			t.note("a process may have %d files here: %d connections instead of %d (ulimit -n)", files.Cur, most, g.size)
			g.size = most
		}
	}
	ctx, g.leave = context.WithCancel(ctx)
	for n := range g.size {
		g.inside.Go(func() { g.hold(ctx, n) })
	}
	t.atEnd(func() error { g.lift(); return nil })
	return g
}

// isLaid says how much of a siege is missing.
func (g *siege) isLaid() error {
	if holding := g.holding.Load(); holding < int64(g.size)*95/100 { // some are being opened again
		return fmt.Errorf("%d of %d connections are open", holding, g.size)
	}
	return nil
}

// lift ends a siege. It may be called again.
func (g *siege) lift() {
	g.leave()
	g.inside.Wait()
}

// A besieger says something and then goes on in silence, or byte by byte.
type besieger struct {
	says  string
	drips bool
}

var (
	silentBesiegers = []besieger{
		{"", false},
		{"GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n", false},
		{"GET /nothing HTTP/1.1\r\nHost: t\r\nX-Half: ", false},
	}
	slowBesiegers = []besieger{
		{"POST /t/conversions HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\n", true},
		{"GET /nothing HTTP/1.1\r\nHost: t\r\nX-Drip: ", true},
	}
)

// hold keeps one connection open until the siege is lifted. Places beyond what one
// address has ports for come from others of the loopback network.
func (g *siege) hold(ctx context.Context, place int) {
	dialer := net.Dialer{Timeout: shopperPatience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 66, byte(1+place/5_000))}}
	besieger := g.kinds[place%len(g.kinds)]
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", g.target)
		if err != nil {
			_ = sleep(ctx, time.Second)
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		g.holding.Add(1)
		if _, err = io.WriteString(conn, besieger.says); err == nil && besieger.drips {
			for err == nil && sleep(ctx, time.Second) == nil {
				_, err = io.WriteString(conn, "x")
			}
		} else if err == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
		g.holding.Add(-1)
		if ctx.Err() == nil {
			g.cutOff.Add(1)
		}
		stop()
		_ = conn.Close()
	}
}
