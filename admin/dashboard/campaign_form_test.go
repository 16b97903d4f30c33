package dashboard

import (
	"net/http"
	"strings"
	"testing"

	"tributary/attribution"
)

func TestRatesAreWrittenInPercent(t *testing.T) {
	for rate, want := range map[attribution.Decimal]string{
		"0.10": "10", "0.1": "10", "0.125": "12.5", "1": "100", "1.5": "150", "0": "0", "0.001": "0.1", "0.0075": "0.75", "0.05": "5", "0.3300": "33",
	} {
		if got := hundredfold(rate); got != want {
			t.Errorf("%s is %s percent, want %s", rate, got, want)
		}
	}
}

// TestCampaignForm reads a campaign's form: what it is, and nothing of another's.
func TestCampaignForm(t *testing.T) {
	o := newOffice(t, false)
	b := o.signedIn(o.ownKey)
	body := b.page("/campaigns/" + o.campaign + "/edit")
	for _, want := range []string{
		`data-api="PATCH /v1/campaigns/` + o.campaign + `" data-changes`, `value="Spring"`, `name="terms.events.sale.rate" data-percent inputmode="decimal" value="10"`,
		`value="tiktok" data-item checked`, `value="1000.00"`, `name="starts_at" type="datetime-local" data-zone="Asia/Bangkok" required value="2026-12-21T19:00"`,
		`<option value="month" selected>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the form has no %s", want)
		}
	}
	if strings.Contains(body, "margin_rate") {
		t.Error("an advertiser is shown the platform's margin")
	}
	if body := o.signedIn(o.rootKey).page("/campaigns/" + o.campaign + "/edit"); !strings.Contains(body, "margin_rate") {
		t.Error("an admin is not shown the margin")
	}
	if answer, _ := o.signedIn(o.strangersKey).get("/campaigns/" + o.campaign + "/edit"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("another advertiser's form: %s", answer.Status)
	}
}

// TestMissingPages asks for what is not there, as a person and as a program.
func TestMissingPages(t *testing.T) {
	o := newOffice(t, false)
	ask := func(b *browser, path, accept string) (*http.Response, string) {
		request := must(http.NewRequest(http.MethodGet, b.url+path, nil))(t)
		request.Header.Set("Accept", accept)
		return b.send(request)
	}
	const html = "text/html,application/xhtml+xml"
	in, out := o.signedIn(o.ownKey), o.browser()
	for _, path := range []string{"/nowhere", "/campaigns/" + o.campaign + "/nowhere", "/v2"} {
		answer, body := ask(in, path, html)
		if answer.StatusCode != http.StatusNotFound || !strings.Contains(body, "There is nothing here") || !strings.Contains(body, `aria-label="Pages"`) || answer.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %s %s", path, answer.Status, body)
		}
		if answer, _ := ask(out, path, html); answer.StatusCode != http.StatusSeeOther {
			t.Errorf("%s, signed out: %s", path, answer.Status)
		}
		if answer, _ := ask(in, path, "*/*"); answer.StatusCode != http.StatusNotFound || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s, of a program: %s %s", path, answer.Status, answer.Header.Get("Content-Type"))
		}
	}
	if answer, _ := ask(in, "/v1/nowhere", html); answer.StatusCode != http.StatusNotFound || answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("of the API: %s %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	if answer, _ := in.post("/overview", nil, "Accept", html); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("another method: %s", answer.Status)
	}
}
