package catalog

import "tributary/schema/database"

func (s Scope) admin() bool { return s.Role == RoleAdmin }

func (s Scope) advertiser() bool { return s.Role == RoleAdvertiser && s.AdvertiserID != "" }

func (s Scope) creator() bool { return s.Role == RoleCreator && s.CreatorID != "" }

// manages says whether the scope may read and write what is the advertiser's.
func (s Scope) manages(advertiserID string) bool {
	return s.admin() || s.advertiser() && s.AdvertiserID == advertiserID
}

// owns says whether the scope may read what belongs to the advertiser and to the
// creator together, such as a task.
func (s Scope) owns(advertiserID, creatorID string) bool {
	return s.manages(advertiserID) || s.creator() && s.CreatorID == creatorID
}

// limit adds to a list's filter what keeps the scope to its own; sees is false
// when the scope sees nothing at all.
func (s Scope) limit(given database.Given) (sees bool) {
	switch {
	case s.admin():
	case s.advertiser():
		given["scope_advertiser"] = s.AdvertiserID
	case s.creator():
		given["scope_creator"] = s.CreatorID
	default:
		return false
	}
	return true
}

// limitOwned is limit for things that have an advertiser and a creator, beside a
// filter that may name them too.
func (s Scope) limitOwned(given database.Given) (sees bool) {
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
