package admin

import (
	"testing"
	"time"

	"tributary/catalog"
)

// TestSessionsOfBrowsers holds the API to what a browser's session may do.
func TestSessionsOfBrowsers(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	session, err := b.catalog.SignIn(t.Context(), w.advertiserKey, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cookie := CSRFCookie + "=x; " + SessionCookie + "=" + session.Token
	path, task := "/v1/campaigns/"+w.campaign, `{"campaign_id":"`+w.campaign+`","creator_id":"`+w.creator+`","platform":"tiktok"}`

	b.send("", "GET", path, "", "Cookie", cookie).want(200)
	b.send("", "GET", path, "", "Cookie", SessionCookie+"=nothing").problem(401, catalog.CodeUnauthorized)
	b.send("", "GET", "/v1/reports/none", "", "Cookie", cookie).want(404)
	b.send("", "POST", "/v1/creators", `{"name":"B"}`, "Cookie", cookie, CSRFHeader, session.CSRF).problem(403, "forbidden") // the key's role

	origin := b.url
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"no token", nil, 403},
		{"another token", []string{CSRFHeader, session.Token}, 403},
		{"another site", []string{CSRFHeader, session.CSRF, "Origin", "https://evil.example"}, 403},
		{"no origin at all", []string{CSRFHeader, session.CSRF, "Origin", "null"}, 403},
		{"another site, as the browser says", []string{CSRFHeader, session.CSRF, "Sec-Fetch-Site", "cross-site"}, 403},
		{"a neighbour's page", []string{CSRFHeader, session.CSRF, "Sec-Fetch-Site", "same-site"}, 403},
		{"its own page", []string{CSRFHeader, session.CSRF, "Origin", origin, "Sec-Fetch-Site", "same-origin"}, 201},
		{"its own page in an old browser", []string{CSRFHeader, session.CSRF}, 201},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.in(t).send("", "POST", "/v1/tasks", task, append(c.header, "Cookie", cookie)...).want(c.status)
		})
	}
	b.send(w.creatorKey, "GET", path, "", "Cookie", cookie).want(200) // a key that is sent is whose request it is
	b.send("trb_wrong", "GET", path, "", "Cookie", cookie).want(401)

	if err := b.catalog.SignOut(t.Context(), session.Token); err != nil {
		t.Fatal(err)
	}
	b.send("", "GET", path, "", "Cookie", cookie).problem(401, catalog.CodeUnauthorized)
}
