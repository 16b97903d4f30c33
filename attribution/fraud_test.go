package attribution

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// said are the rules that signal something, and their severities.
func said(signals []FraudSignal) string {
	words := make([]string, len(signals))
	for i, s := range signals {
		words[i] = s.Rule + " " + s.Severity
	}
	return strings.Join(words, ", ")
}

func TestFraudRulesAtTheirThresholds(t *testing.T) {
	const at = Instant(1_800_000_000_000)
	for name, c := range map[string]struct {
		rules string
		facts FraudFacts
		want  string
	}{
		"nothing known":             {`{}`, FraudFacts{EventAt: at}, ""},
		"9.999 s after the click":   {`{}`, FraudFacts{EventAt: at, ClickAt: at - 9_999}, "time_to_sale flag"},
		"10 s after the click":      {`{}`, FraudFacts{EventAt: at, ClickAt: at - 10_000}, ""},
		"at the click":              {`{}`, FraudFacts{EventAt: at, ClickAt: at}, "time_to_sale flag"},
		"before the click":          {`{}`, FraudFacts{EventAt: at, ClickAt: at + 1}, ""},
		"another threshold":         {`{"time_to_sale":{"threshold":60,"action":"hold"}}`, FraudFacts{EventAt: at, ClickAt: at - 59_999}, "time_to_sale hold"},
		"that threshold reached":    {`{"time_to_sale":{"threshold":60,"action":"hold"}}`, FraudFacts{EventAt: at, ClickAt: at - 60_000}, ""},
		"time to sale is off":       {`{"time_to_sale":{"action":"off"}}`, FraudFacts{EventAt: at, ClickAt: at}, ""},
		"own purchase":              {`{}`, FraudFacts{OwnPurchase: true}, "self_purchase flag"},
		"own purchase held":         {`{"self_purchase":{"action":"hold"}}`, FraudFacts{OwnPurchase: true}, "self_purchase hold"},
		"own purchase is off":       {`{"self_purchase":{"action":"off"}}`, FraudFacts{OwnPurchase: true}, ""},
		"10 orders of a network":    {`{}`, FraudFacts{NetworkOrders: 10}, ""},
		"11 orders of a network":    {`{}`, FraudFacts{NetworkOrders: 11}, "network_velocity flag"},
		"2 of at most 1":            {`{"network_velocity":{"action":"hold","threshold":1}}`, FraudFacts{NetworkOrders: 2}, "network_velocity hold"},
		"velocity is off":           {`{"network_velocity":{"action":"off"}}`, FraudFacts{NetworkOrders: 99}, ""},
		"50 uses of a code":         {`{}`, FraudFacts{CodeUses: 50}, ""},
		"51 uses of a code":         {`{}`, FraudFacts{CodeUses: 51}, "leaked_code flag"},
		"a leaked code held":        {`{"leaked_code":{"action":"hold","threshold":3}}`, FraudFacts{CodeUses: 4}, "leaked_code hold"},
		"a leaked code is off":      {`{"leaked_code":{"action":"off"}}`, FraudFacts{CodeUses: 99}, ""},
		"5 borrowed uses":           {`{}`, FraudFacts{CodeUses: 5, BorrowedUses: 5}, ""},
		"6 borrowed uses":           {`{}`, FraudFacts{CodeUses: 6, BorrowedUses: 6}, "borrowed_code flag"},
		"paid search":               {`{}`, FraudFacts{PaidSearch: true}, "click_source flag"},
		"paid search allowed":       {`{}`, FraudFacts{PaidSearch: true, PaidSearchTerms: true}, ""},
		"paid search held":          {`{"click_source":{"action":"hold"}}`, FraudFacts{PaidSearch: true}, "click_source hold"},
		"paid search is off":        {`{"click_source":{"action":"off"}}`, FraudFacts{PaidSearch: true}, ""},
		"several, in their order":   {`{}`, FraudFacts{PaidSearch: true, OwnPurchase: true, EventAt: at, ClickAt: at}, "time_to_sale flag, self_purchase flag, click_source flag"},
		"one of several held":       {`{"self_purchase":{"action":"hold"}}`, FraudFacts{PaidSearch: true, OwnPurchase: true}, "self_purchase hold, click_source flag"},
		"an unknown action is none": {`{"self_purchase":{"action":"shout"}}`, FraudFacts{OwnPurchase: true}, ""},
	} {
		var rules FraudRules
		if err := json.Unmarshal([]byte(c.rules), &rules); err != nil {
			t.Fatal(err)
		}
		policy := rules.Policy()
		signals := policy.Signals(&c.facts)
		if got := said(signals); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		for _, s := range signals {
			if s.Version != FraudRulesVersion || !strings.HasPrefix(s.Reason, "fraud_") || !strings.HasSuffix(s.Sentence, ".") || s.Figures == nil {
				t.Errorf("%s: %+v lacks its version, reason, figures or sentence", name, s)
			}
		}
	}
}

func TestConversionRateAtItsThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		facts RateFacts
		want  bool
	}{
		"5 times the usual":           {``, RateFacts{Orders: 20, Clicks: 100, UsualOrders: 40, UsualClicks: 1_000}, false},
		"a little more":               {``, RateFacts{Orders: 21, Clicks: 100, UsualOrders: 40, UsualClicks: 1_000}, true},
		"too few orders":              {``, RateFacts{Orders: 19, Clicks: 20, UsualOrders: 4, UsualClicks: 1_000}, false},
		"too little to compare with":  {``, RateFacts{Orders: 20, Clicks: 20, UsualOrders: 1, UsualClicks: 99}, false},
		"just enough":                 {``, RateFacts{Orders: 20, Clicks: 20, UsualOrders: 1, UsualClicks: 100}, true},
		"without a click":             {``, RateFacts{Orders: 20, UsualOrders: 3, UsualClicks: 100}, true},
		"without a usual order":       {``, RateFacts{Orders: 20, Clicks: 400, UsualClicks: 100}, false},
		"and far above":               {``, RateFacts{Orders: 21, Clicks: 400, UsualClicks: 100}, true},
		"off":                         {`off`, RateFacts{Orders: 1_000, Clicks: 1, UsualOrders: 1, UsualClicks: 1_000}, false},
		"numbers that do not fit int": {``, RateFacts{Orders: 1 << 40, Clicks: 1, UsualOrders: 1, UsualClicks: 1 << 40}, true},
	} {
		policy := (&FraudRules{ConversionRate: &FraudRule{Action: c.rules}}).Policy()
		signal, applies := policy.RateSignal(c.facts)
		if applies != c.want || applies && (signal.Rule != FraudConversionRate || signal.Version != FraudRulesVersion || signal.Sentence == "") {
			t.Errorf("%s: %v %+v", name, applies, signal)
		}
	}
}

// TestFraudSignalsDependOnFactsAlone draws facts and rules at random: the same
// again says the same, whatever was asked before, and no rule hears another's
// settings.
func TestFraudSignalsDependOnFactsAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	actions := []string{"", FraudOff, FraudFlag, FraudHold}
	type trial struct {
		rules FraudRules
		facts FraudFacts
		said  []FraudSignal
	}
	var trials []trial
	for range 2_000 {
		rule := func() *FraudRule {
			return &FraudRule{Action: actions[random.IntN(len(actions))], Threshold: random.Int64N(20), WindowHours: random.Int64N(48)}
		}
		at := Instant(1_800_000_000_000)
		one := trial{
			rules: FraudRules{rule(), rule(), rule(), rule(), rule(), rule(), rule()},
			facts: FraudFacts{EventAt: at, ClickAt: at - Instant(random.Int64N(40_000)), PaidSearch: random.IntN(2) == 0, PaidSearchTerms: random.IntN(2) == 0,
				OwnPurchase: random.IntN(2) == 0, NetworkOrders: random.Int64N(40), CodeUses: random.Int64N(40), BorrowedUses: random.Int64N(40)},
		}
		policy := one.rules.Policy()
		one.said = policy.Signals(&one.facts)
		trials = append(trials, one)
	}
	random.Shuffle(len(trials), func(i, j int) { trials[i], trials[j] = trials[j], trials[i] })
	for _, one := range trials {
		policy := one.rules.Policy()
		if again := policy.Signals(&one.facts); !reflect.DeepEqual(again, one.said) {
			t.Fatalf("%+v under %+v said %v, then %v", one.facts, one.rules, one.said, again)
		}
		for _, s := range one.said { // by itself, each rule says the same
			alone := FraudPolicy{}
			for i := range alone {
				if fraudKinds[i].name == s.Rule {
					alone[i] = policy[i]
				}
			}
			if only := alone.Signals(&one.facts); len(only) != 1 || !reflect.DeepEqual(only[0], s) {
				t.Fatalf("%s alone says %v, among others %v", s.Rule, only, s)
			}
		}
		if !slices.IsSortedFunc(one.said, func(a, b FraudSignal) int {
			return slices.Index(fraudRuleNames(), a.Rule) - slices.Index(fraudRuleNames(), b.Rule)
		}) {
			t.Fatalf("%v is out of order", said(one.said))
		}
	}
}

