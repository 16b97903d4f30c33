package catalog

import (
	"strings"
	"testing"

	"tributary/attribution"
)

func testSecrets(t *testing.T, open factory) {
	db := open(t)
	w := newWorld(t, db)
	secret, text, err := w.CreateSecret(w.ctx, w.asAdvertiser(), w.advertiser.ID, SecretFields{Kind: SecretHMAC, Name: "shop"})
	ok(t, err)
	equal(t, "prefix", strings.HasPrefix(text, "trb_hmac_"), true)
	_, token, err := w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: SecretPostback})
	ok(t, err)

	_, _, err = w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: "other"})
	failed(t, err, "body.kind")
	_, _, err = w.CreateSecret(w.ctx, w.asCreator(), w.advertiser.ID, SecretFields{Kind: SecretHMAC})
	refused(t, err, attribution.CodeNotFound)
	_, _, err = w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: SecretHMAC})
	ok(t, err)
	_, _, err = w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: SecretHMAC})
	refused(t, err, attribution.CodeConflict)

	var stored string
	rows := must(db.Rows(w.ctx, "credential.secrets", int64(0), 10))(t)
	for rows.Next() {
		var number, archived int64
		var id, advertiser, kind, kept string
		ok(t, rows.Scan(&number, &id, &advertiser, &kind, &kept, &archived))
		stored += kept
	}
	ok(t, rows.Close())
	if strings.Contains(stored, text) || strings.Contains(stored, token) {
		t.Error("a secret is stored in clear")
	}

	equal(t, "live", len(must(w.Secrets(w.ctx, w.asAdvertiser(), w.advertiser.ID, Page{}))(t).Items), 3)
	other := must(w.CreateAdvertiser(w.ctx, admin, acme()))(t)
	refused(t, w.ArchiveSecret(w.ctx, admin, other.ID, secret.ID), attribution.CodeNotFound)
	refused(t, w.ArchiveSecret(w.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: other.ID}, w.advertiser.ID, secret.ID), attribution.CodeNotFound)
	ok(t, w.ArchiveSecret(w.ctx, w.asAdvertiser(), w.advertiser.ID, secret.ID))
	ok(t, w.ArchiveSecret(w.ctx, w.asAdvertiser(), w.advertiser.ID, secret.ID))
	equal(t, "live", len(must(w.Secrets(w.ctx, admin, w.advertiser.ID, Page{}))(t).Items), 2)
}

func testCredentialFeed(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	changed := w.Changed()
	key, bearer, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleIngest, AdvertiserID: w.advertiser.ID})
	ok(t, err)
	secret, text, err := w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: SecretHMAC})
	ok(t, err)
	_, token, err := w.CreateSecret(w.ctx, admin, w.advertiser.ID, SecretFields{Kind: SecretPostback})
	ok(t, err)
	select {
	case <-changed:
	default:
		t.Error("followers were not told")
	}
	all := must(w.CredentialsSince(w.ctx, 0, 100))(t)
	equal(t, "changes", len(all), 4)
	equal(t, "advertiser", all[0].Advertiser.ID, w.advertiser.ID)
	pepper := []byte("pepper")
	equal(t, "key", *all[1].Credential, attribution.Credential{
		ID: key.ID, Kind: "key", Role: RoleIngest, AdvertiserID: w.advertiser.ID, Hash: attribution.SecretHash(pepper, bearer)})
	equal(t, "hmac", *all[2].Credential, attribution.Credential{ID: secret.ID, Kind: "hmac", AdvertiserID: w.advertiser.ID, Secret: text})
	equal(t, "postback", all[3].Credential.Hash, attribution.SecretHash(pepper, token))
	equal(t, "paged", len(must(w.CredentialsSince(w.ctx, 0, 2))(t)), 2)

	ok(t, w.ArchiveKey(w.ctx, admin, key.ID))
	ok(t, w.ArchiveSecret(w.ctx, admin, w.advertiser.ID, secret.ID))
	since := must(w.CredentialsSince(w.ctx, all[3].Number, 100))(t)
	equal(t, "since", len(since), 2)
	equal(t, "revoked key", since[0].Credential.Revoked, true)
	equal(t, "revoked secret", since[1].Credential.Revoked, true)
	links := must(w.RoutesSince(w.ctx, 0, 100))(t)
	for _, change := range links {
		if change.Credential != nil {
			t.Error("a credential is in the feed of links")
		}
	}
}
