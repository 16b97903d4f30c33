package catalog

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// CodeUnauthorized says that a secret opens nothing: unknown, revoked or expired.
const CodeUnauthorized = "unauthorized"

const (
	// keyCacheAge is how long a revocation by another process may take.
	keyCacheAge = time.Second
	maxKeyCache = 10_000
	// keyUseStep is how exactly last_used_at is kept.
	keyUseStep = 10 * time.Minute
)

// A keyCache remembers keys by the hash of their secret.
type keyCache struct {
	mu      sync.Mutex
	entries map[string]cachedKey
	life    uint64 // grows with every change of keys
}

type cachedKey struct {
	storedKey
	read time.Time
}

func (k *keyCache) find(hash string) (key storedKey, life uint64, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	entry, found := k.entries[hash]
	return entry.storedKey, k.life, found && time.Since(entry.read) < keyCacheAge
}

// keep remembers a key that was read in the cache's present life.
func (k *keyCache) keep(key storedKey, life uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if life != k.life {
		return
	}
	if k.entries == nil || len(k.entries) >= maxKeyCache {
		k.entries = map[string]cachedKey{}
	}
	k.entries[key.hash] = cachedKey{key, time.Now()}
}

func (k *keyCache) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.life++
	k.entries = nil
}

// Authenticate says whose a secret is. A revoked key is refused at once, by
// other processes within a second.
func (c *Catalog) Authenticate(ctx context.Context, secret string) (Scope, error) {
	unauthorized := attribution.Refuse(CodeUnauthorized, "the API key is unknown, revoked or expired")
	if len(secret) > len(PrefixSecret)+maxSecretCharacters || !strings.HasPrefix(secret, PrefixSecret) {
		return Scope{}, unauthorized
	}
	hash := c.secretHash(secret)
	key, life, found := c.keys.find(hash)
	if !found {
		var err error
		key, err = scanStoredKey(c.db.Row(ctx, "key.by_secret", hash))
		if errors.Is(err, sql.ErrNoRows) {
			return Scope{}, unauthorized
		}
		if err != nil {
			return Scope{}, err
		}
		c.keys.keep(key, life)
	}
	now := int64(c.instant())
	if subtle.ConstantTimeCompare([]byte(key.hash), []byte(hash)) != 1 || key.archived || key.expiresAtMs != 0 && now >= key.expiresAtMs {
		return Scope{}, unauthorized
	}
	if now-key.usedAtMs >= keyUseStep.Milliseconds() {
		key.usedAtMs = now
		c.keys.keep(key, life)
		c.recordUse(ctx, key)
	}
	return key.scope, nil
}

// recordUse notes when a key was used. A database that cannot take the note does
// not make the key invalid.
func (c *Catalog) recordUse(ctx context.Context, key storedKey) {
	err := c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "key.used", key.scope.KeyID, key.usedAtMs)
		return err
	})
	if err != nil {
		c.log.Warn("the use of an API key was not noted", "key_id", key.scope.KeyID, "error", err)
	}
}
