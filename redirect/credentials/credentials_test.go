package credentials

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tributary/attribution"
)

// A feed is a catalog in memory that may be down.
type feed struct {
	mu      sync.Mutex
	changes []attribution.RouteChange
	down    bool
}

func (f *feed) CredentialsSince(_ context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errors.New("connection refused")
	}
	var since []attribution.RouteChange
	for _, change := range f.changes {
		if change.Number > after && len(since) < limit {
			since = append(since, change)
		}
	}
	return since, nil
}

func (f *feed) add(change attribution.RouteChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change.Number = 1
	if len(f.changes) > 0 {
		change.Number = f.changes[len(f.changes)-1].Number + 1
	}
	f.changes = append(f.changes, change)
}

func (f *feed) credential(c attribution.Credential) { f.add(attribution.RouteChange{Credential: &c}) }

func (f *feed) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

var pepper = []byte("pepper")

func key(id, secret string) attribution.Credential {
	return attribution.Credential{ID: id, Kind: attribution.CredentialKey, Role: "ingest", AdvertiserID: "adv_1", Hash: attribution.SecretHash(pepper, secret)}
}

func TestStoreFindsWhatIsLive(t *testing.T) {
	s := NewStore(pepper)
	token := key("sec_3", "token")
	token.Kind = attribution.CredentialPostback
	one, two := key("key_1", "one"), key("key_2", "two")
	signer := attribution.Credential{ID: "sec_1", Kind: attribution.CredentialHMAC, AdvertiserID: "adv_1", Secret: "s1"}
	second := attribution.Credential{ID: "sec_2", Kind: attribution.CredentialHMAC, AdvertiserID: "adv_1", Secret: "s2"}
	s.Apply(attribution.RouteChange{Advertiser: &attribution.AdvertiserRoute{ID: "adv_1"}})
	for _, c := range []attribution.Credential{one, two, token, signer, second} {
		s.Apply(attribution.RouteChange{Credential: &c})
	}
	if found, ok := s.Bearer("one"); !ok || found.ID != "key_1" {
		t.Errorf("one is %v", found)
	}
	for _, wrong := range []string{"", "three", "token", "s1"} {
		if found, ok := s.Bearer(wrong); ok {
			t.Errorf("%q opens %v", wrong, found)
		}
	}
	if found, ok := s.Postback("token"); !ok || found.ID != "sec_3" {
		t.Errorf("the token is %v", found)
	}
	if all := s.Signers("adv_1"); len(all) != 2 {
		t.Errorf("signers of adv_1: %v", all)
	}
	if all := s.Signers("sec_2"); len(all) != 1 || all[0].Secret != "s2" {
		t.Errorf("signer sec_2: %v", all)
	}
	if len(s.Signers("key_1"))+len(s.Signers("adv_2")) > 0 || !s.HasAdvertiser("adv_1") || s.HasAdvertiser("adv_2") {
		t.Error("a stranger is known")
	}
	for _, c := range []attribution.Credential{one, token, signer} {
		c.Revoked = true
		s.Apply(attribution.RouteChange{Credential: &c})
	}
	_, bearer := s.Bearer("one")
	_, postback := s.Postback("token")
	if bearer || postback || len(s.Signers("sec_1")) > 0 || len(s.Signers("adv_1")) != 1 {
		t.Error("a revoked credential is taken")
	}
}

func TestFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{down: true}
		changed := make(chan struct{}, 1)
		s := NewStore(pepper)
		ctx, cancel := context.WithCancel(t.Context())
		follower := Follow(s, f, changed, slog.New(slog.DiscardHandler))
		done := make(chan struct{})
		go func() { follower.Run(ctx); close(done) }()
		for i := range 2500 { // more than one batch
			f.credential(key("key_"+string(rune('a'+i%26))+time.Duration(i).String(), time.Duration(i).String()))
		}
		time.Sleep(5 * time.Second)
		if s.Ready() {
			t.Error("ready without a catalog")
		}
		f.set(false)
		time.Sleep(maxBackoff + time.Millisecond)
		if _, ok := s.Bearer(time.Duration(2499).String()); !s.Ready() || !ok {
			t.Error("not filled once the catalog was back")
		}

		made := key("key_new", "new")
		f.credential(made)
		changed <- struct{}{}
		synctest.Wait()
		if _, ok := s.Bearer("new"); !ok {
			t.Error("a new key is not known at once")
		}
		made.Revoked = true
		f.credential(made)
		time.Sleep(poll + time.Millisecond) // another process revoked it
		if _, ok := s.Bearer("new"); ok {
			t.Error("a revoked key is taken half a second later")
		}

		f.set(true)
		time.Sleep(time.Minute)
		if _, ok := s.Bearer(time.Duration(1).String()); !ok {
			t.Error("keys are forgotten while the catalog is down")
		}
		f.mu.Lock()
		f.changes = slices.Clone(f.changes[:3]) // restored from a backup
		f.down = false
		f.mu.Unlock()
		time.Sleep(reloadEvery + maxBackoff + poll)
		if _, ok := s.Bearer(time.Duration(100).String()); ok {
			t.Error("a key that a restored catalog does not have is still taken")
		}
		cancel()
		<-done
	})
}

