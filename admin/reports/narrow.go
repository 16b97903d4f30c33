package reports

import (
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
)

// A Narrowing is what the reports beside performance can be narrowed by: a period
// and whose clicks, codes and conversions are asked for.
type Narrowing struct {
	From, To string // as in Question
	TZ       string
	Filters  map[string][]string // advertiser_id, campaign_id, creator_id, task_id, link_id, platform, event, code
}

// A narrowed is a checked Narrowing.
type narrowed struct {
	scope    Scope
	from, to time.Time
	zone     *time.Location
	filters  map[string][]string
}

// check checks a narrowing; known are the filters that the report has.
func (n Narrowing) check(check *attribution.Checker, scope Scope, now time.Time, known ...string) narrowed {
	c := narrowed{scope: scope, zone: checkZone(check, n.TZ), filters: n.Filters}
	c.from, c.to = checkPeriod(check, n.From, n.To, c.zone, now)
	for _, name := range slices.Sorted(maps.Keys(n.Filters)) {
		check.Require(slices.Contains(known, name), "query."+name, "is no filter of this report")
		check.Require(len(n.Filters[name]) <= maxFilter, "query."+name, "has more than %d values", maxFilter)
	}
	return c
}

// parameters are the period's and the zone's.
func (n *narrowed) parameters() clickhouse.Parameters {
	return clickhouse.Parameters{"from": clickHouseTime(n.from), "to": clickHouseTime(n.to), "tz": n.zone.String()}
}

// conditions narrow a table's rows: column names the table's column of a filter,
// or "" where the filter is another table's.
func (n *narrowed) conditions(parameters clickhouse.Parameters, column func(name string) string) []string {
	var conditions []string
	if n.scope == (Scope{}) {
		conditions = append(conditions, "1 = 0")
	}
	add := func(column, parameter string, values []string) {
		if column != "" {
			parameters[parameter] = arrayParameter(values)
			conditions = append(conditions, column+" IN {"+parameter+":Array(String)}")
		}
	}
	if n.scope.AdvertiserID != "" {
		add(column("advertiser_id"), "scope_advertiser", []string{n.scope.AdvertiserID})
	}
	if n.scope.CreatorID != "" {
		add(column("creator_id"), "scope_creator", []string{n.scope.CreatorID})
	}
	for _, name := range slices.Sorted(maps.Keys(n.filters)) {
		values := n.filters[name]
		if name == "code" {
			values = lowered(values)
		}
		add(column(name), "filter_"+name, values)
	}
	return conditions
}

// ofConversions are the conditions on conversions: those of the conversions
// themselves, and one on whom they were credited to, where that matters.
func (n *narrowed) ofConversions(parameters clickhouse.Parameters) (conditions, credited []string) {
	conditions = n.conditions(parameters, func(name string) string {
		switch name {
		case "advertiser_id", "event":
			return name
		}
		return ""
	})
	credited = n.conditions(parameters, func(name string) string {
		switch name {
		case "campaign_id", "creator_id", "task_id", "platform":
			return name
		}
		return ""
	})
	if n.scope == (Scope{}) {
		credited = credited[1:] // nothing is seen anyhow
	}
	return conditions, credited
}
