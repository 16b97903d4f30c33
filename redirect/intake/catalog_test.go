package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tributary/catalog"
	"tributary/redirect/credentials"
	"tributary/redirect/intake"
	"tributary/schema/database"
)

// TestRevocation follows a real catalog: what it makes opens the tracker, and what
// it revokes stops doing so within a second.
func TestRevocation(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctx, root := context.Background(), catalog.Scope{Role: catalog.RoleAdmin}
	things := catalog.New(db, catalog.Options{Pepper: pepper})
	advertiser, err := things.CreateAdvertiser(ctx, root, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}})
	if err != nil {
		t.Fatal(err)
	}
	store := credentials.NewStore(pepper)
	follow, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	go credentials.Follow(store, things, things.Changed(), slog.New(slog.DiscardHandler)).Run(follow)
	tr := start(t, func(o *intake.Options) { o.Credentials = store })

	key, bearer, err := things.CreateKey(ctx, root, catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: advertiser.ID})
	if err != nil {
		t.Fatal(err)
	}
	secret, text, err := things.CreateSecret(ctx, root, advertiser.ID, catalog.SecretFields{Kind: catalog.SecretHMAC})
	if err != nil {
		t.Fatal(err)
	}
	_, postback, err := things.CreateSecret(ctx, root, advertiser.ID, catalog.SecretFields{Kind: catalog.SecretPostback})
	if err != nil {
		t.Fatal(err)
	}
	signed := func() int {
		timestamp, signature := sign(text, time.Now(), sale)
		return tr.send("POST", "/t/conversions", sale, "Tributary-Key-Id", secret.ID, "Tributary-Timestamp", timestamp, "Tributary-Signature", signature).status
	}
	tr.becomes(200, func() int { return tr.post(bearer, sale).status })
	tr.becomes(200, signed)
	tr.becomes(200, func() int { return tr.send("GET", "/t/postback?event=sale&order_id=o&key="+postback, "").status })
	if err := things.ArchiveKey(ctx, root, key.ID); err != nil {
		t.Fatal(err)
	}
	if err := things.ArchiveSecret(ctx, root, advertiser.ID, secret.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	tr.becomes(401, func() int { return tr.post(bearer, sale).status })
	tr.becomes(401, signed)
	t.Logf("revoked after %s", time.Since(revoked))
}

// TestATokenMadeAMomentAgo is used before the tracker had news of it: it opens at once
// and counts as no guess.
func TestATokenMadeAMomentAgo(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	root := catalog.Scope{Role: catalog.RoleAdmin}
	things := catalog.New(db, catalog.Options{Pepper: pepper})
	advertiser, err := things.CreateAdvertiser(t.Context(), root, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}})
	if err != nil {
		t.Fatal(err)
	}
	store := credentials.NewStore(pepper)
	go credentials.Follow(store, things, nil, slog.New(slog.DiscardHandler)).Run(t.Context())
	tr := start(t, func(o *intake.Options) { o.Credentials = store })
	tr.becomes(401, func() int { return tr.post("trb_unknown", sale).status })
	for i := range 2 { // two may be live
		_, postback, err := things.CreateSecret(t.Context(), root, advertiser.ID, catalog.SecretFields{Kind: catalog.SecretPostback})
		if err != nil {
			t.Fatal(err)
		}
		tr.send("GET", fmt.Sprintf("/t/postback?event=sale&order_id=o%d&key=%s", i, postback), "").want(200, "ok")
	}
}

// becomes asks until the answer is as wanted.
func (tr *tracker) becomes(want int, ask func() int) {
	tr.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ask() != want; {
		if time.Now().After(deadline) {
			tr.t.Fatalf("never %d", want)
		}
	}
}