func TestRefreshFindsWhatWasMadeAMomentAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, store := &feed{}, NewStore(pepper)
		ctx, cancel := context.WithCancel(t.Context())
		go Follow(store, source, nil, slog.New(slog.DiscardHandler)).Run(ctx)
		synctest.Wait()
		began := time.Now()
		source.credential(key("key_1", "one"))
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				store.Refresh(t.Context())
				if _, known := store.Bearer("one"); !known {
					t.Error("after a refresh the key is unknown")
				}
			})
		}
		group.Wait()
		if took := time.Since(began); took >= poll {
			t.Errorf("the refresh took %v", took)
		}
		source.set(true)
		store.Refresh(t.Context()) // returns although the catalog is down
		cancel()
		synctest.Wait()
	})
}

func TestATrackerThatStartsWhileTheCatalogIsAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	sealing := bytes.Repeat([]byte{1}, KeyBytes)
	source := &feed{}
	source.add(attribution.RouteChange{Advertiser: &attribution.AdvertiserRoute{ID: "adv_1"}})
	source.credential(key("key_1", "one"))
	source.credential(key("key_2", "two"))
	source.credential(attribution.Credential{ID: "sec_1", Kind: attribution.CredentialHMAC, AdvertiserID: "adv_1", Secret: "very secret"})
	live := func(t *testing.T, source Source, with []byte, during func(*Store)) {
		synctest.Test(t, func(t *testing.T) {
			s := NewStore(pepper)
			ctx, cancel := context.WithCancel(t.Context())
			follower := Follow(s, source, nil, slog.New(slog.DiscardHandler))
			if err := follower.Keep(path, with); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { follower.Run(ctx); close(done) }()
			time.Sleep(3 * time.Second)
			during(s)
			cancel()
			<-done
		})
	}
	live(t, source, sealing, func(s *Store) {
		if !s.Ready() || !s.Sure() {
			t.Error("not filled by the catalog")
		}
		revoked := key("key_2", "two")
		revoked.Revoked = true
		source.credential(revoked)
		time.Sleep(3 * time.Second)
	})
	content, err := os.ReadFile(path)
	if info, statErr := os.Stat(path); err != nil || statErr != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the copy is %v: %v", info, errors.Join(err, statErr))
	}
	for _, clear := range []string{"very secret", "key_1", "adv_1", attribution.SecretHash(pepper, "one")} {
		if bytes.Contains(content, []byte(clear)) {
			t.Errorf("%q stands on the disk", clear)
		}
	}

	away := &feed{down: true}
	live(t, away, sealing, func(s *Store) {
		_, one := s.Bearer("one")
		_, two := s.Bearer("two")
		if !s.Ready() || s.Sure() || !one || two || len(s.Signers("adv_1")) != 1 || !s.HasAdvertiser("adv_1") {
			t.Error("the copy was not taken as it is")
		}
	})
	live(t, away, bytes.Repeat([]byte{2}, KeyBytes), func(s *Store) {
		if s.Ready() {
			t.Error("a copy under another seal was taken")
		}
	})
	content[len(content)-1] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	live(t, away, sealing, func(s *Store) {
		if s.Ready() {
			t.Error("a damaged copy was taken")
		}
	})
	live(t, source, sealing, func(*Store) {})
	live(t, source, sealing, func(*Store) {
		source.set(true)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * keepEvery)
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
			t.Error("a copy that nobody confirmed was written again as if it were new")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := NewStore(pepper)
		follower := Follow(s, away, nil, slog.New(slog.DiscardHandler))
		if err := follower.Keep(path, sealing); err != nil {
			t.Fatal(err)
		}
		time.Sleep(keptFor + time.Hour)
		follower.remember()
		if s.Ready() {
			t.Error("an old copy was taken")
		}
	})
}
