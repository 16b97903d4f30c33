package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The loads of fleetKilled.
const (
	fleetShort, fleetLong         = 20 * time.Second, 20 * time.Minute
	fleetShoppers                 = 16
	fleetRateShort, fleetRateLong = 300.0, 4_000.0
	fleetPauseMost                = 2 * time.Second
	// propagation is how soon every connected node knows of a link's change.
	propagation = 5 * time.Second
)

// A fleet is two trackers behind a balancer and two admins, and the stores they
// share.
type fleet struct {
	*trial
	clickhouse       *clickhouse
	postgres, redis  *store
	admins, trackers []*server
	balancer         *balancer
	faults           map[string]int
	slowest          time.Duration // until a link's change was known everywhere
}

// fleetKilled kills nodes and stores at random moments while shoppers click and a
// shop reports, restarts nodes in good order, and makes, changes and kills links in
// between.
func fleetKilled(ctx context.Context, t *trial) error {
	f := &fleet{trial: t, faults: map[string]int{}}
	w, err := f.begin(ctx)
	if err != nil {
		return err
	}
	rate := fleetRateLong
	if t.short {
		rate = fleetRateShort
	}
	crowd, counter := t.gather(ctx, w, fleetShoppers, rate), t.open(ctx, w)
	for began := time.Now(); time.Since(began) < t.lasting(fleetShort, fleetLong); {
		if err := f.next(ctx, crowd, counter); err != nil {
			return err
		}
		if err := f.propagates(ctx, w); err != nil {
			return err
		}
		t.result.Cycles++
	}
	crowd.disperse()
	counter.close()
	for _, fault := range slices.Sorted(maps.Keys(f.faults)) {
		t.note("%d times: %s", f.faults[fault], fault)
	}
	t.note("a new, a changed and a killed link were known on every tracker within %s", f.slowest.Round(time.Millisecond))
	t.note("%d clicks and %d requests with orders were sent and never answered", crowd.unanswered.Load(), counter.unanswered.Load())
	t.unexpected(crowd, counter)
	return f.reckon(ctx, w)
}

