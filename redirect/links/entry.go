package links

import (
	"strings"

	"tributary/attribution"
)

// MaxSlugBytes is the length of the longest slug.
const MaxSlugBytes = 64

// An Entry is what a redirect needs of one link. Lookup fills it in; its byte
// slices are the Entry's own memory and stay as they are until the next Lookup
// into the same Entry, whatever happens to the link. Keep one per request
// context: only the first look-ups into an Entry allocate.
//
// Campaign, Advertiser and Targeting are immutable and never change under a
// reader: what they say is how things stood at the look-up.
type Entry struct {
	Number   uint64 // the link's number in the catalog, for the click id
	Identity []byte // as attribution.AppendIdentity encodes it, for the click record and for macros

	Destination []byte     // the link's own; empty: the campaign's
	Sub         [5][]byte  // empty where not set
	Targeting   *Targeting // nil: neither rules nor split

	ExpiresAtMs int64 // 0: never
	MaxClicks   int64 // 0: no limit
	Disabled    bool

	Campaign   *Campaign   // never nil after a hit
	Advertiser *Advertiser // never nil after a hit

	memory []byte
}

// A Campaign is a campaign as it stands, ready for the redirect path.
type Campaign struct {
	ID                  string
	AdvertiserID        string
	State               attribution.CampaignState
	Destination         []byte // empty when links bring their own
	InactiveDestination []byte // empty: Destination
}

// An Advertiser is an advertiser as it stands, ready for the redirect path.
type Advertiser struct {
	ID         string
	Domains    []string // lower case
	ClickParam string
	PublicKey  string
}

func compileCampaign(c *attribution.CampaignRoute) *Campaign {
	return &Campaign{
		ID:                  c.ID,
		AdvertiserID:        c.AdvertiserID,
		State:               c.State,
		Destination:         []byte(c.Destination),
		InactiveDestination: []byte(c.InactiveDestination),
	}
}

func compileAdvertiser(a *attribution.AdvertiserRoute) *Advertiser {
	domains := make([]string, len(a.Domains))
	for i, domain := range a.Domains {
		domains[i] = strings.ToLower(domain)
	}
	return &Advertiser{ID: a.ID, Domains: domains, ClickParam: a.ClickParam, PublicKey: a.PublicKey}
}
