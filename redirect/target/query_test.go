package target

import (
	"strings"
	"testing"
)

// TestTheLastParametersCountToo has the tracker's own parameters behind many others.
func TestTheLastParametersCountToo(t *testing.T) {
	var r Resolver
	others := strings.Repeat("p=1&", 500)
	request := testRequest(others + "utm_source=last&_test=1&sub1=one&sub5=five&gclid=x")
	target := r.Resolve(testLink(), request)
	if !request.Query.Test || !request.Query.PaidSearch || string(target.Sub[0]) != "one" || string(target.Sub[4]) != "five" {
		t.Errorf("test %v, paid search %v, subs %q", request.Query.Test, request.Query.PaidSearch, target.Sub)
	}
	if url := string(target.URL); strings.Count(url, "&p=1") != 500 || !strings.HasSuffix(url, "&utm_source=last&gclid=x") {
		t.Errorf("forwarded %s", url)
	}
	if target := resolve(&r, testLink(), others+"u=https://shop.example/over"); !strings.HasPrefix(string(target.URL), "https://shop.example/over?tcid=CLICK&p=1") {
		t.Errorf("the last parameter overrides nothing: %.80s", target.URL)
	}
}

func TestPaidSearchIsNoted(t *testing.T) {
	var q Query
	for raw, want := range map[string]bool{
		"":                        false,
		"gclid=Cj0":               true,
		"utm_source=x&gbraid=0AA": true,
		"wbraid=1":                true,
		"gad_source=1&gclid=":     true,
		"msclkid=ab":              true,
		"yclid=7":                 true,
		"gclid=":                  false,
		"gclid":                   false,
		"fbclid=x&ttclid=y":       false, // social networks add these to every link
		"xgclid=1&gclidx=1":       false,
		"sub1=gclid":              false,
	} {
		if q.Parse([]byte(raw)); q.PaidSearch != want {
			t.Errorf("%q: paid search is %v", raw, q.PaidSearch)
		}
	}
	raw := []byte("utm_source=x&gclid=Cj0&gad_source=1")
	if allocated := testing.AllocsPerRun(100, func() { q.Parse(raw) }); allocated != 0 {
		t.Errorf("noting it takes %v allocations", allocated)
	}
}