// begin starts everything and makes a world on it.
func (f *fleet) begin(ctx context.Context) (w *world, err error) {
	if f.clickhouse, err = f.newClickHouse(ctx); err != nil {
		return nil, err
	}
	for program, into := range map[string]**store{"postgres": &f.postgres, "redis-server": &f.redis} {
		if *into, err = f.newStore(program); err == nil {
			err = (*into).start(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	secrets := filepath.Join(f.dir, "secrets.json")
	if err := f.verb(ctx, "key", "make-secrets", secrets); err != nil {
		return nil, err
	}
	shared := []string{"--secrets", secrets, "--database", "postgres://postgres@" + f.postgres.address + "/postgres?sslmode=disable",
		"--redis", "redis://" + f.redis.address, "--drain-delay", "1s"}
	for _, role := range []string{"admin", "admin", "tracker", "tracker"} {
		s, err := f.newServer(fmt.Sprint(role, "-", len(f.nodes())), f.clickhouse, append([]string{"--roles", role}, shared...)...)
		if err != nil {
			return nil, err
		}
		if role == "admin" {
			f.admins = append(f.admins, s)
		} else {
			f.trackers = append(f.trackers, s)
		}
		if err := s.start(); err != nil {
			return nil, err
		}
		if err := f.serving(ctx, s); err != nil {
			return nil, err
		}
	}
	if f.balancer, err = f.balance(ctx, f.trackers); err != nil {
		return nil, err
	}
	if err := f.allServe(ctx); err != nil {
		return nil, err
	}
	// The world is asked by one admin and clicked through the balancer.
	front := &server{t: f.trial, tracker: f.balancer.address(), admin: f.admins[0].admin, readers: f.clickhouse.readers}
	if w, err = front.populate(ctx); err != nil {
		return nil, err
	}
	return w, f.everywhere(ctx, func(tracker *server) error {
		if known, err := metric(tracker.admin, "tributary_links"); err != nil || int(known) < linksPerWorld {
			return fmt.Errorf("a tracker knows %.0f links (%v)", known, err)
		}
		return nil
	})
}

func (f *fleet) nodes() []*server { return slices.Concat(f.admins, f.trackers) }

// serving waits until a node is ready on the listeners it has.
func (f *fleet) serving(ctx context.Context, s *server) error {
	addresses := []string{s.admin}
	if slices.Contains(f.trackers, s) {
		addresses = append(addresses, s.tracker)
	}
	err := within(ctx, time.Minute, func() error {
		for _, address := range addresses {
			if err := ready(ctx, address); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("a node does not serve: %w\n%s", err, s.tail())
	}
	s.follow(s.admin)
	return nil
}

// allServe waits until every node does its job and people are sent to each tracker.
func (f *fleet) allServe(ctx context.Context) error {
	for _, s := range f.nodes() {
		if err := f.serving(ctx, s); err != nil {
			return err
		}
	}
	return f.everywhere(ctx, func(tracker *server) error {
		if !f.balancer.sendsTo(tracker.tracker) {
			return errors.New("nobody is sent to a tracker that serves")
		}
		return nil
	})
}

// everywhere waits until something holds of each tracker.
func (f *fleet) everywhere(ctx context.Context, holds func(tracker *server) error) error {
	for _, s := range f.trackers {
		if err := within(ctx, time.Minute, func() error { return holds(s) }); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a random moment and breaks something; then everything is started
// again, and shoppers and the shop must be served.
func (f *fleet) next(ctx context.Context, crowd *crowd, counter *counter) error {
	if err := f.pause(ctx, fleetPauseMost); err != nil {
		return err
	}
	broken := []struct {
		name string
		do   func(context.Context) error
	}{
		{"a tracker was killed", func(ctx context.Context) error { return f.killed(ctx, f.trackers[f.random.IntN(2)]) }},
		{"an admin was killed", func(ctx context.Context) error { return f.killed(ctx, f.admins[f.random.IntN(2)]) }},
		{"a tracker was restarted in good order", func(ctx context.Context) error { return f.restarted(ctx, f.trackers[f.random.IntN(2)], crowd) }},
		{"Redis died and forgot everything", func(ctx context.Context) error { return f.gone(ctx, f.redis) }},
		{"PostgreSQL died", func(ctx context.Context) error { return f.gone(ctx, f.postgres) }},
		{"ClickHouse died", f.withoutClickHouse},
		{"Redis, PostgreSQL and a tracker died", func(ctx context.Context) error {
			return errors.Join(f.redis.kill(), f.gone(ctx, f.postgres), f.killed(ctx, f.trackers[f.random.IntN(2)]), f.redis.start(ctx))
		}},
	}[f.random.IntN(7)]
	f.faults[broken.name]++
	if err := broken.do(ctx); err != nil {
		return fmt.Errorf("%s: %w", broken.name, err)
	}
	if err := f.allServe(ctx); err != nil {
		return fmt.Errorf("after %s: %w", broken.name, err)
	}
	if err := crowd.clicking(ctx, 50); err != nil {
		return fmt.Errorf("after %s: %w", broken.name, err)
	}
	return counter.taking(ctx, 2)
}

// killed kills a node, leaves the others alone for a while, and starts it again.
func (f *fleet) killed(ctx context.Context, s *server) error {
	if err := s.kill(); err != nil {
		return err
	}
	return errors.Join(f.pause(ctx, fleetPauseMost), s.start())
}

// restarted stops a tracker and starts it again: nobody may notice.
func (f *fleet) restarted(ctx context.Context, s *server, crowd *crowd) error {
	before := crowd.unanswered.Load() + crowd.turnedAway.Load() + crowd.otherwise.Load()
	if err := s.stop(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if err := f.allServe(ctx); err != nil {
		return err
	}
	if noticed := crowd.unanswered.Load() + crowd.turnedAway.Load() + crowd.otherwise.Load() - before; noticed > 0 {
		f.wrong("%d shoppers noticed a restart in good order", noticed)
	}
	return nil
}

// gone kills a store and starts it again after a while.
func (f *fleet) gone(ctx context.Context, s *store) error {
	return errors.Join(s.kill(), f.pause(ctx, fleetPauseMost), s.start(ctx))
}

func (f *fleet) withoutClickHouse(ctx context.Context) error {
	f.clickhouse.proxy.suffer(ills{down: true})
	err := errors.Join(f.clickhouse.kill(), f.pause(ctx, fleetPauseMost), f.clickhouse.start(ctx))
	f.clickhouse.proxy.suffer(ills{})
	return err
}

// propagates makes a link, changes it and kills it, and looks how soon every tracker
// does as it says.
func (f *fleet) propagates(ctx context.Context, w *world) error {
	admin := f.admins[f.random.IntN(2)]
	made, err := admin.linkOf(ctx)
	if err != nil {
		return err
	}
	id, _ := made["id"].(string)
	slug, _ := made["slug"].(string)
	for _, step := range []struct {
		what string
		do   func() error
		want string // in Location; empty: it leads nowhere
	}{
		{"a new link", func() error { return nil }, "/p/1"},
		{"a changed link", func() error {
			_, err := admin.call(http.MethodPatch, "/v1/links/"+id, map[string]any{"destination": "https://shop.example/changed"})
			return err
		}, "/changed"},
		{"a killed link", func() error { _, err := admin.call(http.MethodDelete, "/v1/links/"+id, nil); return err }, ""},
	} {
		if err := step.do(); err != nil {
			return err
		}
		began := time.Now()
		err := f.everywhere(ctx, func(tracker *server) error {
			to, err := w.leadsTo(tracker.tracker, slug)
			if err == nil && (step.want == "") != (to == "") || !strings.Contains(to, step.want) {
				err = fmt.Errorf("%s leads to %q", step.what, to)
			}
			return err
		})
		if err != nil {
			return err
		}
		took := time.Since(began)
		if f.slowest = max(f.slowest, took); took > propagation {
			f.wrong("%s was known everywhere after %s", step.what, took)
		}
	}
	return nil
}

// linkOf makes another link of the world's task.
func (s *server) linkOf(ctx context.Context) (made map[string]any, err error) {
	err = within(ctx, time.Minute, func() error { // an admin that has just lost its database says so first
		tasks, err := s.call(http.MethodGet, "/v1/tasks?limit=1", nil)
		if err != nil {
			return err
		}
		items, _ := tasks["items"].([]any)
		if len(items) == 0 {
			return errors.New("there is no task")
		}
		task, _ := items[0].(map[string]any)
		made, err = s.call(http.MethodPost, fmt.Sprintf("/v1/tasks/%v/links", task["id"]), map[string]any{})
		return err
	})
	return made, err
}

// leadsTo is where a link leads; empty: nowhere. It is in the books as every click.
func (w *world) leadsTo(tracker, slug string) (string, error) {
	n := w.clicks.send()
	request, err := http.NewRequest(http.MethodHead, fmt.Sprintf("http://%s/%s?sub1=%d", tracker, slug, n), nil)
	if err != nil {
		return "", err
	}
	began := time.Now()
	answer, err := asking.Do(request)
	if err != nil {
		return "", err
	}
	to := answer.Header.Get("Location")
	if _, id, found := strings.Cut(to, "tcid="); found {
		id, _, _ = strings.Cut(id, "&")
		w.clicks.acknowledge(n, id, time.Since(began) >= lateAnswer)
	}
	return to, answer.Body.Close()
}

// reckon is the end: nothing is left on any disk, every node's audit agrees, and all
// that was acknowledged is there once.
func (f *fleet) reckon(ctx context.Context, w *world) error {
	unrecorded := 0
	for _, s := range f.nodes() {
		if err := s.drained(ctx); err != nil {
			return err
		}
		unrecorded += s.unrecorded()
	}
	if err := w.server.copied(ctx); err != nil {
		f.wrong("%v", err)
	}
	for _, s := range f.nodes() {
		f.audit(ctx, s)
		f.compareMetrics(ctx, s)
	}
	return f.compare(ctx, w, unrecorded)
}
