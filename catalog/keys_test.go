package catalog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

func testKeys(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	expiry := w.clock.at() + 60_000
	key, secret, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleCreator, CreatorID: w.creator.ID, Name: "phone", ExpiresAt: &expiry})
	ok(t, err)
	equal(t, "prefix", strings.HasPrefix(secret, "trb_"), true)
	equal(t, "length", len(secret) >= 36, true)
	for range 2 { // the second time from the cache
		equal(t, "scope", must(w.Authenticate(w.ctx, secret))(t), Scope{Role: RoleCreator, KeyID: key.ID, CreatorID: w.creator.ID})
	}
	stored := must(w.Key(w.ctx, admin, key.ID))(t)
	equal(t, "last used", *stored.LastUsedAt, w.clock.at())
	if strings.Contains(asJSON(t, stored), secret) {
		t.Error("the secret is stored")
	}
	for _, wrong := range []string{"", "trb_", secret + "x", secret[:len(secret)-1], strings.Repeat("x", 10_000), strings.ToUpper(secret)} {
		_, err := w.Authenticate(w.ctx, wrong)
		refused(t, err, CodeUnauthorized)
	}
	w.clock.advance(time.Minute)
	_, err = w.Authenticate(w.ctx, secret)
	refused(t, err, CodeUnauthorized)

	ingest, secret, err := w.CreateKey(w.ctx, w.asAdvertiser(), KeyFields{Role: RoleIngest})
	ok(t, err)
	equal(t, "scope", must(w.Authenticate(w.ctx, secret))(t), Scope{Role: RoleIngest, KeyID: ingest.ID, AdvertiserID: w.advertiser.ID})
	_, _, err = w.CreateKey(w.ctx, w.asAdvertiser(), KeyFields{Role: RoleAdmin})
	refused(t, err, attribution.CodeForbidden)
	equal(t, "an advertiser's keys", len(must(w.Keys(w.ctx, w.asAdvertiser(), KeyFilter{}, Page{}))(t).Items), 1)
	equal(t, "all keys", len(must(w.Keys(w.ctx, admin, KeyFilter{}, Page{}))(t).Items), 2)
	equal(t, "by role", len(must(w.Keys(w.ctx, admin, KeyFilter{Role: RoleIngest}, Page{}))(t).Items), 1)
	err = w.ArchiveKey(w.ctx, Scope{Role: RoleAdmin, KeyID: ingest.ID}, ingest.ID)
	refused(t, err, attribution.CodeConflict)
	ok(t, w.ArchiveKey(w.ctx, w.asAdvertiser(), ingest.ID))
	_, err = w.Authenticate(w.ctx, secret) // was in the cache
	refused(t, err, CodeUnauthorized)
	equal(t, "live keys", len(must(w.Keys(w.ctx, admin, KeyFilter{}, Page{}))(t).Items), 1)
}

func testFirstAdminKey(t *testing.T, open factory) {
	db := open(t)
	c, _ := newCatalog(db)
	ctx := context.Background()
	for _, weak := range []string{"", "trb_short", strings.Repeat("x", 40), "trb_" + strings.Repeat(" ", 40)} {
		refused(t, c.EnsureAdminKey(ctx, weak), attribution.CodeValidation)
	}
	secret := "trb_" + strings.Repeat("a", 32)
	ok(t, c.EnsureAdminKey(ctx, secret))
	ok(t, c.EnsureAdminKey(ctx, secret))
	scope := must(c.Authenticate(ctx, secret))(t)
	equal(t, "role", scope.Role, RoleAdmin)
	equal(t, "keys", len(must(c.Keys(ctx, admin, KeyFilter{}, Page{}))(t).Items), 1)
	other := New(db, Options{Pepper: []byte("other pepper")})
	_, err := other.Authenticate(ctx, secret)
	refused(t, err, CodeUnauthorized)
	ok(t, c.ArchiveKey(ctx, admin, scope.KeyID))
	refused(t, c.EnsureAdminKey(ctx, secret), attribution.CodeConflict)
}

