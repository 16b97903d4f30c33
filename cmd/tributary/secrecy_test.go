package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/admin"
)

// A confidant knows every secret of a running server, and reads everything that
// those who must not know them may read: logs of any level, refusals, metrics,
// listings and what verbs print.
type confidant struct {
	*testApp
	s       *served
	secrets map[string]string // by what they are
	read    map[string]string // by where it was read
}

// tells keeps an answer that must hold no secret.
func (c *confidant) tells(method, address, body string, headers ...string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	parts, _ := url.Parse(address)
	c.read[fmt.Sprintf("%s %s, %s (%d)", method, parts.Path, headers, len(c.read))] = response.Status + string(content)
}

// made makes a thing and keeps a field of the answer as a secret.
func (c *confidant) made(what, path string, body any, field string) (id string) {
	c.t.Helper()
	answer := c.call(http.MethodPost, path, body, http.StatusCreated)
	c.secrets[what], _ = answer[field].(string)
	id, _ = answer["id"].(string)
	return id
}

func TestSecretsAreToldToNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const smtp = "smtp://mailer:hunter2-of-smtp@127.0.0.1:9?from=no-reply@example.com&starttls=never"
	config := filepath.Join(t.TempDir(), "tributary.yml")
	if err := os.WriteFile(config, []byte("log-level: debug\nwebhook-networks: [127.0.0.0/8]\nsmtp: "+smtp+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir, "--config", config)
	c := &confidant{s.client(), s, map[string]string{"the admin key": adminKeyOfTests, "the mail server's password": "hunter2-of-smtp"}, map[string]string{}}
	c.secretsOfTheDataDir(dir)
	c.makeSecrets()
	c.sendThemWrong()
	c.lookEverywhere()
	if err := os.WriteFile(config, []byte("log-level: debug\nwebhook-networks: [127.0.0.0/8]\nsmtp: "+strings.Replace(smtp, "hunter2", "hunter3", 1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.secrets["the mail server's next password"] = "hunter3-of-smtp"
	s.signal(syscall.SIGHUP)
	eventually(t, func() error { return s.logs("need a restart") })
	c.verbs(dir)
	s.signal(syscall.SIGTERM)
	s.ended()
	c.read["standard output"], c.read["the log"] = s.out.String(), s.err.String()
	if !strings.Contains(s.err.String(), "level=DEBUG") {
		t.Error("the log is not at debug level")
	}
	for what, secret := range c.secrets {
		if len(secret) < 12 {
			t.Errorf("%s is %q: nothing is looked for", what, secret)
			continue
		}
		for where, text := range c.read {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s stands in %s", what, where)
			}
		}
	}
	t.Logf("%d secrets are looked for in %d places, %d bytes of log", len(c.secrets), len(c.read), len(s.err.String()))
}

// secretsOfTheDataDir are all texts of secrets.json.
func (c *confidant) secretsOfTheDataDir(dir string) {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, secretsFile))
	if err != nil {
		c.t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if text, isText := token.(string); isText && len(text) >= 20 {
			c.secrets[fmt.Sprintf("secret %d of the data directory", len(c.secrets))] = text
		}
	}
}

func (c *confidant) makeSecrets() {
	c.t.Helper()
	link := c.makeLink()
	c.clicked(link, phone)
	advertiser := c.call(http.MethodGet, "/v1/campaigns/"+link["campaign_id"].(string), nil, http.StatusOK)["advertiser_id"].(string)
	for _, role := range []string{"admin", "advertiser", "ingest", "creator"} {
		fields := map[string]any{"role": role, "name": "of " + role}
		switch role {
		case "advertiser", "ingest":
			fields["advertiser_id"] = advertiser
		case "creator":
			fields["creator_id"] = link["creator_id"]
		}
		c.made("the key of "+role, "/v1/keys", fields, "key")
	}
	secrets := "/v1/advertisers/" + advertiser + "/secrets"
	c.made("the HMAC secret", secrets, map[string]any{"kind": "hmac", "name": "shop"}, "secret")
	c.made("the postback token", secrets, map[string]any{"kind": "postback", "name": "network"}, "secret")
	webhook := c.made("the webhook's secret", "/v1/webhooks", map[string]any{
		"advertiser_id": advertiser, "url": "http://127.0.0.1:9999/hunter2-in-a-path?token=hunter2-in-a-query", "events": []string{"*"},
	}, "secret")
	c.secrets["the webhook's next secret"], _ = c.call(http.MethodPost, "/v1/webhooks/"+webhook+"/rotate", map[string]any{"overlap_hours": 24}, http.StatusOK)["secret"].(string)
	c.call(http.MethodPost, "/v1/webhooks/"+webhook+"/ping", nil, http.StatusOK) // fails, and is logged if anything is

	c.secrets["the webhook's path"], c.secrets["the webhook's query"] = "hunter2-in-a-path", "hunter2-in-a-query"

	form := url.Values{"key": {c.secrets["the key of advertiser"]}}.Encode()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.adminListener.Addr().String()+"/login", strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	response.Body.Close()
	for _, cookie := range response.Cookies() {
		c.secrets["the cookie "+cookie.Name] = cookie.Value
	}
}

