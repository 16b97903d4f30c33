package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tributary/admin"
	"tributary/admin/money"
	"tributary/admin/reclassify"
	"tributary/admin/reports"
	"tributary/admin/sandbox"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ingest"
	"tributary/ingest/spool"
	"tributary/ledger"
	"tributary/redirect"
	"tributary/redirect/geo"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
	"tributary/redirect/visitor"
	"tributary/schema"
	"tributary/schema/database"
	"tributary/schema/engine"
)

// An app is one running Tributary. Everything is wired here and nowhere else,
// and nothing outlives it: two apps may run in one process.
type app struct {
	options Options
	log     *slog.Logger
	out     io.Writer // where an operator is told what is told once
	life    lifecycle
	failed  chan error // a listener ended by itself
	metrics *metricBook

	trackerListener, adminListener net.Listener

	dir        *dataDir
	secrets    *secrets
	clickKeys  *attribution.ClickKeyring
	clicks     *spool.Log
	db         *database.DB
	things     *catalog.Catalog
	now        func() time.Time // of what can be rehearsed
	clock      *sandbox.Clock   // nil without --sandbox
	money      *ledger.Ledger
	reports    *spool.Log // what merchants report
	settler    *ledger.Settler
	shipping   *ingest.Metrics
	salts      *visitor.Salts
	engine     *engine.Engine // nil with a server of the operator's
	clickhouse driver.Conn
	shipper    *ingest.Shipper
	quarantine *ingest.Quarantine
	migrated   chan struct{} // closed once ClickHouse has this program's tables
	copy       *ledgerCopy
	// rehearsedClicks says how far clicks reach in a rehearsal, nil without one.
	rehearsedClicks *rehearsedFreshness
	live            *reports.Live
	telling         *telling // nil without the role admin
	index           *links.Index
	rules           *verdict.Rules
	geo             *geo.Databases
	tracker         *redirect.Server
	judging         atomic.Pointer[verdict.Rules] // those in force, for hits that are stored
	reclassifier    *reclassify.Service

	backingUp sync.Mutex // held while a backup is made

	newKey string // the admin key this start made, to be printed once
}

// An appConfig is what an app is given beside its options.
type appConfig struct {
	log           *slog.Logger
	out           io.Writer
	engineCommand []string // of the embedded ClickHouse; empty: this binary
	engineEnv     []string
}

// startApp starts everything and returns once both listeners answer. What was
// started is stopped again when a step fails.
func startApp(ctx context.Context, o Options, c appConfig) (*app, error) {
	a := &app{options: o, log: c.log, out: c.out, failed: make(chan error, 2), migrated: make(chan struct{}), metrics: newMetricBook()}
	for _, start := range []func(context.Context, appConfig) error{
		a.openDataDir, a.followClickKeys, a.openClock, a.listen, a.openCatalog, a.ensureAdminKey, a.openShipping, a.openClicks, a.openReports, a.openClickHouse,
		a.ship, a.copyLedger, a.settle, a.tell, a.openTracker, a.openReclassifier, a.seedDemo, a.serveControl, a.serveAdmin, a.serveTracker,
	} {
		if err := start(ctx, c); err != nil {
			return nil, errors.Join(err, a.stop())
		}
	}
	a.measure()
	return a, nil
}

// stop ends everything in the reverse order, within the shutdown timeout. It may
// be called again.
func (a *app) stop() error { return a.life.stop(a.options.ShutdownTimeout) }

func (a *app) openDataDir(context.Context, appConfig) (err error) {
	if a.dir, err = openDataDir(a.options.DataDir); err != nil {
		return err
	}
	a.life.onClose("data directory", a.dir.Close)
	if err := a.dir.checkRestored(); err != nil {
		return err
	}
	if a.secrets, err = a.dir.secrets(); err != nil {
		return err
	}
	if a.clickKeys, err = a.secrets.clickKeyring(); err != nil {
		return fmt.Errorf("click keys: %w", err)
	}
	return nil
}

// listen takes the ports before anything slow, so that a taken one is said at
// once. Connections wait in the kernel until somebody serves.
func (a *app) listen(context.Context, appConfig) (err error) {
	if a.options.Tracker {
		if a.trackerListener, err = listen("tracker-addr", a.options.TrackerAddr); err != nil {
			return err
		}
		a.life.onClose("tracker listener", closeQuietly(a.trackerListener))
	}
	if a.options.Admin {
		if a.adminListener, err = listen("admin-addr", a.options.AdminAddr); err != nil {
			return err
		}
		a.life.onClose("admin listener", closeQuietly(a.adminListener))
	}
	return nil
}