func testIdempotency(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	calls := 0
	make := func(ctx context.Context) (int, []byte, error) {
		calls++
		link, err := w.CreateLink(ctx, admin, w.task.ID, LinkFields{})
		if err != nil {
			return 0, nil, err
		}
		_, err = w.Link(ctx, admin, link.ID) // sees what was just written
		return 201, []byte(`{"id":"` + link.ID + `"}`), err
	}
	status, first, replayed, err := w.Idempotent(w.ctx, admin, "k", "hash", make)
	ok(t, err)
	equal(t, "status", status, 201)
	equal(t, "replayed", replayed, false)
	status, again, replayed, err := w.Idempotent(w.ctx, admin, "k", "hash", make)
	ok(t, err)
	equal(t, "status", status, 201)
	equal(t, "replayed", replayed, true)
	equal(t, "body", string(again), string(first))
	if calls < 1 || calls > 2 || calls > 1 && !w.db.Shared() { // a database that other nodes use may ask for a second try
		t.Errorf("%d calls", calls)
	}
	_, _, _, err = w.Idempotent(w.ctx, admin, "k", "other", make)
	refused(t, err, CodeIdempotencyMismatch)
	_, _, replayed, err = w.Idempotent(w.ctx, w.asAdvertiser(), "k", "other", make) // another key's
	ok(t, err)
	equal(t, "another key's", replayed, false)

	broken := errors.New("broken")
	_, _, _, err = w.Idempotent(w.ctx, admin, "k2", "hash", func(ctx context.Context) (int, []byte, error) {
		if _, _, err := make(ctx); err != nil {
			return 0, nil, err
		}
		return 0, nil, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("want do's error, got %v", err)
	}
	_, _, _, err = w.Idempotent(w.ctx, admin, "k2", "hash", func(ctx context.Context) (int, []byte, error) {
		_, err := w.CreateLink(ctx, admin, w.task.ID, LinkFields{Slug: "a b"})
		refused(t, err, attribution.CodeValidation)
		_, _, _, err = w.Idempotent(ctx, admin, "k2", "hash", make)
		refused(t, err, attribution.CodeConflict) // still being done
		return make(ctx)
	})
	ok(t, err)
	equal(t, "links", len(must(w.Links(w.ctx, admin, LinkFilter{}, Page{}))(t).Items), 3)

	w.clock.advance(24 * time.Hour)
	_, _, replayed, err = w.Idempotent(w.ctx, admin, "k", "other", make)
	ok(t, err)
	equal(t, "after a day", replayed, false)
}

func testAuditLog(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	must(w.PatchCampaign(w.ctx, w.asAdvertiser(), w.campaign.ID, patchOf(`{"title":"x","category":"shoes"}`)))(t)
	entries := must(w.AuditLog(w.ctx, admin, AuditFilter{}, Page{}))(t).Items
	equal(t, "entries", len(entries), 6)
	latest := entries[0]
	latest.Number = 0
	equal(t, "latest", asJSON(t, latest), `{"number":0,"at":"2027-01-10T09:00:00.000Z","key_id":"key_advertiser","role":"advertiser","verb":"update","thing":"campaign","thing_id":"`+
		w.campaign.ID+`","fields":["title","category"]}`)
	equal(t, "by verb", len(must(w.AuditLog(w.ctx, admin, AuditFilter{Verb: "create", Thing: "task", KeyID: "key_admin", ThingID: w.task.ID}, Page{}))(t).Items), 1)
	equal(t, "before", len(must(w.AuditLog(w.ctx, admin, AuditFilter{To: w.clock.at()}, Page{}))(t).Items), 0)
	equal(t, "since", len(must(w.AuditLog(w.ctx, admin, AuditFilter{From: w.clock.at()}, Page{}))(t).Items), 6)
	equal(t, "an advertiser's", len(must(w.AuditLog(w.ctx, w.asAdvertiser(), AuditFilter{}, Page{}))(t).Items), 5) // not the creator's making
	equal(t, "a creator's", len(must(w.AuditLog(w.ctx, w.asCreator(), AuditFilter{}, Page{}))(t).Items), 0)
}

func testPatchKey(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	key, secret, err := w.CreateKey(w.ctx, w.asAdvertiser(), KeyFields{Role: RoleIngest, Name: "shop"})
	ok(t, err)
	must(w.Authenticate(w.ctx, secret))(t)
	now := must(w.PatchKey(w.ctx, w.asAdvertiser(), key.ID, patchOf(`{"name":"server","expires_at":"2027-01-10T10:00:00Z"}`)))(t)
	equal(t, "name", now.Name, "server")
	equal(t, "stored", must(w.Key(w.ctx, admin, key.ID))(t).ExpiresAt.String(), "2027-01-10T10:00:00.000Z")
	must(w.Authenticate(w.ctx, secret))(t)
	w.clock.advance(time.Hour)
	if _, err := w.Authenticate(w.ctx, secret); err == nil {
		t.Error("an expired key is let in")
	}
	must(w.PatchKey(w.ctx, admin, key.ID, patchOf(`{"expires_at":null}`)))(t)
	must(w.Authenticate(w.ctx, secret))(t)
	_, err = w.PatchKey(w.ctx, admin, key.ID, patchOf(`{"role":"admin","expires_at":"2020-01-01T00:00:00Z"}`))
	failed(t, err, "body.role", "body.expires_at")
	own, _, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleAdvertiser, AdvertiserID: w.advertiser.ID})
	ok(t, err)
	_, err = w.PatchKey(w.ctx, w.asAdvertiser(), own.ID, patchOf(`{"name":"x"}`))
	refused(t, err, "forbidden")
	_, err = w.PatchKey(w.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: "adv_other"}, key.ID, patchOf(`{"name":"x"}`))
	refused(t, err, "not_found")
}
