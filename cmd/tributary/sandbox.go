package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"tributary/admin/reports"
	"tributary/admin/sandbox"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ingest"
	"tributary/ledger"
)

// sandboxFile marks a data directory as a rehearsal's, and holds its clock.
const sandboxFile = "sandbox.json"

// checkRehearsal keeps rehearsals and the real thing in data directories of
// their own: a rehearsal's times and money must never mix with real ones.
func (d *dataDir) checkRehearsal(rehearsal bool) error {
	_, err := os.Lstat(d.file(sandboxFile))
	marked := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look into the data directory: %w", err)
	case rehearsal && !marked && !d.fresh:
		return fmt.Errorf("the data directory %s has been used without --sandbox: name an empty one with --data", d.path)
	case !rehearsal && marked:
		return fmt.Errorf("the data directory %s is a rehearsal's: start with --sandbox, or name another one with --data", d.path)
	}
	return nil
}

// openClock makes the time of everything that can be rehearsed.
func (a *app) openClock(context.Context, appConfig) (err error) {
	if err := a.dir.checkRehearsal(a.options.Sandbox); err != nil {
		return err
	}
	a.now = time.Now
	if !a.options.Sandbox {
		return nil
	}
	if a.clock, err = sandbox.OpenClock(a.dir.file(sandboxFile), replaceFile); err != nil {
		return err
	}
	a.now = a.clock.Now
	return nil
}

// rehearsed is the rehearsal's time, nil without one: then the tracker reads the
// clock it has at hand.
func (a *app) rehearsed() func() time.Time {
	if a.clock == nil {
		return nil
	}
	return a.clock.Now
}

// rehearsal moves the clock, and everything that happens as time passes with it.
func (a *app) rehearsal() *sandbox.Rehearsal {
	return &sandbox.Rehearsal{
		Clock: a.clock, Life: rehearsedLife{a.money, a}, Settled: a.settled,
		Moved: func(at attribution.Instant) error {
			a.copy.turnBack(at.Time())
			if a.salts == nil {
				return nil
			}
			return a.salts.Turn(int64(at))
		},
	}
}

// A rehearsedLife is the ledger's, with the clicks it pays for: those that are on
// their way to ClickHouse are waited for a while.
type rehearsedLife struct {
	*ledger.Ledger
	app *app
}

// How long a rehearsal waits for clicks that are on their way, and how often it looks.
const (
	rehearsedClicksWait = 5 * time.Second
	rehearsedClicksPoll = 20 * time.Millisecond
)

// Tick implements sandbox.Life. Clicks that cannot be paid now are paid later.
func (l rehearsedLife) Tick(ctx context.Context) error {
	campaigns, _, err := l.ClicksDue(ctx)
	if err != nil {
		return err
	}
	if len(campaigns) > 0 {
		for until := time.Now().Add(rehearsedClicksWait); !l.app.clicks.OldestPending().IsZero() && time.Now().Before(until) && ctx.Err() == nil; {
			time.Sleep(rehearsedClicksPoll)
		}
		if err := l.app.clickPayer().pay(ctx); err != nil {
			l.app.log.Warn("clicks could not be paid in the rehearsal; it is tried again", "error", err)
		}
	}
	if err := l.Ledger.Tick(ctx); err != nil {
		return err
	}
	return l.app.telling.notices.Starts(ctx)
}

// samples are what shoppers and shops send, sent by this process itself.
func (a *app) samples(sales *importer) *sandbox.Samples {
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a.life.onClose("samples", func() error { client.CloseIdleConnections(); return nil })
	return &sandbox.Samples{Links: a.things, Convert: sales.sample, Click: func(ctx context.Context, link catalog.Link, userAgent string) (sandbox.SampleClick, error) {
		return a.sampleClick(ctx, client, link, userAgent)
	}}
}

// sampleClick follows a link as a shopper does.
func (a *app) sampleClick(ctx context.Context, client *http.Client, link catalog.Link, userAgent string) (click sandbox.SampleClick, err error) {
	if a.trackerListener == nil {
		return click, attribution.Refuse(attribution.CodeConflict, "this process has no tracker: give it the role tracker too")
	}
	address := "http://" + a.trackerListener.Addr().String() + "/" + link.Slug
	for attempt := 0; ; attempt++ {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return click, fmt.Errorf("make a sample click: %w", err)
		}
		request.Header.Set("User-Agent", userAgent)
		response, err := client.Do(request)
		if err != nil {
			return click, fmt.Errorf("make a sample click: %w", err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if click.Location = response.Header.Get("Location"); response.StatusCode == http.StatusFound {
			break
		}
		if attempt == sampleAttempts {
			return click, attribution.Refuse(attribution.CodeConflict, "the tracker answered %s: the link may be deleted", response.Status)
		}
		time.Sleep(sampleWait) // a new link is on its way to the tracker
	}
	click.ClickID, err = a.clickIDIn(click.Location)
	return click, err
}

// How long a sample click waits for a link that was just made.
const (
	sampleAttempts = 50
	sampleWait     = 20 * time.Millisecond
)

// clickIDIn finds the click id in an address, under whatever name it has there.
func (a *app) clickIDIn(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("read where a sample click leads: %w", err)
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if _, err := a.clickKeys.OpenClickID(value); err == nil {
				return value, nil
			}
		}
	}
	return "", attribution.Refuse(attribution.CodeConflict, "the destination %s carries no click id", location)
}

// rehearsedFreshness says how far the clicks that are stored reach in the time of
// a rehearsal. The shipper knows only the machine's.
type rehearsedFreshness struct {
	shipper *ingest.Shipper
	mu      sync.Mutex
	through time.Time // when nothing was on its way last
}

var _ reports.Freshness = (*rehearsedFreshness)(nil)

// DataThrough implements reports.Freshness.
func (f *rehearsedFreshness) DataThrough(now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shipper.Log.OldestPending().IsZero() || now.Before(f.through) { // the clock may have been set back
		f.through = now
	}
	return f.through
}

// reportTime is the present as reports have it: in a rehearsal the moment after
// the time that stands, so that what happens now is before it.
func (a *app) reportTime() time.Time {
	if a.clock != nil {
		return a.now().Add(time.Millisecond)
	}
	return a.now()
}

func (a *app) freshness() reports.Freshness {
	if a.clock != nil {
		return a.rehearsedClicks
	}
	if a.db.Shared() {
		return sharedFreshness{a.shipper, &a.neighbours}
	}
	return a.shipper
}
