package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/attribution"
	"tributary/caller"
	"tributary/catalog"
)

type scopeKey struct{}

// ScopeOf is whose eyes a request sees with. Without an admitted key it is the
// zero Scope, which sees nothing.
func ScopeOf(ctx context.Context) catalog.Scope {
	scope, _ := ctx.Value(scopeKey{}).(catalog.Scope)
	return scope
}

// admit is the middleware that lets only valid keys of the given roles pass.
func (a *API) admit(roles []string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		scope, err := a.authenticate(ctx)
		if err != nil {
			a.refuse(ctx, err)
			return
		}
		if !slices.Contains(roles, scope.Role) {
			a.refuse(ctx, attribution.Refuse(attribution.CodeForbidden,
				"a key of role %s may not do this; it takes one of: %s", scope.Role, strings.Join(roles, ", ")))
			return
		}
		next(huma.WithValue(ctx, scopeKey{}, scope))
	}
}

// authenticate finds the key of a request, or the session of a browser. Every way
// in which there is none reads the same, so that nothing is learned from the answer.
func (a *API) authenticate(ctx huma.Context) (catalog.Scope, error) {
	if token := sessionToken(ctx.Header("Cookie")); token != "" && ctx.Header("Authorization") == "" {
		return a.ofSession(ctx, token)
	}
	scheme, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if secret = strings.TrimSpace(secret); !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return catalog.Scope{}, errUnauthorized()
	}
	return a.ofKey(ctx, secret)
}

// ofKey lets a network try only so many keys that open nothing; one that has opened
// something for it before is always let in. A session is no key: nobody chooses its
// token, and an old one is a browser's that was left open.
func (a *API) ofKey(ctx huma.Context, secret string) (catalog.Scope, error) {
	r, _ := humago.Unwrap(ctx)
	client := a.proxies.ClientOf(r)
	if wait := a.tries.Wait(client, secret, time.Now()); wait > 0 {
		ctx.SetHeader("Retry-After", caller.RetryAfter(wait))
		return catalog.Scope{}, attribution.Refuse(CodeTooManyAttempts, "too many keys from this network opened nothing: wait as long as Retry-After says")
	}
	scope, err := a.catalog.Authenticate(ctx.Context(), secret)
	if _, refused := attribution.AsProblem(err); refused {
		a.tries.Failed(client, time.Now())
		return catalog.Scope{}, errUnauthorized()
	}
	if err == nil {
		a.tries.Passed(client, secret)
	}
	return scope, err
}

func errUnauthorized() error {
	return attribution.Refuse(catalog.CodeUnauthorized, "send a valid API key as Authorization: Bearer trb_…; `tributary key create` on the server's machine makes one")
}
