package ledger

import (
	"fmt"

	"tributary/attribution"
	"tributary/schema/database"
)

// The roles of scopes.
const (
	RoleAdmin      = "admin"
	RoleAdvertiser = "advertiser"
	RoleCreator    = "creator"
)

// The roles entries name beside those of keys.
const (
	roleSettler = "settler" // a report did it
	roleClock   = "clock"   // time did it
	roleLedger  = "ledger"  // it follows from something else: a budget that has room again
)

// A Scope is whose eyes a call sees with. The zero Scope sees nothing; an admin
// sees all; otherwise what belongs to the advertiser or the creator.
type Scope struct {
	Role         string
	KeyID        string
	AdvertiserID string
	CreatorID    string
}

func (s Scope) admin() bool { return s.Role == RoleAdmin }

func (s Scope) advertiser() bool { return s.Role == RoleAdvertiser && s.AdvertiserID != "" }

func (s Scope) creator() bool { return s.Role == RoleCreator && s.CreatorID != "" }

func (s Scope) manages(advertiserID string) bool {
	return s.admin() || s.advertiser() && s.AdvertiserID == advertiserID
}

func (s Scope) owns(advertiserID, creatorID string) bool {
	return s.manages(advertiserID) || s.creator() && s.CreatorID == creatorID
}

// limit adds to a list's filter what keeps the scope to its own; sees is false
// when the scope sees nothing at all, or asks for what is another's.
func (s Scope) limit(given database.Given) (sees bool) {
	var name, id string
	switch {
	case s.admin():
		return true
	case s.advertiser():
		name, id = "advertiser_id", s.AdvertiserID
	case s.creator():
		name, id = "creator_id", s.CreatorID
	default:
		return false
	}
	if asked := given[name]; asked != nil && asked != "" && asked != id {
		return false
	}
	given[name] = id
	return true
}

// notFound is said of what does not exist and of what belongs to another alike.
func notFound(thing, id string) error {
	return attribution.Refuse(attribution.CodeNotFound, "there is no %s %.64q", thing, id)
}

func forbidden(scope Scope, what string) error {
	return attribution.Refuse(attribution.CodeForbidden, "a key of role %s may not %s", scope.Role, what)
}

func conflict(format string, args ...any) error {
	return attribution.Refuse(attribution.CodeConflict, format, args...)
}

func invalid(location, format string, args ...any) error {
	var check attribution.Checker
	check.Add(location, format, args...)
	return check.Err()
}

const (
	defaultLimit = 100
	// MaxLimit is the largest page.
	MaxLimit = 1000
)

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

func (p Page) limit() (int, error) {
	if p.Limit < 0 || p.Limit > MaxLimit {
		return 0, invalid("query.limit", "%s", fmt.Sprintf("must be 1 to %d", MaxLimit))
	}
	if p.Limit == 0 {
		return defaultLimit, nil
	}
	return p.Limit, nil
}