// sendThemWrong sends every secret where it opens nothing, and nearly right.
func (c *confidant) sendThemWrong() {
	c.t.Helper()
	admins, tracker := "http://"+c.adminListener.Addr().String(), "http://"+c.trackerListener.Addr().String()
	sale := `{"event":"sale","order_id":"o1","amount":"1.00","currency":"USD"`
	for what, secret := range maps.Clone(c.secrets) {
		nearly := secret[:len(secret)-1]
		if len(nearly) > 11 {
			c.secrets[what+", mistyped"] = nearly // finds the secret itself as well
		}
		escaped := url.QueryEscape(secret)
		for _, given := range []string{secret, nearly, secret + "x"} {
			c.tells("GET", admins+"/v1/campaigns/none", "", "Authorization", "Bearer "+given)
			c.tells("POST", tracker+"/t/conversions", sale, "Authorization", "Bearer "+given)
		}
		c.tells("POST", admins+"/v1/campaigns", `{"title":"`, "Authorization", "Bearer "+secret)
		c.tells("GET", admins+"/v1/creators?api_key="+escaped+"&limit=x", "", "Authorization", "Bearer "+c.key)
		c.tells("GET", admins+"/v1/creators", "", "Cookie", admin.SessionCookie+"="+escaped)
		c.tells("POST", admins+"/v1/creators", "{}", "Cookie", admin.SessionCookie+"="+escaped, admin.CSRFHeader, escaped)
		c.tells("POST", tracker+"/t/refunds", sale+"}", "Tributary-Key-Id", "sec_none", "Tributary-Timestamp", fmt.Sprint(time.Now().Unix()), "Tributary-Signature", escaped)
		c.tells("GET", tracker+"/t/postback?key="+escaped+"&event=sale", "")
		c.tells("GET", tracker+"/t/pixel.gif?adv="+escaped+"&event=sale", "")
		c.tells("GET", tracker+"/"+escaped, "")
		c.tells("POST", admins+"/login", "key="+escaped+"x", "Content-Type", "application/x-www-form-urlencoded")
	}
}

// lookEverywhere reads what may be read without a secret or with a key.
func (c *confidant) lookEverywhere() {
	c.t.Helper()
	admins := "http://" + c.adminListener.Addr().String()
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/openapi.json", "/docs", "/v1/keys", "/v1/audit-log", "/v1/advertisers", "/v1/me"} {
		c.tells("GET", admins+path, "", "Authorization", "Bearer "+c.key)
	}
}

// verbs are what an operator is shown on the machine, of settings good and bad.
func (c *confidant) verbs(dir string) {
	c.t.Helper()
	c.secrets["the database's password"] = "hunter2-of-postgres"
	for i, args := range [][]string{
		{"doctor", "--data", dir, "--smtp", "smtp://mailer:hunter2-of-smtp@127.0.0.1:9?from=no-reply@example.com", "--clickhouse", "clickhouse://u:hunter2-of-postgres@127.0.0.1:9/x"},
		{"doctor", "--data", c.t.TempDir(), "--database", "postgres://u:hunter2-of-postgres@127.0.0.1:9/x?connect_timeout=1"},
		{"serve", "--data", dir, "--database", "mysql://u:hunter2-of-postgres@127.0.0.1:9/x", "--smtp", "ftp://mailer:hunter2-of-smtp@127.0.0.1", "--clickhouse", "%zz://u:hunter2-of-postgres@x"},
		{"key", "list", "--data", dir},
	} {
		var out, failures bytes.Buffer
		run(terminal{Args: args, Out: &out, Err: &failures})
		c.read[fmt.Sprintf("tributary %s (%d)", args[0], i)] = out.String() + failures.String()
	}
}