func TestFraudRulesAreChecked(t *testing.T) {
	for rules, want := range map[string]string{
		`{}`: "",
		`{"time_to_sale":{"action":"hold","threshold":5},"leaked_code":{"window_hours":168}}`: "",
		`{"time_to_sale":{"action":"block"}}`:                                                 "r.time_to_sale.action",
		`{"time_to_sale":{"threshold":-1}}`:                                                   "r.time_to_sale.threshold",
		`{"time_to_sale":{"window_hours":1}}`:                                                 "r.time_to_sale.window_hours",
		`{"self_purchase":{"threshold":1}}`:                                                   "r.self_purchase.threshold",
		`{"leaked_code":{"window_hours":169}}`:                                                "r.leaked_code.window_hours",
		`{"conversion_rate":{"threshold":1000001}}`:                                           "r.conversion_rate.threshold",
	} {
		var given FraudRules
		if err := json.Unmarshal([]byte(rules), &given); err != nil {
			t.Fatal(err)
		}
		var check Checker
		given.Check(&check, "r")
		problem, refused := AsProblem(check.Err())
		if refused != (want != "") || refused && (len(problem.Fields) != 1 || problem.Fields[0].Location != want) {
			t.Errorf("%s: %v, want %q", rules, check.Err(), want)
		}
	}
	var check Checker
	(*FraudRules)(nil).Check(&check, "r")
	if check.Err() != nil {
		t.Error("no rules are refused")
	}
}

func TestEveryFraudRuleIsNamedOnce(t *testing.T) {
	if fraudKinds[fraudRateKind].name != FraudConversionRate {
		t.Errorf("conversion_rate is not rule %d", fraudRateKind)
	}
	names := map[string]bool{}
	fields := reflect.TypeFor[FraudRules]()
	if fields.NumField() != len(fraudKinds) {
		t.Fatalf("%d rules, %d fields", len(fraudKinds), fields.NumField())
	}
	for i, kind := range fraudKinds {
		names[kind.name] = true
		if tag, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ","); tag != kind.name {
			t.Errorf("rule %s is field %s", kind.name, tag)
		}
		one := &FraudRules{}
		reflect.ValueOf(one).Elem().Field(i).Set(reflect.ValueOf(&FraudRule{Action: FraudHold}))
		policy := one.Policy()
		if rule, on := policy.Rule(kind.name); !on || rule.Action != FraudHold || rule.Threshold != kind.usual.Threshold {
			t.Errorf("%s is %+v", kind.name, rule)
		}
	}
	if len(names) != len(fraudKinds) || len(slices.Collect(maps.Keys(names))) != len(fraudRuleNames()) {
		t.Errorf("names: %v", fraudRuleNames())
	}
}

func TestNetworkTags(t *testing.T) {
	for _, none := range []string{"", "127.0.0.0/24", "::/48"} {
		if tag := NetworkTag([]byte(none)); tag != 0 {
			t.Errorf("%q has the tag %d", none, tag)
		}
	}
	seen := map[uint16]int{}
	for a := range 256 {
		for b := range 256 {
			seen[NetworkTag(fmt.Appendf(nil, "203.%d.%d.0/24", a, b))]++
		}
	}
	if _, zero := seen[0]; zero || len(seen) < 35_000 { // of 65,536, as many as chance leaves apart
		t.Errorf("65,536 networks have %d tags", len(seen))
	}
}

func TestClickIDSaysPaidSearchAndNetwork(t *testing.T) {
	ring, err := NewClickKeyring(1, map[byte][]byte{1: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	var m ClickMinter
	for _, verdict := range Verdicts() {
		for _, paid := range []bool{false, true} {
			token := ClickToken{AtMs: 1_800_000_000_000, Link: 42, Verdict: verdict, Unpayable: LinkExpired, PaidSearch: paid, Network: 0xfffe}
			id := string(m.Append(nil, ring, token, math.MaxUint64))
			if opened, err := ring.OpenClickID(id); err != nil || opened != token {
				t.Errorf("%+v came back as %+v, %v", token, opened, err)
			}
		}
	}
}

// fraudRuleNames are the names of all rules, in their order.
func fraudRuleNames() []string {
	names := make([]string, len(fraudKinds))
	for i, kind := range fraudKinds {
		names[i] = kind.name
	}
	return names
}
