package webhooks

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// secretBytes is the length of a new secret's key; Standard Webhooks asks for 24
// to 64.
const secretBytes = 32

// newSecret makes a secret.
func newSecret() string {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails
	return PrefixSecret + base64.StdEncoding.EncodeToString(key)
}

// A sealer keeps secrets as they are stored: they must be used, so they are
// encrypted (AES-256-GCM), each under the id of its webhook.
type sealer struct{ cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("webhooks: the key of secrets: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return sealer{aead}, err
}

func (s sealer) seal(id, secret string) string {
	nonce := make([]byte, s.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawStdEncoding.EncodeToString(s.Seal(nonce, nonce, []byte(secret), []byte(id)))
}

func (s sealer) open(id, kept string) (string, error) {
	raw, err := base64.RawStdEncoding.DecodeString(kept)
	if err != nil || len(raw) < s.NonceSize() {
		return "", fmt.Errorf("webhooks: the secret of %s is damaged: rotate it", id)
	}
	secret, err := s.Open(nil, raw[:s.NonceSize()], raw[s.NonceSize():], []byte(id))
	if err != nil {
		return "", fmt.Errorf("webhooks: the secret of %s cannot be opened with this data directory's secrets: rotate it", id)
	}
	return string(secret), nil
}
