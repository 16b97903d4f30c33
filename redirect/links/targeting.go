package links

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
)

// A Targeting is a link's destination rules and split, compiled for the
// redirect path: times are parsed, names folded, weights summed up. It is
// immutable. Package redirect/target evaluates it.
type Targeting struct {
	Rules      []Rule // in the link's order: the first that matches decides
	Split      []Arm  // for everybody no rule matched
	SplitTotal int64  // sum of the weights; 0: no split

	id uint64 // tells this targeting from others that had its slot
}

// A Rule sends the shoppers it matches to Destination. Every condition that is
// given must hold; an empty list holds for everybody. The lists are sorted.
type Rule struct {
	Destination []byte
	Countries   []string // upper case
	Devices     []string // lower case
	OS          []string // lower case
	Languages   []string // lower case tags; en matches en-gb
	Query       []QueryCondition
	FromMs      int64 // the rule is live in [FromMs, UntilMs); math.MinInt64 when not given
	UntilMs     int64 // math.MaxInt64 when not given
}

// A QueryCondition is a parameter the tracking URL must have. An empty Value
// matches any.
type QueryCondition struct {
	Name, Value string
}

// An Arm takes the draws r in [0, SplitTotal) that are below its Upto and not
// below the Upto of the arm before it. An arm without weight takes none.
type Arm struct {
	Destination []byte
	Upto        int64
}

// maxArmWeight keeps the sum of weights far from overflow.
const maxArmWeight = math.MaxInt32

// CompileTargeting compiles a link's rules and split, or returns nil when it has
// neither. A rule with a time that is not RFC 3339 matches nobody: a condition
// that cannot be read cannot hold.
func CompileTargeting(rules []attribution.DestinationRule, split []attribution.SplitArm) *Targeting {
	if len(rules) == 0 && len(split) == 0 {
		return nil
	}
	t := &Targeting{}
	for i := range rules {
		t.Rules = append(t.Rules, compileRule(&rules[i]))
	}
	for _, arm := range split {
		t.SplitTotal += int64(min(max(arm.Weight, 0), maxArmWeight))
		t.Split = append(t.Split, Arm{Destination: []byte(arm.Destination), Upto: t.SplitTotal})
	}
	return t
}

func compileRule(r *attribution.DestinationRule) Rule {
	rule := Rule{
		Destination: []byte(r.Destination),
		Countries:   folded(r.When.Countries, strings.ToUpper),
		Devices:     folded(r.When.Devices, strings.ToLower),
		OS:          folded(r.When.OS, strings.ToLower),
		Languages:   folded(r.When.Languages, strings.ToLower),
		FromMs:      math.MinInt64,
		UntilMs:     math.MaxInt64,
	}
	for _, name := range slices.Sorted(maps.Keys(r.When.Query)) {
		rule.Query = append(rule.Query, QueryCondition{Name: name, Value: r.When.Query[name]})
	}
	readable := timeMs(r.When.After, &rule.FromMs) && timeMs(r.When.Before, &rule.UntilMs)
	if !readable {
		rule.FromMs, rule.UntilMs = math.MaxInt64, math.MinInt64
	}
	return rule
}

// timeMs reads a time into ms, which an empty text leaves alone.
func timeMs(text string, ms *int64) bool {
	if text == "" {
		return true
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err == nil {
		*ms = at.UnixMilli()
	}
	return err == nil
}

func folded(names []string, fold func(string) string) []string {
	if len(names) == 0 {
		return nil
	}
	set := make([]string, len(names))
	for i, name := range names {
		set[i] = fold(name)
	}
	slices.Sort(set)
	return slices.Compact(set)
}
