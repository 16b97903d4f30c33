package dashboard

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/caller"
	"tributary/catalog"
)

const themeCookie = "tributary_theme"

// maxSignInBytes bounds the form that is posted to sign in.
const maxSignInBytes = 4 << 10

// A signInView is what the sign-in page says.
type signInView struct {
	Next   string // where to go afterwards
	Failed string // why it did not work
	Ended  bool   // there was a session
}

func (d *Dashboard) askForKey(w http.ResponseWriter, r *http.Request) {
	if session, err := d.session(r); err == nil {
		http.Redirect(w, r, orHome(r.URL.Query().Get("next"), d.homeOf(session.Scope.Role)), http.StatusSeeOther)
		return
	}
	_, err := r.Cookie(admin.SessionCookie)
	d.showSignIn(w, r, http.StatusOK, signInView{Next: r.URL.Query().Get("next"), Ended: err == nil})
}

func (d *Dashboard) showSignIn(w http.ResponseWriter, r *http.Request, status int, view signInView) {
	v := d.visit(r, d.signIn, catalog.Session{})
	v.Data = view
	d.write(w, v, status)
}

// takeKey begins a session. What is wrong with a key is not told apart.
func (d *Dashboard) takeKey(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignInBytes)
	if err := r.ParseForm(); err != nil {
		d.showSignIn(w, r, http.StatusBadRequest, signInView{Failed: "The form could not be read. Try again."})
		return
	}
	view := signInView{Next: r.PostForm.Get("next")}
	if !admin.SameOrigin(r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site"), r.Host) {
		view.Failed = "Sign in from this page itself, not from another site."
		d.showSignIn(w, r, http.StatusForbidden, view)
		return
	}
	client, key := d.Proxies.ClientOf(r), strings.TrimSpace(r.PostForm.Get("key"))
	if wait := d.tries.Wait(client, key, time.Now()); wait > 0 {
		w.Header().Set("Retry-After", caller.RetryAfter(wait))
		view.Failed = "Too many attempts. Wait a minute, then try again."
		d.showSignIn(w, r, http.StatusTooManyRequests, view)
		return
	}
	session, err := d.Catalog.SignIn(r.Context(), key, time.Now())
	if p, refused := attribution.AsProblem(err); refused {
		d.tries.Failed(client, time.Now())
		view.Failed = "This key opens nothing: it is unknown, revoked or expired."
		if p.Code == attribution.CodeForbidden {
			view.Failed = "This key only delivers conversions. Sign in with an advertiser's, a creator's or an admin's."
		}
		d.showSignIn(w, r, http.StatusUnauthorized, view)
		return
	}
	if err != nil {
		d.fail(w, d.visit(r, d.failed, catalog.Session{}), err)
		return
	}
	d.tries.Passed(client, key)
	d.setSessionCookies(w, r, session)
	http.Redirect(w, r, orHome(view.Next, d.homeOf(session.Scope.Role)), http.StatusSeeOther)
}

// leave ends the session.
func (d *Dashboard) leave(w http.ResponseWriter, r *http.Request) {
	if !admin.SameOrigin(r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site"), r.Host) {
		http.Error(w, "Sign out from a page of this dashboard.", http.StatusForbidden)
		return
	}
	if cookie, err := r.Cookie(admin.SessionCookie); err == nil {
		if err := d.Catalog.SignOut(r.Context(), cookie.Value); err != nil {
			d.fail(w, d.visit(r, d.failed, catalog.Session{}), err)
			return
		}
	}
	for _, name := range []string{admin.SessionCookie, admin.CSRFCookie} {
		http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1})
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// refuse leads to the sign-in page when there is no session.
func (d *Dashboard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if p, refused := attribution.AsProblem(err); !refused || p.Code != catalog.CodeUnauthorized {
		d.fail(w, d.visit(r, d.failed, catalog.Session{}), err)
		return
	}
	address := "/login"
	if r.URL.Path != "/" {
		address += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// setSessionCookies gives the browser its session, which scripts cannot read, and
// the token its own pages' scripts send with changes.
func (d *Dashboard) setSessionCookies(w http.ResponseWriter, r *http.Request, session catalog.Session) {
	secure := d.Proxies.HTTPS(r)
	life := int(catalog.SessionLife.Seconds())
	http.SetCookie(w, &http.Cookie{Name: admin.SessionCookie, Value: session.Token, Path: "/", MaxAge: life, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
	http.SetCookie(w, &http.Cookie{Name: admin.CSRFCookie, Value: session.CSRF, Path: "/", MaxAge: life, Secure: secure, SameSite: http.SameSiteStrictMode})
}

// orHome is where to go after signing in: a path of this site that was asked for,
// else home.
func orHome(next, home string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return home
	}
	return next
}
