package admin

import (
	"strings"
	"sync"
	"testing"

	"tributary/catalog"
)

const advertiserBody = `{"name":"Once","currency":"USD","timezone":"UTC","domains":["once.example"]}`

func TestIdempotentPostHappensOnce(t *testing.T) {
	b := newBench(t, nil)
	first := b.send(b.root, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", "k1").want(201)
	again := b.send(b.root, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", "k1").want(201)
	if first.text("id") != again.text("id") || first.header.Get("Location") != again.header.Get("Location") {
		t.Errorf("a second thing: %s and %s", first.body, again.body)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("Idempotency-Replayed %q, then %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
	}
	if got := again.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type of the replay %q", got)
	}
	other := strings.Replace(advertiserBody, "Once", "Twice", 1)
	b.send(b.root, "POST", "/v1/advertisers", other, "Idempotency-Key", "k1").problem(422, catalog.CodeIdempotencyMismatch)
	b.send(b.root, "POST", "/v1/creators", `{"name":"x"}`, "Idempotency-Key", "k1").problem(422, catalog.CodeIdempotencyMismatch)
	second := b.key(catalog.KeyFields{Role: catalog.RoleAdmin})
	if b.send(second, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", "k1").want(201).text("id") == first.text("id") {
		t.Error("one key's Idempotency-Key answered another's request")
	}
}

func TestIdempotencyKeepsNoRefusal(t *testing.T) {
	b := newBench(t, nil)
	b.send(b.root, "POST", "/v1/advertisers", `{"name":""}`, "Idempotency-Key", "k").problem(422, "validation")
	b.send(b.root, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", "k").want(201)
}

func TestIdempotencyKeepsNoSecret(t *testing.T) {
	b := newBench(t, nil)
	first := b.send(b.root, "POST", "/v1/keys", `{"role":"admin"}`, "Idempotency-Key", "k").want(201)
	secret := first.text("key")
	r := b.send(b.root, "POST", "/v1/keys", `{"role":"admin"}`, "Idempotency-Key", "k")
	p := r.problem(409, codeSecretShownOnce)
	if strings.Contains(string(r.body), secret) || !strings.Contains(p.Detail, first.text("id")) {
		t.Errorf("not a name without a secret: %s", r.body)
	}
	if strings.Contains(b.log.String(), secret) {
		t.Error("the log has a secret")
	}
}

func TestIdempotencyKeyIsBounded(t *testing.T) {
	b := newBench(t, nil)
	for _, key := range []string{strings.Repeat("k", maxIdempotencyKey+1), "schlüssel"} {
		p := b.send(b.root, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", key).problem(422, "validation")
		if p.locations() != "header.Idempotency-Key" {
			t.Errorf("fields %s", p.locations())
		}
	}
}

func TestIdempotentPostsAtOnceMakeOneThing(t *testing.T) {
	b := newBench(t, nil)
	ids := make(chan string, 8)
	var group sync.WaitGroup
	for range cap(ids) {
		group.Go(func() {
			r := b.send(b.root, "POST", "/v1/advertisers", advertiserBody, "Idempotency-Key", "same")
			switch r.status {
			case 201:
				ids <- r.text("id")
			case 409:
			default:
				t.Errorf("%d: %s", r.status, r.body)
			}
		})
	}
	group.Wait()
	close(ids)
	made := map[string]bool{}
	for id := range ids {
		made[id] = true
	}
	if len(made) != 1 {
		t.Errorf("made %d things", len(made))
	}
}
