package admin

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"tributary/caller"
	"tributary/catalog"
)

// TestGuessingKeysIsSlowedDown has one network try keys, and others go on.
func TestGuessingKeysIsSlowedDown(t *testing.T) {
	const most = 5
	b := newBench(t, func(o *Options) {
		o.KeyLimit = caller.Limit{Failures: most, Window: time.Minute}
		o.Proxies = caller.NewProxies(netip.MustParsePrefix("127.0.0.0/8"))
	})
	fresh := b.key(catalog.KeyFields{Role: catalog.RoleAdmin})
	const path, from = "/v1/creators", "X-Forwarded-For"
	b.send(b.root, "GET", path, "", from, "6.6.6.6, 203.0.113.9").want(200)
	for i := range most {
		b.send("", "GET", path, "", from, "203.0.113.9").problem(401, catalog.CodeUnauthorized) // without a key there is nothing to guess
		b.send("trb_guess"+strconv.Itoa(i), "GET", path, "", from, "6.6.6."+strconv.Itoa(i)+", 203.0.113.9").problem(401, catalog.CodeUnauthorized)
	}
	for _, secret := range []string{"trb_guess", "nonsense", fresh} {
		answer := b.send(secret, "GET", path, "", from, "203.0.113.77")
		answer.problem(429, CodeTooManyAttempts)
		if wait, err := strconv.Atoi(answer.header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
			t.Errorf("Retry-After %q", answer.header.Get("Retry-After"))
		}
	}
	b.send(b.root, "GET", path, "", from, "203.0.113.77").want(200) // its network has used it before
	b.send(fresh, "GET", path, "", from, "198.51.100.1").want(200)
	b.send(fresh, "GET", path, "", from, "203.0.113.9, 198.51.100.1").want(200) // what a client says of itself
	b.send("trb_guess", "GET", path, "", from, "198.51.100.1").problem(401, catalog.CodeUnauthorized)
	session, err := b.catalog.SignIn(t.Context(), fresh, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.send("", "GET", path, "", from, "203.0.113.9", "Cookie", SessionCookie+"="+session.Token).want(200)
}
