package verdict

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"tributary/attribution"
)

// thirdParty reads an installed file of an npm package.
func thirdParty(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../node_modules", file))
	if err != nil {
		t.Fatalf("%v: run `make deps`", err)
	}
	return content
}

var testRules = sync.OnceValues(func() (*Rules, error) {
	crawlers, err := os.ReadFile("../../node_modules/crawler-user-agents/crawler-user-agents.json")
	if err != nil {
		return nil, err
	}
	return New(crawlers)
})

func loadRules(t testing.TB) *Rules {
	t.Helper()
	rules, err := testRules()
	if err != nil {
		t.Fatalf("%v: run `make deps`", err)
	}
	return rules
}

// lines reads a list in testdata.
func lines(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return entries(string(text))
}

func agentVerdict(rules *Rules, userAgent string) (attribution.Verdict, attribution.Reasons) {
	reasons := rules.Classify(&Hit{UserAgent: []byte(userAgent)})
	return reasons.Verdict(), reasons
}

func TestPeopleAreValid(t *testing.T) {
	rules := loadRules(t)
	people := lines(t, "people.txt")
	if len(people) < 40 {
		t.Fatalf("%d user agents", len(people))
	}
	for _, userAgent := range people {
		if verdict, reasons := agentVerdict(rules, userAgent); verdict != attribution.Valid {
			t.Errorf("%v (%v): %s", verdict, reasons, userAgent)
		}
	}
}

func TestThousandsOfRealBrowsersAreValid(t *testing.T) {
	rules := loadRules(t)
	var browsers []struct {
		UserAgent string `json:"userAgent"`
	}
	if err := json.Unmarshal(thirdParty(t, "user-agents/dist/user-agents.json"), &browsers); err != nil {
		t.Fatal(err)
	}
	if len(browsers) < 5000 {
		t.Fatalf("%d user agents", len(browsers))
	}
	for _, browser := range browsers {
		if verdict, reasons := agentVerdict(rules, browser.UserAgent); verdict != attribution.Valid {
			t.Errorf("%v (%v): %s", verdict, reasons, browser.UserAgent)
		}
	}
}

func TestRobotsAreNot(t *testing.T) {
	rules := loadRules(t)
	for _, line := range lines(t, "robots.txt") {
		want, userAgent, _ := strings.Cut(line, " ")
		if verdict, reasons := agentVerdict(rules, userAgent); verdict.String() != want {
			t.Errorf("%v (%v), want %s: %s", verdict, reasons, want, userAgent)
		}
	}
}

// Every instance of every crawler of the list is caught, but for those of the
// patterns in lists/people.txt.
func TestEveryCrawlerInstance(t *testing.T) {
	rules := loadRules(t)
	var crawlers []crawlerEntry
	if err := json.Unmarshal(thirdParty(t, "crawler-user-agents/crawler-user-agents.json"), &crawlers); err != nil {
		t.Fatal(err)
	}
	spared := entries(people)
	instances := 0
	for _, crawler := range crawlers {
		if i := slices.Index(spared, crawler.Pattern); i >= 0 {
			spared = slices.Delete(spared, i, i+1)
			for _, instance := range crawler.Instances {
				if verdict, reasons := agentVerdict(rules, instance); verdict != attribution.Valid {
					t.Errorf("%s is people, but %v (%v): %s", crawler.Pattern, verdict, reasons, instance)
				}
			}
			continue
		}
		for _, instance := range crawler.Instances {
			instances++
			if verdict, reasons := agentVerdict(rules, instance); verdict != attribution.Bot && verdict != attribution.Preview {
				t.Errorf("%s: %v (%v): %s", crawler.Pattern, verdict, reasons, instance)
			}
		}
	}
	if len(spared) > 0 {
		t.Errorf("lists/people.txt spares patterns the list does not have: %q", spared)
	}
	t.Logf("%d instances of %d patterns", instances, len(crawlers))
}

