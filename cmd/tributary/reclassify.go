package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"tributary/admin/reclassify"
	"tributary/attribution"
	"tributary/redirect/verdict"
	"tributary/schema"
)

// openReclassifier makes what judges stored hits again, by the rules the tracker has.
func (a *app) openReclassifier(context.Context, appConfig) error {
	if err := a.loadJudging(); err != nil {
		return err
	}
	if !a.options.Admin {
		return nil
	}
	a.reclassifier = a.newReclassifier(func() time.Time { return a.freshness().DataThrough(a.reportTime()) })
	a.scheduled("reclassification", func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.migrated:
			a.reclassifier.Run(ctx)
		}
	})
	return nil
}

func (a *app) loadJudging() (err error) {
	rules := a.rules
	if rules == nil {
		if rules, err = verdict.Load(a.options.Crawlers); err != nil {
			return err
		}
	}
	a.judging.Store(rules)
	return nil
}

func (a *app) newReclassifier(through func() time.Time) *reclassify.Service {
	return reclassify.New(reclassify.Options{
		DB: a.db, ClickHouse: a.clickhouse, Money: a.money, Rules: func() reclassify.Rules { return a.judging.Load() }, Through: through,
		Now: a.now, Log: a.log,
	})
}

type reclassifyCommand struct {
	Settings
	From       string `placeholder:"TIME" help:"Hits from then on: a day (2027-01-31, UTC) or an RFC 3339 time. By default from the first stored click on."`
	To         string `placeholder:"TIME" help:"Hits before then. By default up to the last stored click."`
	Advertiser string `placeholder:"ADV_ID" help:"Only hits on this advertiser's links."`
	Apply      bool   `help:"Change verdicts. Without it nothing is changed; it only says what would be."`
}

// Help is printed below the verb's first line.
func (reclassifyCommand) Help() string {
	return "The crawler list, our own lists, empty user agents and networks of data centers judge stored hits again; what only the moment of a hit " +
		"knew (a test, HEAD, a speculative request, the rate) stays. Says what changes, by verdict, reason and campaign; --apply changes rows and " +
		"sums, and conversions to come see the new verdicts. No money moves: POST /v1/attribution/replay decides again what was decided. " +
		"Where a process serves the data directory, it does the work, by the rules it has in force (SIGHUP has it read its crawler list again), " +
		"and goes on when this command is interrupted; else the stores are opened, and rules come from the settings given here."
}

// The path of reclassifications on the control socket, and how often it is asked
// how far one is.
const (
	reclassifyPath = "/reclassify"
	reclassifyPoll = 500 * time.Millisecond
)

// Run judges hits again, or has the process that serves the data directory do it.
func (c *reclassifyCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	asked, err := c.asked()
	if err != nil {
		return err
	}
	config := appConfig{log: slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	run, err := reclassifyStopped(ctx, options, config, asked)
	var inUse *inUseError
	if errors.As(err, &inUse) {
		run, err = reclassifyServed(ctx, options.DataDir, asked, newRunLine(t))
	}
	if err != nil {
		return err
	}
	tellRun(t.Out, run)
	if run.State == reclassify.Stopped {
		return fmt.Errorf("it stopped: %s", *run.Why)
	}
	return nil
}

func (c *reclassifyCommand) asked() (asked reclassify.Asked, err error) {
	dry := !c.Apply
	asked = reclassify.Asked{AdvertiserID: c.Advertiser, DryRun: &dry}
	if asked.From, err = instantOf("--from", c.From); err != nil {
		return asked, err
	}
	asked.To, err = instantOf("--to", c.To)
	return asked, err
}

func instantOf(flag, text string) (attribution.Instant, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if at, err := time.Parse(layout, text); err == nil {
			return attribution.InstantOf(at), nil
		}
	}
	return 0, fmt.Errorf("%s %q: write a day (2027-01-31) or a time (2027-01-31T08:00:00Z)", flag, text)
}

// reclassifyStopped opens the stores of a data directory that nobody serves.
func reclassifyStopped(ctx context.Context, o Options, c appConfig, asked reclassify.Asked) (run reclassify.Run, err error) {
	if err := mustHoldData(o.DataDir); err != nil {
		return run, err
	}
	c.out = io.Discard
	a := newApp(o, c)
	defer func() { err = errors.Join(err, a.stop()) }()
	for _, open := range []func(context.Context, appConfig) error{a.openDataDir, a.openCatalog, a.openShipping, a.openClickHouse} {
		if err := open(ctx, c); err != nil {
			return run, err
		}
	}
	if err := schema.MigrateClickHouse(ctx, a.clickhouse); err != nil {
		return run, err
	}
	if err := a.loadJudging(); err != nil {
		return run, err
	}
	// Nothing arrives meanwhile; what waits in the spool comes after.
	service := a.newReclassifier(time.Now)
	if err := service.Finish(ctx); err != nil {
		return run, err
	}
	if run, err = service.Begin(ctx, asked); err != nil {
		return run, err
	}
	if err := service.Finish(ctx); err != nil {
		return run, err
	}
	return service.Get(ctx, run.ID)
}

