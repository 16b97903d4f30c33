package dashboard

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"tributary/admin"
	"tributary/caller"
)

func TestSigningIn(t *testing.T) {
	o := newOffice(t, false)
	b := o.browser()
	if answer, _ := b.get("/pay?state=open"); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/login?next=%2Fpay%3Fstate%3Dopen" {
		t.Errorf("without a session: %s to %s", answer.Status, answer.Header.Get("Location"))
	}
	if answer, body := b.get("/login?next=/pay"); answer.StatusCode != 200 || !strings.Contains(body, `name="next" value="/pay"`) {
		t.Errorf("the sign-in page: %s\n%s", answer.Status, body)
	}
	for key, said := range map[string]string{"": "opens nothing", "trb_wrong": "opens nothing", o.ingestKey: "only delivers conversions"} {
		if answer, body := b.signIn(key, ""); answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, said) || len(answer.Cookies()) > 0 {
			t.Errorf("signing in with %q: %s, %v", key, answer.Status, answer.Cookies())
		}
	}
	answer, _ := b.signIn("  "+o.ownKey+"\n", "/pay?state=open")
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/pay?state=open" {
		t.Fatalf("signing in: %s to %s", answer.Status, answer.Header.Get("Location"))
	}
	for _, cookie := range answer.Cookies() {
		strict := cookie.Name == admin.CSRFCookie && cookie.SameSite == http.SameSiteStrictMode
		hidden := cookie.Name == admin.SessionCookie && cookie.SameSite == http.SameSiteLaxMode && cookie.HttpOnly
		if !strict && !hidden || cookie.Path != "/" || cookie.Secure {
			t.Errorf("cookie %v", cookie)
		}
	}
	b.page("/pay")
	if answer, _ := b.get("/login"); answer.Header.Get("Location") != "/overview" {
		t.Errorf("signed in, the sign-in page leads to %q", answer.Header.Get("Location"))
	}
	if answer, _ := b.post("/logout", nil, "Origin", "https://evil.example"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("another site signs out: %s", answer.Status)
	}
	if answer, _ := b.post("/logout", nil, "Origin", o.url); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %s", answer.Status)
	}
	if answer, _ := b.get("/pay"); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("signed out: %s", answer.Status)
	}
}

// TestSessionsAreNotFixed has somebody plant a session before signing in, and keep
// a copy of one after signing out: neither opens anything.
func TestSessionsAreNotFixed(t *testing.T) {
	o := newOffice(t, false)
	ask := func(token string) int {
		t.Helper()
		request := must(http.NewRequest(http.MethodGet, o.url+"/pay", nil))(t)
		request.AddCookie(&http.Cookie{Name: admin.SessionCookie, Value: token})
		answer, _ := o.browser().send(request)
		return answer.StatusCode
	}
	sessionIn := func(answer *http.Response) string {
		t.Helper()
		for _, cookie := range answer.Cookies() {
			if cookie.Name == admin.SessionCookie {
				return cookie.Value
			}
		}
		t.Fatalf("no session: %s", answer.Status)
		return ""
	}
	stranger, _ := o.browser().signIn(o.strangersKey, "")
	for _, planted := range []string{strings.Repeat("a", 43), "", sessionIn(stranger)} {
		b := o.browser()
		answer, _ := b.post("/login", url.Values{"key": {o.ownKey}}, "Cookie", admin.SessionCookie+"="+planted)
		token := sessionIn(answer)
		if token == planted || len(token) != 43 {
			t.Errorf("with %q planted the session is %q", planted, token)
		}
		if ask(token) != http.StatusOK {
			t.Error("the session opens nothing")
		}
		if answer, _ := b.post("/logout", nil, "Origin", o.url); answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("signing out: %s", answer.Status)
		}
		if ask(token) != http.StatusSeeOther {
			t.Error("a copy of the session outlives signing out")
		}
	}
	if ask(strings.Repeat("a", 43)) != http.StatusSeeOther {
		t.Error("a planted session opens something")
	}
}

func TestSessionEndsWithItsKey(t *testing.T) {
	o := newOffice(t, false)
	b := o.signedIn(o.ownKey)
	b.page("/pay")
	if err := o.things.ArchiveKey(context.Background(), operator, o.ownKeyID); err != nil {
		t.Fatal(err)
	}
	if answer, _ := b.get("/pay"); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("with a revoked key: %s", answer.Status)
	}
}

func TestSecureCookiesBehindHTTPS(t *testing.T) {
	o := newOffice(t, false)
	for _, c := range []struct {
		trusted []netip.Prefix
		proto   string
		want    bool
	}{
		{nil, "https", false}, // anybody can write that
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "https", false},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "https", true},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "http", false},
	} {
		o.proxies.Trust(c.trusted)
		answer, _ := o.browser().post("/login", url.Values{"key": {o.ownKey}}, "X-Forwarded-Proto", c.proto)
		if len(answer.Cookies()) != 2 {
			t.Errorf("signing in: %s", answer.Status)
		}
		for _, cookie := range answer.Cookies() {
			if cookie.Secure != c.want {
				t.Errorf("%s from a proxy of %v: cookie %v", c.proto, c.trusted, cookie)
			}
		}
	}
}

func TestForeignPagesSignNobodyIn(t *testing.T) {
	o := newOffice(t, false)
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}} {
		answer, _ := o.browser().post("/login", url.Values{"key": {o.ownKey}}, header...)
		if answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
			t.Errorf("%v: %s", header, answer.Status)
		}
	}
}

func TestTooManyAttempts(t *testing.T) {
	o := newOffice(t, false)
	b := o.browser()
	o.signedIn(o.ownKey)
	for range caller.SignInLimit.Failures {
		if answer, _ := b.signIn("trb_wrong", ""); answer.StatusCode != http.StatusUnauthorized {
			t.Fatalf("an attempt: %s", answer.Status)
		}
	}
	if answer, _ := b.signIn(o.rootKey, ""); answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one attempt too many: %s", answer.Status)
	}
	o.signedIn(o.ownKey) // one that this network has signed in with
}

func TestWhereSigningInLeads(t *testing.T) {
	for next, want := range map[string]string{
		"/pay?x=1": "/pay?x=1", "": "/home", "pay": "/home", "//evil.example": "/home", "https://evil.example/": "/home", `/\evil.example`: "/home", "/%zz": "/home", "javascript:alert(1)": "/home",
	} {
		if got := orHome(next, "/home"); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}
