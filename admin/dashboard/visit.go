package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tributary/admin"
	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// answerTimeout is how long a page may take to find its figures.
const answerTimeout = 20 * time.Second

// contentPolicy lets a page use this origin's files and nothing else: no script or
// style is in the HTML.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// A visit is one request for a page, and what its template is given.
type visit struct {
	*Dashboard
	Page       *page
	Title      string // the page's, unless Show says better
	Subtitle   string
	Session    catalog.Session
	Theme      string             // light, dark, or empty for the browser's
	Now        time.Time          // of figures
	Zone       *time.Location     // the advertiser's, where there is one
	Advertiser catalog.Advertiser // of the advertiser's pages
	Choices    []catalog.Advertiser
	Creator    catalog.Creator // of the creator's pages
	Period     period
	Data       any

	r *http.Request
}

// serve answers a request for a page.
func (d *Dashboard) serve(w http.ResponseWriter, r *http.Request, p *page) {
	session, err := d.session(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	v := d.visit(r.WithContext(ctx), p, session)
	if !p.mayBeSeenBy(session.Scope.Role) {
		d.fail(w, v, attribution.Refuse(attribution.CodeForbidden, "this page is not for a key of role %s", session.Scope.Role))
		return
	}
	if err := v.prepare(); err != nil {
		d.fail(w, v, err)
		return
	}
	if v.Data, err = p.Show(v); err != nil {
		d.fail(w, v, err)
		return
	}
	d.write(w, v, http.StatusOK)
}

func (d *Dashboard) visit(r *http.Request, p *page, session catalog.Session) *visit {
	v := &visit{Dashboard: d, Page: p, Title: p.Title, Session: session, Now: d.Now(), Zone: time.UTC, r: r}
	if cookie, err := r.Cookie(themeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		v.Theme = cookie.Value
	}
	return v
}

// prepare finds the advertiser of an advertiser's page and reads the period.
func (v *visit) prepare() error {
	if v.Page.Area == areaAdvertiser {
		if err := v.findAdvertiser(); err != nil {
			return err
		}
		zone, err := time.LoadLocation(v.Advertiser.Timezone)
		if err == nil {
			v.Zone = zone
		}
	}
	if v.Page.Area == areaCreator {
		if err := v.findCreator(); err != nil {
			return err
		}
	}
	v.Period = readPeriod(v.r.URL.Query(), v.Now, v.Zone)
	return nil
}

// maxChoices bounds the advertiser switch.
const maxChoices = 500

// findAdvertiser is whose pages are shown: an advertiser's own, or the one an
// admin names with ?advertiser=, the first without.
func (v *visit) findAdvertiser() (err error) {
	id := v.Session.Scope.AdvertiserID
	if v.Session.Scope.Role == catalog.RoleAdmin {
		list, err := v.Catalog.Advertisers(v.Context(), v.Session.Scope, catalog.AdvertiserFilter{}, catalog.Page{Limit: maxChoices})
		if err != nil {
			return err
		}
		v.Choices = list.Items
		if id = v.r.URL.Query().Get("advertiser"); id == "" {
			if len(list.Items) == 0 {
				return attribution.Refuse(attribution.CodeNotFound, "there is no advertiser yet: make one with POST /v1/advertisers")
			}
			id = list.Items[len(list.Items)-1].ID
		}
	}
	v.Advertiser, err = v.Catalog.Advertiser(v.Context(), v.Session.Scope, id)
	return err
}

// lookAt makes an admin's visit about another advertiser.
func (v *visit) lookAt(advertiserID string) (err error) {
	if v.Advertiser, err = v.Catalog.Advertiser(v.Context(), v.Session.Scope, advertiserID); err != nil {
		return err
	}
	if zone, err := time.LoadLocation(v.Advertiser.Timezone); err == nil {
		v.Zone = zone
	}
	v.Period = readPeriod(v.r.URL.Query(), v.Now, v.Zone)
	return nil
}

// Context ends with the request.
func (v *visit) Context() context.Context { return v.r.Context() }

// Query is a parameter of the page's address.
func (v *visit) Query(name string) string { return v.r.URL.Query().Get(name) }

// Path is the page's address without its parameters.
func (v *visit) Path() string { return v.r.URL.Path }

// IsAdmin says whether an admin looks.
func (v *visit) IsAdmin() bool { return v.Session.Scope.Role == catalog.RoleAdmin }

// Link is the address of a page with the parameters that stay from page to page,
// and with others in pairs of name and value; an empty value leaves one out.
func (v *visit) Link(path string, pairs ...string) string {
	query := url.Values{}
	if v.IsAdmin() && v.Advertiser.ID != "" {
		query.Set("advertiser", v.Advertiser.ID)
	}
	v.Period.keepIn(query)
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Del(pairs[i])
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// With is the address of this page as it was asked for, with some parameters
// changed.
func (v *visit) With(pairs ...string) string {
	query := v.r.URL.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Del(pairs[i])
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Path() + "?" + query.Encode()
}

// ledgerScope and reportScope are whose eyes the visit sees with.
func (v *visit) ledgerScope() ledger.Scope { return ledger.Scope(v.Session.Scope) }

func (v *visit) reportScope() reports.Scope {
	scope := v.Session.Scope
	if scope.Role == catalog.RoleAdmin {
		return reports.Scope{All: true}
	}
	return reports.Scope{AdvertiserID: scope.AdvertiserID, CreatorID: scope.CreatorID}
}

// write renders a page and sends it.
func (d *Dashboard) write(w http.ResponseWriter, v *visit, status int) {
	content, err := v.Page.render(v)
	if err != nil {
		d.Log.Error("a page cannot be rendered", "page", v.Page.Template, "error", err)
		http.Error(w, "This page cannot be shown; the server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.Header().Set("Referrer-Policy", "same-origin") // browsers then send Origin with forms
	sendCompressed(w, v.r, status, content)
}

// fail shows what stands in the way instead of the page.
func (d *Dashboard) fail(w http.ResponseWriter, v *visit, err error) {
	status, failure := http.StatusInternalServerError, failure{
		Title: "Something went wrong here", Detail: "The server could not do this. Its log has the reason under request " + w.Header().Get("X-Request-Id") + ".",
	}
	if p, refused := attribution.AsProblem(err); refused {
		switch failure.Title, failure.Detail = "This cannot be shown", sentence(p.Error()); p.Code {
		case attribution.CodeNotFound:
			status, failure.Title = http.StatusNotFound, "There is nothing here"
		case attribution.CodeForbidden:
			status, failure.Title = http.StatusForbidden, "This is not for your key"
		default:
			status = http.StatusUnprocessableEntity
		}
	} else if errors.Is(err, context.Canceled) {
		return
	} else {
		d.Log.LogAttrs(v.Context(), slog.LevelError, "a page failed", slog.String("path", v.Path()), slog.Any("error", err))
	}
	v.Page, v.Title, v.Data = d.failed, failure.Title, failure
	d.write(w, v, status)
}

type failure struct{ Title, Detail string }

// sentence makes one of a refusal.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.TrimSuffix(strings.ToUpper(text[:1])+text[1:], ".") + "."
}

// session is the browser's; CodeUnauthorized without one.
func (d *Dashboard) session(r *http.Request) (catalog.Session, error) {
	cookie, err := r.Cookie(admin.SessionCookie)
	if err != nil {
		return catalog.Session{}, attribution.Refuse(catalog.CodeUnauthorized, "sign in first")
	}
	return d.Catalog.Session(r.Context(), cookie.Value, time.Now())
}
