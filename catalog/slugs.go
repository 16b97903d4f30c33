package catalog

import (
	"slices"
	"strings"
)

const (
	// slugAlphabet has no characters that look alike (0 O, 1 I l).
	slugAlphabet  = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	slugLength    = 8
	minVanitySlug = 3
	maxVanitySlug = 64
	// slugAttempts bounds how often a taken random slug is drawn anew. Of 10
	// million links one draw in 100,000 is taken.
	slugAttempts = 8
)

// reservedSlugs are paths of the tracker and words a shopper might take for the
// operator's own pages; in lower case.
var reservedSlugs = []string{
	"t", "robots.txt", "favicon.ico", "healthz", "readyz", "metrics", "v1", "api", "admin", "docs", "openapi.json",
	"dashboard", "login", "logout", "static", "assets", "well-known",
}

// validSlug says whether a client may choose the slug.
func validSlug(slug string) bool {
	return len(slug) >= minVanitySlug && len(slug) <= maxVanitySlug && strings.Trim(slug, base62+"_-") == ""
}

func reservedSlug(slug string) bool { return slices.Contains(reservedSlugs, strings.ToLower(slug)) }
