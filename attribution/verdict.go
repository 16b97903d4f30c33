package attribution

import "strings"

// A Verdict says what a hit was. Only Valid can earn; nothing is dropped.
type Verdict uint8

// The verdicts in order of precedence: of those that apply to a hit, the first
// behind Valid is its verdict.
const (
	Valid      Verdict = iota
	Test               // ?_test=1
	Probe              // HEAD
	Prefetch           // Sec-Purpose, Purpose, X-Moz
	Preview            // a link previewer
	Bot                // crawler list, tools, empty user agent
	Datacenter         // an address of a hosting network
	RateAbove          // more hits per network and link than a person makes
	verdictCount
)

var verdictNames = [verdictCount]string{"valid", "test", "probe", "prefetch", "preview", "bot", "datacenter", "rate"}

func (v Verdict) String() string {
	if v >= verdictCount {
		return "unknown"
	}
	return verdictNames[v]
}

// Verdicts lists every verdict, Valid first.
func Verdicts() []Verdict {
	all := make([]Verdict, verdictCount)
	for i := range all {
		all[i] = Verdict(i)
	}
	return all
}

// Reasons is the set of everything noticed about a hit, whichever of it decided.
type Reasons uint16

const (
	ReasonTest Reasons = 1 << iota
	ReasonProbe
	ReasonPrefetch
	ReasonPreview
	ReasonCrawler
	ReasonTool
	ReasonEmptyUserAgent
	ReasonDatacenter
	ReasonRate
	// ReasonOverrideBlocked notes a ?u= whose host is not the advertiser's. It
	// does not make a hit invalid.
	ReasonOverrideBlocked
	// ReasonPaidSearch notes a parameter that only paid search adds, such as
	// gclid. It does not make a hit invalid either.
	ReasonPaidSearch
)

// reasonTable gives each reason its name and the verdict it leads to.
var reasonTable = [...]struct {
	name    string
	verdict Verdict
}{
	{"test", Test}, {"probe", Probe}, {"prefetch", Prefetch}, {"preview", Preview},
	{"crawler", Bot}, {"tool", Bot}, {"empty_user_agent", Bot},
	{"datacenter", Datacenter}, {"rate", RateAbove}, {"override_blocked", Valid}, {"paid_search", Valid},
}

// Verdict is the first verdict that any of the reasons leads to.
func (r Reasons) Verdict() Verdict {
	verdict := Valid
	for i := range reasonTable {
		if r&(1<<i) == 0 || reasonTable[i].verdict == Valid {
			continue
		}
		if verdict == Valid || reasonTable[i].verdict < verdict {
			verdict = reasonTable[i].verdict
		}
	}
	return verdict
}

// Names lists the reasons in a fixed order; never nil.
func (r Reasons) Names() []string {
	names := []string{}
	for i := range reasonTable {
		if r&(1<<i) != 0 {
			names = append(names, reasonTable[i].name)
		}
	}
	return names
}

func (r Reasons) String() string { return strings.Join(r.Names(), " ") }
