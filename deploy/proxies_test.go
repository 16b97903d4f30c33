package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProxiesTakeTheirFiles gives the committed files to nginx and Caddy, as they are
// but for certificates. cmd/tributary sends shoppers through both.
func TestProxiesTakeTheirFiles(t *testing.T) {
	t.Run("caddy", func(t *testing.T) {
		for name, value := range map[string]string{
			"TRIBUTARY_LINK_HOST": "go.example.com", "TRIBUTARY_ADMIN_HOST": "tributary.example.com", "TRIBUTARY_ACME_EMAIL": "ops@example.com",
			"TRIBUTARY_TRACKERS": "tracker-1:8080 tracker-2:8080", "TRIBUTARY_ADMINS": "admin-1:8081 admin-2:8081", "XDG_DATA_HOME": t.TempDir(), "XDG_CONFIG_HOME": t.TempDir(),
		} {
			t.Setenv(name, value)
		}
		run(t, ".", "caddy", "caddy", "validate", "--adapter", "caddyfile", "--config", "caddy/Caddyfile")
		run(t, ".", "caddy", "caddy", "fmt", "caddy/Caddyfile")
		adapted := run(t, ".", "caddy", "caddy", "adapt", "--adapter", "caddyfile", "--config", "caddy/Caddyfile")
		for _, want := range []string{`"tracker-2:8080"`, `"admin-2:8081"`, "/domains/allowed", `"on_demand":true`} {
			if !strings.Contains(adapted, want) {
				t.Errorf("%s is missing in what Caddy understood", want)
			}
		}
	})
	t.Run("nginx", func(t *testing.T) {
		dir := t.TempDir()
		run(t, dir, "openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
			"-subj", "/CN=go.example.com", "-keyout", "key.pem", "-out", "fullchain.pem")
		site := strings.NewReplacer("/etc/ssl/go.example.com/", dir+"/", "/etc/ssl/tributary.example.com/", dir+"/").Replace(read(t, "nginx/tributary.conf"))
		config := "pid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + site + "}\n"
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		said := run(t, dir, "nginx", "nginx", "-t", "-p", dir, "-c", file)
		if strings.Contains(said, "[warn]") && !strings.Contains(said, `"user" directive`) {
			t.Errorf("nginx warns:\n%s", said)
		}
	})
}
