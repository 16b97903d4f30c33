package admin

import (
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
	"tributary/catalog"
)

// What a browser that is signed in sends instead of a key: its session in a cookie
// that scripts cannot read, and with every change the session's CSRF token, which
// scripts of its own origin read from another cookie.
const (
	SessionCookie = "tributary_session"
	CSRFCookie    = "tributary_csrf"
	CSRFHeader    = "X-CSRF-Token"
)

// sessionToken reads the session's token from a Cookie header; "" without one.
func sessionToken(cookies string) string {
	if cookies == "" {
		return ""
	}
	request := http.Request{Header: http.Header{"Cookie": {cookies}}}
	cookie, err := request.Cookie(SessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// ofSession lets a session do what its key may. A change must come from the
// session's own pages: another site's cannot know the token.
func (a *API) ofSession(ctx huma.Context, token string) (catalog.Scope, error) {
	session, err := a.catalog.Session(ctx.Context(), token, time.Now())
	if _, refused := attribution.AsProblem(err); refused {
		return catalog.Scope{}, errUnauthorized()
	}
	if err != nil {
		return catalog.Scope{}, err
	}
	if safe := ctx.Method() == http.MethodGet || ctx.Method() == http.MethodHead; safe {
		return session.Scope, nil
	}
	if !session.OwnRequest(ctx.Header(CSRFHeader)) || !SameOrigin(ctx.Header("Origin"), ctx.Header("Sec-Fetch-Site"), ctx.Host()) {
		return catalog.Scope{}, attribution.Refuse(attribution.CodeForbidden,
			"a change by a session needs its token in %s and must come from this origin; programs send a key instead", CSRFHeader)
	}
	return session.Scope, nil
}

// SameOrigin reports whether a browser's request comes from a page of this host,
// as far as its Origin and Sec-Fetch-Site headers tell.
func SameOrigin(origin, fetchSite, host string) bool {
	if fetchSite != "" && fetchSite != "same-origin" && fetchSite != "none" {
		return false
	}
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && from.Host == host && host != ""
}
