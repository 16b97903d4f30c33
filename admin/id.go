package admin

import (
	"crypto/rand"
	"time"

	"tributary/attribution"
)

// NewID makes an identifier of what is made now.
func NewID(prefix string, now time.Time) string {
	var unique [10]byte
	_, _ = rand.Read(unique[:]) // never fails
	return attribution.MakeID(prefix, now.UnixMilli(), unique)
}
