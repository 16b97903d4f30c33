package dashboard

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tributary/catalog"
)

func everyPage() []*page {
	return append(append(advertiserPages(), creatorPages()...), operatorPages()...)
}

// What no page may have: what the policy forbids, and what templates write when
// they are given something wrong.
var unwanted = regexp.MustCompile(`(?i)\sstyle="|\son[a-z]+="|<script>|<script [^>]*>[^<]|<style|ZgotmplZ|&lt;nil&gt;|%!|(src|href)="https?://[^"]*\.(js|css)`)

// TestEveryPage opens every page with everybody's key, with figures and without.
func TestEveryPage(t *testing.T) {
	for name, clickHouse := range map[string]bool{"with ClickHouse": true, "while ClickHouse is down": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, clickHouse)
			for _, role := range []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator} {
				b := o.signedIn(o.keyOf(role))
				for _, p := range everyPage() {
					path := o.fill(p)
					answer, body := b.get(path)
					want := http.StatusForbidden
					if p.mayBeSeenBy(role) {
						want = http.StatusOK
					}
					if answer.StatusCode != want {
						t.Errorf("%s sees %s: %s, want %d\n%s", role, path, answer.Status, want, body)
					}
					if found := unwanted.FindString(body); found != "" {
						t.Errorf("%s as %s has %q", path, role, found)
					}
					if policy := answer.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self'; style-src 'self'") {
						t.Errorf("%s: policy %q", path, policy)
					}
				}
			}
		})
	}
}

func TestOthersThingsAreNotThere(t *testing.T) {
	o := newOffice(t, false)
	b := o.signedIn(o.strangersKey)
	for _, path := range []string{"/campaigns/" + o.campaign, "/campaigns/" + o.campaign + "/links", "/actions/" + o.action, "/conversions/" + o.conversion, "/campaigns/cmp_none"} {
		if answer, body := b.get(path); answer.StatusCode != http.StatusNotFound || strings.Contains(body, "Spring") {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	for _, path := range []string{"/overview", "/campaigns", "/actions", "/conversions", "/conversions?show=unattributed", "/conversions?show=fraud", "/pay", "/integrations", "/overview?advertiser=" + o.advertiser} {
		asked, _ := url.Parse(path)
		body := b.page(path)
		for _, foreign := range []string{o.advertiser, o.creator, "Mali", "Spring", "Acme"} {
			if strings.Contains(body, foreign) && asked.Query().Get("advertiser") != foreign {
				t.Errorf("%s shows %q to another advertiser", path, foreign)
			}
		}
	}
}

func TestAdvertisersPages(t *testing.T) {
	o := newOffice(t, true)
	b := o.signedIn(o.ownKey)
	for path, wants := range map[string][]string{
		"/overview":                              {"Spring", "$12.00", "Acme &lt;b&gt;", "28 Feb 2027"},
		"/campaigns/" + o.campaign:               {"Spring", "Activity", "the budget"},
		"/campaigns/" + o.campaign + "/journey":  {"From hit to payout"},
		"/campaigns/" + o.campaign + "/creators": {"Mali", "TikTok @mali", "$100.00"},
		"/campaigns/" + o.campaign + "/links":    {"MALI", "t.example/"},
		"/campaigns/" + o.campaign + "/terms":    {"10%", "after the end of the month of the sale, 27 days"},
		"/actions":                               {"Sale o1", "$120.00", "$12.00", "Pending"},
		"/actions?state=paid":                    {"No actions"},
		"/actions?state=nonsense&referral=x":     {"Sale o1"},
		"/actions/" + o.action:                   {"used the code", "Reverse"},
		"/conversions":                           {"o1", "o2", "No touch"},
		"/conversions?show=unattributed":         {"o2"},
		"/conversions/" + o.unattributed:         {"Nobody credited"},
		"/pay":                                   {"$12.00", "Nothing is payable"},
		"/integrations":                          {"https://t.example/t/tag.js", "data-adv=&#34;pub_"},
	} {
		body := b.page(path)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
	root := o.signedIn(o.rootKey)
	if body := root.page("/campaigns/" + o.campaign); !strings.Contains(body, `<option value="`+o.advertiser+`" selected>`) {
		t.Error("an admin on a campaign's page has not its advertiser chosen")
	}
}

// TestAddressesAreKept reads the parameters that links and forms of a page keep.
func TestAddressesAreKept(t *testing.T) {
	o := newOffice(t, false)
	root := o.signedIn(o.rootKey)
	body := root.page("/overview?advertiser=" + o.advertiser + "&period=7d&compare=none")
	for _, want := range []string{
		`href="/actions?advertiser=` + o.advertiser + `&amp;compare=none&amp;period=7d"`, `<option value="7d" selected>`, `<input type="hidden" name="advertiser" value="` + o.advertiser + `">`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, period := range []string{"today", "custom&from=2026-01-01&to=2026-12-31", "custom&from=x&to=y", "custom&from=2026-02-01&to=2026-01-01", "nonsense"} {
		root.page("/overview?period=" + period)
	}
}