func TestClassify(t *testing.T) {
	rules := loadRules(t)
	const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
	cases := []struct {
		name    string
		hit     Hit
		verdict attribution.Verdict
		reasons string
	}{
		{"a person", Hit{}, attribution.Valid, ""},
		{"test", Hit{TestParam: true}, attribution.Test, "test"},
		{"probe", Hit{Head: true}, attribution.Probe, "probe"},
		{"prefetch", Hit{SecPurpose: []byte("prefetch")}, attribution.Prefetch, "prefetch"},
		{"prerender", Hit{SecPurpose: []byte("prefetch;prerender")}, attribution.Prefetch, "prefetch"},
		{"by proxy", Hit{SecPurpose: []byte("prefetch; anonymous-client-ip")}, attribution.Prefetch, "prefetch"},
		{"only prerender", Hit{SecPurpose: []byte(" Prerender ")}, attribution.Prefetch, "prefetch"},
		{"old Chrome", Hit{Purpose: []byte("prefetch")}, attribution.Prefetch, "prefetch"},
		{"Safari's top sites", Hit{Purpose: []byte("preview")}, attribution.Prefetch, "prefetch"},
		{"Firefox", Hit{XMoz: []byte("prefetch")}, attribution.Prefetch, "prefetch"},
		{"another purpose", Hit{SecPurpose: []byte("navigate"), Purpose: []byte("prefetching")}, attribution.Valid, ""},
		{"datacenter", Hit{Datacenter: true}, attribution.Datacenter, "datacenter"},
		{"rate", Hit{RateExceeded: true}, attribution.RateAbove, "rate"},
		{"no user agent", Hit{UserAgent: []byte{}}, attribution.Bot, "empty_user_agent"},
		{"blank user agent", Hit{UserAgent: []byte("  ")}, attribution.Bot, "empty_user_agent"},
		{"a tool", Hit{UserAgent: []byte("curl/8.7.1")}, attribution.Bot, "tool"},
		{"a crawler", Hit{UserAgent: []byte("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")}, attribution.Bot, "crawler"},
		{"a driven crawler", Hit{UserAgent: []byte("Mozilla/5.0 AppleWebKit HeadlessChrome/1 (compatible; Googlebot/2.1)")}, attribution.Bot, "crawler tool"},
		{"everything", Hit{Head: true, TestParam: true, Purpose: []byte("prefetch"), UserAgent: []byte("Twitterbot/1.0"), Datacenter: true, RateExceeded: true},
			attribution.Test, "test probe prefetch preview datacenter rate"},
		{"precedence", Hit{UserAgent: []byte("Twitterbot/1.0"), Datacenter: true, RateExceeded: true}, attribution.Preview, "preview datacenter rate"},
	}
	for _, c := range cases {
		if c.hit.UserAgent == nil {
			c.hit.UserAgent = []byte(chrome)
		}
		for range 2 { // the second time from memory
			reasons := rules.Classify(&c.hit)
			if reasons.Verdict() != c.verdict || reasons.String() != c.reasons {
				t.Errorf("%s: %v (%v), want %v (%s)", c.name, reasons.Verdict(), reasons, c.verdict, c.reasons)
			}
		}
	}
}

func TestReclassifyKeepsWhatOnlyTheMomentKnew(t *testing.T) {
	rules := loadRules(t)
	stored := attribution.ReasonProbe | attribution.ReasonRate | attribution.ReasonOverrideBlocked |
		attribution.ReasonCrawler | attribution.ReasonDatacenter
	got := rules.Reclassify(stored, []byte("curl/8"), 0)
	want := attribution.ReasonProbe | attribution.ReasonRate | attribution.ReasonOverrideBlocked | attribution.ReasonTool
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := rules.Reclassify(0, []byte("curl/8"), 16509); got != attribution.ReasonTool|attribution.ReasonDatacenter {
		t.Errorf("from a hosting network: %v", got)
	}
	const masked = "Mozilla/5.0 (compatible; Ezooms/1.0; " + attribution.MaskedEmail + ")" // known by its owner's address
	if got := rules.Reclassify(attribution.ReasonCrawler|attribution.ReasonDatacenter, []byte(masked), 0); got != attribution.ReasonCrawler {
		t.Errorf("a crawler without its address: %v", got)
	}
	if got := rules.Reclassify(0, []byte("curl/8 "+attribution.MaskedEmail), 0); got != attribution.ReasonTool {
		t.Errorf("a tool without its address: %v", got)
	}
	if got := rules.Reclassify(0, []byte(lines(t, "people.txt")[0]+" "+attribution.MaskedEmail), 0); got != 0 {
		t.Errorf("somebody without an address: %v", got)
	}
}

func TestDatacenter(t *testing.T) {
	rules := loadRules(t)
	for _, asn := range []uint32{16509, 14618, 396982, 8075, 14061, 16276, 24940, 63949, 20473, 45102, 132203, 31898, 51167, 12876, 9009, 60781} {
		if !rules.Datacenter(asn) {
			t.Errorf("AS%d rents out servers", asn)
		}
	}
	for _, asn := range []uint32{0, 13335, 15169, 36183, 54113, 20940, 7018, 3320, 45758, 1} {
		if rules.Datacenter(asn) {
			t.Errorf("AS%d carries people", asn)
		}
	}
	if !slices.IsSorted(rules.hosting) || len(slices.Compact(slices.Clone(rules.hosting))) != len(rules.hosting) {
		t.Error("lists/hosting.txt names a network twice")
	}
}

