package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusFile is the list of real browsers' user agents that `make deps` installs.
var corpusFile = filepath.Join("..", "..", "node_modules", "user-agents", "dist", "user-agents.json")

func corpus(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(corpusFile)
	if err != nil {
		t.Fatalf("%v; install it with `make deps`", err)
	}
	var entries []struct{ UserAgent, DeviceCategory string }
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.UserAgent
	}
	if len(all) < 5000 {
		t.Fatalf("corpus has %d user agents, want thousands", len(all))
	}
	return all
}

func TestRealBrowsersAreDescribed(t *testing.T) {
	devices := map[string]int{}
	unknown := 0
	seen := map[string]bool{}
	all := corpus(t)
	for _, ua := range all {
		a := Describe(ua)
		devices[a.Device]++
		bad := ""
		switch {
		case a.Device == Bot:
			bad = "is taken for a bot"
		case a.OS == Other:
			bad = "has no operating system"
		case a.Device == Other:
			bad = "has no device"
		case strings.Contains(ua, "iPhone") && (a.Device != Phone || a.OS != "iOS"):
			bad = "is an iPhone"
		case strings.Contains(ua, "iPad") && a.Device != Tablet:
			bad = "is an iPad"
		case strings.Contains(ua, "Windows NT") && (a.Device != Desktop || a.OS != "Windows"):
			bad = "is Windows"
		case strings.Contains(ua, "CrOS") && a.OS != "ChromeOS":
			bad = "is ChromeOS"
		}
		if bad != "" && !seen[ua] {
			seen[ua] = true
			t.Errorf("%s %s: %+v", ua, bad, a)
		}
		if a.Browser == Other {
			unknown++
		}
	}
	t.Logf("devices %v, browser unknown %d of %d", devices, unknown, len(all))
	if unknown*200 > len(all) {
		t.Errorf("%d of %d real browsers have no name, want under 0.5 %%", unknown, len(all))
	}
	// The corpus' own split: 56 % phones, 44 % desktops, some tablets.
	for device, least := range map[string]int{Phone: 5000, Desktop: 3900, Tablet: 15} {
		if got := devices[device] * 10000 / len(all); got < least {
			t.Errorf("%d of 10,000 are a %s, want at least %d", got, device, least)
		}
	}
}

func TestCacheAnswersLikeDescribe(t *testing.T) {
	c := NewCache(256)
	for range 2 {
		for _, ua := range corpus(t)[:2000] {
			if got, want := *c.Describe([]byte(ua)), Describe(ua); got != want {
				t.Fatalf("%s: cached %+v, described %+v", ua, got, want)
			}
		}
	}
	held := 0
	for i := range c.shards {
		held += len(c.shards[i].young) + len(c.shards[i].old)
	}
	if held > 256 {
		t.Errorf("a cache for 256 strings holds %d", held)
	}
}

func TestCacheHitDoesNotAllocate(t *testing.T) {
	c := NewCache(1000)
	ua := []byte(corpus(t)[0])
	c.Describe(ua)
	if n := testing.AllocsPerRun(100, func() { c.Describe(ua) }); n > 0 {
		t.Errorf("a remembered string costs %v allocations", n)
	}
}

func FuzzDescribeStaysInItsLists(f *testing.F) {
	f.Add("Mozilla/5.0 (iPhone; CPU iPhone OS 16_4 like Mac OS X) Mobile/15E148 Instagram 279.0.0.23.112 (iPhone13,2)")
	f.Add("\x00/(;;)[]Android ")
	devices := map[string]bool{Phone: true, Tablet: true, Desktop: true, TV: true, Bot: true, Other: true}
	f.Fuzz(func(t *testing.T, ua string) {
		a := Describe(ua)
		if !devices[a.Device] || a.OS == "" || len(a.Browser) > 20 || len(a.BrowserVersion) > 24 || len(a.OSVersion) > 24 {
			t.Errorf("%q: %+v", ua, a)
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	all := corpus(b)
	for i := 0; b.Loop(); i++ {
		Describe(all[i%len(all)])
	}
}