// reclassifyServed has the process that serves a data directory do it, and waits.
func reclassifyServed(ctx context.Context, dataDir string, asked reclassify.Asked, line *importBar) (run reclassify.Run, err error) {
	client := newControlClient(dataDir)
	defer client.CloseIdleConnections()
	body, err := json.Marshal(asked)
	if err != nil {
		return run, err
	}
	if err = client.ask(ctx, http.MethodPost, reclassifyPath, body, &run); err != nil {
		return run, err
	}
	defer line.end()
	for run.State == reclassify.Running {
		if !line.quiet {
			line.write(fmt.Sprintf("judged through %s of %s, %d hits, %d change", run.Through, run.To, run.Figures.Hits, run.Figures.Changed))
		}
		select {
		case <-ctx.Done():
			return run, fmt.Errorf("interrupted; the process goes on with it: GET /v1/reclassifications/%s says how far it is", run.ID)
		case <-time.After(reclassifyPoll):
		}
		if err = client.ask(ctx, http.MethodGet, reclassifyPath+"?id="+url.QueryEscape(run.ID), nil, &run); err != nil {
			return run, err
		}
	}
	return run, nil
}

func newRunLine(t terminal) *importBar {
	line := &importBar{out: t.Err, quiet: true, began: time.Now()}
	if stderr, isFile := t.Err.(*os.File); isFile {
		line.quiet = !isatty.IsTerminal(stderr.Fd())
	}
	return line
}

// answerReclassify begins a run for a verb beside the process.
func (a *app) answerReclassify(w http.ResponseWriter, r *http.Request) {
	var asked reclassify.Asked
	if err := json.NewDecoder(io.LimitReader(r.Body, maxControlBody)).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if a.reclassifier == nil {
		http.Error(w, "this node is a tracker alone: judge hits again on one with the role admin", http.StatusConflict)
		return
	}
	run, err := a.reclassifier.Begin(r.Context(), asked)
	answerControl(w, run, err)
}

const maxControlBody = 64 << 10

// answerReclassification says how far a run is.
func (a *app) answerReclassification(w http.ResponseWriter, r *http.Request) {
	if a.reclassifier == nil {
		http.Error(w, "this node is a tracker alone", http.StatusConflict)
		return
	}
	run, err := a.reclassifier.Get(r.Context(), r.URL.Query().Get("id"))
	answerControl(w, run, err)
}

// tellRun prints what a run found.
func tellRun(out io.Writer, run reclassify.Run) {
	f := &run.Figures
	fmt.Fprintf(out, "%d hits from %s to %s, judged by rules %d: %d change", f.Hits, run.From, run.To, run.RulesVersion, f.Changed)
	if run.DryRun {
		fmt.Fprint(out, " (dry run: nothing was changed; --apply changes them)")
	}
	fmt.Fprintf(out, "\nvalid clicks %d → %d, unique %d → %d\n", f.ClicksBefore, f.ClicksAfter, f.UniqueBefore, f.UniqueAfter)
	if f.Followers > 0 {
		fmt.Fprintf(out, "unique or not otherwise, up to 30 minutes after: %d\n", f.Followers)
	}
	if f.LeftAlone > 0 {
		fmt.Fprintf(out, "left alone, because their reasons do not explain their verdict: %d\n", f.LeftAlone)
	}
	for _, v := range f.RulesVersions {
		fmt.Fprintf(out, "judged before by rules %d: %d\n", v.Version, v.Hits)
	}
	for _, v := range f.Verdicts {
		fmt.Fprintf(out, "%s → %s: %d\n", v.From, v.To, v.Hits)
	}
	for _, r := range f.Reasons {
		fmt.Fprintf(out, "reason %s: %d → %d\n", r.Reason, r.Before, r.After)
	}
	for _, c := range f.Campaigns {
		fmt.Fprintf(out, "%s: %d change, valid clicks %d → %d, unique %d → %d\n", c.CampaignID, c.Changed, c.ClicksBefore, c.ClicksAfter, c.UniqueBefore, c.UniqueAfter)
	}
	for _, p := range f.PaidClicks {
		fmt.Fprintf(out, "PAID  %s of %s: %+d unique clicks in hours that are booked; nothing is taken back\n", p.TaskID, p.CampaignID, p.Clicks)
	}
}
