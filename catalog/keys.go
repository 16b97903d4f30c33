package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// PrefixSecret begins every API key's secret.
const PrefixSecret = "trb_"

const (
	secretCharacters    = 43 // of base 62: 256 bits
	minSecretCharacters = 32
	maxSecretCharacters = 200
)

// A KeyFilter narrows a list of keys.
type KeyFilter struct {
	Role         string
	AdvertiserID string
	CreatorID    string
}

// CreateKey makes an API key and returns its secret, which is stored as a keyed
// hash only and never shown again. An admin makes any key, an advertiser ingest
// keys of its own.
func (c *Catalog) CreateKey(ctx context.Context, scope Scope, fields KeyFields) (Key, string, error) {
	if !scope.admin() && !(scope.advertiser() && fields.Role == RoleIngest) {
		return Key{}, "", forbidden(scope, "make this key")
	}
	if scope.advertiser() && fields.AdvertiserID == "" {
		fields.AdvertiserID = scope.AdvertiserID
	}
	characters, err := c.entropy.text(base62, secretCharacters)
	if err != nil {
		return Key{}, "", err
	}
	secret := PrefixSecret + characters
	var made Key
	err = c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		if err := c.checkKey(ctx, scope, fields, w.at); err != nil {
			return err
		}
		made, err = w.insertKey(ctx, fields, secret)
		return err
	})
	if err != nil {
		return Key{}, "", err
	}
	return made, secret, nil
}

func (c *Catalog) checkKey(ctx context.Context, scope Scope, fields KeyFields, now attribution.Instant) error {
	var check fieldCheck
	check.oneOf("body.role", fields.Role, RoleAdmin, RoleAdvertiser, RoleCreator, RoleIngest)
	check.text("body.name", fields.Name, maxName)
	check.ahead("body.expires_at", fields.ExpiresAt, now)
	ofAdvertiser := fields.Role == RoleAdvertiser || fields.Role == RoleIngest
	check.Require(ofAdvertiser || fields.AdvertiserID == "", "body.advertiser_id", "does not go with role %s", fields.Role)
	check.Require(fields.Role == RoleCreator || fields.CreatorID == "", "body.creator_id", "does not go with role %s", fields.Role)
	if ofAdvertiser {
		_, err := c.liveAdvertiser(ctx, scope, fields.AdvertiserID)
		if err := check.refused("body.advertiser_id", fields.AdvertiserID, err); err != nil {
			return err
		}
	}
	if fields.Role == RoleCreator {
		_, err := c.Creator(ctx, scope, fields.CreatorID)
		if err := check.refused("body.creator_id", fields.CreatorID, err); err != nil {
			return err
		}
	}
	return check.Err()
}

func (w *writing) insertKey(ctx context.Context, fields KeyFields, secret string) (Key, error) {
	id, err := w.c.newID(attribution.PrefixKey, w.at)
	if err != nil {
		return Key{}, err
	}
	text, err := encode(fields)
	if err != nil {
		return Key{}, err
	}
	inserted, err := w.Exec(ctx, "key.insert", id, fields.Role, fields.AdvertiserID, fields.CreatorID, text, w.c.secretHash(secret),
		orZero(fields.ExpiresAt), int64(w.at), w.number)
	if err != nil {
		return Key{}, err
	}
	if inserted == 0 {
		return Key{}, conflict("this key exists already")
	}
	w.OnCommit(w.c.keys.forget)
	w.announce()
	return Key{Frame: Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, KeyFields: fields}, w.audit(ctx, "create", "key", id, fields.AdvertiserID, nil)
}

// secretHash is what is stored of a secret.
func (c *Catalog) secretHash(secret string) string {
	return attribution.SecretHash(c.pepper, secret)
}

// EnsureAdminKey makes an admin key of a secret that was given from outside, such
// as TRIBUTARY_ADMIN_KEY, unless there is one already. It serves the first start.
func (c *Catalog) EnsureAdminKey(ctx context.Context, secret string) error {
	characters, prefixed := strings.CutPrefix(secret, PrefixSecret)
	if !prefixed || len(characters) < minSecretCharacters || len(characters) > maxSecretCharacters || strings.Trim(characters, base62+"_-") != "" {
		return attribution.Refuse(attribution.CodeValidation,
			"the admin key must be %s and %d to %d characters of A-Z a-z 0-9 _ -", PrefixSecret, minSecretCharacters, maxSecretCharacters)
	}
	return c.write(ctx, Scope{Role: RoleAdmin}, func(ctx context.Context, w *writing) error {
		found, err := scanStoredKey(w.Row(ctx, "key.by_secret", c.secretHash(secret)))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err := w.insertKey(ctx, KeyFields{Role: RoleAdmin, Name: "first admin key"}, secret)
			return err
		case err != nil:
			return err
		case found.scope.Role != RoleAdmin || found.archived:
			return conflict("the admin key that was given is archived or another role's: give another one")
		}
		return nil
	})
}

