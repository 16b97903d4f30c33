package dashboard

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"tributary/admin"
	"tributary/attribution"
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
	from := clientNetwork(r)
	if wait := d.tries.wait(from, time.Now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		view.Failed = "Too many attempts. Wait a minute, then try again."
		d.showSignIn(w, r, http.StatusTooManyRequests, view)
		return
	}
	session, err := d.Catalog.SignIn(r.Context(), strings.TrimSpace(r.PostForm.Get("key")), time.Now())
	if p, refused := attribution.AsProblem(err); refused {
		d.tries.failed(from, time.Now())
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
	setSessionCookies(w, r, session)
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
func setSessionCookies(w http.ResponseWriter, r *http.Request, session catalog.Session) {
	secure := r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
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

// The bounds of attempts to sign in.
const (
	maxTries    = 10 // that failed, of one network in a window
	triesWindow = time.Minute
	maxNetworks = 10_000
)

// attempts counts what failed to sign in, by network.
type attempts struct {
	mu     sync.Mutex
	counts map[string]tally
}

type tally struct {
	failed int
	until  time.Time
}

// wait is how long a network must wait before its next attempt.
func (a *attempts) wait(network string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.counts[network]; t.failed >= maxTries {
		return max(0, t.until.Sub(now))
	}
	return 0
}

func (a *attempts) failed(network string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts == nil || len(a.counts) >= maxNetworks {
		a.counts = map[string]tally{}
	}
	t := a.counts[network]
	if now.After(t.until) {
		t = tally{until: now.Add(triesWindow)}
	}
	t.failed++
	a.counts[network] = t
}

// clientNetwork is who asks: an IPv4 address, or an IPv6 /64.
func clientNetwork(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
