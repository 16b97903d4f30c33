package credentials

import (
	"sync"
	"sync/atomic"

	"tributary/attribution"
)

// A Store finds credentials. Any number of goroutines may ask while a Follower
// changes it. It does not judge expiry: only who asks knows what time it is.
type Store struct {
	pepper []byte
	ready  atomic.Bool
	sure   atomic.Bool
	asks   asks

	mu          sync.RWMutex
	byID        map[string]*attribution.Credential
	byHash      map[string]*attribution.Credential   // keys and tokens
	signers     map[string][]*attribution.Credential // HMAC secrets by advertiser
	advertisers map[string]bool
}

// NewStore makes an empty store. pepper is the catalog's, which hashes keys and
// tokens.
func NewStore(pepper []byte) *Store {
	s := &Store{pepper: pepper, asks: asks{wake: make(chan struct{}, 1)}}
	s.clear()
	return s
}

func (s *Store) clear() {
	s.byID = map[string]*attribution.Credential{}
	s.byHash = map[string]*attribution.Credential{}
	s.signers = map[string][]*attribution.Credential{}
	s.advertisers = map[string]bool{}
}

// Ready reports whether the store has been filled, be it from the copy of an
// earlier life.
func (s *Store) Ready() bool { return s.ready.Load() }

// Sure reports whether the store has been filled by the catalog. Until then an
// unknown credential may well be a good one.
func (s *Store) Sure() bool { return s.sure.Load() }

// Bearer finds the API key that a secret is of.
func (s *Store) Bearer(secret string) (attribution.Credential, bool) {
	return s.find(secret, attribution.CredentialKey)
}

// Postback finds the postback token that a text is.
func (s *Store) Postback(token string) (attribution.Credential, bool) {
	return s.find(token, attribution.CredentialPostback)
}

// find compares nothing secret: what is looked up is a hash that nobody can aim
// at without the pepper.
func (s *Store) find(secret, kind string) (attribution.Credential, bool) {
	hash := attribution.SecretHash(s.pepper, secret)
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.byHash[hash]
	if found == nil || found.Kind != kind {
		return attribution.Credential{}, false
	}
	return *found, true
}

// Signers returns the HMAC secrets a signature may be under: the one with this
// id, or all live ones of the advertiser with this id.
func (s *Store) Signers(id string) []attribution.Credential {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if one := s.byID[id]; one != nil && one.Kind == attribution.CredentialHMAC {
		return []attribution.Credential{*one}
	}
	var all []attribution.Credential
	for _, signer := range s.signers[id] {
		all = append(all, *signer)
	}
	return all
}

// HasAdvertiser reports whether there is such an advertiser.
func (s *Store) HasAdvertiser(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.advertisers[id]
}

// Apply brings changes of the feed into the store.
func (s *Store) Apply(changes ...attribution.RouteChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, change := range changes {
		if change.Advertiser != nil {
			s.advertisers[change.Advertiser.ID] = true
		}
		if change.Credential != nil {
			s.replace(change.Credential)
		}
	}
}

func (s *Store) replace(c *attribution.Credential) {
	if old := s.byID[c.ID]; old != nil {
		delete(s.byID, old.ID)
		delete(s.byHash, old.Hash)
		s.signers[old.AdvertiserID] = without(s.signers[old.AdvertiserID], old)
	}
	if c.Revoked {
		return
	}
	s.byID[c.ID] = c
	if c.Kind == attribution.CredentialHMAC {
		s.signers[c.AdvertiserID] = append(s.signers[c.AdvertiserID], c)
	} else {
		s.byHash[c.Hash] = c
	}
}

func without(all []*attribution.Credential, gone *attribution.Credential) []*attribution.Credential {
	var kept []*attribution.Credential
	for _, c := range all {
		if c != gone {
			kept = append(kept, c)
		}
	}
	return kept
}

// adopt takes over what another store has.
func (s *Store) adopt(fresh *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID, s.byHash, s.signers, s.advertisers = fresh.byID, fresh.byHash, fresh.signers, fresh.advertisers
	s.ready.Store(true)
}
