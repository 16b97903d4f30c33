package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"tributary/admin/integrations"
	"tributary/admin/notify"
	"tributary/admin/reports"
	"tributary/admin/webhooks"
	"tributary/attribution"
	"tributary/caller"
	"tributary/catalog"
	"tributary/ledger"
)

// Options are what a Dashboard shows and how.
type Options struct {
	Catalog    *catalog.Catalog
	Ledger     *ledger.Ledger
	Reports    *reports.Reports
	TrackerURL string           // public origin of tracking links, for what shops paste
	Now        func() time.Time // of figures; may be rehearsed
	Log        *slog.Logger
	Notices    *notify.Service   // what people were told; nil: nothing
	Hooks      *webhooks.Service // who else is told of what happens; nil: nobody
	Ways       Ways              // how ways to report sales are doing; nil: not known
	Watch      Watch             // how the process does, for the operator; nil: not known
	Sandbox    bool              // says on every page that this is a rehearsal
	Proxies    *caller.Proxies   // whose X-Forwarded-For and X-Forwarded-Proto count; nil: nobody's
}

// Ways tells how each way of reporting sales is doing.
type Ways interface {
	Health(ctx context.Context, scope catalog.Scope, advertiserID string) ([]integrations.Integration, error)
}

// A Dashboard serves the pages.
type Dashboard struct {
	Options
	assets *assets
	pages  []*page
	signIn *page
	failed *page
	tries  *caller.Tries
}

// New reads the templates and assets. It fails when a third party's file was not
// there at build time.
func New(o Options) (*Dashboard, error) {
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	d := &Dashboard{Options: o, assets: files, tries: caller.NewTries(caller.SignInLimit)}
	d.pages = append(d.pages, advertiserPages()...)
	d.pages = append(d.pages, creatorPages()...)
	d.pages = append(d.pages, operatorPages()...)
	d.signIn = &page{Template: "signin", Title: "Sign in"}
	d.failed = &page{Template: "failed", Title: "Something is missing"}
	for _, p := range append([]*page{d.signIn, d.failed}, d.pages...) {
		if err := p.parse(files); err != nil {
			return nil, fmt.Errorf("dashboard: page %s: %w", p.Template, err)
		}
	}
	return d, nil
}

// Handle adds the pages to the admin listener.
func (d *Dashboard) Handle(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", d.goHome)
	mux.HandleFunc("GET /login", d.askForKey)
	mux.HandleFunc("POST /login", d.takeKey)
	mux.HandleFunc("POST /logout", d.leave)
	mux.Handle("GET /assets/{digest}/{name}", d.assets)
	mux.Handle("GET /favicon.ico", http.RedirectHandler(d.assets.address("icon.svg"), http.StatusFound))
	for _, p := range d.pages {
		mux.HandleFunc("GET "+p.Path, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, p) })
	}
}

// Missing says to somebody who is signed in that there is no such page; who is not
// is asked to sign in first.
func (d *Dashboard) Missing(w http.ResponseWriter, r *http.Request) {
	session, err := d.session(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	v := d.visit(r, d.failed, session)
	d.fail(w, v, attribution.Refuse(attribution.CodeNotFound, "there is no page %.64q", r.URL.Path))
}

// goHome leads to the first page of the role.
func (d *Dashboard) goHome(w http.ResponseWriter, r *http.Request) {
	session, err := d.session(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, d.homeOf(session.Scope.Role), http.StatusSeeOther)
}

func (d *Dashboard) homeOf(role string) string {
	for _, p := range d.pages {
		if p.Area == homeArea[role] && p.Nav != "" {
			return p.Path
		}
	}
	for _, p := range d.pages {
		if p.Nav != "" && p.mayBeSeenBy(role) {
			return p.Path
		}
	}
	return "/docs"
}