func TestVersionFollowsFromTheLists(t *testing.T) {
	list := func(pattern string) *Rules {
		rules, err := New([]byte(`[{"pattern": "` + pattern + `", "instances": []}]`))
		if err != nil {
			t.Fatal(err)
		}
		return rules
	}
	one, again, other := list("Foobot"), list("Foobot"), list("Barbot")
	if one.Version() != again.Version() {
		t.Error("the same lists have two versions")
	}
	if one.Version() == other.Version() {
		t.Error("two lists have the same version")
	}
	if v := int64(one.Version()); v < 1 || v > 1<<31-1 {
		t.Errorf("version %d", v)
	}
}

func TestListsThatCannotBeLoaded(t *testing.T) {
	cases := map[string]string{
		`{}`:                           "format of crawler-user-agents.json",
		`[]`:                           "names no crawler",
		`[{"pattern": ""}]`:            "entry 0 has no pattern",
		`[{"pattern": "("}]`:           `pattern "("`,
		`[{"pattern": "a"}]`:           "matches too much",
		`[{"pattern": "^"}]`:           "matches too much",
		`[{"pattern": ".*"}]`:          "no plain text",
		`[{"pattern": "(?i)bot"}]`:     "no plain text",
		`[{"pattern": "x?y?[a-z]z+"}]`: "no plain text",
	}
	for list, want := range cases {
		if _, err := New([]byte(list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", list, err, want)
		}
	}
	if _, err := New(bytes.Repeat([]byte(" "), maxCrawlersBytes+1)); err == nil {
		t.Error("a list of any length")
	}
	long := `[{"pattern": "` + strings.Repeat("x", maxStates) + `"}]`
	if _, err := New([]byte(long)); err == nil || !strings.Contains(err.Error(), "shorten the list") {
		t.Errorf("too many characters: %v", err)
	}
}

func TestLoad(t *testing.T) {
	_, err := loadEmbedded(fstest.MapFS{"assets/README.md": {}})
	if err == nil || !strings.Contains(err.Error(), "make build") || !strings.Contains(err.Error(), "--crawlers") {
		t.Errorf("built without the list: %v", err)
	}
	content := thirdParty(t, "crawler-user-agents/crawler-user-agents.json")
	embedded, err := loadEmbedded(fstest.MapFS{embeddedCrawlers: {Data: content}})
	if err != nil {
		t.Fatal(err)
	}
	named, err := Load("../../node_modules/crawler-user-agents/crawler-user-agents.json")
	if err != nil {
		t.Fatal(err)
	}
	if embedded.Version() != named.Version() {
		t.Error("the same list, embedded and from a file, has two versions")
	}
	if _, err := Load("testdata/absent.json"); err == nil || !strings.Contains(err.Error(), "--crawlers") {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := Load("testdata/people.txt"); err == nil || !strings.Contains(err.Error(), "people.txt") {
		t.Errorf("not a list: %v", err)
	}
}

// The automaton finds what the expressions find.
func TestPatternsAgreeWithTheirExpressions(t *testing.T) {
	expressions := []string{"^curl", "SSL Labs$", "(^| )sentry/", "[wW]get", "S[eE][mM]rushBot", "Ahrefs(Bot|SiteAudit)",
		"AdsBot-Google([^-]|$)", `Context[\s\S]*outcomes\.net`, `BlogTraffic/\d\.\d+ Feed`, "^node$", "ab?c[de]f", "bcd"}
	texts := []string{"", "curl", "curl/7", "xcurl", "SSL Labs", "SSL Labs ", "sentry/", "a sentry/", "asentry/", "wget", "WGet",
		"SeMrushBot", "AhrefsSiteAudit", "AhrefsSite", "AdsBot-Google", "AdsBot-Google-Mobile", "AdsBot-Google (", "Context x outcomes.net",
		"Context", "outcomes.net Context", "BlogTraffic/1.23 Feed", "BlogTraffic/x Feed", "node", "nodes", "acdf", "abcdf", "abcef", "abbcdf",
		"bcd", "abcd", "\x02curl", "SSL Labs\x03", "\x02\x03", "\xff\xfe", "x\ncurl", "SSL Labs\n"}
	for _, expression := range expressions {
		rules, err := compile([]pattern{{expression, signs(attribution.ReasonCrawler)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(expression)
		for _, text := range texts {
			got := rules.judge([]byte(text))&attribution.ReasonCrawler != 0
			if want := re.MatchString(text); got != want {
				t.Errorf("%s in %q: %v, want %v", expression, text, got, want)
			}
		}
	}
}

func TestLongUserAgentsAreCut(t *testing.T) {
	rules := loadRules(t)
	long := strings.Repeat("x", MaxUserAgentBytes) + "curl"
	if verdict, _ := agentVerdict(rules, long); verdict != attribution.Valid {
		t.Errorf("%v", verdict)
	}
	if verdict, _ := agentVerdict(rules, "curl"+long); verdict != attribution.Bot {
		t.Errorf("%v", verdict)
	}
}

func TestMemoryTellsUserAgentsApart(t *testing.T) {
	m := new(memory)
	const hash = 0xabcdef0123456789
	if _, known := m.recall(hash); known {
		t.Error("known before it was kept")
	}
	m.keep(hash, attribution.ReasonTool)
	if reasons, known := m.recall(hash); !known || reasons != attribution.ReasonTool {
		t.Errorf("%v %v", reasons, known)
	}
	if _, known := m.recall(hash ^ memorySlots); known {
		t.Error("another hash in the same slot is known")
	}
	m.keep(0, 0)
	if reasons, known := m.recall(0); !known || reasons != 0 {
		t.Error("a valid user agent whose hash is 0 is not known")
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	rules := loadRules(t)
	hit := &Hit{UserAgent: []byte(lines(t, "people.txt")[0]), SecPurpose: []byte("prefetch;prerender")}
	if n := testing.AllocsPerRun(1000, func() { rules.Classify(hit) }); n != 0 {
		t.Errorf("known: %v allocations", n)
	}
	random := []byte("Mozilla/5.0 (iPhone) AppleWebKit 00000000")
	if n := testing.AllocsPerRun(1000, func() {
		for i := len(random) - 8; ; i++ {
			if random[i]++; random[i] < 'z' {
				break
			}
			random[i] = '0'
		}
		rules.Classify(&Hit{UserAgent: random})
	}); n != 0 {
		t.Errorf("never seen before: %v allocations", n)
	}
}

func TestClassifyIsConcurrent(t *testing.T) {
	rules := loadRules(t)
	agents := slices.Concat(lines(t, "people.txt"), []string{"curl/8", "Twitterbot/1.0", ""})
	want := map[string]attribution.Reasons{}
	for _, userAgent := range agents {
		want[userAgent] = rules.judge([]byte(userAgent))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				for _, userAgent := range agents {
					if _, reasons := agentVerdict(rules, userAgent); reasons != want[userAgent] {
						t.Errorf("%v, want %v: %s", reasons, want[userAgent], userAgent)
					}
				}
			}
		})
	}
	group.Wait()
}

func FuzzJudge(f *testing.F) {
	rules := loadRules(f)
	for _, userAgent := range lines(f, "people.txt") {
		f.Add([]byte(userAgent))
	}
	f.Add([]byte("\x02curl\x03"))
	f.Fuzz(func(t *testing.T, userAgent []byte) {
		once := rules.userAgent(userAgent)
		if again := rules.userAgent(userAgent); once != again {
			t.Errorf("%v, then from memory %v", once, again)
		}
		if once&^fromLists != 0 {
			t.Errorf("a user agent shows %v", once)
		}
	})
}

func BenchmarkClassifyKnown(b *testing.B) {
	rules := loadRules(b)
	hit := &Hit{UserAgent: []byte(lines(b, "people.txt")[1])}
	b.ReportAllocs()
	for b.Loop() {
		rules.Classify(hit)
	}
}

func BenchmarkClassifyKnownMixed(b *testing.B) {
	rules := loadRules(b)
	var hits []*Hit
	for _, userAgent := range lines(b, "people.txt") {
		hits = append(hits, &Hit{UserAgent: []byte(userAgent)})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rules.Classify(hits[i%len(hits)])
		i++
	}
}

func BenchmarkJudgeUnknown(b *testing.B) {
	rules := loadRules(b)
	var agents [][]byte
	total := 0
	for _, userAgent := range lines(b, "people.txt") {
		agents = append(agents, []byte(userAgent))
		total += len(userAgent)
	}
	b.SetBytes(int64(total / len(agents)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rules.judge(agents[i%len(agents)])
		i++
	}
}

func BenchmarkLoad(b *testing.B) {
	crawlers := thirdParty(b, "crawler-user-agents/crawler-user-agents.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(crawlers); err != nil {
			b.Fatal(err)
		}
	}
}
