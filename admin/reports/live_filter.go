package reports

import (
	"maps"
	"slices"

	"tributary/attribution"
)

// A liveFilter decides which events are told to a subscriber.
type liveFilter struct {
	scope           Scope
	filters         map[string][]string
	clicks, actions bool
}

// entryFilters are the filters that actions know too.
var entryFilters = []string{"advertiser_id", "campaign_id", "creator_id"}

// newLiveFilter checks a question.
func newLiveFilter(scope Scope, q LiveQuestion) (*liveFilter, error) {
	var check attribution.Checker
	f := &liveFilter{scope: scope, filters: q.Filters, clicks: len(q.Events) == 0, actions: len(q.Events) == 0}
	for _, event := range q.Events {
		check.Require(event == LiveClick || event == LiveAction, "query.events", "must be %s or %s", LiveClick, LiveAction)
		f.clicks, f.actions = f.clicks || event == LiveClick, f.actions || event == LiveAction
	}
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		check.Require(slices.Contains(clickFilters, name), "query."+name, "is no filter")
		check.Require(len(q.Filters[name]) <= maxFilter, "query."+name, "has more than %d values", maxFilter)
		f.actions = f.actions && slices.Contains(entryFilters, name)
	}
	return f, check.Err()
}

func (f *liveFilter) click(c *Click) bool {
	if !f.clicks || !f.sees(c.AdvertiserID, c.CreatorID) {
		return false
	}
	for name, values := range f.filters {
		if !slices.Contains(values, c.field(name)) {
			return false
		}
	}
	return true
}

func (f *liveFilter) entry(e *Entry) bool {
	if !f.actions || !f.sees(e.AdvertiserID, e.CreatorID) {
		return false
	}
	fields := map[string]string{"advertiser_id": e.AdvertiserID, "campaign_id": e.CampaignID, "creator_id": e.CreatorID}
	for name, values := range f.filters {
		if !slices.Contains(values, fields[name]) {
			return false
		}
	}
	return true
}

func (f *liveFilter) sees(advertiserID, creatorID string) bool {
	switch {
	case f.scope.All:
		return true
	case f.scope == Scope{}:
		return false
	}
	return (f.scope.AdvertiserID == "" || f.scope.AdvertiserID == advertiserID) &&
		(f.scope.CreatorID == "" || f.scope.CreatorID == creatorID)
}

// field is what a click can be filtered by.
func (c *Click) field(name string) string {
	switch name {
	case "advertiser_id":
		return c.AdvertiserID
	case "link_id":
		return c.LinkID
	case "task_id":
		return c.TaskID
	case "post_id":
		return orEmpty(c.PostID)
	case "campaign_id":
		return c.CampaignID
	case "creator_id":
		return c.CreatorID
	case "platform":
		return c.Platform
	case "observed_platform":
		return orEmpty(c.ObservedPlatform)
	case "verdict":
		return c.Verdict
	case "country":
		return orEmpty(c.Country)
	case "device":
		return c.Device
	case "os":
		return c.OS
	case "unpayable":
		return orEmpty(c.Unpayable)
	}
	return ""
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// liveConditions are what clicks have that any of the subscribers may see.
func liveConditions(watching []*Subscriber, parameters map[string]string) []string {
	var advertisers, creators []string
	for _, s := range watching {
		switch {
		case s.scope.All && len(s.wanted.filters["advertiser_id"]) == 0:
			return nil
		case s.scope.All:
			advertisers = append(advertisers, s.wanted.filters["advertiser_id"]...)
		case s.scope.CreatorID != "":
			creators = append(creators, s.scope.CreatorID)
		case s.scope.AdvertiserID != "":
			advertisers = append(advertisers, s.scope.AdvertiserID)
		}
	}
	parameters["advertisers"], parameters["creators"] = arrayParameter(advertisers), arrayParameter(creators)
	return []string{"(advertiser_id IN {advertisers:Array(String)} OR creator_id IN {creators:Array(String)})"}
}
