package catalog

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// The kinds of secrets.
const (
	SecretHMAC     = attribution.CredentialHMAC
	SecretPostback = attribution.CredentialPostback
)

// maxLiveSecrets is how many secrets of one kind an advertiser has at a time:
// the one in use, and the one that replaces it.
const maxLiveSecrets = 2

// SecretFields are what a client writes of a secret.
type SecretFields struct {
	Kind string `json:"kind" doc:"hmac: signs bodies of server-to-server reports; postback: the key of postback addresses"`
	Name string `json:"name,omitempty"`
}

// A Secret is an advertiser's HMAC secret or postback token, without the secret
// itself.
type Secret struct {
	Frame
	SecretFields
	AdvertiserID string `json:"advertiser_id"`
}

// CreateSecret makes a secret of an advertiser and returns its text, which is
// never shown again. An advertiser has at most two live ones of a kind.
func (c *Catalog) CreateSecret(ctx context.Context, scope Scope, advertiserID string, fields SecretFields) (Secret, string, error) {
	var check fieldCheck
	check.oneOf("body.kind", fields.Kind, SecretHMAC, SecretPostback)
	check.text("body.name", fields.Name, maxName)
	if err := check.Err(); err != nil {
		return Secret{}, "", err
	}
	characters, err := c.entropy.text(base62, secretCharacters)
	if err != nil {
		return Secret{}, "", err
	}
	text := PrefixSecret + fields.Kind + "_" + characters
	var made Secret
	err = c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		if _, err := c.liveAdvertiser(ctx, scope, advertiserID); err != nil {
			return err
		}
		made, err = w.insertSecret(ctx, advertiserID, fields, text)
		return err
	})
	if err != nil {
		return Secret{}, "", err
	}
	return made, text, nil
}

func (w *writing) insertSecret(ctx context.Context, advertiserID string, fields SecretFields, text string) (Secret, error) {
	var live int
	if err := w.Row(ctx, "secret.live_count", advertiserID, fields.Kind).Scan(&live); err != nil {
		return Secret{}, fmt.Errorf("catalog: counting secrets: %w", err)
	}
	if live >= maxLiveSecrets {
		return Secret{}, conflict("the advertiser has %d %s secrets: revoke the one that is no longer used first", live, fields.Kind)
	}
	id, err := w.c.newID(attribution.PrefixSecret, w.at)
	if err != nil {
		return Secret{}, err
	}
	kept, err := w.c.keep(fields.Kind, id, text)
	if err != nil {
		return Secret{}, err
	}
	encoded, err := encode(fields)
	if err != nil {
		return Secret{}, err
	}
	if _, err := w.Exec(ctx, "secret.insert", id, advertiserID, fields.Kind, encoded, kept, int64(w.at), w.number); err != nil {
		return Secret{}, err
	}
	w.announce()
	made := Secret{Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, fields, advertiserID}
	return made, w.audit(ctx, "create", "secret", id, advertiserID, nil)
}

// Secrets lists an advertiser's secrets that are not revoked.
func (c *Catalog) Secrets(ctx context.Context, scope Scope, advertiserID string, p Page) (List[Secret], error) {
	if _, err := c.Advertiser(ctx, scope, advertiserID); err != nil {
		return List[Secret]{}, err
	}
	given := database.Given{"advertiser_id": advertiserID}
	return page(ctx, c.db, "secret.list", given, p, byID(attribution.PrefixSecret), scanSecret, func(s Secret) string { return s.ID })
}

// ArchiveSecret revokes a secret: trackers of this process stop taking it at
// once, others within a second.
func (c *Catalog) ArchiveSecret(ctx context.Context, scope Scope, advertiserID, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		if _, err := c.Advertiser(ctx, scope, advertiserID); err != nil {
			return err
		}
		was, err := scanSecret(w.Row(ctx, "secret.by_id", id))
		if errors.Is(err, sql.ErrNoRows) || err == nil && was.AdvertiserID != advertiserID {
			return notFound("secret", id)
		}
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if _, err := w.Exec(ctx, "secret.archive", id, int64(w.at), w.number); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "archive", "secret", id, advertiserID, nil)
	})
}

func scanSecret(row scanner) (Secret, error) {
	var s Secret
	var text string
	if err := scanFrame(row, &s.Frame, &s.AdvertiserID, &text); err != nil {
		return s, err
	}
	return s, decode(text, &s.SecretFields)
}

// keep is what is stored of a secret: of a token, which only has to be
// recognised, its hash; of an HMAC secret, which has to be used, the secret
// sealed.
func (c *Catalog) keep(kind, id, text string) (string, error) {
	if kind == SecretPostback {
		return c.secretHash(text), nil
	}
	seal, err := c.sealer()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, seal.NonceSize())
	if err := c.entropy.fill(nonce); err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(seal.Seal(nonce, nonce, []byte(text), []byte(id))), nil
}

// unseal reads an HMAC secret as keep stored it.
func (c *Catalog) unseal(id, kept string) (string, error) {
	seal, err := c.sealer()
	if err != nil {
		return "", err
	}
	raw, err := base64.RawStdEncoding.DecodeString(kept)
	if err != nil || len(raw) < seal.NonceSize() {
		return "", fmt.Errorf("catalog: secret %s is damaged", id)
	}
	text, err := seal.Open(nil, raw[:seal.NonceSize()], raw[seal.NonceSize():], []byte(id))
	if err != nil {
		return "", fmt.Errorf("catalog: secret %s cannot be opened with this data directory's secrets: %w", id, err)
	}
	return string(text), nil
}

// sealer is AES-256-GCM under a key of its own, derived from the pepper.
func (c *Catalog) sealer() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, c.pepper, nil, "tributary hmac secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("catalog: deriving the key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("catalog: the key of secrets: %w", err)
	}
	return cipher.NewGCM(block)
}
