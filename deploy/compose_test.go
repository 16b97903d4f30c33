package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A composeFile is what is looked at of one.
type composeFile struct {
	Services map[string]struct {
		Image       string
		User        string
		Networks    []string
		Secrets     []string
		Volumes     []string
		Ports       []string
		ReadOnly    bool     `yaml:"read_only"`
		Privileged  bool     `yaml:"privileged"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Restart     string
		Environment map[string]string
		Logging     any
	}
	Networks map[string]any
	Volumes  map[string]any
	Secrets  map[string]struct{ File string }
}

func composeFiles(t *testing.T) map[string]composeFile {
	t.Helper()
	found := map[string]composeFile{}
	for _, file := range []string{"compose.yml", "compose.one.yml"} {
		var c composeFile
		if err := yaml.Unmarshal([]byte(read(t, file)), &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[file] = c
	}
	return found
}

// TestComposeFilesFitTogether: what a service names exists, what faces the internet
// is Caddy alone, and Tributary may do no more than it must.
func TestComposeFilesFitTogether(t *testing.T) {
	for file, c := range composeFiles(t) {
		for name, s := range c.Services {
			at := file + " " + name
			for _, network := range s.Networks {
				if _, ok := c.Networks[network]; !ok {
					t.Errorf("%s: there is no network %s", at, network)
				}
			}
			for _, secret := range s.Secrets {
				if c.Secrets[secret].File == "" {
					t.Errorf("%s: there is no secret %s", at, secret)
				}
			}
			for _, volume := range s.Volumes {
				source, _, _ := strings.Cut(volume, ":")
				if strings.HasPrefix(source, "./") {
					if _, err := os.Stat(source); err != nil {
						t.Errorf("%s: %v", at, err)
					}
				} else if _, ok := c.Volumes[source]; !ok {
					t.Errorf("%s: there is no volume %s", at, source)
				}
			}
			_, tag, tagged := strings.Cut(s.Image[strings.LastIndex(s.Image, "/")+1:], ":")
			if !tagged || tag == "latest" {
				t.Errorf("%s: image %s is of no version", at, s.Image)
			}
			if s.Restart != "unless-stopped" || s.Logging == nil || s.Privileged {
				t.Errorf("%s: restart %q, logging %v, privileged %v", at, s.Restart, s.Logging, s.Privileged)
			}
			if len(s.Ports) > 0 && name != "caddy" {
				t.Errorf("%s: publishes %v to the world", at, s.Ports)
			}
			if ours := strings.Contains(s.Image, "TRIBUTARY_IMAGE"); (ours || name == "caddy") &&
				(!s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true")) {
				t.Errorf("%s: may do more than it must", at)
			}
			for variable, value := range s.Environment {
				if strings.Contains(strings.ToLower(variable), "password") && !strings.HasPrefix(value, "/run/secrets/") {
					t.Errorf("%s: %s is in the environment", at, variable)
				}
			}
		}
	}
}

// TestEveryNodeHasItsOwnDisk: two processes on one data directory are refused.
func TestEveryNodeHasItsOwnDisk(t *testing.T) {
	seen := map[string]string{}
	services := composeFiles(t)["compose.yml"].Services
	for name, s := range services {
		if !strings.Contains(s.Image, "TRIBUTARY_IMAGE") {
			continue
		}
		i := slices.IndexFunc(s.Volumes, func(v string) bool { return strings.HasSuffix(v, ":/data") })
		if i < 0 {
			t.Errorf("%s has no disk for /data", name)
			continue
		}
		if other := seen[s.Volumes[i]]; other != "" {
			t.Errorf("%s and %s have one disk", name, other)
		}
		seen[s.Volumes[i]] = name
	}
	if len(seen) != 4 {
		t.Errorf("%d nodes, want two trackers and two admins", len(seen))
	}
}

// TestSecretsAreMadeOnce runs the script: it makes every file compose.yml mounts, for
// nobody else to read, and never again.
func TestSecretsAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "compose")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "make-secrets.sh")
	if err := os.WriteFile(script, []byte(read(t, "compose/make-secrets.sh")), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "sh", "dash", "make-secrets.sh")
	if info, err := os.Stat(filepath.Join(dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of secrets: %v, %v", info, err)
	}
	for name, secret := range composeFiles(t)["compose.yml"].Secrets {
		file := filepath.Join(filepath.Dir(dir), secret.File)
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	settings := documents(t, filepath.Join(dir, "secrets", "tributary.yml"))[0]
	for _, store := range []struct{ key, file string }{{"database", "postgres-password"}, {"clickhouse", "clickhouse-password"}} {
		password := read(t, filepath.Join(dir, "secrets", store.file))
		if dsn, _ := settings[store.key].(string); len(password) < 40 || !strings.Contains(dsn, ":"+password+"@") {
			t.Errorf("%s is not given the password its server is", store.key)
		}
	}
	before := read(t, filepath.Join(dir, "secrets", "secrets.json"))
	if err := exec.CommandContext(t.Context(), "sh", script).Run(); err == nil {
		t.Error("secrets were made again")
	}
	if read(t, filepath.Join(dir, "secrets", "secrets.json")) != before {
		t.Error("secrets were replaced")
	}
}
