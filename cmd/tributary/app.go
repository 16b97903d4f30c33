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
	"tributary/caller"
	"tributary/catalog"
	"tributary/fleet"
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
	options Options                 // as it was started
	inForce atomic.Pointer[Options] // those, with the live settings of the last reload
	log     *slog.Logger
	out     io.Writer // where an operator is told what is told once
	life    lifecycle
	failed  chan error // a listener ended by itself
	metrics *metricBook

	leaving    atomic.Bool   // told to stop: not ready, and serving still
	drainAsked chan struct{} // closed when somebody wants this node empty
	askDrain   sync.Once
	neighbours neighbours // other nodes
	face       adminFace  // what the admin listener answers

	trackerListener, adminListener net.Listener
	linkDomains                    linkDomains
	proxies                        *caller.Proxies

	dir         *dataDir
	secrets     *secrets
	madeSecrets bool                                // at a first start, and they lie aside still
	foreign     atomic.Pointer[foreignSecretsError] // other nodes have other secrets
	clickKeys   *attribution.ClickKeyring
	clicks      *spool.Log
	db          *database.DB
	things      *catalog.Catalog
	fleet       *fleet.Client    // nil without Redis
	now         func() time.Time // of what can be rehearsed
	clock       *sandbox.Clock   // nil without --sandbox
	money       *ledger.Ledger
	reports     *spool.Log // what merchants report
	settler     *ledger.Settler
	shipping    *ingest.Metrics
	salts       *visitor.Salts
	engine      *engine.Engine // nil with a server of the operator's
	clickhouse  driver.Conn
	shipper     *ingest.Shipper
	quarantine  *ingest.Quarantine
	migrated    chan struct{} // closed once ClickHouse has this program's tables
	retention   chan struct{} // holds a token when the retention of clicks is another
	copy        *ledgerCopy
	// rehearsedClicks says how far clicks reach in a rehearsal, nil without one.
	rehearsedClicks *rehearsedFreshness
	live            *reports.Live
	telling         *telling        // nil without the role admin
	lease           *database.Lease // on what is scheduled; nil without the role admin
	index           *links.Index
	rules           *verdict.Rules
	geo             *geo.Databases
	tracker         *redirect.Server
	rates           atomic.Pointer[rateLimit]     // of the tracker
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

func newApp(o Options, c appConfig) *app {
	a := &app{
		options: o, log: c.log, out: c.out, failed: make(chan error, 2), drainAsked: make(chan struct{}), migrated: make(chan struct{}), retention: make(chan struct{}, 1),
		metrics: newMetricBook(), now: time.Now, proxies: caller.NewProxies(o.TrustedProxies...),
	}
	a.inForce.Store(&o)
	a.linkDomains.set(o.BaseURL, o.LinkDomains)
	return a
}

