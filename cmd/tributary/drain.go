package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tributary/admin"
	"tributary/ingest"
)

type drainCommand struct{ Settings }

// Help is printed below the verb's first line.
func (drainCommand) Help() string {
	return "For a node that goes away. Where a process serves the data directory, it stops taking clicks and orders as for a stop (/readyz fails, " +
		"--drain-delay passes, requests under way are answered), brings everything to ClickHouse and the ledger, and ends. Where none does, as with " +
		"the disk of a machine that died, mounted here, this command does that itself, with the same --secrets, --database, --redis and --clickhouse as that node's. " +
		"It exits with 0 only when nothing waits any more; if it is killed, start it again: it goes on, and nothing is stored twice. Clicks in " +
		"quarantine stay where they are, and are counted."
}

// The path of a drain on the control socket, and how often it is looked how far
// one is.
const (
	drainPath    = "/drain"
	drainPoll    = 200 * time.Millisecond
	drainLogging = 10 * time.Second
	drainGiveUp  = 2 * time.Minute // beside a shutdown timeout, for a process that does not answer
)

// A leftover is what waits on a node's disk.
type leftover struct {
	Clicks  uint64 `json:"clicks"`  // not in ClickHouse
	Reports uint64 `json:"reports"` // not settled
}

func (l leftover) none() bool { return l == leftover{} }

func (l leftover) String() string {
	return fmt.Sprintf("%d clicks are not in ClickHouse, %d reports of merchants are not settled", l.Clicks, l.Reports)
}

// Run empties the node, or has the process that serves it do so.
func (c *drainCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	config := appConfig{log: slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	line := newRunLine(t)
	defer line.end()
	show := func(left leftover) {
		if !line.quiet {
			line.write(left.String())
		}
	}
	for {
		quarantined, err := drainStopped(ctx, options, config, show)
		var inUse *inUseError
		if errors.As(err, &inUse) {
			if err := drainServed(ctx, options.DataDir, config.log, options.ShutdownTimeout+drainGiveUp, show); err != nil {
				return err
			}
			continue // what the process may have left at the last moment
		}
		if err != nil {
			return err
		}
		line.end()
		fmt.Fprintln(t.Out, "empty: every click is in ClickHouse, every report of a merchant is settled")
		for _, reason := range slices.Sorted(maps.Keys(quarantined)) {
			fmt.Fprintf(t.Out, "quarantined (%s): %d clicks stay in %s; 'tributary replay' puts them back\n", reason, quarantined[reason], quarantineDir)
		}
		if kept := options.keptHere(); len(kept) > 0 {
			fmt.Fprintf(t.Out, "keep this directory: it holds %s\n", strings.Join(kept, " and "))
		}
		return nil
	}
}

// keptHere names the stores that are in the data directory itself.
func (o Options) keptHere() (stores []string) {
	if o.Database == "" {
		stores = append(stores, "the SQL database")
	}
	if o.ClickHouse == "" {
		stores = append(stores, "ClickHouse")
	}
	return stores
}

// drainServed has the process that serves a data directory empty it, and waits
// until it has ended. It gives up on one that does not answer for long, and on one of
// another machine, whose socket is not to be had here, at once.
func drainServed(ctx context.Context, dataDir string, log *slog.Logger, giveUp time.Duration, show func(leftover)) error {
	client := newControlClient(dataDir)
	defer client.CloseIdleConnections()
	method := http.MethodPost
	answered, said := time.Now(), false
	for {
		var left leftover
		var unanswered unansweredError
		err := client.ask(ctx, method, drainPath, nil, &left)
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted; a process that was told already goes on with it")
		case errors.As(err, &unanswered): // it is starting, or at its end
			dir, taken := openDataDir(dataDir)
			if taken == nil {
				return dir.Close()
			}
			var inUse *inUseError
			if !errors.As(taken, &inUse) {
				return taken
			}
			if inUse.machine != "" && method == http.MethodPost {
				return fmt.Errorf("the data directory %s is served by process %s: run 'tributary drain' there", dataDir, inUse.process)
			}
			silent := time.Since(answered)
			if silent >= giveUp {
				return fmt.Errorf("process %s has not answered for %s: %w", inUse.process, silent.Round(time.Second), err)
			}
			if !said && silent >= min(drainLogging, giveUp/2) {
				said = true
				log.Warn("the process that serves the data directory does not answer; it is waited for", "process", inUse.process, "longest", giveUp, "error", err)
			}
		case err != nil:
			return err
		default:
			method, answered, said = http.MethodGet, time.Now(), false
			show(left)
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainPoll):
		}
	}
}

