package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A normalizer makes what differs from run to run the same: entropy becomes that of
// a counter, and the machine's time the rehearsal's. What is the same thing in two
// examples stays the same thing.
type normalizer struct {
	formed map[string]string // what is told by its form
	fields map[string]string // what is told by its field, and replaced wherever it stands
	made   map[string]int    // how many of a kind there are
}

func newNormalizer() *normalizer {
	return &normalizer{formed: map[string]string{}, fields: map[string]string{}, made: map[string]int{}}
}

var (
	// Text with entropy that can be told by its form: ids, keys, secrets and tokens.
	exampleID     = regexp.MustCompile(`\b[a-z]{3,4}_0[0-9a-hjkmnp-tv-z]{25}\b`)
	exampleSecret = regexp.MustCompile(`\b(trb_(?:hmac_|postback_)?|pub_|whsec_)[A-Za-z0-9_+/=-]{16,}`)
	// Fields whose values are entropy but have no form of their own.
	exampleField = regexp.MustCompile(`"(click_id|next_cursor|run_id)": ?"([A-Za-z0-9_.=-]{16,})"`)
	exampleSlug  = regexp.MustCompile(`"(slug)": ?"([A-Za-z0-9]{8})"`) // vanity slugs here have a dash
	// The id of an event in a stream.
	exampleEvent = regexp.MustCompile(`(?m)^id: (\S+)$`)
	exampleTime  = regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)
	// How far figures reach, in a rehearsal that waits for nothing.
	exampleThrough = regexp.MustCompile(`"data_through": ?"[^"]*"`)
	// Figures that measure the machine.
	exampleMeasure = regexp.MustCompile(`"(lag_ms|duration_ms)": ?[0-9]+`)
)

// value is a recorded body: JSON as it is, another text as a JSON string, bytes not at all.
func (n *normalizer) value(body, mediaType string, now time.Time) json.RawMessage {
	text := n.text(body, now)
	switch {
	case body == "" || !strings.HasPrefix(mediaType, "text/") && !strings.HasSuffix(mediaType, "json"):
		return nil
	case strings.HasSuffix(mediaType, "json"):
		return json.RawMessage(text)
	}
	encoded, err := json.Marshal(text)
	if err != nil {
		return nil
	}
	return encoded
}

func (n *normalizer) text(text string, now time.Time) string {
	for _, found := range append(exampleField.FindAllStringSubmatch(text, -1), exampleSlug.FindAllStringSubmatch(text, -1)...) {
		if _, known := n.fields[found[2]]; !known && !exampleID.MatchString(found[2]) {
			n.fields[found[2]] = n.next(found[1], min(len(found[2]), sealedLength))
		}
	}
	for _, found := range exampleEvent.FindAllStringSubmatch(text, -1) {
		n.fields[found[1]] = n.next("event", sealedLength)
	}
	for from, to := range n.fields {
		text = strings.ReplaceAll(text, from, to)
	}
	text = exampleID.ReplaceAllStringFunc(text, func(id string) string {
		prefix, _, _ := strings.Cut(id, "_")
		return n.once(id, func() string {
			return prefix + "_01" + strings.ToLower(n.next(prefix, 24))
		})
	})
	text = exampleSecret.ReplaceAllStringFunc(text, func(secret string) string {
		prefix := exampleSecret.FindStringSubmatch(secret)[1]
		return n.once(secret, func() string { return prefix + n.next(prefix, len(secret)-len(prefix)) })
	})
	text = exampleTime.ReplaceAllStringFunc(text, func(written string) string {
		at, err := time.Parse(time.RFC3339Nano, written)
		if err != nil || at.Before(exampleBegan.Add(-time.Hour)) { // the rehearsal's: all of them are long past
			return written
		}
		return now.Add(time.Until(at).Round(time.Hour)).Format("2006-01-02T15:04:05.000Z")
	})
	text = exampleThrough.ReplaceAllString(text, now.Format(`"data_through": "2006-01-02T15:04:05.000Z"`))
	return exampleMeasure.ReplaceAllString(text, `"$1": 180`)
}

// sealedLength is that of a click id, and of what is drawn for texts whose own
// length changes with what is sealed in them.
const sealedLength = 43

// once replaces the same by the same.
func (n *normalizer) once(was string, make func() string) string {
	if _, known := n.formed[was]; !known {
		n.formed[was] = make()
	}
	return n.formed[was]
}

const exampleDigits = "0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ"

// next is text of the given length that looks drawn, the same in every run.
func (n *normalizer) next(kind string, length int) string {
	n.made[kind]++
	var b strings.Builder
	for block := 0; b.Len() < length; block++ {
		for _, octet := range sha256.Sum256(fmt.Appendf(nil, "%s %d %d", kind, n.made[kind], block)) {
			b.WriteByte(exampleDigits[int(octet)%len(exampleDigits)])
		}
	}
	return b.String()[:length]
}
