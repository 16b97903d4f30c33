package fleet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"tributary/attribution"
)

// An entry is a change as Redis keeps it: a byte for the version of this form, a
// byte for the kind, and the thing. Advertisers and campaigns are few and written
// in JSON; links are many and packed:
//
//	byte    flags
//	texts   slug, identity (attribution.AppendIdentity), destination
//	uvarint if flagged: expiry, maximum of clicks
//	text    if flagged: sub1…sub5, rules and split in JSON
const entryVersion = 1

const (
	kindAdvertiser = 'A'
	kindCampaign   = 'C'
	kindLink       = 'L'
)

const (
	flagVanity = 1 << iota
	flagDisabled
	flagDeleted
	flagExpires
	flagMaxClicks
	flagOptions
)

// errEntry says that something in Redis is not what this program writes there.
var errEntry = errors.New("fleet: an entry in Redis cannot be read; was it written by another program, or a newer version?")

// linkOptions are what most links do not have.
type linkOptions struct {
	Sub   [5]string                     `json:"sub"`
	Rules []attribution.DestinationRule `json:"rules,omitempty"`
	Split []attribution.SplitArm        `json:"split,omitempty"`
}

// appendEntry appends a change without its number, and reports false for one
// that is of no concern to trackers' links.
func appendEntry(dst []byte, c *attribution.RouteChange) ([]byte, bool) {
	switch {
	case c.Advertiser != nil:
		return appendJSON(append(dst, entryVersion, kindAdvertiser), c.Advertiser), true
	case c.Campaign != nil:
		return appendJSON(append(dst, entryVersion, kindCampaign), c.Campaign), true
	case c.Link != nil:
		return appendLink(append(dst, entryVersion, kindLink), c.Link), true
	}
	return dst, false
}

func appendJSON(dst []byte, thing any) []byte {
	encoded, err := json.Marshal(thing)
	if err != nil {
		panic(fmt.Sprintf("fleet: texts and numbers do not encode: %v", err))
	}
	return append(dst, encoded...)
}

func appendLink(dst []byte, l *attribution.LinkRoute) []byte {
	hasOptions := l.Sub != [5]string{} || len(l.Rules) > 0 || len(l.Split) > 0
	var flags byte
	for _, f := range [...]struct {
		flag byte
		set  bool
	}{
		{flagVanity, l.Vanity}, {flagDisabled, l.Disabled}, {flagDeleted, l.Deleted},
		{flagExpires, l.ExpiresAtMs != 0}, {flagMaxClicks, l.MaxClicks != 0}, {flagOptions, hasOptions},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	dst = append(dst, flags)
	dst = appendText(dst, l.Slug)
	dst = appendText(dst, string(attribution.AppendIdentity(nil, &l.Identity)))
	dst = appendText(dst, l.Destination)
	if l.ExpiresAtMs != 0 {
		dst = binary.AppendUvarint(dst, uint64(l.ExpiresAtMs))
	}
	if l.MaxClicks != 0 {
		dst = binary.AppendUvarint(dst, uint64(l.MaxClicks))
	}
	if hasOptions {
		dst = appendJSON(dst, linkOptions{l.Sub, l.Rules, l.Split})
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// readEntry reads what appendEntry wrote.
func readEntry(number int64, entry []byte) (attribution.RouteChange, error) {
	c := attribution.RouteChange{Number: number}
	if len(entry) < 2 || entry[0] != entryVersion {
		return c, errEntry
	}
	var err error
	switch rest := entry[2:]; entry[1] {
	case kindAdvertiser:
		c.Advertiser = new(attribution.AdvertiserRoute)
		err = json.Unmarshal(rest, c.Advertiser)
	case kindCampaign:
		c.Campaign = new(attribution.CampaignRoute)
		err = json.Unmarshal(rest, c.Campaign)
	case kindLink:
		c.Link, err = readLink(rest)
	default:
		err = errEntry
	}
	if err != nil && !errors.Is(err, errEntry) {
		err = fmt.Errorf("%w: %w", errEntry, err)
	}
	return c, err
}

func readLink(rest []byte) (*attribution.LinkRoute, error) {
	if len(rest) == 0 {
		return nil, errEntry
	}
	flags := rest[0]
	l := &attribution.LinkRoute{Vanity: flags&flagVanity != 0, Disabled: flags&flagDisabled != 0, Deleted: flags&flagDeleted != 0}
	r := reader{rest: rest[1:]}
	l.Slug = string(r.text())
	identity := r.text()
	l.Destination = string(r.text())
	if flags&flagExpires != 0 {
		l.ExpiresAtMs = int64(r.uvarint())
	}
	if flags&flagMaxClicks != 0 {
		l.MaxClicks = int64(r.uvarint())
	}
	if r.bad {
		return nil, errEntry
	}
	var err error
	if l.Identity, err = attribution.DecodeIdentity(identity); err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	if flags&flagOptions == 0 {
		return l, nil
	}
	var options linkOptions
	err = json.Unmarshal(r.rest, &options)
	l.Sub, l.Rules, l.Split = options.Sub, options.Rules, options.Split
	return l, err
}

// A reader reads an entry's fields in turn and remembers the first failure.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// In the read-model an entry stands behind the number of its change, so that a
// script can compare numbers without reading entries: "1234 …".

func readNumbered(value string) (attribution.RouteChange, error) {
	digits, entry, found := bytes.Cut([]byte(value), []byte{' '})
	number, err := strconv.ParseInt(string(digits), 10, 64)
	if !found || err != nil {
		return attribution.RouteChange{}, errEntry
	}
	return readEntry(number, entry)
}
