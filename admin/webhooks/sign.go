package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PrefixSecret begins every secret; base64 of the key follows.
const PrefixSecret = "whsec_"

// Sign is the value of webhook-signature for a request: one signature for each
// secret, with a space between, as Standard Webhooks has it. A secret signs
// "id.timestamp.body" by HMAC-SHA256, the timestamp in seconds.
func Sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	var all []string
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, PrefixSecret))
		if err != nil {
			return "", fmt.Errorf("webhooks: a secret is damaged: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		_, _ = mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " "), nil
}
