package target

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/redirect/links"
)

// testLink is a plain link.
func testLink() *links.Entry {
	return &links.Entry{
		Identity: attribution.AppendIdentity(nil, &attribution.LinkIdentity{
			LinkID: "lnk_1", TaskID: "tsk_1", CampaignID: "cmp_1", CreatorID: "crt_1", AdvertiserID: "adv_1", Platform: "tiktok", Currency: "USD",
		}),
		Destination: []byte("https://shop.example/p/1?ref=a"),
		Campaign:    &links.Campaign{ID: "cmp_1", AdvertiserID: "adv_1", Destination: []byte("https://shop.example/campaign")},
		Advertiser:  &links.Advertiser{ID: "adv_1", Domains: []string{"shop.example"}, ClickParam: "tcid"},
	}
}

func testRequest(query string) *Request {
	q := new(Query)
	q.Parse([]byte(query))
	return &Request{Query: q, ClickID: []byte("CLICK"), NowMs: 1_800_000_000_123, Country: []byte("TH")}
}

func resolve(r *Resolver, link *links.Entry, query string) *Target {
	return r.Resolve(link, testRequest(query))
}

func TestBuild(t *testing.T) {
	cases := []struct{ name, destination, query, want string }{
		{"plain", "https://shop.example/p", "", "https://shop.example/p?tcid=CLICK"},
		{"no path", "https://shop.example", "", "https://shop.example?tcid=CLICK"},
		{"a query", "https://shop.example/p?a=1", "", "https://shop.example/p?a=1&tcid=CLICK"},
		{"an empty query", "https://shop.example/p?", "", "https://shop.example/p?tcid=CLICK"},
		{"an open query", "https://shop.example/p?a=1&", "", "https://shop.example/p?a=1&tcid=CLICK"},
		{"a fragment", "https://shop.example/p#top", "", "https://shop.example/p?tcid=CLICK#top"},
		{"an empty fragment", "https://shop.example/p#", "", "https://shop.example/p?tcid=CLICK#"},
		{"query and fragment", "https://shop.example/p?a=1#top", "b=2", "https://shop.example/p?a=1&tcid=CLICK&b=2#top"},
		{"an empty query and a fragment", "https://shop.example/p?#top", "", "https://shop.example/p?tcid=CLICK#top"},
		{"a question in the fragment", "https://shop.example/p#/route?a={sub1}", "b=2", "https://shop.example/p?tcid=CLICK&b=2#/route?a={sub1}"},
		{"byte for byte", "https://SHOP.example/%7ep//a/../b;x?A=%2f&&b=c+d&=&x==y%zz&é=ö", "", "https://SHOP.example/%7ep//a/../b;x?A=%2f&&b=c+d&=&x==y%zz&é=ö&tcid=CLICK"},

		{"forwarded", "https://shop.example/p", "utm_source=tt&utm_medium=a%20b", "https://shop.example/p?tcid=CLICK&utm_source=tt&utm_medium=a%20b"},
		{"forwarded as sent", "https://shop.example/p", "a=%c3%A9+x&b&c=&=d", "https://shop.example/p?tcid=CLICK&a=%c3%A9+x&b&c=&=d"},
		{"twice", "https://shop.example/p", "a=1&a=2", "https://shop.example/p?tcid=CLICK&a=1&a=2"},
		{"what the destination has", "https://shop.example/p?a=1&b", "a=2&b=2&c=3", "https://shop.example/p?a=1&b&tcid=CLICK&c=3"},
		{"what the destination has in another spelling", "https://shop.example/p?a%5Fb=1&c+d=1&%66=1", "a_b=2&c%20d=2&f=2&F=3", "https://shop.example/p?a%5Fb=1&c+d=1&%66=1&tcid=CLICK&F=3"},
		{"what only its path or fragment has", "https://shop.example/a=1#a=1", "a=2", "https://shop.example/a=1?tcid=CLICK&a=2#a=1"},
		{"consumed", "https://shop.example/p", "_test=1&sub1=x&sub5=y&sub6=z&u=&_tes=1", "https://shop.example/p?tcid=CLICK&sub6=z&_tes=1"},
		{"consumed in another spelling", "https://shop.example/p", "%5Ftest=1&s%75b1=x", "https://shop.example/p?tcid=CLICK"},
		{"somebody else's click id", "https://shop.example/p", "tcid=stale&tc%69d=stale&x=1", "https://shop.example/p?tcid=CLICK&x=1"},
		{"somebody else's click id beside the macro", "https://shop.example/p?c={click_id}", "tcid=stale&x=1", "https://shop.example/p?c=CLICK&x=1"},
		{"empty parameters", "https://shop.example/p", "&&a=1&&", "https://shop.example/p?tcid=CLICK&a=1"},
		{"nothing can end the header", "https://shop.example/p", "a=\r\nX: 1&b=\x00\t\x7f", "https://shop.example/p?tcid=CLICK&a=%0D%0AX:%201&b=%00%09%7F"},
		{"nothing can end the query", "https://shop.example/p#top", "a=b#c\"<>`\\^{|}", "https://shop.example/p?tcid=CLICK&a=b%23c%22%3C%3E%60%5C%5E%7B%7C%7D#top"},
		{"nothing beyond ASCII", "https://shop.example/p", "a=é\xff", "https://shop.example/p?tcid=CLICK&a=%C3%A9%FF"},
		{"shoppers have no macros", "https://shop.example/p?x={sub1}", "sub1={click_id}&y={sub1}", "https://shop.example/p?x=%7Bclick_id%7D&tcid=CLICK&y=%7Bsub1%7D"},

		{"every macro", "https://shop.example/p?c={click_id}&d={campaign_id}&e={creator_id}&f={task_id}&g={link_id}&h={platform}&i={country}&j={device}&k={ts}", "",
			"https://shop.example/p?c=CLICK&d=cmp_1&e=crt_1&f=tsk_1&g=lnk_1&h=tiktok&i=TH&j=phone&k=1800000000123"},
		{"subs", "https://shop.example/p?a={sub1}&b={sub2}&c={sub3}&d={sub4}&e={sub5}", "sub1=mine&sub3=a%26b%20c%2F%C3%A9&sub4=",
			"https://shop.example/p?a=mine&b=link2&c=a%26b%20c%2F%C3%A9&d=link4&e=&tcid=CLICK"},
		{"in values only", "https://shop.example/{click_id}/{sub2}?{click_id}&{sub2}=1&a={sub2}&b={sub2}={sub2}#{click_id}", "",
			"https://shop.example/{click_id}/{sub2}?{click_id}&{sub2}=1&a=link2&b=link2=link2&tcid=CLICK#{click_id}"},
		{"within a value", "https://shop.example/p?a=x{sub2}y{platform}z", "", "https://shop.example/p?a=xlink2ytiktokz&tcid=CLICK"},
		{"no macro", "https://shop.example/p?a={unknown}&b={}&c={{sub2}}&d={sub6}&e={SUB2}&f={sub2", "",
			"https://shop.example/p?a={unknown}&b={}&c={link2}&d={sub6}&e={SUB2}&f={sub2&tcid=CLICK"},
		{"an encoded brace", "https://shop.example/p?a=%7Bsub2%7D", "", "https://shop.example/p?a=%7Bsub2%7D&tcid=CLICK"},
		{"a brace that spans parameters", "https://shop.example/p?a={x&b={sub2}", "", "https://shop.example/p?a={x&b=link2&tcid=CLICK"},
	}
	r := Resolver{Describe: func(string) (string, string) { return "phone", "Android" }}
	for _, c := range cases {
		link := testLink()
		link.Destination = []byte(c.destination)
		link.Sub[1], link.Sub[3] = []byte("link2"), []byte("link4")
		if got := string(resolve(&r, link, c.query).URL); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestClickParam(t *testing.T) {
	link := testLink()
	var r Resolver
	for param, want := range map[string]string{
		"irclickid": "https://shop.example/p/1?ref=a&irclickid=CLICK&tcid=1",
		"a&b=c#d":   "https://shop.example/p/1?ref=a&a%26b%3Dc%23d=CLICK&irclickid=x&tcid=1",
	} {
		link.Advertiser.ClickParam = param
		if got := string(resolve(&r, link, "irclickid=x&tcid=1").URL); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestSubs(t *testing.T) {
	link := testLink()
	for i := range link.Sub {
		link.Sub[i] = fmt.Append(nil, "link", i+1)
	}
	var r Resolver
	target := resolve(&r, link, "sub1=a+b%21&sub1=second&sub2=&sub3=%00%0A&sub4="+strings.Repeat("%C3%A9", 200)+"&sub5=%ff%C3%A9%c2%85")
	want := [5]string{"a b!", "link2", "link3", strings.Repeat("é", maxSubBytes/2), "é"}
	for i := range want {
		if got := string(target.Sub[i]); got != want[i] {
			t.Errorf("sub%d is %q, want %q", i+1, got, want[i])
		}
	}
}

func TestTestParameter(t *testing.T) {
	var q Query
	for query, want := range map[string]bool{"_test=1": true, "a=1&_test=1": true, "_test=%31": true, "_test": false, "_test=": false, "_test=0": false, "test=1": false, "_test=11": false, "_TEST=1": false} {
		if q.Parse([]byte(query)); q.Test != want {
			t.Errorf("%s: %v", query, q.Test)
		}
	}
}

func TestWhichDestination(t *testing.T) {
	const (
		own, ofCampaign, inactive = "https://shop.example/own", "https://shop.example/campaign", "https://shop.example/inactive"
	)
	cases := []struct {
		name                      string
		own, ofCampaign, inactive string
		isInactive                bool
		want, rule                string
	}{
		{"the link's own", own, ofCampaign, inactive, false, own, ""},
		{"the campaign's", "", ofCampaign, inactive, false, ofCampaign, ""},
		{"inactive", own, ofCampaign, inactive, true, inactive, RuleInactive},
		{"inactive without its own destination", own, ofCampaign, "", true, ofCampaign, RuleInactive},
		{"inactive with the link's only", own, "", "", true, own, RuleInactive},
		{"none", "", "", "", false, "", ""},
		{"not a web page", "javascript:alert(1)", ofCampaign, "", false, ofCampaign, ""},
		{"not a location", "https://shop.example/\r\nX: 1", ofCampaign, "", false, ofCampaign, ""},
		{"not a URL", "https://", "//shop.example/", "", false, "", ""},
	}
	var r Resolver
	for _, c := range cases {
		link := testLink()
		link.Destination, link.Campaign.Destination, link.Campaign.InactiveDestination = []byte(c.own), []byte(c.ofCampaign), []byte(c.inactive)
		request := testRequest("")
		request.Inactive = c.isInactive
		target := r.Resolve(link, request)
		want := c.want
		if want != "" {
			want += "?tcid=CLICK"
		}
		if string(target.URL) != want || want != "" && string(target.Rule) != c.rule {
			t.Errorf("%s: %s by %q", c.name, target.URL, target.Rule)
		}
	}
}

func TestRules(t *testing.T) {
	when := func(w attribution.RuleWhen) []attribution.DestinationRule {
		return []attribution.DestinationRule{{When: w, Destination: "https://shop.example/rule"}}
	}
	now := time.UnixMilli(testRequest("").NowMs).UTC()
	cases := []struct {
		name string
		when attribution.RuleWhen
		want bool
	}{
		{"no condition", attribution.RuleWhen{}, true},
		{"country", attribution.RuleWhen{Countries: []string{"VN", "th"}}, true},
		{"another country", attribution.RuleWhen{Countries: []string{"VN"}}, false},
		{"device", attribution.RuleWhen{Devices: []string{"Phone"}}, true},
		{"another device", attribution.RuleWhen{Devices: []string{"tablet", "tv"}}, false},
		{"system", attribution.RuleWhen{OS: []string{"iOS", "android"}}, true},
		{"another system", attribution.RuleWhen{OS: []string{"iOS"}}, false},
		{"device and another system", attribution.RuleWhen{Devices: []string{"phone"}, OS: []string{"iOS"}}, false},
		{"language", attribution.RuleWhen{Languages: []string{"de", "th"}}, true},
		{"language and region", attribution.RuleWhen{Languages: []string{"TH-th"}}, true},
		{"another region", attribution.RuleWhen{Languages: []string{"th-LA"}}, false},
		{"a language that is only second", attribution.RuleWhen{Languages: []string{"en"}}, false},
		{"since now", attribution.RuleWhen{After: now.Format(time.RFC3339Nano)}, true},
		{"not yet", attribution.RuleWhen{After: now.Add(time.Millisecond).Format(time.RFC3339Nano)}, false},
		{"until now", attribution.RuleWhen{Before: now.Format(time.RFC3339Nano)}, false},
		{"still", attribution.RuleWhen{Before: now.Add(time.Millisecond).Format(time.RFC3339Nano)}, true},
		{"query", attribution.RuleWhen{Query: map[string]string{"v": "a b"}}, true},
		{"query, any value", attribution.RuleWhen{Query: map[string]string{"v": ""}}, true},
		{"query, one that is consumed", attribution.RuleWhen{Query: map[string]string{"sub1": "x"}}, true},
		{"query, another value", attribution.RuleWhen{Query: map[string]string{"v": "a"}}, false},
		{"query, both", attribution.RuleWhen{Query: map[string]string{"v": "a b", "w": ""}}, false},
		{"everything", attribution.RuleWhen{Countries: []string{"TH"}, Devices: []string{"phone"}, OS: []string{"Android"}, Languages: []string{"th"}, After: "2020-01-01T00:00:00Z", Before: "2040-01-01T00:00:00Z", Query: map[string]string{"v": ""}}, true},
	}
	r := Resolver{Describe: func(userAgent string) (string, string) {
		if userAgent != "AGENT" {
			t.Errorf("asked for %q", userAgent)
		}
		return "phone", "Android"
	}}
	for _, c := range cases {
		link := testLink()
		link.Targeting = links.CompileTargeting(when(c.when), nil)
		request := testRequest("v=a+b&sub1=x")
		request.AcceptLanguage, request.UserAgent = []byte("th-TH,en;q=0.9"), []byte("AGENT")
		target := r.Resolve(link, request)
		if got := string(target.Rule) == "rule:0"; got != c.want || got != strings.HasPrefix(string(target.URL), "https://shop.example/rule?") {
			t.Errorf("%s: %v, %s", c.name, got, target.URL)
		}
	}
	// Without country, language and description, nothing that asks for them holds.
	blind := Resolver{}
	for _, w := range []attribution.RuleWhen{{Countries: []string{"TH"}}, {Devices: []string{"phone"}}, {OS: []string{"Android"}}, {Languages: []string{"th"}}} {
		link := testLink()
		link.Targeting = links.CompileTargeting(when(w), nil)
		request := testRequest("")
		request.Country = nil
		if target := blind.Resolve(link, request); len(target.Rule) > 0 {
			t.Errorf("%+v holds for nobody knows whom", w)
		}
	}
}

func TestFirstRuleThenSplit(t *testing.T) {
	described := 0
	r := Resolver{Describe: func(string) (string, string) { described++; return "phone", "Android" }}
	link := testLink()
	link.Targeting = links.CompileTargeting([]attribution.DestinationRule{
		{When: attribution.RuleWhen{Countries: []string{"VN"}}, Destination: "https://shop.example/0"},
		{When: attribution.RuleWhen{Devices: []string{"phone"}}, Destination: "ftp://shop.example/1"},
		{When: attribution.RuleWhen{Query: map[string]string{"v": ""}}, Destination: "https://shop.example/2"},
		{When: attribution.RuleWhen{Query: map[string]string{"v": ""}, Devices: []string{"phone"}}, Destination: "https://shop.example/3?d={device}"},
	}, []attribution.SplitArm{{Destination: "https://shop.example/a", Weight: 3}, {Destination: "https://shop.example/b", Weight: 0}, {Destination: "https://shop.example/c", Weight: 1}})
	if target := resolve(&r, link, "v=1"); string(target.Rule) != "rule:2" {
		t.Errorf("by %q", target.Rule)
	}
	if described != 0 {
		t.Error("described for a rule that cannot be used")
	}
	taken := map[string]int{}
	for draw := range uint64(400) {
		request := testRequest("")
		request.Draw = draw
		target := r.Resolve(link, request)
		taken[string(target.Rule)]++
		rule := string(target.Rule)
		if again := r.Resolve(link, request); string(again.Rule) != rule {
			t.Fatal("the same draw takes another arm")
		}
	}
	if taken["split:0"] != 300 || taken["split:2"] != 100 || len(taken) != 2 {
		t.Errorf("taken %v", taken)
	}
	described = 0
	link.Targeting = links.CompileTargeting([]attribution.DestinationRule{
		{When: attribution.RuleWhen{Devices: []string{"tv"}}}, {When: attribution.RuleWhen{OS: []string{"iOS"}}, Destination: "https://shop.example/i"},
		{When: attribution.RuleWhen{Devices: []string{"phone"}}, Destination: "https://shop.example/p?a={device}&b={device}"},
	}, nil)
	if target := resolve(&r, link, ""); string(target.URL) != "https://shop.example/p?a=phone&b=phone&tcid=CLICK" || described != 1 {
		t.Errorf("%s, described %d times", target.URL, described)
	}
	link.Targeting = links.CompileTargeting(nil, []attribution.SplitArm{{Destination: "https://shop.example/a"}})
	if target := resolve(&r, link, ""); string(target.URL) != "https://shop.example/p/1?ref=a&tcid=CLICK" {
		t.Errorf("a split without weights leads to %s", target.URL)
	}
}

func TestPreferredLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "*": "", "th": "th", "th-TH,th;q=0.9,en;q=0.8": "th-TH", "en;q=0.8, th": "th", "en;q=0.5,th;q=0.50,de;q=0.51": "de",
		"en, th": "en", "*;q=1, th;q=0.1": "th", "en;q=0": "", "en;q=x, th;q=0.1": "th", "en; q = 0.9 , th;q=0.8": "en", ",,;,": "",
		"en;level=1, th;q=0.1": "th", "en;q=9.999,th;q=1": "en", "en;q=.5,th;q=0.1": "th", "en;Q=0.3,th;q=0.1": "en",
	} {
		if got := string(preferredLanguage([]byte(header))); got != want {
			t.Errorf("%q prefers %q, want %q", header, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	link := testLink()
	var r Resolver
	head, tail := "https://shop.example/?x=", "#"+strings.Repeat("f", 500)
	link.Destination = []byte(head + strings.Repeat("{sub1}{click_id}", 95) + tail)
	target := resolve(&r, link, "sub1="+strings.Repeat("%C3%A9", 128)+"&a="+strings.Repeat("a", 2000)+"&b="+strings.Repeat("b", 4000)+"&c=1")
	if len(target.URL) > MaxURLBytes {
		t.Errorf("%d bytes", len(target.URL))
	}
	location := string(target.URL)
	if !strings.HasSuffix(location, "&c=1"+tail) || !strings.Contains(location, "&a=a") || strings.Contains(location, "&b=b") {
		t.Errorf("what fits is not forwarded, or what does not is: %s", location)
	}
	many := resolve(&r, testLink(), strings.Repeat("p=1&", 10_000))
	if length := len(many.URL); length > MaxURLBytes || length < MaxURLBytes-len("&p=1") {
		t.Errorf("%d bytes of what is forwarded", length)
	}
	link.Destination = []byte("https://shop.example/?x=" + strings.Repeat("{click_id}", 200))
	request := testRequest("")
	request.ClickID = []byte(strings.Repeat("C", 64))
	if got := r.Resolve(link, request); len(got.URL) > MaxURLBytes || !strings.Contains(string(got.URL), "=CCC") {
		t.Errorf("%d bytes", len(got.URL))
	}
}

// What one request brought is not in the answer to the next.
func TestResolverForgets(t *testing.T) {
	link := testLink()
	var r Resolver
	request := testRequest("u=https://evil.test/&sub1=x&a=1&_test=1")
	r.Resolve(link, request)
	request.Query.Parse(nil)
	target := r.Resolve(link, request)
	if string(target.URL) != "https://shop.example/p/1?ref=a&tcid=CLICK" || target.Blocked || target.Sub[0] != nil || request.Query.Test {
		t.Errorf("%+v", target)
	}
}

func TestPlainLinkAllocatesNothing(t *testing.T) {
	link := testLink()
	withRule := testLink()
	withRule.Targeting = links.CompileTargeting([]attribution.DestinationRule{
		{When: attribution.RuleWhen{Countries: []string{"TH"}, Languages: []string{"th"}}, Destination: "https://shop.example/th?c={click_id}&s={sub1}&t={ts}"},
	}, nil)
	for name, c := range map[string]struct {
		link  *links.Entry
		query string
	}{
		"plain":     {link, ""},
		"forwarded": {link, "utm_source=tt&utm_medium=social&sub1=a%20b"},
		"override":  {link, "u=https%3A%2F%2Fshop.example%2Fx%3Fa%3D1"},
		"blocked":   {link, "u=https%3A%2F%2Fevil.test%2Fx%3Fa%3D1"},
		"rule":      {withRule, "sub1=x"},
	} {
		raw := []byte(c.query)
		request := testRequest("")
		request.AcceptLanguage = []byte("en;q=0.8,th")
		var r Resolver
		if n := testing.AllocsPerRun(100, func() {
			request.Query.Parse(raw)
			r.Resolve(c.link, request)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Whatever is sent, the Location keeps the destination's host, path and
// fragment, and nothing in it can end the header.
func FuzzForwarding(f *testing.F) {
	f.Add("utm_source=tt&sub1=x", "https://shop.example/p?a=1&x={sub1}#top")
	f.Add("a=\r\nSet-Cookie: x&b=#c", "https://shop.example/p")
	f.Add("%61=1&a=2&tcid=x", "https://shop.example?%61={click_id}")
	f.Add("&&=&%&%2&%zz=%", "https://shop.example/?&&=&{}={&}")
	link := testLink()
	r := Resolver{Describe: func(string) (string, string) { return "phone", "Android" }}
	f.Fuzz(func(t *testing.T, query, destination string) {
		if attribution.CheckDestination(destination, link.Advertiser.Domains) != nil || strings.ContainsFunc(destination, func(r rune) bool { return r >= 0x7f }) {
			return
		}
		link.Destination = []byte(destination)
		request := testRequest(query)
		request.Query.override = nil
		location := string(r.Resolve(link, request).URL)
		if i := unsafeByte([]byte(location)); i >= 0 {
			t.Fatalf("byte %#x in %q", location[i], location)
		}
		if len(location) > MaxURLBytes {
			t.Errorf("%d bytes", len(location))
		}
		head, fragment, hasFragment := strings.Cut(destination, "#")
		path, _, _ := strings.Cut(head, "?")
		gotHead, gotFragment, gotHasFragment := strings.Cut(location, "#")
		gotPath, gotQuery, _ := strings.Cut(gotHead, "?")
		if gotPath != path || gotFragment != fragment || gotHasFragment != hasFragment {
			t.Errorf("?%q on %q leads to %q", query, destination, location)
		}
		if how := escapes(location, link.Advertiser.Domains); how != "" {
			t.Errorf("%q: %s", location, how)
		}
		// The click id is there, in a parameter's value.
		found := false
		for text := range strings.SplitSeq(gotQuery, "&") {
			_, value, _ := strings.Cut(text, "=")
			found = found || strings.Contains(value, "CLICK")
		}
		if !found && len(location) < maxExpandedBytes {
			t.Errorf("no click id in %q", location)
		}
	})
}

// Macros are replaced in query values and nowhere else, and a value never adds a
// parameter.
func FuzzMacros(f *testing.F) {
	f.Add("a={click_id}&{sub1}={sub1}{", "x&y=z#")
	f.Add("{&}={platform}}{{ts}", "\x00é%")
	link := testLink()
	var r Resolver
	f.Fuzz(func(t *testing.T, query, sub string) {
		destination := "https://shop.example/{sub1}?" + query
		if strings.Contains(query, "#") || len(sub) > maxSubBytes || attribution.CheckDestination(destination, link.Advertiser.Domains) != nil {
			return
		}
		link.Destination = []byte(destination)
		link.Sub[0] = []byte(sub)
		target := resolve(&r, link, "")
		got, found := strings.CutPrefix(string(target.URL), "https://shop.example/{sub1}?")
		if !found {
			t.Fatalf("%q leads to %q", destination, target.URL)
		}
		before, after := strings.Split(query, "&"), strings.Split(strings.TrimSuffix(got, "tcid=CLICK"), "&")
		for i, text := range before {
			name, value, hasValue := strings.Cut(text, "=")
			gotName, gotValue, gotHasValue := strings.Cut(after[i], "=")
			if gotName != name || gotHasValue != hasValue {
				t.Errorf("%q became %q", text, after[i])
			}
			if strings.ReplaceAll(value, "{sub1}", "") == value && strings.ReplaceAll(value, "_id}", "") == value &&
				!strings.Contains(value, "{") && gotValue != value {
				t.Errorf("%q became %q", text, after[i])
			}
			if value == "{sub1}" && len(got) < maxExpandedBytes {
				if plain, err := url.QueryUnescape(gotValue); err != nil || plain != sub {
					t.Errorf("sub1 %q became %q", sub, gotValue)
				}
			}
		}
	})
}

func BenchmarkPlain(b *testing.B) { benchmark(b, testLink(), "") }

func BenchmarkForwarded(b *testing.B) {
	benchmark(b, testLink(), "utm_source=tiktok&utm_medium=social&utm_campaign=spring&sub1=bio")
}

func BenchmarkMacros(b *testing.B) {
	link := testLink()
	link.Destination = []byte("https://shop.example/p/1?aff={click_id}&c={creator_id}&s={sub1}&co={country}")
	benchmark(b, link, "sub1=bio")
}

func BenchmarkOverride(b *testing.B) {
	benchmark(b, testLink(), "u=https%3A%2F%2Fwww.shop.example%2Fproduct%2F42%3Fcolour%3Dred")
}

func benchmark(b *testing.B, link *links.Entry, query string) {
	raw := []byte(query)
	request := testRequest("")
	request.ClickID = []byte(strings.Repeat("C", attribution.ClickIDLength))
	var r Resolver
	b.ReportAllocs()
	for b.Loop() {
		request.Query.Parse(raw)
		r.Resolve(link, request)
	}
}