// startApp starts everything and returns once both listeners answer. What was
// started is stopped again when a step fails.
func startApp(ctx context.Context, o Options, c appConfig) (*app, error) {
	a := newApp(o, c)
	for _, start := range []func(context.Context, appConfig) error{
		a.openDataDir, a.openClock, a.listen, a.openCatalog, a.checkSecrets, a.openFleet, a.meetNodes, a.followClickKeys, a.ensureAdminKey, a.openShipping, a.openClicks, a.openReports, a.openClickHouse,
		a.ship, a.eraseBeside, a.keepMeetingNodes, a.lead, a.copyLedger, a.settle, a.tell, a.openTracker, a.openReclassifier, a.seedDemo, a.serveControl, a.serveAdmin, a.serveTracker,
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
func (a *app) stop() error { return a.life.stop(a.inForce.Load().ShutdownTimeout) }

func (a *app) openDataDir(context.Context, appConfig) (err error) {
	if a.dir, err = openDataDir(a.options.DataDir); err != nil {
		return err
	}
	a.life.onClose("data directory", a.dir.Close)
	if err := a.dir.checkRestored(); err != nil {
		return err
	}
	if a.secrets, a.madeSecrets, err = a.dir.secrets(a.options); err != nil {
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
	if a.adminListener, err = listen("admin-addr", a.options.AdminAddr); err != nil {
		return err
	}
	a.life.onClose("admin listener", closeQuietly(a.adminListener))
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
	o := a.options.clickHouseServer()
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
		return a.forgetSalts()
	}
	o := redirect.Options{
		Clicks: clickLog{a.clicks, a.reports}, ClickKeys: a.clickKeys,
		Proxies: a.proxies, Registerer: a.metrics, Logger: a.log, DescribeAgent: describeAgent,
		Unfit: a.unfit, Now: a.rehearsed(), Sandbox: a.options.Sandbox,
	}
	rates, err := a.newRateLimit(a.options.RateLimit)
	if err != nil {
		return err
	}
	a.rates.Store(rates)
	o.Rates = rates.window
	if a.rules, err = verdict.Load(a.options.Crawlers); err != nil {
		return err
	}
	if a.geo, err = geo.Open(a.options.GeoIP); err != nil {
		return err
	}
	if err := a.openSalts(); err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir.file(linksDir), 0o700); err != nil {
		return unwritable(a.dir.path, err)
	}
	if o.Limits, err = links.OpenLimits(a.dir.file(linksDir), a.log); err != nil {
		return err
	}
	a.life.onClose("click limits", o.Limits.Close)
	a.index = links.New(links.Options{Logger: a.log, MaxLinks: a.options.MaxLinks})
	o.Rules, o.Geo, o.Links, o.Salts = a.rules, a.geo, a.index, a.salts
	o.Misses = a.follow()
	if o.Intake, err = a.openIntake(); err != nil {
		return err
	}
	if err := a.exchange(o.Limits); err != nil {
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

// serveAdmin answers on the admin listener: the API and the pages, or, without the
// role admin, what tells how this node does.
func (a *app) serveAdmin(context.Context, appConfig) error {
	if !a.options.Admin {
		a.face.show(admin.NewSigns(a.signs(), "this node is a tracker: ask one with the role admin"))
		a.serveFace()
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
	if a.clock != nil {
		routes = append(routes, sandbox.Routes(a.rehearsal(), a.samples(sales)))
	}
	pages, err := a.pages(figures)
	if err != nil {
		return err
	}
	o := a.signs()
	o.Pages, o.Missing, o.Catalog, o.Routes, o.Proxies = pages.Handle, http.HandlerFunc(pages.Missing), a.things, routes, a.proxies
	a.face.show(admin.New(o))
	a.serveFace()
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

// signs are what every admin listener tells.
func (a *app) signs() admin.Options {
	return admin.Options{
		Logger: a.log, Version: version, Sandbox: a.options.Sandbox, Ready: a.ready,
		Metrics:     promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
		LinkDomains: &a.linkDomains,
	}
}

func (a *app) serveFace() {
	server := admin.NewServer(&a.face, a.log)
	a.serve("admin", func() error { return server.Serve(a.adminListener) }, server.Shutdown)
}

// An adminFace is the handler of the admin listener, which may change while it is
// served.
type adminFace struct{ now atomic.Pointer[http.Handler] }

func (f *adminFace) show(h http.Handler) { f.now.Store(&h) }

// ServeHTTP implements http.Handler.
func (f *adminFace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*f.now.Load()).ServeHTTP(w, r)
}

// ready says why the process cannot do its job, nil when it can. The database is
// needed by the role admin alone.
func (a *app) ready() error {
	if a.leaving.Load() {
		return errors.New("this node was told to stop")
	}
	if err := a.unfit(); err != nil {
		return err
	}
	if a.options.Admin && a.db.Problem() != nil {
		return errors.New("the database cannot be reached, or is not migrated yet: the log says why") // and to nobody else
	}
	if a.tracker != nil {
		return a.tracker.Ready()
	}
	return nil
}
