package catalog

import (
	"tributary/attribution"
)

// Every thing is its fields, which a client writes, in a frame the catalog
// makes. Field structs are the JSON contract of the API.

// A Frame is what every thing has beside its fields.
type Frame struct {
	ID         string               `json:"id"`
	CreatedAt  attribution.Instant  `json:"created_at"`
	UpdatedAt  attribution.Instant  `json:"updated_at"`
	ArchivedAt *attribution.Instant `json:"archived_at,omitempty"`
}

// AdvertiserFields are what a client writes of an advertiser.
type AdvertiserFields struct {
	Name       string                  `json:"name" doc:"Shown to creators" example:"Acme"`
	Currency   string                  `json:"currency" doc:"ISO 4217" example:"USD"`
	Timezone   string                  `json:"timezone" doc:"IANA time zone" example:"Asia/Bangkok"`
	Domains    []string                `json:"domains" doc:"Hosts allowed as destinations and pixel origins, subdomains included" example:"[\"shop.example\"]"`
	ClickParam string                  `json:"click_param,omitempty" doc:"Query parameter that carries the click id to the shop; tcid by default"`
	MinPayout  attribution.Decimal     `json:"min_payout,omitempty" doc:"Smallest payout made, in the advertiser's currency"`
	FraudRules *attribution.FraudRules `json:"fraud_rules,omitempty" doc:"What is looked for in conversions; a rule that is not given flags, by its defaults"`
}

// An Advertiser is a brand that pays creators.
type Advertiser struct {
	Frame
	AdvertiserFields
	PublicKey string `json:"public_key" doc:"Names the advertiser in pixels and tags"`
}

// A Social is a creator's account on one platform.
type Social struct {
	Platform  string `json:"platform"`
	Handle    string `json:"handle"`
	URL       string `json:"url,omitempty"`
	Followers int64  `json:"followers,omitempty"`
}

// CreatorFields are what a client writes of a creator.
type CreatorFields struct {
	Name          string         `json:"name" example:"Mali"`
	Email         string         `json:"email,omitempty"`
	Country       string         `json:"country,omitempty" doc:"ISO 3166-1 alpha-2"`
	Gender        string         `json:"gender,omitempty"`
	BirthYear     int            `json:"birth_year,omitempty"`
	Categories    []string       `json:"categories,omitempty"`
	Labels        []string       `json:"labels,omitempty" doc:"Groups for invitations"`
	Timezone      string         `json:"timezone,omitempty" doc:"IANA time zone"`
	PayoutDetails map[string]any `json:"payout_details,omitempty" doc:"Opaque to Tributary"`
	Socials       []Social       `json:"socials,omitempty"`
}

// A Creator is a person who posts.
type Creator struct {
	Frame
	CreatorFields
}

// Eligibility says who may join a campaign.
type Eligibility struct {
	Countries    []string `json:"countries,omitempty"`
	Categories   []string `json:"categories,omitempty"`
	Genders      []string `json:"genders,omitempty"`
	AgeMin       int      `json:"age_min,omitempty"`
	AgeMax       int      `json:"age_max,omitempty"`
	FollowersMin int64    `json:"followers_min,omitempty"`
	FollowersMax int64    `json:"followers_max,omitempty"`
}

// Contacts are the people behind a campaign.
type Contacts struct {
	Sales             string `json:"sales,omitempty"`
	CreatorManagement string `json:"creator_management,omitempty"`
	CRMURL            string `json:"crm_url,omitempty"`
}

// Budget is what a campaign may cost its advertiser.
type Budget struct {
	Amount attribution.Decimal `json:"amount"`
	Mode   string              `json:"mode,omitempty" doc:"hard (default): never exceeded; soft: only notifies"`
}

// BudgetState is what a campaign costs so far, and its budget where it has one.
type BudgetState struct {
	Amount    *string `json:"amount" doc:"Null without a budget"`
	Mode      string  `json:"mode,omitempty"`
	Committed string  `json:"committed" doc:"Cost of every action not reversed"`
	Remaining *string `json:"remaining" doc:"Null without a budget; negative when it was lowered below committed"`
}

// CostPer prices what posts achieve.
type CostPer struct {
	Post     attribution.Decimal `json:"post,omitempty"`
	Like     attribution.Decimal `json:"like,omitempty"`
	View     attribution.Decimal `json:"view,omitempty"`
	Share    attribution.Decimal `json:"share,omitempty"`
	Comment  attribution.Decimal `json:"comment,omitempty"`
	Follower attribution.Decimal `json:"follower,omitempty"`
}

