package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
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
	scope, err := a.catalog.Authenticate(ctx.Context(), secret)
	if _, refused := attribution.AsProblem(err); refused {
		return catalog.Scope{}, errUnauthorized()
	}
	return scope, err
}

func errUnauthorized() error {
	return attribution.Refuse(catalog.CodeUnauthorized, "send a valid API key as Authorization: Bearer trb_…; `tributary key create` on the server's machine makes one")
}
