package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tributary/attribution"
)

// An actionFilter narrows the listing by one field. Its condition has the value as
// {…}, and is written for one of the kinds.
type actionFilter struct {
	name, column string
	kind         filterKind
	sight        sight
	changing     bool // the field changes while the action lives
}

type filterKind int

const (
	oneOf        filterKind = iota // texts
	oneOfAnyCase                   // texts, in any case
	anyOf                          // of an array's texts
	containing                     // a part of a text, in any case
	oneNumberOf                    // whole numbers
	fromTime                       // that time or later
	beforeTime                     // before that time; never is not before
	atLeast                        // money
	atMost                         // money
)

// actionFilters are the filters of the listing: one or two for every field.
var actionFilters = func() []actionFilter {
	filters := []actionFilter{
		{name: "code", column: "code", kind: oneOfAnyCase}, {name: "terms_version", column: "terms_version", kind: oneNumberOf},
		{name: "reason", column: "reasons", kind: anyOf, changing: true}, {name: "reversal_reason", column: "reversal", changing: true},
		{name: "notes", column: "notes", kind: containing, sight: costSight, changing: true},
		{name: "state", column: "state", changing: true}, {name: "payout_id", column: "payout_id", changing: true},
		{name: "quantity", column: "quantity", kind: oneNumberOf, changing: true}, {name: "seq", column: "seq", kind: oneNumberOf, changing: true},
		{name: "updated_since", column: "updated_at", kind: fromTime, changing: true},
	}
	for _, name := range []string{
		"id", "conversion_id", "advertiser_id", "campaign_id", "creator_id", "task_id", "link_id", "post_id", "platform", "event", "order_id",
		"click_id", "referral", "model", "credit", "currency", "corrects",
	} {
		filters = append(filters, actionFilter{name: name, column: name})
	}
	for i, name := range []string{
		"click_time", "received_at", "created_at", "lock_at", "pay_at", "locked_at", "payable_at", "paid_at", "reversed_at", "updated_at",
	} {
		changing := i > 2
		filters = append(filters, actionFilter{name: name + "_from", column: name, kind: fromTime, changing: changing},
			actionFilter{name: name + "_to", column: name, kind: beforeTime, changing: changing})
	}
	for _, money := range []actionFilter{
		{name: "amount", column: "amount_minor"}, {name: "payout", column: "payout_minor", sight: payoutSight},
		{name: "intended_payout", column: "intended_minor", sight: payoutSight}, {name: "cost", column: "cost_minor", sight: costSight},
	} {
		for _, bound := range []struct {
			name string
			kind filterKind
		}{{"_min", atLeast}, {"_max", atMost}} {
			filters = append(filters, actionFilter{name: money.name + bound.name, column: money.column, kind: bound.kind, sight: money.sight, changing: true})
		}
	}
	return filters
}()

// filter adds the conditions of filters. One by what the scope may not see is
// refused, or leaves out the actions it is hidden of: an answer would tell it.
func (l *ActionListing) filter(check *attribution.Checker, scope Scope, filters map[string][]string, zone *time.Location) {
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		i := slices.IndexFunc(actionFilters, func(f actionFilter) bool { return f.name == name })
		values, location := filters[name], "query."+name
		if i < 0 || actionFilters[i].sight == costSight && scope.CreatorID != "" {
			check.Add(location, "is no filter")
			continue
		}
		f := &actionFilters[i]
		check.Require(len(values) <= maxFilter, location, "has more than %d values", maxFilter)
		if f.sight == payoutSight && len(l.agencies) > 0 {
			l.parameters["agencies"] = arrayParameter(l.agencies)
			l.conditions = append(l.conditions, "NOT has({agencies:Array(String)}, toString(campaign_id))")
		}
		condition, value, err := f.condition(values, filters["currency"], zone)
		if err != nil {
			check.Add(location, "%v", err)
			continue
		}
		l.conditions, l.changing = append(l.conditions, condition), l.changing || f.changing
		l.parameters["filter_"+name] = value
	}
}

// condition is the filter in SQL and the value of its parameter.
func (f *actionFilter) condition(values, currencies []string, zone *time.Location) (condition, value string, err error) {
	parameter := func(kind string) string { return "{filter_" + f.name + ":" + kind + "}" }
	switch f.kind {
	case oneOfAnyCase:
		return "lower(" + f.column + ") IN " + parameter("Array(String)"), arrayParameter(lowered(values)), nil
	case anyOf:
		return "hasAny(" + f.column + ", " + parameter("Array(String)") + ")", arrayParameter(values), nil
	case containing:
		return "positionCaseInsensitiveUTF8(" + f.column + ", " + parameter("String") + ") > 0", values[0], nil
	case oneNumberOf:
		for _, v := range values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				return "", "", fmt.Errorf("must be whole numbers")
			}
		}
		return f.column + " IN " + parameter("Array(Int64)"), "[" + strings.Join(values, ",") + "]", nil
	case fromTime, beforeTime:
		at, ok := readTime(values[0], zone)
		if !ok {
			return "", "", fmt.Errorf("%s", notATime)
		}
		moment := parameter("DateTime64(3, 'UTC')")
		if f.kind == fromTime {
			return f.column + " >= " + moment, clickHouseTime(at), nil
		}
		return f.column + " < " + moment + " AND " + f.column + " > fromUnixTimestamp64Milli(0, 'UTC')", clickHouseTime(at), nil
	case atLeast, atMost:
		if len(currencies) != 1 {
			return "", "", fmt.Errorf("goes with one currency: amounts of several cannot be compared")
		}
		minor, err := attribution.ParseMoney(attribution.Decimal(values[0]), currencies[0])
		if err != nil {
			return "", "", err
		}
		sign := map[filterKind]string{atLeast: " >= ", atMost: " <= "}[f.kind]
		return f.column + sign + parameter("Int64"), strconv.FormatInt(minor, 10), nil
	}
	return f.column + " IN " + parameter("Array(String)"), arrayParameter(values), nil
}

func lowered(values []string) []string {
	lower := make([]string, len(values))
	for i, v := range values {
		lower[i] = strings.ToLower(v)
	}
	return lower
}