// closeQuietly closes a listener that its server may have closed before.
func closeQuietly(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (a *app) openCatalog(ctx context.Context, _ appConfig) (err error) {
	if a.db, err = database.Open(ctx, string(a.options.Database), a.dir.path); err != nil {
		return err
	}
	a.life.onClose("database", a.db.Close)
	a.things = catalog.New(a.db, catalog.Options{
		BaseURL: a.options.BaseURL, Pepper: a.secrets.KeyPepper, Now: a.now, Log: a.log, BudgetChanged: a.budgetChanged, PostChanged: a.postChanged,
	})
	reader, err := a.newReader()
	if err != nil {
		return err
	}
	a.money = ledger.New(a.db, ledger.Options{
		ClickKeys: a.clickKeys, Now: a.now, Log: a.log, RoutesChanged: a.things.Announce, PostCutoff: a.options.PostCutoff, CustomerHash: reader.CustomerHash,
	})
	return nil
}

func (a *app) openClicks(context.Context, appConfig) (err error) {
	a.clicks, err = spool.Open(spool.Options{
		Dir: a.dir.file(spoolDir), SyncWithin: a.options.ClickFsync, FillAhead: a.options.ClickFsync == 0, KeepFreeBytes: clicksKeepFree, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.life.onClose("click spool", a.clicks.Close)
	return nil
}

// openClickHouse opens the analytical store without waiting for it: it may be
// down, and shoppers do not need it.
func (a *app) openClickHouse(ctx context.Context, c appConfig) (err error) {
	o := schema.ClickHouseOptions{DSN: string(a.options.ClickHouse)}
	if o.DSN == "" {
		if err := readersAddressIsFree(a.options.ClickhouseListen); err != nil {
			return err
		}
		if err := schema.RemoveFrozen(a.dir.file(enginePath)); err != nil { // of a backup that a kill ended
			return err
		}
		a.engine, err = engine.Start(ctx, engine.Options{
			Dir: a.dir.file(enginePath), Library: a.options.EngineLibrary, Command: c.engineCommand, Env: c.engineEnv, Log: a.log,
			Listen: a.options.ClickhouseListen,
		})
		if err != nil {
			return err
		}
		a.life.onStop("embedded ClickHouse", a.engine.Stop)
		o.Engine = a.engine
	}
	if a.clickhouse, err = schema.OpenClickHouse(o); err != nil {
		return err
	}
	a.life.onClose("ClickHouse client", a.clickhouse.Close)
	return nil
}

// openTracker follows the catalog into memory and makes the server that answers
// shoppers from there.
func (a *app) openTracker(context.Context, appConfig) (err error) {
	if !a.options.Tracker {
		return nil
	}
	o := redirect.Options{
		Clicks: clickLog{a.clicks, a.reports}, ClickKeys: a.clickKeys, Rates: verdict.NewRateWindow(a.options.RateLimit),
		TrustedProxies: a.options.TrustedProxies, Registerer: a.metrics, Logger: a.log, DescribeAgent: describeAgent,
		Now: a.rehearsed(), Sandbox: a.options.Sandbox,
	}
	if a.rules, err = verdict.Load(a.options.Crawlers); err != nil {
		return err
	}
	if a.geo, err = geo.Open(a.options.GeoIP); err != nil {
		return err
	}
	if a.salts, err = visitor.OpenSalts(a.dir.file(saltsFile), a.now().UnixMilli()); err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir.file(linksDir), 0o700); err != nil {
		return unwritable(a.dir.path, err)
	}
	if o.Limits, err = links.OpenLimits(a.dir.file(linksDir), a.log); err != nil {
		return err
	}
	a.life.onClose("click limits", o.Limits.Close)
	a.index = links.New(links.Options{Logger: a.log})
	o.Rules, o.Geo, o.Links, o.Salts = a.rules, a.geo, a.index, a.salts
	a.follow()
	if o.Intake, err = a.openIntake(); err != nil {
		return err
	}
	a.life.background("GeoIP watch", a.watchGeo)
	a.tracker, err = redirect.New(o)
	return err
}

// serveTracker starts after the admin server, and so stops before it: while
// shoppers' last requests are answered, /readyz and /metrics still are too.
func (a *app) serveTracker(context.Context, appConfig) error {
	if a.tracker != nil {
		a.serve("tracker", func() error { return a.tracker.Serve(a.trackerListener) }, a.tracker.Shutdown)
	}
	return nil
}

// follow keeps the index as the catalog says.
func (a *app) follow() {
	follower := links.Follow(a.index, links.FollowerOptions{
		Source: a.things, Catalog: a.options.Database.String(), Dir: a.dir.file(linksDir), Changed: a.things.Changed(), Logger: a.log,
	})
	a.life.background("link index", follower.Run)
}

func (a *app) serveAdmin(context.Context, appConfig) error {
	if !a.options.Admin {
		return nil
	}
	reader, err := a.newReader()
	if err != nil {
		return err
	}
	sales := &importer{reader, a}
	figures := reports.New(a.clickhouse, reportFreshness{a.freshness(), a.copy}, a.money)
	live, err := a.openLive(figures)
	if err != nil {
		return err
	}
	routes := []admin.Routes{
		reports.Routes(figures, a.things, a.clickKeys, a.reportTime), reports.DetailRoutes(figures, a.money, a.reportTime),
		live,
		money.Routes(a.money, sales), money.AuditRoutes(a), a.reclassifier.Routes,
	}
	routes = append(routes, a.telling.routes()...)
	erasing, err := a.openErasures()
	if err != nil {
		return err
	}
	routes = append(routes, erasing.Routes)
	a.life.background("forgetting", a.forgetOld)
	if a.clock != nil {
		routes = append(routes, sandbox.Routes(a.rehearsal(), a.samples(sales)))
	}
	pages, err := a.pages(figures)
	if err != nil {
		return err
	}
	handler := admin.New(admin.Options{
		Pages: pages.Handle, Missing: http.HandlerFunc(pages.Missing), Catalog: a.things, Logger: a.log, Version: version, Sandbox: a.options.Sandbox, Ready: a.ready,
		Metrics: promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
		Routes:  routes,
		Proxies: a.options.TrustedProxies,
	})
	server := admin.NewServer(handler, a.log)
	a.serve("admin", func() error { return server.Serve(a.adminListener) }, server.Shutdown)
	a.life.background("live stream", a.live.Run) // its streams end before the server waits for them
	return nil
}

// serve runs a server until it is shut down. One that ends by itself ends the app.
func (a *app) serve(name string, serve func() error, shutdown func(context.Context) error) {
	go func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			a.failed <- fmt.Errorf("the %s listener ended: %w", name, err)
		}
	}()
	a.life.onStop(name+" server", shutdown)
}

// ready says why the process cannot do its job, nil when it can.
func (a *app) ready() error {
	if a.tracker != nil {
		return a.tracker.Ready()
	}
	return nil
}