// CampaignFields are what a client writes of a campaign.
type CampaignFields struct {
	AdvertiserID        string               `json:"advertiser_id"`
	Title               string               `json:"title" example:"Spring"`
	Kind                string               `json:"kind" doc:"social, url, code or commerce"`
	Platforms           []string             `json:"platforms"`
	StartsAt            attribution.Instant  `json:"starts_at"`
	EndsAt              attribution.Instant  `json:"ends_at"`
	SelectionStartsAt   *attribution.Instant `json:"selection_starts_at,omitempty"`
	Timezone            string               `json:"timezone,omitempty" doc:"IANA time zone; the advertiser's by default"`
	Currency            string               `json:"currency,omitempty" doc:"ISO 4217; the advertiser's by default"`
	Destination         string               `json:"destination,omitempty" doc:"Required unless kind is social"`
	Tracking            *bool                `json:"tracking,omitempty" doc:"Links and codes; true by default, false for social"`
	TrackPosts          *bool                `json:"track_posts,omitempty" doc:"Posts; true by default for social, and with cost_per, require_draft or multi_post"`
	Country             string               `json:"country,omitempty"`
	Category            string               `json:"category,omitempty"`
	Visibility          string               `json:"visibility,omitempty" doc:"open (default), closed or invite"`
	Approval            string               `json:"approval,omitempty" doc:"auto (default) or manual"`
	Eligibility         Eligibility          `json:"eligibility,omitzero"`
	MultiPost           bool                 `json:"multi_post,omitempty"`
	RequireDraft        bool                 `json:"require_draft,omitempty"`
	Hashtags            []string             `json:"hashtags,omitempty" doc:"3 or more when only posts are required"`
	Description         string               `json:"description,omitempty"`
	Requirements        string               `json:"requirements,omitempty"`
	ProductURL          string               `json:"product_url,omitempty"`
	MaterialURL         string               `json:"material_url,omitempty"`
	ThumbnailURL        string               `json:"thumbnail_url,omitempty"`
	SampleURLs          []string             `json:"sample_urls,omitempty"`
	Contacts            Contacts             `json:"contacts,omitzero"`
	Budget              *Budget              `json:"budget,omitempty"`
	MarginRate          attribution.Decimal  `json:"margin_rate,omitempty" doc:"Share of the cost kept by the platform; 0.33 by default"`
	AgencyMarginRate    attribution.Decimal  `json:"agency_margin_rate,omitempty" doc:"Share of the cost kept by the agency; 0 by default"`
	MaxCreatorPayout    attribution.Decimal  `json:"max_creator_payout,omitempty"`
	CostPer             *CostPer             `json:"cost_per,omitempty"`
	Terms               *attribution.Terms   `json:"terms,omitempty" doc:"Required unless terms_template_id is given"`
	TermsTemplateID     string               `json:"terms_template_id,omitempty"`
	InactiveDestination string               `json:"inactive_destination,omitempty" doc:"Where disabled and expired links lead; the destination by default"`
}

// A Campaign is an offer of one advertiser to creators.
type Campaign struct {
	Frame
	CampaignFields
	Budget *BudgetState `json:"budget,omitempty"` // stands before the field a client writes
	Status string       `json:"status" doc:"Derived: draft, upcoming, ongoing, over_budget, finished, paused or closed"`
	// Participation is of the creator who asks.
	Participation string               `json:"participation,omitempty" doc:"To a creator: its own status in the campaign; absent where it has none yet"`
	TermsVersion  int                  `json:"terms_version"`
	ApprovedAt    *attribution.Instant `json:"approved_at,omitempty"`
	PausedAt      *attribution.Instant `json:"paused_at,omitempty"`
	ClosedAt      *attribution.Instant `json:"closed_at,omitempty"`
}

// ParticipationFields are what a client writes of a creator in a campaign.
type ParticipationFields struct {
	CreatorID     string                     `json:"creator_id"`
	Status        string                     `json:"status,omitempty" doc:"invited, applied, joined (default), rejected or unavailable"`
	TermsOverride *attribution.TermsOverride `json:"terms_override,omitempty" doc:"This creator's own commission"`
	Tier          string                     `json:"tier,omitempty" doc:"preferred, standard (default) or low"`
	Reason        string                     `json:"reason,omitempty" doc:"Why it is rejected or unavailable; the creator reads it"`
}

