package attribution

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// The kinds of credentials a tracker takes reports by.
const (
	CredentialKey      = "key"      // an API key, sent as a bearer
	CredentialHMAC     = "hmac"     // a secret that signs bodies
	CredentialPostback = "postback" // a token in a postback's address
)

// A Credential opens a tracker to a merchant's reports. It travels from the
// catalog to the memory of trackers and is written down nowhere on the way.
type Credential struct {
	ID           string
	Kind         string
	Role         string // of a key: admin, advertiser or ingest
	AdvertiserID string // whose reports it brings; empty for an admin's key
	Hash         string // of a key or a token: SecretHash
	Secret       string // of a CredentialHMAC, in clear
	ExpiresAt    Instant
	Revoked      bool
}

// SecretHash is what is kept of a key or token: it cannot be turned back, nor
// tried out without the pepper.
func SecretHash(pepper []byte, secret string) string {
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte(secret))
	return hex.EncodeToString(mac.Sum(nil))
}
