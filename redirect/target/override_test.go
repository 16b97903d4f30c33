package target

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"tributary/attribution"
)

var shopDomains = []string{"shop.example", "boutique.example:8443", "127.0.0.1", "localhost"}

// testLines reads a list in testdata.
func testLines(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != '#' {
			found = append(found, line)
		}
	}
	return found
}

// decoded is the value of ?u= as a server understands it.
func decoded(t testing.TB, value string) string {
	t.Helper()
	plain, err := url.QueryUnescape(value)
	if err != nil {
		plain = strings.ReplaceAll(value, "+", " ") // a stray percent sign stays
	}
	return plain
}

func TestHostileOverridesAreBlocked(t *testing.T) {
	hostile := testLines(t, "hostile.txt")
	if len(hostile) < 300 {
		t.Fatalf("only %d", len(hostile))
	}
	link := testLink()
	link.Advertiser.Domains = shopDomains
	var r Resolver
	for _, value := range hostile {
		target := resolve(&r, link, "u="+value)
		if !target.Blocked || string(target.Rule) == RuleOverride {
			t.Errorf("not blocked: %s\n leads to %s", value, target.URL)
		}
		if got, want := string(target.URL), "https://shop.example/p/1?ref=a&tcid=CLICK"; got != want {
			t.Errorf("%s\n leads to %s\n not to %s", value, got, want)
		}
		if HostAllowed([]byte(decoded(t, value)), shopDomains) {
			t.Errorf("allowed: %s", value)
		}
		if attribution.CheckDestination(decoded(t, value), shopDomains) == nil {
			t.Errorf("a destination: %s", value)
		}
	}
}

func TestAllowedOverrides(t *testing.T) {
	link := testLink()
	link.Advertiser.Domains = shopDomains
	var r Resolver
	for _, line := range testLines(t, "allowed.txt") {
		value, want, found := strings.Cut(line, " => ")
		if !found {
			want = value
		}
		target := resolve(&r, link, "u="+value)
		if target.Blocked || string(target.Rule) != RuleOverride {
			t.Errorf("blocked: %s", value)
			continue
		}
		if got := string(target.URL); got != withClickID(want) {
			t.Errorf("%s\n leads to %s\n not to %s", value, got, withClickID(want))
		}
		if how := escapes(string(target.URL), shopDomains); how != "" {
			t.Errorf("%s: %s", value, how)
		}
	}
}

// withClickID is what a browser's URL.searchParams.append would make of it.
func withClickID(location string) string {
	head, fragment, hasFragment := strings.Cut(location, "#")
	switch {
	case !strings.Contains(head, "?"):
		head += "?"
	case !strings.HasSuffix(head, "?"):
		head += "&"
	}
	head += "tcid=CLICK"
	if hasFragment {
		head += "#" + fragment
	}
	return head
}

func TestOverride(t *testing.T) {
	link := testLink()
	var r Resolver
	cases := []struct{ query, want, rule string }{
		{"u=https://shop.example/x&utm_source=tt", "https://shop.example/x?tcid=CLICK&utm_source=tt", RuleOverride},
		{"a=1&u=https://shop.example/x?a=2", "https://shop.example/x?a=2&tcid=CLICK", RuleOverride},
		{"u=", "https://shop.example/p/1?ref=a&tcid=CLICK", ""},
		{"u", "https://shop.example/p/1?ref=a&tcid=CLICK", ""},
		{"%75=https://shop.example/x", "https://shop.example/x?tcid=CLICK", RuleOverride},
		{"u=https://shop.example/first&u=https://shop.example/second", "https://shop.example/first?tcid=CLICK", RuleOverride},
		{"u=https://shop.example/x?a={sub1}&sub1=me", "https://shop.example/x?a=%7Bsub1%7D&tcid=CLICK", RuleOverride},
	}
	for _, c := range cases {
		target := resolve(&r, link, c.query)
		if string(target.URL) != c.want || string(target.Rule) != c.rule || target.Blocked {
			t.Errorf("%s\n leads to %s by %q, blocked %v\n not to  %s", c.query, target.URL, target.Rule, target.Blocked, c.want)
		}
	}
	long := "u=https://shop.example/" + strings.Repeat("x", attribution.MaxDestinationBytes)
	if target := resolve(&r, link, long); !target.Blocked {
		t.Error("an override of any length")
	}
	request := testRequest("u=https://shop.example/x")
	request.Inactive = true
	link.Campaign.InactiveDestination = []byte("https://shop.example/over")
	if target := r.Resolve(link, request); string(target.URL) != "https://shop.example/over?tcid=CLICK" || target.Blocked {
		t.Errorf("an inactive link leads to %s", target.URL)
	}
}

func FuzzHostAllowed(f *testing.F) {
	for _, file := range []string{"hostile.txt", "allowed.txt"} {
		for _, line := range testLines(f, file) {
			value, _, _ := strings.Cut(line, " => ")
			f.Add(decoded(f, value))
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !HostAllowed([]byte(raw), shopDomains) {
			return
		}
		if how := escapes(raw, shopDomains); how != "" {
			t.Errorf("%q is allowed, but %s", raw, how)
		}
		if err := attribution.CheckDestination(raw, shopDomains); err != nil {
			t.Errorf("%q is allowed on the path, but not in the catalog: %v", raw, err)
		}
	})
}

// Whatever ?u= says, the redirect leads to one of the domains.
func FuzzOverride(f *testing.F) {
	for _, file := range []string{"hostile.txt", "allowed.txt"} {
		for _, line := range testLines(f, file) {
			value, _, _ := strings.Cut(line, " => ")
			f.Add("u=" + value)
		}
	}
	link := testLink()
	link.Advertiser.Domains = shopDomains
	var r Resolver
	f.Fuzz(func(t *testing.T, query string) {
		target := resolve(&r, link, query)
		if how := escapes(string(target.URL), shopDomains); how != "" {
			t.Errorf("?%q leads to %q: %s", query, target.URL, how)
		}
		if i := unsafeByte(target.URL); i >= 0 {
			t.Errorf("?%q leads to %q, with byte %#x at %d", query, target.URL, target.URL[i], i)
		}
		if len(target.URL) > MaxURLBytes {
			t.Errorf("%d bytes", len(target.URL))
		}
	})
}