// A Participation is a creator in a campaign.
type Participation struct {
	ParticipationFields
	CampaignID string               `json:"campaign_id"`
	JoinedAt   *attribution.Instant `json:"joined_at,omitempty"`
	CreatedAt  attribution.Instant  `json:"created_at"`
	UpdatedAt  attribution.Instant  `json:"updated_at"`

	willing bool // the creator applied, accepted or joined, and has not left of its own will
}

// TaskFields are what a client writes of a task.
type TaskFields struct {
	CampaignID string               `json:"campaign_id"`
	CreatorID  string               `json:"creator_id"`
	Platform   string               `json:"platform"`
	Title      string               `json:"title,omitempty"`
	Fee        attribution.Decimal  `json:"fee,omitempty" doc:"Flat pay for the task, in the campaign's currency"`
	DueAt      *attribution.Instant `json:"due_at,omitempty"`
	Status     string               `json:"status,omitempty" doc:"open (default), submitted, approved, rejected or cancelled"`
	Reason     string               `json:"reason,omitempty" doc:"Why it is rejected or cancelled; the creator reads it"`
}

// A Task is one piece of work of one creator on one platform.
type Task struct {
	Frame
	TaskFields
	AdvertiserID string `json:"advertiser_id"`
	Overdue      bool   `json:"overdue" doc:"It is open, and due_at has passed"`
}

// LinkFields are what a client writes of a link.
type LinkFields struct {
	PostID      string                        `json:"post_id,omitempty" doc:"For one piece of content"`
	Slug        string                        `json:"slug,omitempty" doc:"Vanity slug, 3 to 64 of A-Z a-z 0-9 _ -; 8 random characters when absent"`
	Destination string                        `json:"destination,omitempty" doc:"The campaign's by default"`
	Sub1        string                        `json:"sub1,omitempty"`
	Sub2        string                        `json:"sub2,omitempty"`
	Sub3        string                        `json:"sub3,omitempty"`
	Sub4        string                        `json:"sub4,omitempty"`
	Sub5        string                        `json:"sub5,omitempty"`
	Rules       []attribution.DestinationRule `json:"rules,omitempty" doc:"The first that matches decides the destination"`
	Split       []attribution.SplitArm        `json:"split,omitempty" doc:"Weighted destinations for everybody no rule matched"`
	ExpiresAt   *attribution.Instant          `json:"expires_at,omitempty"`
	MaxClicks   int64                         `json:"max_clicks,omitempty"`
	Label       string                        `json:"label,omitempty"`
	Disabled    bool                          `json:"disabled,omitempty" doc:"Sends shoppers to the campaign's inactive destination"`
}

// A Link is a tracking link of one task.
type Link struct {
	Frame
	LinkFields
	Number       uint64 `json:"-"` // sealed into click ids
	URL          string `json:"url"`
	TaskID       string `json:"task_id"`
	CampaignID   string `json:"campaign_id"`
	CreatorID    string `json:"creator_id"`
	AdvertiserID string `json:"advertiser_id"`
	Platform     string `json:"platform"`
}

// The roles of keys.
const (
	RoleAdmin      = "admin"
	RoleAdvertiser = "advertiser"
	RoleCreator    = "creator"
	RoleIngest     = "ingest"
)

// KeyFields are what a client writes of an API key.
type KeyFields struct {
	Role         string               `json:"role" doc:"admin, advertiser, creator or ingest"`
	AdvertiserID string               `json:"advertiser_id,omitempty" doc:"Required for roles advertiser and ingest"`
	CreatorID    string               `json:"creator_id,omitempty" doc:"Required for role creator"`
	Name         string               `json:"name,omitempty"`
	ExpiresAt    *attribution.Instant `json:"expires_at,omitempty"`
}

// A Key is an API key without its secret.
type Key struct {
	Frame
	KeyFields
	LastUsedAt *attribution.Instant `json:"last_used_at,omitempty"`
}

// A Scope is whose eyes a call sees with. The zero Scope sees nothing; an admin
// sees all; otherwise what belongs to the advertiser or the creator.
type Scope struct {
	Role         string
	KeyID        string
	AdvertiserID string
	CreatorID    string
}

// A Page asks for a part of a list.
type Page struct {
	Cursor string
	Limit  int // 1 to 1,000; 0: 100
}

// A List is one page of things; NextCursor is empty on the last.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}