// drainStopped empties a data directory that nobody serves. It opens the other
// stores only when something waits, or other nodes may wait for this one.
func drainStopped(ctx context.Context, o Options, c appConfig, show func(leftover)) (quarantined map[string]uint64, err error) {
	if err := mustHoldData(o.DataDir); err != nil {
		return nil, err
	}
	o.Tracker, o.Admin = false, false // nothing is served, and no scheduled work is taken up
	a := newApp(o, c)
	defer func() {
		err = errors.Join(err, a.stop())
		if left := a.left(); err == nil && !left.none() {
			err = fmt.Errorf("%s: run it again", left)
		}
	}()
	for _, open := range []func(context.Context, appConfig) error{a.openDataDir, a.openClock, a.openShipping, a.openClicks, a.openReports} {
		if err := open(ctx, c); err != nil {
			return nil, err
		}
	}
	if a.left().none() {
		if a.quarantine, err = ingest.OpenQuarantine(a.dir.file(quarantineDir), time.Now, nil); err != nil {
			return nil, err
		}
		if err := errors.Join(a.quarantine.Close(), a.tellEmpty(ctx, c)); err != nil {
			return nil, err
		}
		return a.quarantine.Counts(), nil
	}
	for _, open := range []func(context.Context, appConfig) error{a.openCatalog, a.checkSecrets, a.connectFleet, a.meetNodes, a.openClickHouse, a.ship, a.settle} {
		if err := open(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := a.untilEmpty(ctx, show); err != nil {
		return nil, err
	}
	if err := a.tellEmpty(ctx, c); err != nil {
		return nil, err
	}
	return a.quarantine.Counts(), nil
}

// tellEmpty tells other nodes, where there may be any, that nothing is left here. One
// that was lost holds figures back until then, also when it had nothing.
func (a *app) tellEmpty(ctx context.Context, c appConfig) error {
	if a.options.Database == "" {
		return nil
	}
	if a.db == nil {
		if err := a.openCatalog(ctx, c); err != nil {
			return err
		}
	}
	err := awaitDatabase(ctx, a.db, a.options.Database)
	if err == nil {
		err = a.secrets.register(ctx, a.db, a.options.secretsPath())
	}
	if err == nil {
		err = a.beat(ctx, true)
	}
	if err != nil {
		return fmt.Errorf("nothing is left here, but other nodes could not be told; run it again: %w", err)
	}
	return nil
}

// left counts what waits.
func (a *app) left() (left leftover) {
	if a.clicks != nil {
		left.Clicks = a.clicks.Stats().Pending
	}
	if a.reports != nil {
		left.Reports = a.reports.Stats().Pending
	}
	return left
}

// untilEmpty waits until nothing is left, however long a store is away.
func (a *app) untilEmpty(ctx context.Context, show func(leftover)) error {
	for {
		left := a.left()
		if left.none() {
			return nil
		}
		show(left)
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %s; run it again", left)
		case err := <-a.failed:
			return err
		case <-time.After(drainPoll):
		}
	}
}

// leave makes the node unready and goes on serving for the drain delay, so that
// who balances load sends nobody here any more when the listeners close.
func (a *app) leave(ctx context.Context) {
	a.leaving.Store(true)
	if a.tracker != nil {
		a.tracker.Leave()
	}
	select {
	case <-ctx.Done():
	case <-time.After(a.inForce.Load().DrainDelay):
	}
}

// drain empties a node that serves: it takes nothing any more, tells how it does on
// the admin listener, and returns once nothing is left or it may not wait longer.
func (a *app) drain(ctx context.Context) error {
	a.leave(ctx)
	a.face.show(admin.NewSigns(a.signs(), "this node is being emptied and ends then: ask another one"))
	if a.tracker != nil {
		closing, cancel := context.WithTimeout(ctx, a.inForce.Load().ShutdownTimeout)
		err := a.tracker.Shutdown(closing)
		cancel()
		if err != nil {
			a.log.Warn("not every request was answered before the tracker closed", "error", err)
		}
	}
	var said time.Time
	return a.untilEmpty(ctx, func(left leftover) {
		if time.Since(said) >= drainLogging {
			said = time.Now()
			a.log.Info("this node is being emptied", "clicks", left.Clicks, "reports", left.Reports)
		}
	})
}

// answerDrain begins a drain for a verb beside the process, or says how far it is.
func (a *app) answerDrain(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		a.askDrain.Do(func() { close(a.drainAsked) })
	}
	answerControl(w, a.left(), nil)
}
