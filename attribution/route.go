package attribution

// What a tracker must know to redirect, and nothing else. The catalog publishes
// routes, every tracker's link index follows them.

// An AdvertiserRoute is an advertiser as a tracker sees it.
type AdvertiserRoute struct {
	ID         string
	Domains    []string // hosts allowed as destinations; subdomains included
	ClickParam string   // query parameter that carries the click id to the shop
	PublicKey  string   // names the advertiser in pixels and tags
}

// A CampaignRoute is a campaign as a tracker sees it.
type CampaignRoute struct {
	ID                  string
	AdvertiserID        string
	State               CampaignState
	Destination         string
	InactiveDestination string
}

// A LinkRoute is a link as a tracker sees it.
type LinkRoute struct {
	Identity    LinkIdentity
	Slug        string
	Vanity      bool   // compared case-insensitively
	Destination string // empty: the campaign's
	Sub         [5]string
	Rules       []DestinationRule
	Split       []SplitArm
	ExpiresAtMs int64 // 0: never
	MaxClicks   int64 // 0: no limit
	Disabled    bool  // sends shoppers to the inactive destination
	Deleted     bool  // gone: its slug is unknown
}

// A DestinationRule sends the shoppers it matches elsewhere. Every condition
// that is given must hold; an empty list holds for everybody.
type DestinationRule struct {
	When        RuleWhen `json:"when"`
	Destination string   `json:"destination"`
}

// RuleWhen is the condition of a DestinationRule. The rule is live in
// [After, Before), RFC 3339 times; query holds parameters of the tracking URL
// with the value they must have ("" matches any value).
type RuleWhen struct {
	Countries []string          `json:"countries,omitempty" doc:"ISO 3166-1 alpha-2"`
	Devices   []string          `json:"devices,omitempty" doc:"phone, tablet, desktop, tv, other"`
	OS        []string          `json:"os,omitempty" doc:"Android, iOS, Windows, macOS, Linux, ChromeOS, other"`
	Languages []string          `json:"languages,omitempty" doc:"language tags; en matches en-GB"`
	After     string            `json:"after,omitempty" doc:"RFC 3339"`
	Before    string            `json:"before,omitempty" doc:"RFC 3339"`
	Query     map[string]string `json:"query,omitempty"`
}

// A SplitArm takes its weight's share of the shoppers no rule matched.
type SplitArm struct {
	Destination string `json:"destination"`
	Weight      int    `json:"weight"`
}

// A RouteChange is one entry of the catalog's change feed: exactly one of its
// four things is set. Numbers only grow; a thing that changed twice may appear
// once, as it is now, under its later number. Credentials have a feed of their
// own, so that whoever follows or stores links never meets a secret.
type RouteChange struct {
	Number     int64
	Advertiser *AdvertiserRoute
	Campaign   *CampaignRoute
	Link       *LinkRoute
	Credential *Credential
}
