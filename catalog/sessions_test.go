package catalog

import (
	"slices"
	"testing"
	"time"

	"tributary/attribution"
)

func testSessions(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	key, secret, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleAdvertiser, AdvertiserID: w.advertiser.ID})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2027, 1, 10, 9, 0, 0, 0, time.UTC)
	ended := func(why, token string, at time.Time) {
		t.Helper()
		_, err := w.Session(w.ctx, token, at)
		if p, refused := attribution.AsProblem(err); !refused || p.Code != CodeUnauthorized {
			t.Errorf("%s: %v", why, err)
		}
	}
	session := must(w.SignIn(w.ctx, secret, began))(t)
	found := must(w.Session(w.ctx, session.Token, began))(t)
	if found != session || found.Scope != (Scope{RoleAdvertiser, key.ID, w.advertiser.ID, ""}) {
		t.Errorf("signed in as %+v, found %+v", session, found)
	}
	if !found.OwnRequest(session.CSRF) || found.OwnRequest("") || found.OwnRequest(session.Token) || (Session{}).OwnRequest("") {
		t.Error("a change by another page is taken for one of the session's own")
	}
	ended("an unknown token", session.Token[1:]+"x", began)
	ended("no token", "", began)
	ended("a session that was not used", session.Token, began.Add(SessionIdle))

	used := began // a session that is used lives on, though not for ever
	for ; used.Before(began.Add(SessionLife)); used = used.Add(SessionIdle / 2) {
		must(w.Session(w.ctx, session.Token, used))(t)
	}
	ended("a session that is too old", session.Token, began.Add(SessionLife))

	other := must(w.SignIn(w.ctx, secret, began))(t)
	if err := w.SignOut(w.ctx, other.Token); err != nil {
		t.Fatal(err)
	}
	ended("a session that was signed out of", other.Token, began)

	var tokens []string
	for i := range MaxSessions + 2 {
		tokens = append(tokens, must(w.SignIn(w.ctx, secret, began.Add(time.Duration(i)*time.Second)))(t).Token)
	}
	ended("the oldest of too many", tokens[1], began.Add(time.Minute))
	must(w.Session(w.ctx, tokens[2], began.Add(time.Minute)))(t)
	must(0, w.ArchiveKey(w.ctx, admin, key.ID))(t)
	for _, token := range slices.Backward(tokens) {
		ended("a session of a revoked key", token, began.Add(time.Minute))
	}
}

func testNoSession(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	soon := attribution.InstantOf(w.clock.now().Add(time.Hour))
	_, brief, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleAdmin, ExpiresAt: &soon})
	if err != nil {
		t.Fatal(err)
	}
	session := must(w.SignIn(w.ctx, brief, w.clock.now()))(t)
	w.clock.advance(time.Hour)
	if _, err := w.Session(w.ctx, session.Token, w.clock.now()); err == nil {
		t.Error("a session outlives its key")
	}
	_, ingest, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleIngest, AdvertiserID: w.advertiser.ID})
	if err != nil {
		t.Fatal(err)
	}
	for secret, code := range map[string]string{ingest: attribution.CodeForbidden, brief: CodeUnauthorized, "trb_nothing": CodeUnauthorized, "": CodeUnauthorized} {
		_, err := w.SignIn(w.ctx, secret, w.clock.now())
		if p, refused := attribution.AsProblem(err); !refused || p.Code != code {
			t.Errorf("signing in with %q: %v, want %s", secret, err, code)
		}
	}
}