// Key finds a key, without its secret. An advertiser finds its own.
func (c *Catalog) Key(ctx context.Context, scope Scope, id string) (Key, error) {
	found, err := scanKey(c.db.Row(ctx, "key.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !(scope.admin() || scope.advertiser() && scope.AdvertiserID == found.AdvertiserID) {
		return Key{}, notFound("key", id)
	}
	return found, err
}

// Keys lists the keys that are not archived.
func (c *Catalog) Keys(ctx context.Context, scope Scope, filter KeyFilter, p Page) (List[Key], error) {
	given := database.Given{"role": filter.Role, "advertiser_id": filter.AdvertiserID, "creator_id": filter.CreatorID}
	switch {
	case scope.admin():
	case scope.advertiser() && (filter.AdvertiserID == "" || filter.AdvertiserID == scope.AdvertiserID):
		given["advertiser_id"] = scope.AdvertiserID
	default:
		return List[Key]{Items: []Key{}}, nil
	}
	return page(ctx, c.db, "key.list", given, p, byID(attribution.PrefixKey), scanKey, func(k Key) string { return k.ID })
}

// PatchKey applies a merge patch: another name, or another end. Whose key it is
// and what it may do stay as they are.
func (c *Catalog) PatchKey(ctx context.Context, scope Scope, id string, patch []byte) (Key, error) {
	var now Key
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Key(ctx, scope, id)
		if err != nil {
			return err
		}
		if was.ArchivedAt != nil {
			return archived("key", id)
		}
		if !scope.admin() && was.Role != RoleIngest {
			return forbidden(scope, "change this key")
		}
		fields, changed, err := merge(was.KeyFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		var check fieldCheck
		frozen(&check.Checker, changed, "make another key instead", "role", "advertiser_id", "creator_id")
		check.text("body.name", fields.Name, maxName)
		if slices.Contains(changed, "expires_at") {
			check.ahead("body.expires_at", fields.ExpiresAt, w.at)
		}
		if err := check.Err(); err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		now.KeyFields, now.UpdatedAt = fields, w.at
		if _, err := w.Exec(ctx, "key.update", id, text, orZero(fields.ExpiresAt), int64(w.at), w.number); err != nil {
			return err
		}
		w.OnCommit(w.c.keys.forget)
		w.announce()
		return w.audit(ctx, "update", "key", id, was.AdvertiserID, changed)
	})
	return now, err
}

// ArchiveKey revokes a key at once. An advertiser revokes its own, but for the
// one it is using.
func (c *Catalog) ArchiveKey(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Key(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if id == scope.KeyID {
			return conflict("a key cannot revoke itself: use another one")
		}
		if _, err := w.Exec(ctx, "key.archive", id, int64(w.at), w.number); err != nil {
			return err
		}
		w.OnCommit(c.keys.forget)
		w.announce()
		return w.audit(ctx, "archive", "key", id, was.AdvertiserID, nil)
	})
}

func scanKey(row scanner) (Key, error) {
	var k Key
	var text string
	var used int64
	if err := scanFrame(row, &k.Frame, &text, &used); err != nil {
		return k, err
	}
	k.LastUsedAt = attribution.InstantOrNil(used)
	return k, decode(text, &k.KeyFields)
}

// A storedKey is what authenticating needs of a key.
type storedKey struct {
	scope       Scope
	hash        string
	expiresAtMs int64
	archived    bool
	usedAtMs    int64
}

func scanStoredKey(row scanner) (storedKey, error) {
	var k storedKey
	var archived int64
	err := row.Scan(&k.scope.KeyID, &k.scope.Role, &k.scope.AdvertiserID, &k.scope.CreatorID, &k.hash, &k.expiresAtMs, &archived, &k.usedAtMs)
	if err != nil {
		return k, fmt.Errorf("catalog: reading a key: %w", err)
	}
	k.archived = archived != 0
	return k, nil
}
