package redirect

import (
	"net/http"
	"testing"

	"tributary/attribution"
	"tributary/redirect/links"
)

// others say what becomes of a miss, by slug.
type others map[string]func() links.Answer

func (o others) Ask(slug []byte) links.Answer {
	if answer := o[string(slug)]; answer != nil {
		return answer()
	}
	return links.Nowhere
}

func TestWhatTheIndexDoesNotHaveIsAskedFor(t *testing.T) {
	log := new(memoryLog)
	options := testOptions(t, log)
	found := attribution.RouteChange{Number: 100, Link: &attribution.LinkRoute{Identity: identity(9, ""), Slug: "elsewhere"}}
	options.Misses = others{
		"elsewhere": func() links.Answer { options.Links.Apply(found); return links.Found },
		"deleted":   func() links.Answer { return links.Found },
		"whose":     func() links.Answer { return links.Unsure },
	}
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	tr := serveTracker(t, server, log, options)
	for path, want := range map[string]int{
		"/elsewhere": http.StatusFound, "/elsewhere/": http.StatusFound, "/k3VbQ9xT": http.StatusFound,
		"/deleted": http.StatusNotFound, "/nobody": http.StatusNotFound, "/whose": http.StatusServiceUnavailable,
	} {
		response := tr.get(t, "GET", path)
		if response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, response.StatusCode, want)
		}
		if retry := response.Header.Get("Retry-After"); (retry != "") != (want == http.StatusServiceUnavailable) {
			t.Errorf("%s: Retry-After %q", path, retry)
		}
	}
}
